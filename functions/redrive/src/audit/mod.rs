//! Visits every event once after its horizon. Deliveries that are owed but have no row are sent again and counted. It
//! finds the events by the notes that `fanout` writes before it seals.
//!
//! It reads in bulk what events owe and which deliveries have a row. It works on four notes at once. Each note has two
//! seconds, or one step if that takes longer; then the next note has its turn. The audit continues where it stopped,
//! also within an event. A note that fails or is not finished is left for the next run, and does not delay others.
//! Notes are grouped in shards, by account. A shard counts as audited up to a time when it has no note left from
//! before. Two instances may work on one shard: what one has processed is gone for the other, and if both visit a
//! delivery, the one that writes its row first sends it.
//!
//! Roll-ups have already read what most events owe. If they saw that everything of a note was delivered, and its events
//! still owe as much, the audit only lists them.
//!
//! Invariant: what roll-ups did not see to be delivered, or could not see yet, is audited (tests:
//! `what_was_settled_is_not_read_again`, `a_lost_delivery_is_found_though_all_others_were_delivered`,
//! `an_event_that_is_listed_late_is_audited`, `what_a_replay_adds_to_settled_events_is_audited`,
//! `what_a_roll_up_did_not_get_to_is_audited`, `a_note_without_a_settlement_is_audited`).
//!
//! Invariant: an event that owes very many deliveries, or whose rows cannot be read, delays no other account (tests:
//! `an_event_that_owes_very_many_holds_up_no_other_account_and_is_audited_in_the_end`,
//! `an_event_that_cannot_be_read_holds_up_no_other`, `a_delivery_that_cannot_be_read_has_a_row_and_is_not_sent`).
//!
//! Invariant: however slow the table is, each turn makes progress (tests:
//! `an_audit_gets_on_however_slow_the_table_is`).
//!
//! Invariant: a change of the horizon stops no audit and loses no event (tests:
//! `a_change_of_the_horizon_stops_no_audit_and_loses_no_event`,
//! `notes_of_before_are_moved_slot_by_slot_and_a_repetition_moves_what_is_left`).
//!
//! Invariant: an audit that is more than an hour late is logged as an error (tests: `an_audit_that_is_behind_says_so`), and
//! so is an event of which it cannot tell, or not recover, what is owed (tests:
//! `while_an_event_cannot_be_audited_each_run_says_that_the_ledger_is_open`).
//!
//! Invariant: nothing is recovered of an account that is being deleted (tests:
//! `nothing_is_recovered_of_an_account_that_is_being_deleted`).

mod note;
mod told;
mod visit;

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::time::Duration;

use domain::value::{Span, Timestamp};
use futures_util::StreamExt;
use futures_util::stream::FuturesUnordered;
use ports::{ByShard, ListedNote, PortResult, SealNote};

use self::note::{Processed, audit_note};
use self::told::{say_if_behind, say_if_expired, say_if_open};
use crate::audited::Stopped;
use crate::failures::Row;
use crate::share::{Part, Share, Turns, Went};
use crate::unit::{Kept, Left};

/// How many notes of a shard are listed at once, which is one turn of the shard.
const NOTES: usize = 100;
/// How many notes are worked on at once, so that they do not wait for each other's calls.
const NOTES_AT_ONCE: usize = 4;
/// How long a note is worked on before the next one has its turn.
const SLICE: Duration = Duration::from_secs(2);
/// How many unfinished notes a run returns to.
const AGAIN: usize = 1_000;

/// The progress of this run.
struct Begun {
    /// Everything that was sealed in stretches which ended by then is audited.
    until: Timestamp,
    stored: ByShard<Timestamp>,
    turns: Turns<SealNote>,
    /// Notes that come after all others: this run had no time to finish them, or an earlier run left them unfinished.
    again: VecDeque<ListedNote>,
    /// Whether the order of `again` was changed for this run, so that it begins with another note than the last run.
    rotated: bool,
    /// By shard: the notes that are not processed completely.
    left: BTreeMap<u8, BTreeSet<SealNote>>,
    /// Those of them of which something failed, and not only time was short.
    open: BTreeSet<SealNote>,
    /// How long after its end a stretch is audited.
    horizon: Duration,
}

pub(crate) struct Audit {
    shards: Vec<u8>,
    begun: Option<Begun>,
}

impl Audit {
    pub(crate) fn of(shards: Vec<u8>) -> Self {
        Self { shards, begun: None }
    }
}

impl Part for Audit {
    async fn turn(&mut self, share: Share<'_>) -> PortResult<Went> {
        let (begun, begins) = match &mut self.begun {
            Some(begun) => (begun, false),
            none => (none.insert(begin(share, &self.shards).await?), true),
        };
        let went = begun.go_on(share).await;
        let complete = begun.complete();
        if !complete.is_empty() {
            share.deps.audit.set_audited_until(&complete).await?;
            begun.stored.extend(complete);
        }
        if begins {
            say_if_behind(share, begun.left.values().flatten().map(|note| note.sealed.until).min());
        }
        say_if_open(share, &begun.open);
        Ok(went)
    }

    fn left(&self, _now: Timestamp) -> Vec<Left> {
        self.begun.as_ref().map(Begun::left).unwrap_or_default()
    }

    fn keep(&mut self, kept: &Kept) {
        if let Some(begun) = &mut self.begun {
            begun.turns.keep(kept);
            begun.again.retain(|listed| kept.contains_key(&listed.note.shard()));
        }
    }
}

async fn begin(share: Share<'_>, shards: &[u8]) -> PortResult<Begun> {
    let (deps, now) = (share.deps, share.deps.clock.now());
    let stored = deps.audit.audited_until().await?;
    let until = deps.horizon.stretches().ended(now, deps.horizon.length());
    say_if_expired(share, until, shards.iter().filter_map(|shard| stored.get(shard)).min().copied());
    let open = shards.iter().copied().filter(|shard| stored.get(shard).is_none_or(|stored| *stored < until));
    let turns = Turns::of(open);
    let (again, left, horizon) = (VecDeque::new(), BTreeMap::new(), deps.horizon.length());
    Ok(Begun { until, stored, turns, again, rotated: false, left, open: BTreeSet::new(), horizon })
}

impl Begun {
    fn left(&self) -> Vec<Left> {
        let listed =
            self.turns.left().map(|(shard, after)| (shard, after.map_or(self.until, |note| note.sealed.until)));
        let again = self.again.iter().map(|listed| (listed.note.shard(), listed.note.sealed.until));
        let mut oldest: ByShard<Timestamp> = ByShard::new();
        for (shard, until) in listed.chain(again) {
            oldest.entry(shard).and_modify(|oldest| *oldest = until.min(*oldest)).or_insert(until);
        }
        oldest.into_iter().map(|(shard, until)| Left { shard, since: until.plus(self.horizon), parts: 1 }).collect()
    }

    async fn go_on(&mut self, share: Share<'_>) -> Went {
        let ended = Span { since: Timestamp::from_unix_ms(0), until: self.until };
        while let Some((shard, mut after)) = self.turns.next() {
            if !share.goes_on() {
                self.turns.interrupted(shard, after);
                return Went::OutOfTime;
            }
            let list = share.deps.audit.seal_notes(shard, ended, after.as_ref(), NOTES).await;
            let Some(notes) = share.failures.listed("notes", list) else {
                self.turns.failed(shard);
                continue;
            };
            let (last, mut notes, mut begun) = (notes.len() < NOTES, notes.into_iter(), FuturesUnordered::new());
            loop {
                while begun.len() < NOTES_AT_ONCE
                    && share.goes_on()
                    && let Some(note) = notes.next()
                {
                    after = Some(note.note.clone());
                    begun.push(first_time(share, note));
                }
                let Some((note, processed)) = begun.next().await else { break };
                if processed != Processed::Completely {
                    self.keep(note);
                }
            }
            if notes.len() > 0 {
                self.turns.interrupted(shard, after);
                return Went::OutOfTime;
            }
            if !last {
                self.turns.again(shard, after);
            }
        }
        self.go_back(share).await
    }

    /// Keeps a note that is not processed completely.
    fn keep(&mut self, note: ListedNote) {
        self.left.entry(note.note.shard()).or_default().insert(note.note.clone());
        if self.again.len() < AGAIN {
            self.again.push_back(note);
        }
    }

    /// Continues with unfinished notes; each run begins with another one.
    async fn go_back(&mut self, share: Share<'_>) -> Went {
        if !std::mem::replace(&mut self.rotated, true) {
            let minute = usize::try_from(share.deps.clock.now().unix_seconds() / 60).unwrap_or_default();
            self.again.rotate_left(minute.checked_rem(self.again.len()).unwrap_or_default());
        }
        let mut begun = FuturesUnordered::new();
        loop {
            while begun.len() < NOTES_AT_ONCE
                && share.goes_on()
                && let Some(note) = self.again.pop_front()
            {
                begun.push(once_more(share, note));
            }
            let Some((note, processed)) = begun.next().await else { break };
            match processed {
                Processed::Completely => {
                    self.left.entry(note.note.shard()).or_default().remove(&note.note);
                }
                Processed::Partly => self.again.push_back(note),
                Processed::ExceptFor => {
                    self.open.insert(note.note);
                }
            }
        }
        if self.again.is_empty() { Went::ToTheEnd } else { Went::OutOfTime }
    }

    /// The shards that have become complete.
    fn complete(&self) -> ByShard<Timestamp> {
        let through = self.turns.through();
        let complete = through.filter(|shard| self.left.get(shard).is_none_or(BTreeSet::is_empty));
        let complete = complete.filter(|shard| self.stored.get(shard).is_none_or(|stored| *stored < self.until));
        complete.map(|shard| (shard, self.until)).collect()
    }
}

async fn first_time(share: Share<'_>, note: ListedNote) -> (ListedNote, Processed) {
    // A note that was left unfinished before comes after the others.
    let left = share.deps.audited.is_left(&note.note);
    let processed = if left { Processed::Partly } else { process(share, &note).await };
    (note, processed)
}

async fn once_more(share: Share<'_>, note: ListedNote) -> (ListedNote, Processed) {
    let processed = process(share, &note).await;
    (note, processed)
}

/// Processes a note for a while, and deletes it when it is processed completely.
async fn process(share: Share<'_>, listed: &ListedNote) -> Processed {
    let (deps, note, account) = (share.deps, &listed.note, &listed.note.account);
    if share.failures.leaves_alone(account, None) {
        return Processed::ExceptFor;
    }
    let mut at = deps.audited.stopped(note).unwrap_or(Stopped { after: listed.after.clone(), ..Stopped::default() });
    let processed = match audit_note(share.slice(SLICE), listed, &mut at).await {
        Ok(Processed::Completely) => deps.audit.forget_note(note).await.map(|()| Processed::Completely),
        other => other,
    };
    match processed {
        Ok(Processed::Completely) => deps.audited.forget(note),
        // Events that could not be visited are visited again, from where progress was recorded.
        Ok(Processed::ExceptFor) => deps.audited.leave(note, None),
        Ok(Processed::Partly) | Err(_) => deps.audited.leave(note, Some(at)),
    }
    processed
        .inspect(|_| share.failures.worked(account, None))
        .inspect_err(|error| {
            let id = note.sealed.until.unix_ms();
            share.failures.failed(Row { account, destination: None, what: "note of the audit", id: &id }, error);
        })
        .unwrap_or(Processed::ExceptFor)
}
