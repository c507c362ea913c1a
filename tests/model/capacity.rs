//! How much work `redrive` can do, in virtual time: each call costs an instance the latency of the service, and
//! processor time at its seventh of a core (see `meter.rs`). `make bench ONLY=capacity` plays three loads and prints
//! for each lane how late it was:
//!
//! - 1,000 destinations of 100 accounts are down, and all have to be probed at once;
//! - events have to be audited; the result is how many may be sealed a second, and 5,000 are required;
//! - a million deliveries become due within one minute. At the same time those destinations are down, 20,000 events of
//!   1,000 other destinations have to be rolled up and audited, 10,000 announced runs have not come, and each account
//!   has a job.
//!
//! The million has ten minutes of virtual time from when the first becomes due; the program also prints how long all
//! would take. `capacity <deliveries> <minutes>` plays the last load with other numbers.

#![expect(clippy::expect_used, reason = "a model that cannot be set up is a broken test")]
#![expect(dead_code, reason = "only a part of the model is played")]
#![expect(clippy::print_stdout, reason = "a command line tool")]

mod chaos;
mod counting;
mod custody;
mod doubles;
mod lag;
mod load;
mod meter;
mod processes;
mod queue;
mod receivers;
mod requests;
mod table;
mod ways;
mod witness;

use std::sync::Arc;
use std::time::Duration;

use ports::Clock;
use tokio::task::JoinSet;

use crate::chaos::{Chaos, Dice};
use crate::counting::{Lane, Sent};
use crate::load::Load;
use crate::meter::Meter;
use crate::processes::Ended;

const MINUTE: Duration = Duration::from_secs(60);
/// How many instances of `redrive` may work at once, including the one that the schedule starts.
const INSTANCES: usize = 50;
/// The goals.
const ALL_SENT: Duration = Duration::from_secs(600);
const OTHER_LANES: Duration = Duration::from_secs(120);
const AUDITED_A_SECOND: f64 = 5_000.0;
/// How many events the audit goes through: alone, enough for several minutes, and beside what is due.
const AUDITED: u64 = 1_000_000;
const AUDITED_BESIDE: u64 = 20_000;
/// How many announced runs have not come.
const MISSED: u64 = 10_000;

fn main() {
    let numbers: Vec<u64> = std::env::args().skip(1).filter_map(|number| number.parse().ok()).collect();
    let (due, minutes) = (numbers.first().copied().unwrap_or(1_000_000), numbers.get(1).copied().unwrap_or(10));
    play(a_thousand_down());
    play(audited());
    play(many_due(due, minutes));
}

fn play(load: impl Future<Output = ()>) {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_time().start_paused(true).build();
    tokio::task::LocalSet::new().block_on(&runtime.expect("a runtime"), load);
}

/// The instances that work now. Each minute the schedule starts one. A run may hand out units of its work, and each
/// unit starts another instance as soon as there is room.
struct Instances {
    load: Load,
    dice: Arc<Dice>,
    running: JoinSet<Ended>,
    most: usize,
    started: usize,
    /// When the last note was audited and the last job ended.
    audited: Option<Duration>,
    jobs_ended: Option<Duration>,
    /// When the last destination was rolled up.
    rolled_up: Option<Duration>,
}

impl Instances {
    fn of(load: Load) -> Self {
        Self {
            load,
            dice: Arc::new(Dice::new(1)),
            running: JoinSet::new(),
            most: 0,
            started: 0,
            audited: None,
            jobs_ended: None,
            rolled_up: None,
        }
    }

    fn start(&mut self, event: serde_json::Value) {
        let chaos = Chaos { meter: Some(Arc::new(Meter::new())), ..Chaos::none(self.dice.clone()) };
        let redrive = self.load.instance(chaos);
        self.started += 1;
        self.running.spawn_local(async move { redrive.work_on(event).await });
        self.most = self.most.max(self.running.len());
    }

    /// Starts an instance for each unit that was handed out, while there is room.
    fn start_units(&mut self) {
        while self.running.len() < INSTANCES {
            let Some(unit) = self.load.next_unit() else { return };
            self.start(unit);
        }
    }

    /// Runs until `done`, or for `limit`.
    async fn run(&mut self, limit: Duration, done: impl Fn(&Load) -> bool) -> Duration {
        let begin = self.load.clock.real();
        let mut next = begin;
        while self.load.clock.real().since(begin) < limit && !done(&self.load) {
            if self.load.clock.real() >= next {
                next = next.plus(MINUTE);
                self.start(serde_json::Value::Null);
            }
            self.start_units();
            let since = self.load.clock.real().since(begin);
            self.audited = self.audited.or((self.load.notes_left() == 0).then_some(since));
            self.jobs_ended = self.jobs_ended.or((!self.load.has_jobs()).then_some(since));
            if self.rolled_up.is_none() && self.load.is_rolled_up().await {
                self.rolled_up = Some(since);
            }
            tokio::select! {
                biased;
                Some(ended) = self.running.join_next() => drop(ended),
                () = tokio::time::sleep_until(self.load.clock.instant(next)) => {}
                () = self.load.handed_out() => {}
            }
        }
        self.load.clock.real().since(begin)
    }
}

async fn many_due(count: u64, minutes: u64) {
    let load = Load::new().await;
    let begin = load.clock.now();
    load.down(begin).await;
    load.sealed(AUDITED_BESIDE).await;
    load.jobs().await;
    load.missed(MISSED, begin.plus(MINUTE)).await;
    load.due(count, begin.plus(MINUTE)).await;
    let mut instances = Instances::of(load);
    let all = move |load: &Load| {
        let Sent { due, missed, .. } = load.sent();
        due.count >= count && missed.count >= MISSED && load.notes_left() == 0 && !load.has_jobs()
    };
    // For a minute none of them is due.
    let took = instances.run(MINUTE * u32::try_from(minutes + 1).expect("a few"), all).await.saturating_sub(MINUTE);
    let Sent { due, probes, missed } = instances.load.sent();
    let took = if due.count >= count { due.most_late } else { took };
    let rate = due.count as f64 / took.as_secs_f64();
    println!("{count} deliveries come due within one minute:");
    println!(
        "  {} sent within {} s of virtual time, {rate:.0} a second, by {} instances, {} at once; all would take {:.0} s {}",
        due.count,
        took.as_secs(),
        instances.started,
        instances.most,
        count as f64 / rate,
        verdict(due.count >= count && took <= ALL_SENT)
    );
    tell("due", &due, Duration::MAX);
    tell("probes", &probes, OTHER_LANES);
    tell("missed runs", &missed, OTHER_LANES);
    if missed.count < MISSED {
        println!("  of {MISSED} missed runs not all are told {}", verdict(false));
    }
    let ended = [("roll-ups", instances.rolled_up), ("audit", instances.audited), ("jobs", instances.jobs_ended)];
    for (lane, ended) in ended {
        match ended {
            Some(after) => {
                println!("  lane {lane:<11} ended after {} s {}", after.as_secs(), verdict(after <= OTHER_LANES))
            }
            None => println!("  lane {lane:<11} has not ended {}", verdict(false)),
        }
    }
}

async fn a_thousand_down() {
    let load = Load::new().await;
    let begin = load.clock.now();
    load.down(begin).await;
    let mut instances = Instances::of(load);
    let took = instances.run(MINUTE * 10, |load| load.sent().probes.count >= load::DOWN).await;
    println!("1,000 destinations of 100 accounts are down, and all are to be probed at once:");
    println!("  {} probed within {} s", instances.load.sent().probes.count, took.as_secs());
    tell("probes", &instances.load.sent().probes, OTHER_LANES);
}

async fn audited() {
    let load = Load::new().await;
    load.sealed(AUDITED).await;
    let mut instances = Instances::of(load);
    let took = instances.run(MINUTE * 30, |load| load.notes_left() == 0).await;
    let rate = AUDITED as f64 / took.as_secs_f64();
    println!("{AUDITED} events of 100 accounts are to be audited, each of which owes one delivery:");
    println!(
        "  {rate:.0} a second, by {} instances, {} at once; {AUDITED_A_SECOND:.0} a second are the goal {}",
        instances.started,
        instances.most,
        verdict(instances.load.notes_left() == 0 && rate >= AUDITED_A_SECOND)
    );
}

fn tell(lane: &str, sent: &Lane, most: Duration) {
    let verdict = if most == Duration::MAX { "" } else { verdict(sent.most_late <= most) };
    println!("  lane {lane:<11} {:>8} sent, at most {:>5} s late {verdict}", sent.count, sent.most_late.as_secs());
}

fn verdict(is_met: bool) -> &'static str {
    if is_met { "(goal met)" } else { "(GOAL MISSED)" }
}
