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

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet, VecDeque};
use std::sync::Arc;
use std::time::Duration;

use domain::delivery::{Delivery, DeliveryState};
use domain::destination::Admission;
use domain::value::{AccountId, DeliveryId, DestinationId, EventId, Slot};
use futures_util::{StreamExt, stream};
use ports::{EventPlace, ListedEvent, PortError, PortResult, SealNote, Span};
use serde_json::value::RawValue;
use tracing::{error, info, warn};

use crate::audited::Stopped;
use crate::deps::Deps;
use crate::failures::Row;
use crate::send::{body, claim_and_send, give_row};
use crate::share::{Part, Share, Went};

/// How many notes of a slot are listed at once.
const NOTES: usize = 100;
/// How many events are listed between two records of progress.
const PAGE: usize = 100;
/// How many deliveries the events that are visited together owe, unless it is a single event.
const OWED: usize = 2_000;
/// How many deliveries are looked up at once.
const TOGETHER: usize = 100;
/// How many destinations are looked up at once.
const AT_ONCE: usize = 10;
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

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Visited {
    Yes,
    /// There was no time for the rest.
    NotYet,
    /// The account is gone or being deleted, so nothing is owed any more.
    OfDeleted,
}

async fn visit(share: Share<'_>, account: &AccountId, events: &[ListedEvent], at: &mut Stopped) -> PortResult<Visited> {
    let deps = share.deps;
    let ids = events.iter().map(|event| event.place.id.clone()).collect();
    let (owed, poisoned) = in_bulk(ids, |some| async move { deps.reckoning.find_owed(account, &some).await }).await?;
    for (id, error) in &poisoned {
        at.failed = true;
        share.failures.failed(Row { account, destination: None, what: "event", id }, error);
    }
    let mut owed: Vec<(DeliveryId, EventId)> =
        owed.into_iter().flat_map(|(event, owed)| owed.into_iter().map(move |id| (id, event.clone()))).collect();
    owed.sort();
    let wide = match events {
        [only] => Some(&only.place.id),
        _ => None,
    };
    if let Some((event, to)) = at.within.as_ref().filter(|(event, _)| Some(event) == wide) {
        owed.retain(|(id, of)| of != event || id > to);
    }
    let mut lost = Lost { share, account, known: None, alive: false };
    for together in owed.chunks(TOGETHER) {
        if !share.goes_on() {
            return Ok(Visited::NotYet);
        }
        match lost.recover(together).await? {
            Recovered::All => {}
            Recovered::ExceptFor => at.failed = true,
            Recovered::OfDeleted => return Ok(Visited::OfDeleted),
        }
        at.within = wide.cloned().zip(together.last().map(|(id, _)| id.clone()));
    }
    Ok(Visited::Yes)
}

/// What was read of each, and which cannot be read. A batch with something that cannot be read is halved until that is
/// found.
async fn in_bulk<K: Clone, R, F>(ids: Vec<K>, read: impl Fn(Vec<K>) -> F) -> PortResult<(Vec<R>, Vec<(K, PortError)>)>
where
    F: Future<Output = PortResult<Vec<R>>>,
{
    let (mut found, mut poisoned, mut left) = (Vec::new(), Vec::new(), vec![ids]);
    while let Some(mut some) = left.pop() {
        if some.is_empty() {
            continue;
        }
        match (read(some.clone()).await, some.len()) {
            (Ok(rows), _) => found.extend(rows),
            (Err(error @ PortError::Permanent { .. }), 1) => poisoned.extend(some.pop().map(|id| (id, error))),
            (Err(PortError::Permanent { .. }), many) => {
                left.push(some.split_off(many / 2));
                left.push(some);
            }
            (Err(error), _) => return Err(error),
        }
    }
    Ok((found, poisoned))
}

enum Recovered {
    All,
    /// Some cannot be recovered before somebody mends a row.
    ExceptFor,
    /// The account is gone or being deleted.
    OfDeleted,
}

/// An event's body, and its deliveries by id.
type Owing = (Arc<RawValue>, HashMap<DeliveryId, Delivery>);

/// Recovers what is owed and has no row.
struct Lost<'a> {
    share: Share<'a>,
    account: &'a AccountId,
    /// The event that was read last.
    known: Option<(EventId, Owing)>,
    /// Whether the account is known not to be deleted.
    alive: bool,
}

impl Lost<'_> {
    async fn recover(&mut self, owed: &[(DeliveryId, EventId)]) -> PortResult<Recovered> {
        let (deps, failures, account) = (self.share.deps, self.share.failures, self.account);
        let ids = owed.iter().map(|(id, _)| id.clone()).collect();
        let (standings, unreadable) =
            in_bulk(ids, |some| async move { deps.reckoning.find_standings(account, &some).await }).await?;
        for (id, error) in &unreadable {
            let destination = id.destination();
            failures.failed(Row { account, destination: Some(&destination), what: "delivery", id }, error);
        }
        let parked = standings.iter().filter(|standing| standing.state == DeliveryState::Parked);
        unstick(self.share, account, parked.map(|standing| standing.id.destination()).collect()).await?;
        // What cannot be read has a row.
        let unreadable = unreadable.into_iter().map(|(id, _)| id);
        let rows: HashSet<DeliveryId> = standings.into_iter().map(|standing| standing.id).chain(unreadable).collect();
        let mut missing: BTreeMap<&EventId, Vec<&DeliveryId>> = BTreeMap::new();
        for (id, event) in owed.iter().filter(|(id, _)| !rows.contains(id)) {
            missing.entry(event).or_default().push(id);
        }
        let mut result = Recovered::All;
        for (event, ids) in missing {
            if !self.alive {
                let read = deps.accounts.read_account(account).await?;
                self.alive = read.is_some_and(|account| account.deletion.is_none());
                if !self.alive {
                    info!("account.id" = %account, "what an account owed that is being deleted is not sent again");
                    return Ok(Recovered::OfDeleted);
                }
            }
            match self.send(event, ids).await {
                Ok(()) => {}
                Err(error @ PortError::Permanent { .. }) => {
                    failures.failed(Row { account, destination: None, what: "event", id: event }, &error);
                    result = Recovered::ExceptFor;
                }
                Err(error) => return Err(error),
            }
        }
        Ok(result)
    }

    /// Sends deliveries of an event again.
    async fn send(&mut self, event: &EventId, ids: Vec<&DeliveryId>) -> PortResult<()> {
        let deps = self.share.deps;
        if self.known.as_ref().is_none_or(|(known, _)| known != event) {
            let Some(found) = deps.events.find_event(self.account, event).await? else { return Ok(()) };
            let deliveries = found.owed.into_iter().map(|delivery| (delivery.id.clone(), delivery)).collect();
            self.known = Some((event.clone(), (body(found.body)?, deliveries)));
        }
        let Some((_, (body, deliveries))) = &self.known else { return Ok(()) };
        // Standings may be a moment old.
        let mut missing = Vec::new();
        for delivery in ids.into_iter().filter_map(|id| deliveries.get(id)) {
            if deps.deliveries.find_delivery(self.account, &delivery.id).await?.is_none() {
                missing.push(delivery.clone());
            }
        }
        if missing.is_empty() {
            return Ok(());
        }
        warn!(
            counted = "recovered_by_audit", "account.id" = %self.account, "event.id" = %event,
            deliveries = missing.len(), "deliveries were owed and had no row; they are sent again"
        );
        let now = deps.clock.now();
        let name = |delivery: &Delivery| (delivery.account.clone(), delivery.id.clone());
        let claim = |delivery| give_row(deps, delivery, body.clone(), now, true);
        claim_and_send(self.share, missing, name, claim, std::convert::identity).await.checked().map(drop)
    }
}

/// A drain sends what is parked. Deliveries that were parked too late for it start another drain.
async fn unstick(share: Share<'_>, account: &AccountId, destinations: BTreeSet<DestinationId>) -> PortResult<()> {
    let deps = share.deps;
    let looks = destinations.into_iter().map(|id| async move {
        match start_drain(deps, account, &id).await {
            Err(error @ PortError::Permanent { .. }) => {
                let row = Row { account, destination: Some(&id), what: "destination", id: &id };
                share.failures.failed(row, &error);
                Ok(())
            }
            other => other,
        }
    });
    let all: Vec<_> = stream::iter(looks).buffer_unordered(AT_ONCE).collect().await;
    all.into_iter().collect()
}

async fn start_drain(deps: &Deps, account: &AccountId, id: &DestinationId) -> PortResult<()> {
    let found = deps.destinations.find_destination_anew(account, id).await?;
    let Some(destination) = found else { return Ok(()) };
    if destination.admission() == Admission::Everything && destination.health.drain.is_none() {
        deps.destinations.update_health(&destination, &destination.health.resumed(deps.clock.now())).await?;
    }
    Ok(())
}
