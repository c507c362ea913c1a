//! `redrive` does everything that has to be done later. Each minute it sends what is due, looks after destinations that
//! are or were down and reports on them, reports deliveries that were given up, reports missed runs, rolls up the
//! results of deliveries, audits events after their horizon, and works on pending jobs. It answers no request and
//! receives no event.
//!
//! The schedule's event contains nothing: the table says what there is to do. Concurrent invocations do not disturb
//! each other: each step is claimed first, by a change of a row or by a lease. Whatever one run leaves undone, the next
//! one finds.
//!
//! A run lasts 60 s, of which the last 15 s are reserved for the steps that are under way. The parts take turns: each
//! has a share of the other 45 s, and what some do not need goes to those that have more to do, in further rounds:
//!
//! | part | share |
//! |---|---|
//! | what is due | 9 s |
//! | destinations that are or were down: reports, probes, drains | 5 s |
//! | reports of deliveries that were given up | 2 s |
//! | missed runs | 2 s |
//! | roll-ups | 15 s |
//! | audit | 6 s, of which a note (an account and a slot) has 2 s at a time |
//! | jobs | 6 s, of which a job has 2 s at a time |
//!
//! Within a part, what belongs to different accounts, destinations or shards is taken in turn, and each row fails alone
//! (the file `failures`).
//!
//! Invariant: a run with nothing to do costs twenty-one small reads. Once in every sixth of the horizon, it costs two
//! more reads and two small writes (tests: `with_nothing_to_do_a_run_costs_twenty_one_small_reads`).
//!
//! Invariant: no part keeps the others from their shares, and what some do not need others use (tests:
//! `a_backlog_of_one_shard_keeps_no_other_shard_and_no_other_part_waiting`,
//! `a_part_that_has_more_to_do_uses_what_others_leave`).
//!
//! Invariant: a row that cannot be read or written holds up no other and is told in each run; if everything fails, each
//! part ends soon, and the run answers an error (tests: `a_poisoned_row_among_many_holds_up_no_other`,
//! `while_the_table_is_down_each_part_ends_soon_and_the_run_answers_an_error`).

mod alerted;
mod audit;
mod audited;
mod awaited_runs;
mod deps;
mod due;
mod failures;
mod jobs;
mod roll_ups;
mod send;
mod share;
mod tell;
mod told;
mod watch;

use std::sync::Arc;
use std::time::Duration;

use domain::value::Timestamp;
use lambda_runtime::{Error, LambdaEvent};
use ports::PortResult;
use runtime::telemetry::ErrorChain;
use serde_json::Value;
use tracing::error;

pub use self::alerted::Alerted;
pub use self::audited::Audited;
pub use self::deps::Deps;
use self::deps::MARGIN;
use self::failures::Failures;
use self::share::{Part, Share, Went, all_shards};

/// A part with its share, and what has become of it in this run.
struct Lane<P> {
    part: P,
    name: &'static str,
    share: Duration,
    failures: Failures,
    /// None while it has more to do.
    ended: Option<PortResult<()>>,
}

impl<P: Part> Lane<P> {
    fn new(name: &'static str, seconds: u64, part: P) -> Self {
        Self { part, name, share: Duration::from_secs(seconds), failures: Failures::of(name), ended: None }
    }

    /// Adds to what it has to do.
    fn go_on(&mut self, add: impl FnOnce(&mut P)) {
        add(&mut self.part);
        if matches!(self.ended, Some(Ok(()))) && !self.failures.given_up() {
            self.ended = None;
        }
    }

    /// One turn; answers whether it has more to do.
    async fn turn(&mut self, deps: &Deps, stop: Timestamp) -> bool {
        let now = deps.clock.now();
        if self.ended.is_some() || now >= stop {
            return self.ended.is_none();
        }
        let share = Share { deps, failures: &self.failures, until: stop.min(now.plus(self.share)) };
        match self.part.turn(share).await {
            Ok(Went::OutOfTime) if !self.failures.given_up() => return true,
            Ok(_) => self.ended = Some(Ok(())),
            Err(error) => self.ended = Some(Err(error)),
        }
        false
    }

    /// An error if anything of it failed.
    fn result(self) -> PortResult<()> {
        let result = self.ended.unwrap_or(Ok(())).and(self.failures.result());
        if let Err(error) = &result {
            error!(what = self.name, error = %ErrorChain(error), "a part of the run failed; the next run goes on");
        }
        result
    }
}

/// One run. An error means that something of ours failed; the next run continues. A part that fails does not keep the
/// other parts from being done.
pub async fn handle(deps: Arc<Deps>, event: LambdaEvent<Value>) -> Result<(), Error> {
    let deps = deps.as_ref();
    let stop = Timestamp::from_unix_ms(event.context.deadline.saturating_sub(MARGIN.as_millis() as u64));
    let now = deps.clock.now();
    let shards = all_shards(now);
    let mut due = Lane::new("due", 9, due::DuePart::of(shards.clone(), now));
    let mut watch = Lane::new("watch", 5, watch::Watch::starting(now));
    let mut told = Lane::new("given up", 2, told::Told::default());
    let mut missed = Lane::new("missed runs", 2, awaited_runs::Missed::of(shards.clone(), now));
    let mut roll_ups = Lane::new("roll-ups", 15, roll_ups::RollUps::of(shards.clone()));
    let mut audit = Lane::new("audit", 6, audit::Audit::of(shards));
    let mut jobs = Lane::new("jobs", 6, jobs::JobsPart::default());
    if let Err(error) = move_old_notes(deps, now).await {
        // Where the notes are is not clear, so neither looks for them.
        (roll_ups.ended, audit.ended) = (Some(Ok(())), Some(Err(error)));
    }
    loop {
        let mut more = due.turn(deps, stop).await;
        more |= watch.turn(deps, stop).await;
        let ended = due.part.take_ended();
        if !ended.is_empty() {
            told.go_on(|told| told.add(ended));
        }
        more |= told.turn(deps, stop).await;
        more |= missed.turn(deps, stop).await;
        // Before the audit, which deletes the notes that roll-ups need.
        more |= roll_ups.turn(deps, stop).await;
        more |= audit.turn(deps, stop).await;
        more |= jobs.turn(deps, stop).await;
        if !more || deps.clock.now() >= stop {
            break;
        }
    }
    let results = [
        due.result(),
        watch.result(),
        told.result(),
        missed.result(),
        roll_ups.result(),
        audit.result(),
        jobs.result(),
    ];
    results.into_iter().find_map(Result::err).map_or(Ok(()), |error| Err(error.into()))
}

/// Puts the notes of seals of an earlier release where this one looks for them, before what they note is rolled up. It asks
/// for such notes once in each stretch of time.
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
