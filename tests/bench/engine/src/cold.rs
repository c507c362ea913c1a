//! Cold starts: from spawning a program to its first poll, and to the end of its first invocation; with a whole processor,
//! and with the shares of one that a function of 256 MB and one of 512 MB have.

use std::path::{Path, PathBuf};

use serde::Serialize;

use crate::Result;
use crate::account::Account;
use crate::batches::batch;
use crate::lambda::Function;
use crate::stats::{median, percentile};
use crate::world::World;

const RUNS: usize = 30;
pub(crate) const FUNCTIONS: [&str; 6] = ["deliver", "fanout", "api", "portal", "authorizer", "redrive"];
/// Shares of a processor, that of 256 MB and that of 512 MB, in periods as long as those of Lambda.
const PERIOD_US: u32 = 20_000;
const QUOTAS_US: [u32; 2] = [2_900, 5_800];

/// Milliseconds, the median and what 95 % do not exceed.
#[derive(Debug, Clone, Copy, Serialize)]
pub(crate) struct Times {
    pub(crate) poll: [f64; 2],
    pub(crate) answer: [f64; 2],
}

#[derive(Debug, Clone, Serialize)]
pub(crate) struct ColdStart {
    pub(crate) function: String,
    /// In bytes; of the program that is deployed.
    pub(crate) size: f64,
    pub(crate) free: Times,
    /// None where this machine has no such group of processes to be had.
    pub(crate) with_share: Option<Times>,
    /// With a share of 0.29.
    pub(crate) with_twice_the_share: Option<Times>,
}

/// A group of processes that has a share of a processor. It is removed with this value.
struct Share(PathBuf);

impl Share {
    /// None if this machine does not let us make one: in a container, mostly.
    fn new(quota_us: u32) -> Option<Self> {
        let name = format!("engine-{}-{quota_us}", std::process::id());
        let first = Path::new("/sys/fs/cgroup").join(&name);
        if Path::new("/sys/fs/cgroup/cgroup.controllers").exists() && std::fs::create_dir(&first).is_ok() {
            let share = Self(first);
            return share.set("cpu.max", format!("{quota_us} {PERIOD_US}")).then_some(share);
        }
        let share = Self(Path::new("/sys/fs/cgroup/cpu").join(name));
        std::fs::create_dir(&share.0).ok()?;
        let is_set = share.set("cpu.cfs_period_us", PERIOD_US.to_string());
        (is_set && share.set("cpu.cfs_quota_us", quota_us.to_string())).then_some(share)
    }

    fn set(&self, name: &str, value: String) -> bool {
        std::fs::write(self.0.join(name), value).is_ok()
    }
}

impl Drop for Share {
    fn drop(&mut self) {
        drop(std::fs::remove_dir(&self.0));
    }
}

/// Each function, and a program beside it that does nothing.
pub(crate) async fn measure(world: &mut World, hello: &Path) -> Result<Vec<ColdStart>> {
    let shares = QUOTAS_US.map(Share::new);
    let account = Account::https(1);
    let mut starts = Vec::new();
    for function in FUNCTIONS.into_iter().chain(["hello-world"]) {
        let program = if function == "hello-world" { hello.to_owned() } else { world.program(function) };
        let payloads = payloads(world, function, account).await?;
        let (free, shared) = payloads.split_at(RUNS + 1);
        let free = times(world, &program, free, None).await?;
        let mut with_shares = [None; 2];
        for ((share, payloads), times_of_it) in shares.iter().zip(shared.chunks(RUNS + 1)).zip(&mut with_shares) {
            if let Some(share) = share {
                *times_of_it = Some(times(world, &program, payloads, Some(&share.0)).await?);
            }
        }
        let [with_share, with_twice_the_share] = with_shares;
        let size = std::fs::metadata(&program)?.len() as f64;
        starts.push(ColdStart { function: function.to_owned(), size, free, with_share, with_twice_the_share });
    }
    world.aws.check()?;
    Ok(starts)
}

/// What each run is first invoked with: an event and a delivery are always new.
async fn payloads(world: &mut World, function: &str, account: Account) -> Result<Vec<Vec<u8>>> {
    let count = 3 * (RUNS + 1);
    if function != "fanout" && function != "deliver" {
        let request = serde_json::to_vec(&world.first_invocation(function, account)?)?;
        return Ok(vec![request; count]);
    }
    let events = world.events(&account.id(), 1_024, count)?;
    let each = |messages: &[String]| messages.chunks(1).map(batch).collect::<Result<Vec<_>>>();
    if function == "fanout" {
        return each(&events);
    }
    world.aws.keep_messages(true);
    let mut fanout = world.start("fanout").await?;
    fanout.invoke(batch(&events)?).await?;
    fanout.end().await?;
    let messages = world.aws.take_messages();
    world.aws.keep_messages(false);
    each(&messages)
}

/// The first start is for practice: then the program is in memory.
async fn times(world: &World, program: &Path, payloads: &[Vec<u8>], share: Option<&Path>) -> Result<Times> {
    let (mut polls, mut answers) = (Vec::new(), Vec::new());
    for payload in payloads {
        let mut function = Function::start(program, &world.environment(), share).await?;
        polls.push(function.first_poll().await?.as_secs_f64() * 1_000.0);
        let answered = function.invoke(payload.clone()).await?;
        answers.push(function.since_start(answered.at).as_secs_f64() * 1_000.0);
        function.end().await?;
    }
    let both = |values: &[f64]| [median(values), percentile(values, 95)];
    Ok(Times { poll: both(&polls[1..]), answer: both(&answers[1..]) })
}
