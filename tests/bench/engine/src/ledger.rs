//! What healthy deliveries cost in `redrive` after they have arrived: adding up statistics, and the audit. The rows are those
//! that `fanout` and `deliver` write here.
//!
//! The functions read the clock of this machine. With a horizon of a minute, a stretch of time has ten seconds and not ten
//! minutes, and is audited a minute after its end and not an hour. So six stretches, which are an hour elsewhere, take
//! two minutes. Events are said to have occurred in the previous hour, ten seconds later in each stretch, so that a run across
//! the full hour counts the same.

use std::time::Duration;

use serde::Serialize;
use time::OffsetDateTime;
use tokio::time::sleep;

use crate::Result;
use crate::account::Account;
use crate::batches::{failed, in_batches};
use crate::lambda::Function;
use crate::redrive::{Work, lane, scheduled};
use crate::world::{BATCH, World, now_ms};

const HORIZON_SECONDS: u32 = 60;
const STRETCH_MS: i128 = 10_000;
/// When what ended with a stretch can be added up.
const SETTLED_MS: i128 = 1_500;
/// Stretches in which there are events. The first one is for practice, and its events are of another hour.
const STRETCHES: usize = 7;
/// After so many further ones, a stretch is audited.
const UNTIL_AUDIT: usize = 6;
/// Events of a stretch. Each destination gets all of them: a hundred deliveries in ten minutes.
const EVENTS: usize = 100;
const FAN_OUTS: [usize; 3] = [1, 3, 10];

/// What all deliveries took, without what a run takes that finds nothing to do.
#[derive(Debug, Clone, Serialize)]
pub(crate) struct Ledger {
    pub(crate) fan_out: usize,
    pub(crate) events: f64,
    pub(crate) deliveries: f64,
    pub(crate) roll_ups: Work,
    pub(crate) audit: Work,
    /// A roll-up is one destination added up once.
    pub(crate) count_of_roll_ups: f64,
}

/// What was measured, and a scheduled run with nothing to do that is the first one of a stretch.
pub(crate) async fn measure(world: &World) -> Result<(Vec<Ledger>, Work)> {
    let mut stacks = Vec::new();
    for fan_out in FAN_OUTS {
        stacks.push(Stack::new(world, fan_out).await?);
    }
    let idle = world.beside("idle", HORIZON_SECONDS).await?;
    let mut of_idle = idle.start("redrive").await?;
    let mut firsts = Vec::new();
    let begin = (now_ms() / STRETCH_MS + 1) * STRETCH_MS;
    for nth in 0..STRETCHES + UNTIL_AUDIT + 1 {
        sleep_until(begin + nth as i128 * STRETCH_MS + SETTLED_MS).await;
        eprintln!("measuring redrive, stretch {nth} of {} …", STRETCHES + UNTIL_AUDIT);
        for stack in &mut stacks {
            stack.look_back().await?;
        }
        firsts.push(scheduled(&idle, &mut of_idle).await?);
        if nth < STRETCHES {
            for stack in &mut stacks {
                stack.deliver(nth).await?;
            }
        }
        if now_ms() >= begin + (nth as i128 + 1) * STRETCH_MS {
            return Err("this machine is too busy: what belongs to ten seconds took longer".into());
        }
    }
    of_idle.end().await?;
    let mut ledgers = Vec::new();
    for stack in stacks {
        ledgers.push(stack.end().await?);
    }
    Ok((ledgers, Work::median(&firsts[1..])))
}

async fn sleep_until(at_ms: i128) {
    let left = u64::try_from(at_ms - now_ms()).unwrap_or_default();
    sleep(Duration::from_millis(left)).await;
}

/// An account with a table of its own, and instances that stay warm.
struct Stack {
    world: World,
    account: Account,
    fanout: Function,
    deliver: Function,
    redrive: Function,
    /// When the hour of the practice began.
    hour: OffsetDateTime,
    /// By stretch of time.
    roll_ups: Vec<Work>,
    audits: Vec<Work>,
}

impl Stack {
    async fn new(beside: &World, fan_out: usize) -> Result<Self> {
        let account = Account::http(fan_out);
        let mut world = beside.beside(&format!("ledger-{fan_out}"), HORIZON_SECONDS).await?;
        world.create(&[account]).await?;
        let [fanout, deliver, redrive] =
            [world.start("fanout").await?, world.start("deliver").await?, world.start("redrive").await?];
        let hour = OffsetDateTime::from_unix_timestamp((i64::try_from(now_ms() / 1_000)? / 3_600 - 2) * 3_600)?;
        Ok(Self { world, account, fanout, deliver, redrive, hour, roll_ups: Vec::new(), audits: Vec::new() })
    }

    /// Adds up what ended with the last stretch, and audits what is ripe.
    async fn look_back(&mut self) -> Result<()> {
        self.roll_ups.push(lane(&self.world, &mut self.redrive, "roll_ups").await?);
        self.audits.push(lane(&self.world, &mut self.redrive, "audit").await?);
        Ok(())
    }

    /// The events of a stretch, and their deliveries.
    async fn deliver(&mut self, nth: usize) -> Result<()> {
        let hours = if nth == 0 { 0 } else { 1 };
        let occurred = self.hour + Duration::from_secs(hours * 3_600 + 600 + nth as u64 * 10);
        let events = self.world.events_of(&self.account.id(), 1_024, EVENTS, occurred)?;
        self.world.aws.keep_messages(true);
        hand_over(&mut self.fanout, &events).await?;
        let messages = self.world.aws.take_messages();
        self.world.aws.keep_messages(false);
        if messages.len() != EVENTS * self.account.fan_out {
            return Err(format!("{EVENTS} events made {} deliveries", messages.len()).into());
        }
        hand_over(&mut self.deliver, &messages).await
    }

    async fn end(self) -> Result<Ledger> {
        self.world.receivers.counters.check()?;
        for function in [self.fanout, self.deliver, self.redrive] {
            function.end().await?;
        }
        // What ends with stretch 0 is added up when the next one begins, and audited six later.
        let stretches = (STRETCHES - 1) as f64;
        let sum = |works: &[Work]| works.iter().fold(Work::default(), |sum, work| sum.plus(work));
        let idle = |works: &[Work]| Work::median(works).times(stretches);
        let roll_ups = sum(&self.roll_ups[2..=STRETCHES]).minus(&idle(&self.roll_ups[STRETCHES + 1..]));
        let audit = sum(&self.audits[UNTIL_AUDIT + 2..]).minus(&idle(&self.audits[1..=UNTIL_AUDIT]));
        let fan_out = self.account.fan_out;
        let events = EVENTS as f64 * stretches;
        let deliveries = events * fan_out as f64;
        let count_of_roll_ups = fan_out as f64 * stretches;
        Ok(Ledger { fan_out, events, deliveries, roll_ups, audit, count_of_roll_ups })
    }
}

async fn hand_over(instance: &mut Function, messages: &[String]) -> Result<()> {
    for batch in in_batches(messages, BATCH)? {
        let answered = instance.invoke(batch.payload).await?;
        if !failed(&answered.body, batch.messages)?.is_empty() {
            return Err("records of a healthy batch failed".into());
        }
    }
    Ok(())
}

impl Ledger {
    /// Microseconds of a processor for a delivery.
    pub(crate) fn cpu_us(&self) -> f64 {
        (self.roll_ups.cpu_ms + self.audit.cpu_ms) * 1_000.0 / self.deliveries
    }

    pub(crate) fn read_units(&self) -> f64 {
        (self.roll_ups.read_units + self.audit.read_units) / self.deliveries
    }
}
