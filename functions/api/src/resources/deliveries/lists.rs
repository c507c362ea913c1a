//! Lists of deliveries, newest first. The list of one destination is read from its own rows, the list of an account
//! from its events and what they owe. There is no index on deliveries.
//!
//! Invariant: the list of an account's deliveries has each of them once, newest first, whatever the size of its pages,
//! and costs no more when there are more destinations (tests:
//! `pages_of_every_size_are_the_whole_list_over_all_destinations`,
//! `a_page_costs_the_same_reads_among_100_destinations_as_among_1`).

use std::collections::HashMap;

use domain::delivery::DeliveryRecord;
use domain::event::{EventType, Scope};
use domain::value::{AccountId, DeliveryId, DestinationId, Timestamp};
use futures_util::{StreamExt, TryStreamExt, stream};
use ports::{ListedEvent, OlderThan, PortResult, Span};

use super::view::DeliveryItem;
use super::waiting::ReadDestinations;
use crate::resources::ledger::part;
use crate::resources::ledger::walk::Walk;
use crate::web::Deps;
use crate::web::choices::DeliveryStatus;
use crate::web::pages::{Page, PageRequest};
use crate::web::problem::Problem;

/// How many rows of a destination are read at a time after the first page's worth, when a filter drops many of them.
const ROWS: usize = 100;
/// How many rows are read concurrently, one request each.
const AT_ONCE: usize = 20;

/// Which deliveries are asked for.
pub struct Wanted {
    pub status: Option<DeliveryStatus>,
    pub event_type: Option<EventType>,
    pub scope: Option<Scope>,
    pub span: Span,
    pub now: Timestamp,
}

impl Wanted {
    fn takes(&self, record: &DeliveryRecord) -> bool {
        let within = |wanted: &Scope| match &record.delivery.scope {
            Some(scope) => wanted.contains(scope),
            None => *wanted == Scope::Everything,
        };
        record.expires_at > self.now
            && self.status.is_none_or(|wanted| DeliveryStatus::of(record.state()) == wanted)
            && self.event_type.is_none_or(|wanted| record.delivery.event_type == wanted)
            && self.scope.as_ref().is_none_or(within)
    }

    fn takes_event(&self, event: &ListedEvent) -> bool {
        self.event_type.is_none_or(|wanted| event.event_type == wanted)
            && self.scope.as_ref().is_none_or(|wanted| wanted.contains(&event.scope))
    }
}

/// The deliveries of one destination, which may have been deleted.
pub async fn of_destination(
    deps: &Deps,
    account: &AccountId,
    destination: &DestinationId,
    wanted: &Wanted,
    page: &PageRequest,
) -> Result<Page<DeliveryItem>, Problem> {
    let mut older = page.after()?.map_or(OlderThan::Time(wanted.span.until), OlderThan::Delivery);
    let (mut sieve, mut rows) = (page.sieve(), page.to_read());
    loop {
        let since = wanted.span.since;
        let records = deps.delivery_list.list_deliveries(account, destination, since, &older, rows).await?;
        let last = records.len() < rows;
        for record in records {
            let id = record.delivery.id.clone();
            older = OlderThan::Delivery(id.clone());
            if !sieve.offer(id, Some(record).filter(|record| wanted.takes(record))) {
                return items(deps, account, wanted, sieve.page()).await;
            }
        }
        if last {
            return items(deps, account, wanted, sieve.page()).await;
        }
        rows = ROWS;
    }
}

/// The deliveries of all destinations of an account, including deleted ones.
pub async fn of_account(
    deps: &Deps,
    account: &AccountId,
    wanted: &Wanted,
    page: &PageRequest,
) -> Result<Page<DeliveryItem>, Problem> {
    let mut walk = Walk::new(deps, account, wanted.span, page.after()?, page.to_read());
    let mut sieve = page.sieve();
    'parts: while let Some(looked) = walk.next(|event| wanted.takes_event(event)).await? {
        for some in looked.chunks(page.to_read()) {
            let ids: Vec<DeliveryId> = some.iter().filter_map(|(_, id)| id.clone()).collect();
            let mut records = records(deps, account, wanted, ids).await?;
            for looked in some {
                let record = looked.1.as_ref().and_then(|id| records.remove(id));
                let item = record.filter(|record| wanted.takes(record));
                if !sieve.offer(walk.place(looked), item) {
                    break 'parts;
                }
            }
        }
    }
    items(deps, account, wanted, sieve.page()).await
}

/// The page as it is answered, for which the destinations of what is parked are read.
async fn items(
    deps: &Deps,
    account: &AccountId,
    wanted: &Wanted,
    page: Page<DeliveryRecord>,
) -> Result<Page<DeliveryItem>, Problem> {
    let destinations = ReadDestinations::of(deps, account, page.data()).await?;
    Ok(page.map(|record| DeliveryItem::of(record, &destinations, wanted.now)))
}

/// The rows of the deliveries with the wanted status. Statuses are read in batches first, then the matching rows one by
/// one.
async fn records(
    deps: &Deps,
    account: &AccountId,
    wanted: &Wanted,
    mut ids: Vec<DeliveryId>,
) -> PortResult<HashMap<DeliveryId, DeliveryRecord>> {
    if let Some(status) = wanted.status {
        let standings = part::standings(deps, account, &ids).await?;
        ids.retain(|id| standings.get(id).is_some_and(|standing| DeliveryStatus::of(standing.state) == status));
    }
    let found = ids.into_iter().map(|id| async move { deps.deliveries.find_delivery(account, &id).await });
    let found: Vec<_> = stream::iter(found).buffered(AT_ONCE).try_collect().await?;
    Ok(found.into_iter().flatten().map(|record| (record.delivery.id.clone(), record)).collect())
}
