//! A bounded part of an account's ledger, read from the rows: events from the index, newest first, what each owes from its own
//! row, and where that stands from the deliveries' rows. At most [`AT_ONCE`] batches are read at once.

use std::collections::{BTreeSet, HashMap};

use domain::value::{AccountId, DeliveryId, EventId};
use futures_util::{StreamExt, TryStreamExt, stream};
use ports::{DeliveryStanding, EventPlace, ListedEvent, PortResult, Span};

use crate::web::Deps;

/// How many rows are asked for together.
const BATCH: usize = 100;
/// How many such batches are read at once.
const AT_ONCE: usize = 8;

/// One event, as the index tells of it, and what its own row says it owes.
pub struct Entry {
    pub event: ListedEvent,
    pub owed: BTreeSet<DeliveryId>,
    /// Whether it may be forgotten, and counts no more.
    pub forgotten: bool,
}

pub struct Part {
    pub entries: Vec<Entry>,
    /// The last event looked at, where others follow it.
    pub next: Option<EventPlace>,
}

impl Part {
    /// The part after `after`: at most so many events, which owe at most so many deliveries, but for a single event that owes
    /// more. What is owed by events that `takes` refuses is not read.
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

/// What the events owe, by their own rows.
pub async fn owed(
    deps: &Deps,
    account: &AccountId,
    events: &[EventId],
) -> PortResult<HashMap<EventId, BTreeSet<DeliveryId>>> {
    let batches: Vec<_> = events.chunks(BATCH).map(|batch| deps.reckoning.find_owed(account, batch)).collect();
    let batches: Vec<_> = stream::iter(batches).buffered(AT_ONCE).try_collect().await?;
    Ok(batches.into_iter().flatten().map(|(id, owed)| (id, owed.into_iter().collect())).collect())
}

/// Where those of the deliveries stand that have a row. A row counts for as long as its event does, although it may be forgotten
/// earlier by the moment that lies between the sending and the sealing.
pub async fn standings(
    deps: &Deps,
    account: &AccountId,
    ids: &[DeliveryId],
) -> PortResult<HashMap<DeliveryId, DeliveryStanding>> {
    let batches: Vec<_> = ids.chunks(BATCH).map(|batch| deps.reckoning.find_standings(account, batch)).collect();
    let batches: Vec<_> = stream::iter(batches).buffered(AT_ONCE).try_collect().await?;
    Ok(batches.into_iter().flatten().map(|standing| (standing.id.clone(), standing)).collect())
}
