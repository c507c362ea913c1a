//! Rolls up the results of each destination's deliveries by reading their rows: for destinations that were owed
//! something recently, and for those with hours that are not settled. [`domain::delivery::roll_up`] decides which hours
//! are read when.
//!
//! It finds the destinations that were owed something through the notes of the audit, soon after their stretch has
//! ended. So it runs before the audit, which deletes the notes. The result does not depend on earlier results, so after
//! a crash the work is simply repeated, and of two concurrent runs the first to write wins.
//!
//! Invariant: adding up costs one write for each destination, however many deliveries it had (tests:
//! `what_was_owed_is_rolled_up_soon_after_its_stretch_in_one_write_for_each_destination`).
//!
//! Invariant: deliveries that are known to be owed are added up, late or not, and an hour is read again until none of
//! its deliveries is open (tests: `what_is_recorded_late_is_found_because_it_was_known_to_be_owed`,
//! `an_hour_is_read_again_until_nothing_of_it_is_open_and_then_never`,
//! `an_event_that_comes_long_after_it_occurred_is_counted_where_it_occurred`).
//!
//! Invariant: no note is audited and deleted before it is rolled up (tests:
//! `under_the_shortest_horizon_nothing_is_audited_before_it_is_rolled_up`).
//!
//! When it has seen that everything a note's events owe was delivered, it writes so on the note, and the audit need not
//! read these deliveries again ([0101](../../../../docs/decisions/0101-an-hour-is-continued-and-settled-notes-are-compared.md)).
//!
//! Invariant: a note is settled only if each delivery that its events owe was seen to be delivered (tests:
//! `a_note_is_settled_once_everything_of_it_was_seen_to_be_delivered`,
//! `what_is_not_delivered_or_not_known_is_not_settled`).
//!
//! Invariant: a failure, a crash or the end of a run leaves roll-ups to the next run (tests:
//! `a_failure_at_any_step_is_made_good_by_the_next_run`,
//! `a_run_without_time_leaves_what_it_did_not_get_to_to_the_next_one`,
//! `what_fails_twice_is_passed_over_and_what_it_missed_is_read_with_what_comes_next`, the contract suite `roll_ups`).

mod compute;
mod touched;

use std::collections::{BTreeSet, VecDeque};
use std::time::Duration;

use domain::value::{AccountId, DestinationId, Span, Timestamp};
use futures_util::{StreamExt, stream};
use ports::{ByShard, DueRollUp, PortResult, RolledUpTo, SealNote};
use runtime::telemetry::ErrorChain;
use tracing::warn;

use self::compute::{Computed, compute};
pub(crate) use self::touched::MANY;
use self::touched::{NoteOwes, Touch, touched};
use crate::failures::Row;
use crate::share::{Part, Share, Went};
use crate::unit::{Kept, Left};

/// How many notes are listed at once.
const NOTES: usize = 100;
/// How many accounts are processed at once, and how many destinations of each.
const ACCOUNTS: usize = 4;
const DESTINATIONS: usize = 5;
/// How many roll-ups that have to be looked at again are listed at once.
const LOOKS: usize = 100;

/// The progress of this run.
struct Begun {
    now: Timestamp,
    /// Everything that was sealed in stretches which ended by then is rolled up.
    until: Timestamp,
    /// The shards that are left, each with its progress.
    shards: VecDeque<(u8, RolledUpTo)>,
    /// The last roll-up that was computed again; `None` before the first.
    after: Option<DueRollUp>,
    looked: bool,
    /// How long after its end a stretch can be rolled up.
    settle: Duration,
}

pub(crate) struct RollUps {
    shards: Vec<u8>,
    begun: Option<Begun>,
}

impl RollUps {
    pub(crate) fn of(shards: Vec<u8>) -> Self {
        Self { shards, begun: None }
    }
}

impl Part for RollUps {
    async fn turn(&mut self, share: Share<'_>) -> PortResult<Went> {
        let begun = match &mut self.begun {
            Some(begun) => begun,
            none => none.insert(begin(share, &self.shards).await?),
        };
        let touched = begun.roll_up_touched(share).await;
        let due = begun.roll_up_due(share, &self.shards).await;
        Ok(match (touched?, due?) {
            (Computed::OutOfTime, _) | (_, Computed::OutOfTime) => Went::OutOfTime,
            _ => Went::ToTheEnd,
        })
    }

    fn left(&self, _now: Timestamp) -> Vec<Left> {
        self.begun.as_ref().map(|begun| begun.left(&self.shards)).unwrap_or_default()
    }

    fn keep(&mut self, kept: &Kept) {
        self.shards.retain(|shard| kept.contains_key(shard));
        if let Some(begun) = &mut self.begun {
            begun.shards.retain(|(shard, _)| kept.contains_key(shard));
        }
    }
}

async fn begin(share: Share<'_>, shards: &[u8]) -> PortResult<Begun> {
    let (deps, now) = (share.deps, share.deps.clock.now());
    let stretches = deps.horizon.stretches();
    let (until, mut stored) = (stretches.ended(now, stretches.settle()), deps.roll_ups.rolled_up_to().await?);
    let first = RolledUpTo { until: Timestamp::from_unix_ms(0), after: None, failed: false };
    let shards = shards.iter().map(|shard| (*shard, stored.remove(shard).unwrap_or(first.clone())));
    let shards = shards.filter(|(_, to)| to.until < until).collect();
    Ok(Begun { now, until, shards, after: None, looked: false, settle: stretches.settle() })
}

impl Begun {
    fn left(&self, shards: &[u8]) -> Vec<Left> {
        let due = (!self.looked).then(|| self.after.as_ref().map_or(self.now, |due| due.look_at));
        let ripe = |to: &RolledUpTo| to.after.as_ref().map_or(self.until, |note| note.sealed.until).plus(self.settle);
        let left = shards.iter().filter_map(|shard| {
            let touched = self.shards.iter().find(|(left, _)| left == shard).map(|(_, to)| ripe(to));
            let since = touched.into_iter().chain(due).min()?;
            Some(Left { shard: *shard, since, parts: 1 })
        });
        left.collect()
    }

    /// Rolls up the destinations that were owed something in the stretches that have ended since the last run. If a
    /// shard fails, the next run continues with it.
    async fn roll_up_touched(&mut self, share: Share<'_>) -> PortResult<Computed> {
        let (mut done, mut failure, mut went) = (ByShard::new(), None, Computed::InTime);
        while let Some((shard, before)) = self.shards.pop_front() {
            let mut to = before.clone();
            let result = roll_up_shard(share, shard, self.until, &mut to).await;
            if to != before {
                done.insert(shard, to.clone());
            }
            match result {
                Ok(Computed::Settled | Computed::InTime) => {}
                Ok(Computed::OutOfTime) => {
                    self.shards.push_front((shard, to));
                    went = Computed::OutOfTime;
                    break;
                }
                Err(error) => failure = failure.or(Some(error)),
            }
        }
        if !done.is_empty() {
            share.deps.roll_ups.set_rolled_up_to(&done).await?;
        }
        failure.map_or(Ok(went), Err)
    }

    /// Rolls up the destinations with hours that have to be read again.
    async fn roll_up_due(&mut self, share: Share<'_>, shards: &[u8]) -> PortResult<Computed> {
        let (mut result, nothing) = (Ok(()), Touch::default());
        while !self.looked {
            if !share.has_time() {
                return result.map(|()| Computed::OutOfTime);
            }
            let page = share.deps.roll_ups.due_roll_ups(self.now, self.after.as_ref(), LOOKS).await?;
            let mine = page.iter().filter(|due| shards.contains(&SealNote::shard_of(&due.account)));
            let all = mine.map(|due| one(share, &due.account, &due.destination, &nothing, self.now));
            match together(stream::iter(all).buffer_unordered(ACCOUNTS * DESTINATIONS).collect().await) {
                Ok(Computed::Settled | Computed::InTime) => {}
                // Computed ones are not listed again.
                Ok(Computed::OutOfTime) => return result.map(|()| Computed::OutOfTime),
                Err(error) => result = result.and(Err(error)),
            }
            self.looked = page.len() < LOOKS;
            self.after = page.last().cloned().or(self.after.take());
        }
        result.map(|()| Computed::InTime)
    }
}

/// Rolls up a shard from where it is.
async fn roll_up_shard(share: Share<'_>, shard: u8, until: Timestamp, to: &mut RolledUpTo) -> PortResult<Computed> {
    loop {
        if !share.has_time() {
            return Ok(Computed::OutOfTime);
        }
        let ended = Span { since: to.until, until };
        let notes = share.deps.audit.seal_notes(shard, ended, to.after.as_ref(), NOTES).await?;
        let last = notes.len() < NOTES;
        match go_through(share, notes.into_iter().map(|listed| listed.note).collect(), to).await? {
            Computed::OutOfTime => return Ok(Computed::OutOfTime),
            Computed::Settled | Computed::InTime if last => {
                *to = RolledUpTo { until, after: None, failed: false };
                return Ok(Computed::InTime);
            }
            Computed::Settled | Computed::InTime => {}
        }
    }
}

/// Processes notes, a few accounts at a time. If an account fails, the next run tries it once more, and skips it if it
/// fails again. So it does not delay others for long, and the deliveries that it misses are read when the account has
/// new ones.
async fn go_through(share: Share<'_>, notes: Vec<SealNote>, to: &mut RolledUpTo) -> PortResult<Computed> {
    for accounts in by_account(notes).chunks(ACCOUNTS) {
        if !share.has_time() {
            return Ok(Computed::OutOfTime);
        }
        let all = accounts.iter().map(|notes| roll_up_account(share, notes));
        match together(stream::iter(all).buffer_unordered(ACCOUNTS).collect().await) {
            Ok(Computed::Settled | Computed::InTime) => {}
            Ok(Computed::OutOfTime) => return Ok(Computed::OutOfTime),
            Err(error) if to.failed => {
                warn!(error = %ErrorChain(&error), "an account's roll-up failed twice; it is skipped")
            }
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

/// Groups the notes by stretch and account; those of an account are consecutive.
fn by_account(notes: Vec<SealNote>) -> Vec<Vec<SealNote>> {
    let mut accounts: Vec<Vec<SealNote>> = Vec::new();
    for note in notes {
        match accounts
            .last_mut()
            .filter(|notes| notes.iter().all(|other| (&other.account, other.sealed) == (&note.account, note.sealed)))
        {
            Some(notes) => notes.push(note),
            None => accounts.push(vec![note]),
        }
    }
    accounts
}

/// Rolls up one account, by its notes of one stretch.
async fn roll_up_account(share: Share<'_>, notes: &[SealNote]) -> PortResult<Computed> {
    let Some(SealNote { sealed, account, .. }) = notes.first() else { return Ok(Computed::InTime) };
    let since = sealed.until.plus(share.deps.horizon.stretches().settle());
    let touched = touched(share.deps, account, notes).await.inspect_err(|error| {
        share.failures.tell(Row { account, destination: None, what: "account", id: account }, error);
    })?;
    let all = touched
        .destinations
        .iter()
        .map(|(destination, touch)| async move { (destination, one(share, account, destination, touch, since).await) });
    let all: Vec<_> = stream::iter(all).buffer_unordered(DESTINATIONS).collect().await;
    let settled = all.iter().filter(|(_, result)| matches!(result, Ok(Computed::Settled)));
    let settled = settled.map(|(destination, _)| (*destination).clone()).collect();
    let computed = together(all.into_iter().map(|(_, result)| result).collect())?;
    settle(share, touched.notes, &settled).await?;
    Ok(computed)
}

/// Writes on the notes what was seen to be settled: everything that was owed to these destinations.
async fn settle(share: Share<'_>, notes: Vec<NoteOwes>, destinations: &BTreeSet<DestinationId>) -> PortResult<()> {
    for (note, settlement) in notes.into_iter().filter_map(|owes| owes.settled(destinations)) {
        let noted = share.deps.audit.note_settled(&note, &settlement).await;
        noted.inspect_err(|error| {
            let id = note.sealed.until.unix_ms();
            share
                .failures
                .tell(Row { account: &note.account, destination: None, what: "note of the audit", id: &id }, error);
        })?;
    }
    Ok(())
}

/// Rolls up one destination, and logs a failure for the operator.
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

/// The result of all of them; each was tried, even if others failed.
fn together(all: Vec<PortResult<Computed>>) -> PortResult<Computed> {
    let in_time = all.iter().all(|one| !matches!(one, Ok(Computed::OutOfTime)));
    let failure = all.into_iter().find_map(Result::err);
    failure.map_or(Ok(if in_time { Computed::InTime } else { Computed::OutOfTime }), Err)
}
