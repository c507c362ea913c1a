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

use domain::value::{AccountId, DestinationId, Timestamp};
use futures_util::{StreamExt, stream};
use ports::{PortResult, RolledUpTo, SealNote};
use runtime::telemetry::ErrorChain;
use tracing::warn;

use self::compute::{Computed, compute};
use self::touched::{Touch, touched};
use crate::failures::Row;
use crate::share::{Part, Share, Went};

/// How many notes are listed at once.
const NOTES: usize = 100;
/// How many accounts are processed at once, and how many destinations of each.
const ACCOUNTS: usize = 4;
const DESTINATIONS: usize = 5;
/// How many roll-ups are looked at again in one run, at most.
const LOOKS: usize = 1_000;

/// The table says how far they are.
pub(crate) struct RollUps;

impl Part for RollUps {
    async fn turn(&mut self, share: Share<'_>) -> PortResult<Went> {
        let touched = roll_up_touched(share).await;
        let due = roll_up_due(share).await;
        Ok(match (touched?, due?) {
            (Computed::InTime, Computed::InTime) => Went::ToTheEnd,
            _ => Went::OutOfTime,
        })
    }
}

/// Rolls up the destinations that were owed something in the slots that have ended since the last time.
async fn roll_up_touched(share: Share<'_>) -> PortResult<Computed> {
    let deps = share.deps;
    let (now, begun) = (deps.clock.now(), deps.roll_ups.rolled_up_to().await?);
    let last = deps.horizon.last_to_roll_up(now);
    // Earlier slots have been audited and have no notes any more. Hours that were missed are read with the next ones.
    let first = deps.horizon.first_to_audit(None, now);
    let to = begun.clone().filter(|to| to.slot >= first);
    let mut to = to.unwrap_or(RolledUpTo { slot: first, after: None, failed: false });
    let mut result = Ok(Computed::InTime);
    while to.slot <= last {
        if !share.has_time() {
            result = Ok(Computed::OutOfTime);
            break;
        }
        let notes = deps.roll_ups.notes_after(to.slot, to.after.as_ref(), NOTES).await?;
        let ended = notes.len() < NOTES;
        result = go_through(share, notes, &mut to).await;
        if !matches!(result, Ok(Computed::InTime)) {
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
async fn go_through(share: Share<'_>, notes: Vec<SealNote>, to: &mut RolledUpTo) -> PortResult<Computed> {
    for accounts in by_account(notes).chunks(ACCOUNTS) {
        if !share.has_time() {
            return Ok(Computed::OutOfTime);
        }
        let all = accounts.iter().map(|notes| roll_up_account(share, notes));
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
async fn roll_up_account(share: Share<'_>, notes: &[SealNote]) -> PortResult<Computed> {
    let Some(SealNote { sealed, account, .. }) = notes.first() else { return Ok(Computed::InTime) };
    let since = share.deps.horizon.rolled_up_from(*sealed);
    let touched = touched(share.deps, account, notes).await.inspect_err(|error| {
        share.failures.tell(Row { account, destination: None, what: "account", id: account }, error);
    })?;
    let all = touched.iter().map(|(destination, touch)| one(share, account, destination, touch, since));
    together(stream::iter(all).buffer_unordered(DESTINATIONS).collect().await)
}

/// Rolls up the destinations with hours that have to be read again.
async fn roll_up_due(share: Share<'_>) -> PortResult<Computed> {
    let now = share.deps.clock.now();
    let due = share.deps.roll_ups.due_roll_ups(now, LOOKS).await?;
    let nothing = Touch::default();
    let all = due.iter().map(|(account, destination)| one(share, account, destination, &nothing, now));
    together(stream::iter(all).buffer_unordered(ACCOUNTS * DESTINATIONS).collect().await)
}

/// Rolls up one destination, and tells the operator if that fails.
async fn one(
    share: Share<'_>,
    account: &AccountId,
    destination: &DestinationId,
    touch: &Touch,
    since: Timestamp,
) -> PortResult<Computed> {
    compute(share, account, destination, touch, since).await.inspect_err(|error| {
        let row = Row { account, destination: Some(destination), what: "roll-up", id: destination };
        share.failures.tell(row, error);
    })
}

/// The result of all of them; each was tried, whether or not others failed.
fn together(all: Vec<PortResult<Computed>>) -> PortResult<Computed> {
    let in_time = all.iter().all(|one| !matches!(one, Ok(Computed::OutOfTime)));
    let failure = all.into_iter().find_map(Result::err);
    failure.map_or(Ok(if in_time { Computed::InTime } else { Computed::OutOfTime }), Err)
}
