//! Lists of deliveries, newest or oldest first. The list of one destination is read from its own rows; the list of an account
//! is read from its events and what they owe. There is no index of deliveries.
//!
//! Invariant: the list of an account's deliveries contains each delivery once, in both orders, whatever the size of its
//! pages, and its cost does not depend on the number of destinations (tests:
//! `pages_of_every_size_are_the_whole_list_over_all_destinations`,
//! `a_page_costs_the_same_reads_among_100_destinations_as_among_1`).

use std::collections::{BTreeSet, HashMap};

use domain::delivery::{DeliveryRecord, Held};
use domain::event::{EventType, Scope};
use domain::value::{AccountId, DeliveryId, DestinationId, EventId, Timestamp};
use futures_util::{StreamExt, TryStreamExt, stream};
use ports::{ListedEvent, Order, PortResult, Span, read_units};

use super::view::DeliveryItem;
use super::waiting::ReadDestinations;
use crate::resources::ledger::standings;
use crate::resources::ledger::walk::Walk;
use crate::web::Deps;
use crate::web::choices::DeliveryStatus;
use crate::web::pages::{Page, PageRequest};
use crate::web::problem::Problem;

/// How many rows of a destination are read at a time, after the first ones, if a filter drops many of them.
const ROWS: usize = 100;
/// The greatest cost of one row, in read units: it has up to 60 KiB, and is not read consistently.
const ROW_UNITS: usize = 8;
/// How many rows are read concurrently, one request each.
const AT_ONCE: usize = 20;
/// The list of a destination ends when fewer read units than this are left.
const LEAST_UNITS: usize = 50;
/// The greatest cost of a row that is read consistently, with its destination.
const WHOLE_UNITS: usize = 22;
/// How many read units are reserved for each destination that has to be read for the page.
const DESTINATION_UNITS: usize = 6;

/// Which deliveries are requested.
pub struct Wanted {
    pub order: Order,
    pub event: Option<EventId>,
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
            && self.event.as_ref().is_none_or(|wanted| record.delivery.event == *wanted)
            && self.status.is_none_or(|wanted| DeliveryStatus::of(record.state()) == wanted)
            && self.event_type.is_none_or(|wanted| record.delivery.event_type == wanted)
            && self.scope.as_ref().is_none_or(within)
    }

    fn takes_event(&self, event: &ListedEvent) -> bool {
        self.event.as_ref().is_none_or(|wanted| event.place.id == *wanted)
            && self.event_type.is_none_or(|wanted| event.event_type == wanted)
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
    let mut after: Option<DeliveryId> = page.after()?;
    let (mut sieve, mut rows) = (page.sieve(), page.to_read());
    loop {
        rows = rows.min(read_units::left_for(ROW_UNITS)).max(1);
        let (list, span, order) = (&deps.delivery_list, wanted.span, wanted.order);
        let records = list.list_deliveries(account, destination, span, order, after.as_ref(), rows).await?;
        let last = records.len() < rows;
        for record in records {
            let id = record.delivery.id.clone();
            after = Some(id.clone());
            if !sieve.offer(id, Some(record).filter(|record| wanted.takes(record))) {
                return items(deps, account, wanted, sieve.page()).await;
            }
        }
        let must_stop = read_units::left_for(LEAST_UNITS) == 0;
        if must_stop && !last {
            sieve.stop();
        }
        if must_stop || last {
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
    let mut walk = Walk::new(deps, account, wanted.span, wanted.order, page.after()?, page.to_read());
    // If the list is filtered by status, the states are read first.
    let each = WHOLE_UNITS + if wanted.status.is_some() { standings::UNITS } else { 0 };
    let (mut sieve, mut to_read) = (page.sieve(), BTreeSet::new());
    'page: loop {
        let Some(some) = walk.next(each, |event| wanted.takes_event(event)).await? else { break };
        let ids: Vec<DeliveryId> = some.iter().filter_map(|looked| looked.id.clone()).collect();
        let mut records = records(deps, account, wanted, ids).await?;
        for looked in some {
            let record = looked.id.as_ref().and_then(|id| records.remove(id)).filter(|record| wanted.takes(record));
            let parked = record.iter().filter(|record| record.held == Held::ByDestination);
            to_read.extend(parked.map(|record| record.delivery.destination.clone()));
            if !sieve.offer(looked.place, record) {
                break 'page;
            }
        }
        if walk.must_stop(to_read.len() * DESTINATION_UNITS + each) {
            sieve.stop();
            break;
        }
    }
    items(deps, account, wanted, sieve.page()).await
}

/// The page as it is returned. It needs the destinations of parked deliveries.
async fn items(
    deps: &Deps,
    account: &AccountId,
    wanted: &Wanted,
    page: Page<DeliveryRecord>,
) -> Result<Page<DeliveryItem>, Problem> {
    let destinations = ReadDestinations::of(deps, account, page.data()).await?;
    Ok(page.map(|record| DeliveryItem::of(record, &destinations, wanted.now)))
}

/// The rows of the deliveries with the requested status. If there is one, the states are read first.
async fn records(
    deps: &Deps,
    account: &AccountId,
    wanted: &Wanted,
    mut ids: Vec<DeliveryId>,
) -> PortResult<HashMap<DeliveryId, DeliveryRecord>> {
    if let Some(status) = wanted.status {
        let standings = standings::of(deps, account, &ids).await?;
        ids.retain(|id| standings.get(id).is_some_and(|standing| DeliveryStatus::of(standing.state) == status));
    }
    if ids.is_empty() {
        return Ok(HashMap::new());
    }
    let of_account: Vec<_> = ids.iter().map(|id| (account.clone(), id.clone())).collect();
    let found = deps.deliveries.find_deliveries(&of_account).await?;
    let mut found: HashMap<_, _> = found.into_iter().map(|record| (record.delivery.id.clone(), record)).collect();
    // A row may be missing from the response only for lack of time. Reading it alone returns it, or the error.
    let left_out: Vec<_> = ids.into_iter().filter(|id| !found.contains_key(id)).collect();
    let alone = left_out.into_iter().map(|id| async move { deps.deliveries.find_delivery(account, &id).await });
    let alone: Vec<_> = stream::iter(alone).buffered(AT_ONCE).try_collect().await?;
    found.extend(alone.into_iter().flatten().map(|record| (record.delivery.id.clone(), record)));
    Ok(found)
}
