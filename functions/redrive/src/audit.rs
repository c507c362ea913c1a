//! Visits every event once after its horizon: deliveries that are owed and have no row are sent again and counted. It
//! finds the events by the notes that `fanout` writes before it seals.

use domain::delivery::{Delivery, DeliveryState};
use domain::destination::Admission;
use domain::value::{Slot, Timestamp};
use futures_util::{StreamExt, TryStreamExt, stream};
use ports::{EventPlace, PortResult, SealNote, SealedEvent, Span};
use tracing::warn;

use crate::deps::Deps;
use crate::send::{claim_and_send, give_row};

/// How many notes of a slot are listed at once.
const NOTES: usize = 100;
/// How many events are visited between two records of progress.
const PAGE: usize = 100;
/// How many events are visited at once.
const AT_ONCE: usize = 10;

pub(crate) async fn run(deps: &Deps, deadline: Timestamp) -> PortResult<()> {
    let now = deps.clock.now();
    let before = deps.audit.last_audited().await?;
    let mut audited = None;
    let mut slot = deps.horizon.first_to_audit(before, now);
    while slot <= deps.horizon.last_to_audit(now) && deps.has_time(deadline) && audit_slot(deps, slot, deadline).await?
    {
        audited = Some(slot);
        slot = slot.next();
    }
    match audited {
        Some(last) => deps.audit.set_last_audited(last).await,
        None => Ok(()),
    }
}

/// Audits a slot; answers whether every note was processed.
async fn audit_slot(deps: &Deps, slot: Slot, deadline: Timestamp) -> PortResult<bool> {
    loop {
        let notes = deps.audit.seal_notes(slot, NOTES).await?;
        for (note, after) in &notes {
            if !deps.has_time(deadline) || !audit_note(deps, note, after.clone(), deadline).await? {
                return Ok(false);
            }
            deps.audit.forget_note(note).await?;
        }
        if notes.len() < NOTES {
            return Ok(true);
        }
    }
}

/// Audits the events of a note; answers whether all were visited.
async fn audit_note(
    deps: &Deps,
    note: &SealNote,
    mut after: Option<EventPlace>,
    deadline: Timestamp,
) -> PortResult<bool> {
    let span = Span { since: deps.horizon.begin(note.occurred), until: deps.horizon.begin(note.occurred.next()) };
    loop {
        let events = deps.event_list.list_events(&note.account, span, after.as_ref(), PAGE).await?;
        let ended = events.len() < PAGE;
        after = events.last().map(|event| event.place.clone());
        let owing = events.into_iter().filter(|e| e.owed_count > 0 && deps.horizon.slot(e.sealed_at) == note.sealed);
        let visits = stream::iter(owing).map(|event| async move {
            match deps.events.find_event(&note.account, &event.place.id).await? {
                Some(event) => visit(deps, event).await,
                None => Ok(()),
            }
        });
        visits.buffer_unordered(AT_ONCE).try_collect::<()>().await?;
        match after.as_ref().filter(|_| !ended) {
            None => return Ok(true),
            Some(to) => deps.audit.note_progress(note, to).await?,
        }
        if !deps.has_time(deadline) {
            return Ok(false);
        }
    }
}

async fn visit(deps: &Deps, event: SealedEvent) -> PortResult<()> {
    let mut missing = Vec::new();
    for delivery in event.owed {
        match deps.deliveries.find_delivery(&delivery.account, &delivery.id).await? {
            None => missing.push(delivery),
            Some(record) if record.state == DeliveryState::Parked => unstick(deps, &delivery).await?,
            Some(_) => {}
        }
    }
    if missing.is_empty() {
        return Ok(());
    }
    warn!(
        counted = "recovered_by_audit", "account.id" = %event.account, "event.id" = %event.id, deliveries = missing.len(),
        "deliveries were owed and had no row; they are sent again"
    );
    let now = deps.clock.now();
    claim_and_send(deps, missing, |delivery| give_row(deps, delivery, now, true)).await.map(drop)
}

/// A drain sends what is parked. A delivery that was parked too late for it starts another drain.
async fn unstick(deps: &Deps, delivery: &Delivery) -> PortResult<()> {
    let found = deps.destinations.find_destination_anew(&delivery.account, &delivery.destination).await?;
    let Some(destination) = found else { return Ok(()) };
    if destination.admission() == Admission::Everything && destination.health.drain.is_none() {
        deps.destinations.update_health(&destination, &destination.health.resumed(deps.clock.now())).await?;
    }
    Ok(())
}
