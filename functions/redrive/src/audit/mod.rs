//! Visits every event once after its horizon: deliveries that are owed and have no row are sent again and counted. It
//! finds the events by the notes that `fanout` writes before it seals.
//!
//! What events owe, and what has a row, is read in bulk. Each note has two seconds at a time, then it is the next one's
//! turn; within a wide event the audit goes on where it stopped. A note that fails or is not finished is left for the
//! next run, and holds up no other. A slot is audited once no note of it is left.
//!
//! Invariant: an event that owes very many deliveries, or whose rows cannot be read, holds up no other account (tests:
//! `an_event_that_owes_very_many_holds_up_no_other_account_and_is_audited_in_the_end`,
//! `an_event_that_cannot_be_read_holds_up_no_other`, `a_delivery_that_cannot_be_read_has_a_row_and_is_not_sent`).
//!
//! Invariant: an audit that is more than an hour behind says so (tests: `an_audit_that_is_behind_says_so`).
//!
//! Invariant: nothing is recovered of an account that is being deleted (tests:
//! `nothing_is_recovered_of_an_account_that_is_being_deleted`).

mod visit;

use std::collections::VecDeque;
use std::time::Duration;

use domain::value::Slot;
use ports::{EventPlace, ListedEvent, PortResult, SealNote, Span};
use tracing::error;

use self::visit::{Visited, visit};
use crate::audited::Stopped;
use crate::failures::Row;
use crate::share::{Part, Share, Went};

/// How many notes of a slot are listed at once.
const NOTES: usize = 100;
/// How many events are listed between two records of progress.
const PAGE: usize = 100;
/// How many deliveries the events that are visited together owe, unless it is a single event.
const OWED: usize = 2_000;
/// How long a note is worked on before it is the next one's turn.
const SLICE: Duration = Duration::from_secs(2);
/// How far the audit may be behind before it says so.
const BEHIND: Duration = Duration::from_secs(3_600);
/// How many unfinished notes a run comes back to.
const AGAIN: usize = 1_000;

/// How far a note was processed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Processed {
    Completely,
    /// There was no time for the rest.
    Partly,
    /// Something of it could not be visited, so that a later run goes through it again.
    ExceptFor,
}

/// The slots that are left, and where this run is in the first one.
struct Slots {
    first: Slot,
    last: Slot,
    left: VecDeque<Slot>,
    after: Option<SealNote>,
    /// Whether notes of the slot stay behind.
    notes_left: bool,
    /// What is stored as audited.
    stored: Option<Slot>,
}

#[derive(Default)]
pub(crate) struct Audit {
    slots: Option<Slots>,
    again: VecDeque<(SealNote, Option<EventPlace>)>,
}

impl Part for Audit {
    async fn turn(&mut self, share: Share<'_>) -> PortResult<Went> {
        let (deps, again) = (share.deps, &mut self.again);
        let (slots, begins) = match &mut self.slots {
            Some(slots) => (slots, false),
            none => (none.insert(begin(share).await?), true),
        };
        let went = go_through(share, slots, again).await;
        let complete = deps.audited.complete_from(slots.first);
        if let Some(to) = complete.filter(|to| slots.stored.is_none_or(|stored| *to > stored)) {
            deps.audit.set_last_audited(to).await?;
            slots.stored = Some(to);
        }
        if begins {
            say_if_behind(share, complete.map_or(slots.first, Slot::next), slots.last);
        }
        Ok(went)
    }
}

async fn begin(share: Share<'_>) -> PortResult<Slots> {
    let (deps, now) = (share.deps, share.deps.clock.now());
    let stored = deps.audit.last_audited().await?;
    let (first, last) = (deps.horizon.first_to_audit(stored, now), deps.horizon.last_to_audit(now));
    if stored.is_some_and(|stored| stored.next() < first) {
        error!(counted = "audit_behind", "the notes of events sealed more than a week ago have expired unaudited");
        share.failures.other();
    }
    let left = if first > last { Vec::new() } else { deps.audited.left(first, last, now.unix_seconds() / 60) };
    Ok(Slots { first, last, left: left.into(), after: None, notes_left: false, stored })
}

fn say_if_behind(share: Share<'_>, oldest: Slot, last: Slot) {
    let slots = u32::try_from(last.next().0.saturating_sub(oldest.0)).unwrap_or(u32::MAX);
    let behind = share.deps.horizon.slot_length().saturating_mul(slots);
    if behind > BEHIND {
        error!(
            counted = "audit_behind",
            seconds = behind.as_secs(),
            "the audit is behind; what it does not get to within a week is not audited"
        );
        share.failures.other();
    }
}

async fn go_through(share: Share<'_>, slots: &mut Slots, again: &mut VecDeque<(SealNote, Option<EventPlace>)>) -> Went {
    let deps = share.deps;
    while let Some(slot) = slots.left.front().copied() {
        if !share.goes_on() {
            return Went::OutOfTime;
        }
        let notes = share.failures.listed("notes", deps.audit.seal_notes(slot, slots.after.as_ref(), NOTES).await);
        let ended = notes.as_ref().is_none_or(|notes| notes.len() < NOTES);
        slots.notes_left |= notes.is_none();
        for (note, after) in notes.unwrap_or_default() {
            if !share.goes_on() {
                return Went::OutOfTime;
            }
            let processed = process(share, &note, after.clone()).await;
            slots.notes_left |= processed != Processed::Completely;
            slots.after = Some(note.clone());
            if processed == Processed::Partly && again.len() < AGAIN {
                again.push_back((note, after));
            }
        }
        if ended {
            deps.audited.gone_through(slot, !slots.notes_left);
            slots.left.pop_front();
            (slots.after, slots.notes_left) = (None, false);
        }
    }
    while let Some((note, after)) = again.pop_front() {
        if !share.goes_on() {
            again.push_front((note, after));
            return Went::OutOfTime;
        }
        if process(share, &note, after.clone()).await == Processed::Partly {
            again.push_back((note, after));
        }
    }
    Went::ToTheEnd
}

/// Processes a note for a while, and forgets it once it was processed completely.
async fn process(share: Share<'_>, note: &SealNote, after: Option<EventPlace>) -> Processed {
    let (deps, account) = (share.deps, &note.account);
    if share.failures.leaves_alone(account, None) {
        return Processed::ExceptFor;
    }
    let mut at = deps.audited.stopped(note).unwrap_or(Stopped { after, ..Stopped::default() });
    let processed = match audit_note(share.slice(SLICE), note, &mut at).await {
        Ok(Processed::Completely) => deps.audit.forget_note(note).await.map(|()| Processed::Completely),
        other => other,
    };
    match processed {
        // What could not be visited is visited again from where progress was recorded.
        Ok(Processed::Completely | Processed::ExceptFor) => deps.audited.forget(note),
        Ok(Processed::Partly) | Err(_) => deps.audited.stop(note, at),
    }
    processed
        .inspect(|_| share.failures.worked(account, None))
        .inspect_err(|error| {
            let slot = note.sealed.0;
            share.failures.failed(Row { account, destination: None, what: "note of the audit", id: &slot }, error);
        })
        .unwrap_or(Processed::ExceptFor)
}

/// Audits the events of a note from where it stopped.
async fn audit_note(share: Share<'_>, note: &SealNote, at: &mut Stopped) -> PortResult<Processed> {
    let (deps, account) = (share.deps, &note.account);
    let span = Span { since: deps.horizon.begin(note.occurred), until: deps.horizon.begin(note.occurred.next()) };
    loop {
        let events = deps.event_list.list_events(account, span, at.after.as_ref(), PAGE).await?;
        let (ended, last) = (events.len() < PAGE, events.last().map(|event| event.place.clone()));
        let owing = |event: &ListedEvent| event.owed_count > 0 && deps.horizon.slot(event.sealed_at) == note.sealed;
        for group in groups(events.into_iter().filter(owing)) {
            match visit(share, account, &group, at).await? {
                Visited::Yes => {}
                Visited::NotYet => return Ok(Processed::Partly),
                Visited::OfDeleted => return Ok(Processed::Completely),
            }
            (at.after, at.within) = (group.last().map(|event| event.place.clone()), None);
        }
        at.after = last.or(at.after.take());
        match at.after.as_ref().filter(|_| !ended) {
            None if at.failed => return Ok(Processed::ExceptFor),
            None => return Ok(Processed::Completely),
            Some(to) if !at.failed => deps.audit.note_progress(note, to).await?,
            Some(_) => {}
        }
        if !share.goes_on() {
            return Ok(Processed::Partly);
        }
    }
}

/// Events that are visited together, because they do not owe too much.
fn groups(events: impl Iterator<Item = ListedEvent>) -> Vec<Vec<ListedEvent>> {
    let (mut groups, mut owed): (Vec<Vec<ListedEvent>>, usize) = (Vec::new(), 0);
    for event in events {
        owed = owed.saturating_add(event.owed_count);
        match groups.last_mut().filter(|_| owed <= OWED) {
            Some(group) => group.push(event),
            None => {
                owed = event.owed_count;
                groups.push(vec![event]);
            }
        }
    }
    groups
}
