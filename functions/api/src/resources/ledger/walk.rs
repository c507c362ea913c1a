//! Walks through what the events of a span owe, newest event first, part by part. It serves lists that must be
//! complete, with pending deliveries and those of deleted destinations. The cost does not depend on the number of
//! destinations or deliveries.

use std::collections::HashMap;

use domain::value::{AccountId, DeliveryId};
use ports::{EventPlace, ListedEvent, PortResult, Span};

use super::part::{self, Entry, Part};
use super::window::Place;
use crate::web::Deps;

/// The greatest numbers of events and of deliveries that are read at a time.
pub const EVENTS: usize = 100;
pub const DELIVERIES: usize = 500;

/// An event that was looked at, with one of its deliveries; without any if it owes none that are asked for.
pub type Looked = (EventPlace, Option<DeliveryId>);

pub struct Walk<'a> {
    deps: &'a Deps,
    account: &'a AccountId,
    span: Span,
    /// Where the previous page ended.
    place: Option<Place>,
    after: Option<EventPlace>,
    ended: bool,
    events: usize,
}

impl<'a> Walk<'a> {
    /// Starts after `place`, with the span of its first page, and reads `events` events at a time.
    pub fn new(deps: &'a Deps, account: &'a AccountId, asked: Span, place: Option<Place>, events: usize) -> Self {
        let span = place.as_ref().map_or(asked, |place| place.span);
        Self { deps, account, span, place, after: None, ended: false, events: events.clamp(1, EVENTS) }
    }

    /// The place to put into the cursor.
    pub fn place(&self, (event, delivery): &Looked) -> Place {
        Place { span: self.span, event: event.clone(), delivery: delivery.clone() }
    }

    /// The next part; `None` at the end. What events that `takes` refuses owe is not read.
    pub async fn next(&mut self, takes: impl Fn(&ListedEvent) -> bool) -> PortResult<Option<Vec<Looked>>> {
        if let Some(place) = self.place.take() {
            let rest = rest_of_event(self.deps, self.account, &place).await?;
            self.after = Some(place.event);
            if !rest.is_empty() {
                return Ok(Some(rest));
            }
        }
        if self.ended {
            return Ok(None);
        }
        let part =
            Part::read(self.deps, self.account, self.span, self.after.as_ref(), self.events, DELIVERIES, takes).await?;
        self.ended = part.next.is_none();
        self.after = part.next;
        Ok(Some(part.entries.into_iter().flat_map(looked_at).collect()))
    }
}

/// The deliveries of the last event of the previous page that did not fit on it.
async fn rest_of_event(deps: &Deps, account: &AccountId, place: &Place) -> PortResult<Vec<Looked>> {
    let Some(last) = &place.delivery else { return Ok(Vec::new()) };
    let mut owed: HashMap<_, _> = part::owed(deps, account, std::slice::from_ref(&place.event.id)).await?;
    let owed = owed.remove(&place.event.id).unwrap_or_default();
    Ok(owed.into_iter().filter(|id| id > last).map(|id| (place.event.clone(), Some(id))).collect())
}

/// Events that owe nothing, or have expired, are looked at as well.
fn looked_at(entry: Entry) -> Vec<Looked> {
    let place = entry.event.place;
    if entry.owed.is_empty() {
        return vec![(place, None)];
    }
    entry.owed.into_iter().map(|id| (place.clone(), Some(id))).collect()
}
