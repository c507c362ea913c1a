//! A bounded part of an account's ledger: events from the index, newest first, what each owes from its own row, and the
//! state of each delivery from the delivery's row. At most [`AT_ONCE`] batches are read at once.
//!
//! Invariant: the pages of the ledger add up, and each reads a bounded part (tests:
//! `the_pages_of_the_ledger_add_up_whatever_their_size`,
//! `a_page_covers_a_bounded_number_of_deliveries_or_a_single_event`).

use std::collections::{BTreeSet, HashMap};

use domain::value::{AccountId, DeliveryId, EventId};
use futures_util::{StreamExt, TryStreamExt, stream};
use ports::{DeliveryStanding, EventPlace, ListedEvent, PortResult, Span};

use crate::web::Deps;

/// How many rows one request reads.
const BATCH: usize = 100;
/// How many batches are read concurrently.
const AT_ONCE: usize = 8;

/// One event as the index has it, and what it owes according to its own row.
pub struct Entry {
    pub event: ListedEvent,
    pub owed: BTreeSet<DeliveryId>,
    /// Whether it has expired and no longer counts.
    pub forgotten: bool,
}

pub struct Part {
    pub entries: Vec<Entry>,
    /// The last event of this part, if more follow.
    pub next: Option<EventPlace>,
}

impl Part {
    /// Reads the part after `after`: at most `events` events that owe at most `deliveries` deliveries together. A
    /// single event may owe more. What events that `takes` refuses owe is not read.
    pub async fn read(
        deps: &Deps,
        account: &AccountId,
        span: Span,
        after: Option<&EventPlace>,
        events: usize,
        deliveries: usize,
        takes: impl Fn(&ListedEvent) -> bool,
    ) -> PortResult<Self> {
        let mut listed = deps.event_list.list_events(account, span, after, events + 1).await?;
        let (mut sum, all) = (0, listed.len());
        let fits = listed.iter().take(events).take_while(|event| {
            let first = sum == 0;
            sum += event.owed_count;
            first || sum <= deliveries
        });
        listed.truncate(fits.count());
        let next = listed.last().filter(|_| listed.len() < all).map(|event| event.place.clone());
        let now = deps.clock.now();
        let matched = listed.iter().filter(|event| event.expires_at > now && event.owed_count > 0 && takes(event));
        let matched: Vec<EventId> = matched.map(|event| event.place.id.clone()).collect();
        let mut owed = owed(deps, account, &matched).await?;
        let entry = |event: ListedEvent| {
            let owed = owed.remove(&event.place.id).unwrap_or_default();
            Entry { owed, forgotten: event.expires_at <= now, event }
        };
        Ok(Self { entries: listed.into_iter().map(entry).collect(), next })
    }
}

/// What the events owe according to their own rows.
pub async fn owed(
    deps: &Deps,
    account: &AccountId,
    events: &[EventId],
) -> PortResult<HashMap<EventId, BTreeSet<DeliveryId>>> {
    let batches: Vec<_> = events.chunks(BATCH).map(|batch| deps.reckoning.find_owed(account, batch)).collect();
    let batches: Vec<_> = stream::iter(batches).buffered(AT_ONCE).try_collect().await?;
    Ok(batches.into_iter().flatten().map(|(id, owed)| (id, owed.into_iter().collect())).collect())
}

/// The states of those deliveries that have a row. A row counts as long as its event does, although it may expire
/// slightly earlier: by the time between sending and sealing.
pub async fn standings(
    deps: &Deps,
    account: &AccountId,
    ids: &[DeliveryId],
) -> PortResult<HashMap<DeliveryId, DeliveryStanding>> {
    let batches: Vec<_> = ids.chunks(BATCH).map(|batch| deps.reckoning.find_standings(account, batch)).collect();
    let batches: Vec<_> = stream::iter(batches).buffered(AT_ONCE).try_collect().await?;
    Ok(batches.into_iter().flatten().map(|standing| (standing.id.clone(), standing)).collect())
}
