//! `redrive` does everything that has to be done later. Each minute it sends what is due, watches destinations that are
//! or were down and reports on them, reports deliveries that were given up, reports missed runs, rolls up the results
//! of deliveries, audits events after their horizon, and works on pending jobs. It answers no request and receives no
//! event.
//!
//! The schedule's event is empty: the table says what there is to do. Concurrent invocations do not disturb each other:
//! each step is claimed first, by a change of a row or by a lease. The next run finds whatever one run leaves undone.
//!
//! A run lasts 60 s. The last 15 s are reserved for steps that are still running. A step that takes longer is given up
//! 3 s before the end, as in a crash, and the next run finds what it began. The parts take turns: each has a share of
//! the other 45 s, and what some parts do not need goes to those that have more to do, in further rounds. What a part
//! has left after its first turn, the scheduled run hands out to other instances as units of work; it continues with
//! one portion itself (the files `unit` and `lane`):
//!
//! | part | share | is divided by | of 20 units |
//! |---|---|---|---|
//! | what is due | 9 s | shard and delivery | 8 |
//! | destinations that are or were down: reports, probes, drains | 5 s | destination | 3 |
//! | reports of deliveries that were given up | 2 s | goes with what is due | |
//! | missed runs | 2 s | shard | 1 |
//! | roll-ups | 15 s | shard of the account | 2 |
//! | audit | 6 s, of which a note (an account and a stretch of time) has 2 s at a time | shard of the account | 4 |
//! | jobs | 6 s, of which a job has 2 s at a time | account | 2 |
//!
//! Within a part, what belongs to different accounts, destinations or shards is taken in turn, and each row fails alone
//! (the file `failures`).
//!
//! Invariant: a run with nothing to do costs twenty-one small reads. Once in every stretch of ten minutes, it costs
//! seventeen more reads and two small writes (tests: `with_nothing_to_do_a_run_costs_twenty_one_small_reads`,
//! `a_stretch_with_nothing_in_it_costs_seventeen_small_reads_and_two_writes`).
//!
//! Invariant: a backlog is divided among instances, and each delivery is sent by one of them. A lost unit is handed out
//! again. Work that one run has time for is not handed out (tests:
//! `a_backlog_is_handed_out_in_parts_and_each_delivery_is_sent_once`,
//! `a_unit_that_is_lost_is_handed_out_again`, `the_same_unit_twice_at_once_sends_each_delivery_once`,
//! `two_audits_of_one_shard_send_what_was_lost_once`, `what_one_run_has_time_for_is_not_handed_out`).
//!
//! Invariant: a unit handles only its own part and hands out nothing, and a run hands out no more than it may (tests:
//! `a_unit_handles_its_part_and_nothing_else`, `a_unit_hands_out_nothing`, `a_run_hands_out_no_more_than_it_may`).
//!
//! Invariant: no part takes the time of others, and time that some do not need is used by others (tests:
//! `a_backlog_of_one_shard_keeps_no_other_shard_and_no_other_part_waiting`,
//! `a_part_that_has_more_to_do_uses_what_others_leave`).
//!
//! Invariant: a row that cannot be read or written does not delay others, and is logged in each run. If everything
//! fails, each part ends early, and the run returns an error (tests: `a_poisoned_row_among_many_holds_up_no_other`,
//! `while_the_table_is_down_each_part_ends_soon_and_the_run_answers_an_error`).
//!
//! Invariant: however slow the table is, a run ends before Lambda ends it, and the next one finds what it gave up
//! (tests: `a_step_that_never_ends_is_given_up_before_the_invocation_ends`,
//! `a_topic_that_never_answers_keeps_no_run_from_ending_in_time`).

mod alerted;
mod audit;
mod audited;
mod awaited_runs;
mod deps;
mod due;
mod expiring;
mod failures;
mod jobs;
mod lane;
mod roll_ups;
mod send;
mod share;
mod tell;
mod told;
mod unit;
mod watch;

use std::sync::Arc;
use std::time::Duration;

use domain::value::Timestamp;
use lambda_runtime::{Error, LambdaEvent};
use ports::PortResult;
use serde_json::Value;

pub use self::alerted::Alerted;
pub use self::audited::Audited;
pub use self::deps::Deps;
use self::deps::{ANSWER, MARGIN};
use self::lane::{Allowance, Lane, Until};
use self::share::{Part, all_shards};
use self::unit::{Division, Kept, LaneName, Unit};

/// Everything that is to be done: each lane with its share of the time, and of the units that a run may hand out.
struct Run {
    due: Lane<due::DuePart>,
    watch: Lane<watch::Watch>,
    told: Lane<told::Told>,
    missed: Lane<awaited_runs::Missed>,
    roll_ups: Lane<roll_ups::RollUps>,
    audit: Lane<audit::Audit>,
    jobs: Lane<jobs::JobsPart>,
    allowance: Allowance,
}

/// One run, or one unit of work. An error means that something failed on our side; the next run continues. A part that
/// fails does not keep the other parts from running.
pub async fn handle(deps: Arc<Deps>, event: LambdaEvent<Value>) -> Result<(), Error> {
    let left = Timestamp::from_unix_ms(event.context.deadline).since(deps.clock.now());
    deps.metrics.of_invocation(left, work(&deps, event)).await
}

async fn work(deps: &Deps, event: LambdaEvent<Value>) -> Result<(), Error> {
    let before = |reserved: Duration| event.context.deadline.saturating_sub(reserved.as_millis() as u64);
    let until = Until { stop: Timestamp::from_unix_ms(before(MARGIN)), end: Timestamp::from_unix_ms(before(ANSWER)) };
    let results = match unit::units(&event.payload) {
        None => {
            let now = deps.clock.now();
            let moved = until.step(now, move_old_notes(deps, now)).await;
            vec![Run::whole(deps, moved).go(deps, until).await]
        }
        Some(units) => {
            let mut results = Vec::new();
            for unit in units {
                results.push(Run::of(deps, unit).go(deps, until).await);
            }
            results
        }
    };
    results.into_iter().find_map(Result::err).map_or(Ok(()), |error| Err(error.into()))
}

impl Run {
    /// The scheduled run, which hands out what it has no time for.
    fn whole(deps: &Deps, moved: PortResult<()>) -> Self {
        let mut run = Self::new(deps, all_shards(deps.clock.now()), Division::WHOLE, deps.units);
        if let Err(error) = moved {
            // Where the notes are is unknown then, so neither of these parts looks for them.
            run.roll_ups.end(Ok(()));
            run.audit.end(Err(error));
        }
        run
    }

    /// Only one lane, for a unit. It hands out nothing.
    fn of(deps: &Deps, Unit { lane, shards, division }: Unit) -> Self {
        let kept: Kept = shards.iter().map(|shard| (*shard, division)).collect();
        let mut run = Self::new(deps, shards, division, 0);
        run.due.part.keep(&kept);
        run.end_unless(|name| name == lane);
        run
    }

    fn new(deps: &Deps, shards: Vec<u8>, division: Division, units: u16) -> Self {
        let now = deps.clock.now();
        Self {
            due: Lane::new("due", 9, due::DuePart::of(shards.clone(), now)).hands_out(LaneName::Due, 8),
            watch: Lane::new("watch", 5, watch::Watch::of(division, now)).hands_out(LaneName::Watch, 3),
            told: Lane::new("given up", 2, told::Told::default()),
            missed: Lane::new("missed runs", 2, awaited_runs::Missed::of(shards.clone(), now))
                .hands_out(LaneName::MissedRuns, 1),
            roll_ups: Lane::new("roll-ups", 15, roll_ups::RollUps::of(shards.clone())).hands_out(LaneName::RollUps, 2),
            audit: Lane::new("audit", 6, audit::Audit::of(shards)).hands_out(LaneName::Audit, 4),
            jobs: Lane::new("jobs", 6, jobs::JobsPart::of(division)).hands_out(LaneName::Jobs, 2),
            allowance: Allowance { all: units, left: units },
        }
    }

    fn end_unless(&mut self, goes_on: impl Fn(LaneName) -> bool) {
        fn end<P: Part>(lane: &mut Lane<P>, ends: bool) {
            if ends {
                lane.end(Ok(()));
            }
        }
        end(&mut self.due, !goes_on(LaneName::Due));
        end(&mut self.watch, !goes_on(LaneName::Watch));
        end(&mut self.missed, !goes_on(LaneName::MissedRuns));
        end(&mut self.roll_ups, !goes_on(LaneName::RollUps));
        end(&mut self.audit, !goes_on(LaneName::Audit));
        end(&mut self.jobs, !goes_on(LaneName::Jobs));
    }

    /// Gives the lanes turns until all have ended or the time is up.
    async fn go(mut self, deps: &Deps, until: Until) -> PortResult<()> {
        let allowance = &mut self.allowance;
        loop {
            let mut more = self.due.turn(deps, until, allowance).await;
            more |= self.watch.turn(deps, until, allowance).await;
            let ended = self.due.part.take_ended();
            if !ended.is_empty() {
                self.told.go_on(|told| told.add(ended));
            }
            more |= self.told.turn(deps, until, allowance).await;
            more |= self.missed.turn(deps, until, allowance).await;
            // Before the audit, which deletes the notes that roll-ups need.
            more |= self.roll_ups.turn(deps, until, allowance).await;
            more |= self.audit.turn(deps, until, allowance).await;
            more |= self.jobs.turn(deps, until, allowance).await;
            if !more || deps.clock.now() >= until.stop {
                break;
            }
        }
        let now = deps.clock.now();
        let results = [
            self.due.result(now),
            self.watch.result(now),
            self.told.result(now),
            self.missed.result(now),
            self.roll_ups.result(now),
            self.audit.result(now),
            self.jobs.result(now),
        ];
        results.into_iter().find_map(Result::err).map_or(Ok(()), Err)
    }
}

/// Moves the notes of an older release to where this one looks for them, before roll-ups need them. It looks for such
/// notes once in each stretch of time.
async fn move_old_notes(deps: &Deps, now: Timestamp) -> PortResult<()> {
    let stretches = deps.horizon.stretches();
    let until = stretches.ended(now, stretches.settle());
    if deps.audited.has_moved(until) {
        return Ok(());
    }
    deps.audit.move_old_notes(deps.horizon.length() / 6, until).await?;
    deps.audited.moved(until);
    Ok(())
}
