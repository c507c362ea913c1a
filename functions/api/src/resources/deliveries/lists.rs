//! Deliveries in lists, newest first: those of one destination from its own rows, those of an account from its events and what they
//! owe. There is no index on deliveries, and neither list costs more the more destinations there are.

use std::collections::HashMap;

use domain::delivery::DeliveryRecord;
use domain::event::{EventType, Scope};
use domain::value::{AccountId, DeliveryId, DestinationId, Timestamp};
use futures_util::{StreamExt, TryStreamExt, stream};
use ports::{ListedEvent, OlderThan, PortResult, Span};

use super::view::DeliveryItem;
use crate::resources::ledger::part;
use crate::resources::ledger::walk::Walk;
use crate::web::Deps;
use crate::web::choices::DeliveryStatus;
use crate::web::pages::{Page, PageRequest};
use crate::web::problem::Problem;

/// How many rows of a destination are read at a time when a filter leaves few of them.
const ROWS: usize = 100;
/// How many rows are read at once, where each is asked for by its key.
const AT_ONCE: usize = 20;

/// Which deliveries.
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
            && self.status.is_none_or(|wanted| DeliveryStatus::of(record.state) == wanted)
            && self.event_type.is_none_or(|wanted| record.delivery.event_type == wanted)
            && self.scope.as_ref().is_none_or(within)
    }

    fn takes_event(&self, event: &ListedEvent) -> bool {
        self.event_type.is_none_or(|wanted| event.event_type == wanted)
            && self.scope.as_ref().is_none_or(|wanted| wanted.contains(&event.scope))
    }
}

/// The deliveries of one destination, which may be one that was deleted.
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
            if !sieve.offer(id, Some(record).filter(|record| wanted.takes(record)).map(DeliveryItem::from)) {
                return Ok(sieve.page());
            }
        }
        if last {
            return Ok(sieve.page());
        }
        rows = ROWS;
    }
}

/// The deliveries of all destinations of an account, those that were deleted as well.
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
                let item = record.filter(|record| wanted.takes(record)).map(DeliveryItem::from);
                if !sieve.offer(walk.place(looked), item) {
                    break 'parts;
                }
            }
        }
    }
    Ok(sieve.page())
}

/// The rows of those deliveries that have the wanted status. Which they are is asked in bulk, before the rows one by one.
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
