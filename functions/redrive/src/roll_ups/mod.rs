//! Rolls up the results of each destination's deliveries by reading their rows: for destinations that were owed
//! something recently, and for those with hours that are not settled. [`domain::delivery::roll_up`] decides what is
//! read when.
//!
//! Who was owed something is found through the notes of the audit, soon after their slot has ended. So this runs before
//! the audit, which deletes the notes. The result does not depend on earlier results, so a crash costs a repetition,
//! and of two concurrent runs the first to write wins.
//!
//! Invariant: adding up costs one write for each destination, however many deliveries it had (tests:
//! `what_was_owed_is_rolled_up_soon_after_its_slot_in_one_write_for_each_destination`).
//!
//! Invariant: what is known to be owed is added up, late or not, and an hour is read again until nothing of it is open
//! (tests: `what_is_recorded_late_is_found_because_it_was_known_to_be_owed`,
//! `an_hour_is_read_again_until_nothing_of_it_is_open_and_then_never`,
//! `an_event_that_comes_long_after_it_occurred_is_counted_where_it_occurred`).
//!
//! Invariant: no slot is audited, and its notes forgotten, before it is rolled up (tests:
//! `under_the_shortest_horizon_no_slot_is_audited_before_it_is_rolled_up`).
//!
//! Invariant: a failure, a crash or the end of a run leaves roll-ups to the next run (tests:
//! `a_failure_at_any_step_is_made_good_by_the_next_run`,
//! `a_run_without_time_leaves_what_it_did_not_get_to_to_the_next_one`,
//! `what_fails_twice_is_passed_over_and_what_it_missed_is_read_with_what_comes_next`, the contract suite `roll_ups`).

mod compute;
mod touched;

use std::time::Duration;

use domain::value::Timestamp;
use futures_util::{StreamExt, stream};
use ports::{PortResult, RolledUpTo, SealNote};
use runtime::telemetry::ErrorChain;
use tracing::warn;

use self::compute::{Computed, compute};
use self::touched::{Touch, touched};
use crate::deps::{Deps, MARGIN};

/// How long a run spends on roll-ups at most, so that the audit and jobs get their share.
const AT_MOST: Duration = Duration::from_secs(15);
/// How many notes are listed at once.
const NOTES: usize = 100;
/// How many accounts are processed at once, and how many destinations of each.
const ACCOUNTS: usize = 4;
const DESTINATIONS: usize = 5;
/// How many roll-ups are looked at again in one run, at most.
const LOOKS: usize = 1_000;

pub(crate) async fn run(deps: &Deps, deadline: Timestamp) -> PortResult<()> {
    let deadline = deadline.min(deps.clock.now().plus(AT_MOST + MARGIN));
    let touched = roll_up_touched(deps, deadline).await;
    let due = roll_up_due(deps, deadline).await;
    touched.and(due)
}

/// Rolls up the destinations that were owed something in the slots that have ended since the last time.
async fn roll_up_touched(deps: &Deps, deadline: Timestamp) -> PortResult<()> {
    let (now, begun) = (deps.clock.now(), deps.roll_ups.rolled_up_to().await?);
    let last = deps.horizon.last_to_roll_up(now);
    // Earlier slots have been audited and have no notes any more. Hours that were missed are read with the next ones.
    let first = deps.horizon.first_to_audit(None, now);
    let to = begun.clone().filter(|to| to.slot >= first);
    let mut to = to.unwrap_or(RolledUpTo { slot: first, after: None, failed: false });
    let mut result = Ok(());
    while to.slot <= last && deps.has_time(deadline) {
        let notes = deps.roll_ups.notes_after(to.slot, to.after.as_ref(), NOTES).await?;
        let ended = notes.len() < NOTES;
        let gone_through = go_through(deps, notes, &mut to, deadline).await;
        if !matches!(gone_through, Ok(Computed::InTime)) {
            result = gone_through.map(drop);
            break;
        }
        if ended {
            to = RolledUpTo { slot: to.slot.next(), after: None, failed: false };
        }
    }
    if begun.as_ref() != Some(&to) {
        deps.roll_ups.set_rolled_up_to(&to).await?;
    }
    result
}

/// Processes notes of the slot, a few accounts at a time. Accounts that fail are tried once more by the next run, and
/// skipped if they fail again. So they do not hold up others for long, and what they miss is read with what comes next.
async fn go_through(
    deps: &Deps,
    notes: Vec<SealNote>,
    to: &mut RolledUpTo,
    deadline: Timestamp,
) -> PortResult<Computed> {
    for accounts in by_account(notes).chunks(ACCOUNTS) {
        if !deps.has_time(deadline) {
            return Ok(Computed::OutOfTime);
        }
        let all = accounts.iter().map(|notes| roll_up_account(deps, notes, deadline));
        match together(stream::iter(all).buffer_unordered(ACCOUNTS).collect().await) {
            Ok(Computed::InTime) => {}
            Ok(Computed::OutOfTime) => return Ok(Computed::OutOfTime),
            Err(error) if to.failed => warn!(error = %ErrorChain(&error), "an account was not rolled up, twice"),
            Err(error) => {
                to.failed = true;
                return Err(error);
            }
        }
        to.after = accounts.last().and_then(|notes| notes.last().cloned());
        to.failed = false;
    }
    Ok(Computed::InTime)
}

/// Groups the notes by account; those of an account are consecutive.
fn by_account(notes: Vec<SealNote>) -> Vec<Vec<SealNote>> {
    let mut accounts: Vec<Vec<SealNote>> = Vec::new();
    for note in notes {
        match accounts.last_mut().filter(|notes| notes.iter().all(|other| other.account == note.account)) {
            Some(notes) => notes.push(note),
            None => accounts.push(vec![note]),
        }
    }
    accounts
}

/// Rolls up one account, by its notes of one slot.
async fn roll_up_account(deps: &Deps, notes: &[SealNote], deadline: Timestamp) -> PortResult<Computed> {
    let Some(SealNote { sealed, account, .. }) = notes.first() else { return Ok(Computed::InTime) };
    let since = deps.horizon.rolled_up_from(*sealed);
    let touched = touched(deps, account, notes).await?;
    let all = touched.iter().map(|(destination, touch)| compute(deps, account, destination, touch, since, deadline));
    together(stream::iter(all).buffer_unordered(DESTINATIONS).collect().await)
}

/// Rolls up the destinations with hours that have to be read again.
async fn roll_up_due(deps: &Deps, deadline: Timestamp) -> PortResult<()> {
    let now = deps.clock.now();
    let due = deps.roll_ups.due_roll_ups(now, LOOKS).await?;
    let nothing = Touch::default();
    let all = due.iter().map(|(account, destination)| compute(deps, account, destination, &nothing, now, deadline));
    together(stream::iter(all).buffer_unordered(ACCOUNTS * DESTINATIONS).collect().await).map(drop)
}

/// The result of all of them; each was tried, whether or not others failed.
fn together(all: Vec<PortResult<Computed>>) -> PortResult<Computed> {
    let in_time = all.iter().all(|one| !matches!(one, Ok(Computed::OutOfTime)));
    let failure = all.into_iter().find_map(Result::err);
    failure.map_or(Ok(if in_time { Computed::InTime } else { Computed::OutOfTime }), Err)
}
