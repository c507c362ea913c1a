//! Audits the events of one note: all of them if roll-ups have not seen that they are settled.

use domain::delivery::Settlement;
use domain::value::EventId;
use ports::{ListedEvent, ListedNote, Order, PortResult, SealNote};

use super::visit::{Visited, visit};
use crate::audited::Stopped;
use crate::roll_ups::MANY;
use crate::share::Share;

/// How many events are listed between two records of progress.
const PAGE: usize = 100;
/// How many deliveries the events that are visited together may owe; a single event may owe more.
const OWED: usize = 2_000;

/// How far a note was processed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Processed {
    Completely,
    /// No time was left for the rest.
    Partly,
    /// A part could not be visited, so a later run goes through the note again.
    ExceptFor,
}

/// Audits the events of a note from where it stopped.
pub(super) async fn audit_note(share: Share<'_>, listed: &ListedNote, at: &mut Stopped) -> PortResult<Processed> {
    let (deps, note, account) = (share.deps, &listed.note, &listed.note.account);
    if let Some(settled) = listed.settled.filter(|_| *at == Stopped::default())
        && is_settled(share, note, settled).await?
    {
        return Ok(Processed::Completely);
    }
    loop {
        let (list, order) = (&deps.event_list, Order::NewestFirst);
        let events = list.list_events(account, note.occurred, order, at.after.as_ref(), PAGE).await?;
        let (ended, last) = (events.len() < PAGE, events.last().map(|event| event.place.clone()));
        for group in groups(events.into_iter().filter(|event| owes(note, event))) {
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

/// Whether an event is one of the note and owes anything.
fn owes(note: &SealNote, event: &ListedEvent) -> bool {
    event.owed_count > 0 && note.sealed.contains(event.sealed_at)
}

/// Whether the events of a note still owe what they owed when all of it was delivered.
async fn is_settled(share: Share<'_>, note: &SealNote, settled: Settlement) -> PortResult<bool> {
    let (mut events, mut listed, mut after): (Vec<(EventId, usize)>, _, _) = (Vec::new(), 0, None);
    loop {
        let (list, order) = (&share.deps.event_list, Order::NewestFirst);
        let page = list.list_events(&note.account, note.occurred, order, after.as_ref(), PAGE).await?;
        listed += page.len();
        let owing = page.iter().filter(|event| owes(note, event));
        events.extend(owing.map(|event| (event.place.id.clone(), event.owed_count)));
        match page.last() {
            // With so many, nothing was settled.
            Some(_) if listed > MANY => return Ok(false),
            Some(last) if page.len() == PAGE => after = Some(last.place.clone()),
            _ => return Ok(Settlement::of(events) == settled),
        }
    }
}

/// Events that are visited together: few enough that they do not owe too much.
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
