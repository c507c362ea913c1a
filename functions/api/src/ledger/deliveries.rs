//! `GET /v1/ledger/deliveries`: which deliveries a number of the ledger counts. It reads what the ledger reads, so it also has what
//! the list of deliveries cannot have: those that are pending, and those to destinations that were deleted.

use std::collections::HashMap;
use std::sync::Arc;

use axum::Json as Answer;
use axum::extract::State;
use axum::response::{IntoResponse, Response};
use serde::Serialize;
use shared::domain::id::{AccountId, DeliveryId, DestinationId, EventId};
use shared::ports::{DeliveryStanding, EventPlace, PortResult};
use utoipa::{IntoParams, ToSchema};

use super::part::{self, Entry, Part};
use super::window::{self, Place};
use crate::Deps;
use crate::caller::Reader;
use crate::filters::Filters;
use crate::pages::{Page, PageRequest};
use crate::problem::Problem;
use crate::{choices, schemas};

/// How many events are read at a time, and how many deliveries.
const EVENTS: usize = 100;
const DELIVERIES: usize = 500;
/// What a delivery in the list can be.
const STATUSES: [&str; 6] = ["pending", "delivered", "retrying", "parked", "exhausted", "cancelled"];

/// Which deliveries.
#[derive(IntoParams)]
#[into_params(parameter_in = Query)]
#[expect(dead_code, reason = "it describes what `window` and `Filters` read, and is never a value")]
pub struct LedgerFilters {
    /// Those whose event occurred then or later; 24 hours before `to` if left out.
    from: Option<schemas::Moment>,
    /// Those whose event occurred before, at most 31 days after `from`; now if left out.
    to: Option<schemas::Moment>,
    #[param(value_type = Option<choices::OwedStatus>)]
    status: Option<String>,
    /// Those that the audit sent again, or those that it did not.
    recovered_by_audit: Option<bool>,
}

/// One delivery that the ledger counts.
#[derive(Serialize, ToSchema)]
#[schema(as = LedgerDelivery)]
struct Item {
    #[schema(value_type = schemas::DeliveryId)]
    id: DeliveryId,
    #[schema(value_type = schemas::EventId)]
    event_id: EventId,
    #[schema(value_type = schemas::DestinationId)]
    destination_id: DestinationId,
    #[schema(value_type = choices::OwedStatus)]
    status: &'static str,
    /// Whether the audit found it without a record, and sent it again.
    recovered_by_audit: bool,
}

/// An event that was looked at, and one of the deliveries that it owes if there are any.
type Looked = (EventPlace, Option<DeliveryId>);

/// List the deliveries that the ledger counts
///
/// Those that the events of the span owe, newest event first, whether they have a row, and their destination still exists, or not.
/// One page looks at no more than 1,000 deliveries, and events that owe none: where a filter leaves few it may be short, or
/// empty, and yet have a next one.
#[utoipa::path(
    get,
    path = "/v1/ledger/deliveries",
    operation_id = "list_ledger_deliveries",
    tag = "ledger",
    params(schemas::PageParameters, LedgerFilters),
    responses((status = 200, description = "A page of deliveries.", body = Page<Item>))
)]
pub async fn list(
    Reader(account): Reader,
    State(deps): State<Arc<Deps>>,
    page: PageRequest,
    mut filters: Filters,
) -> Result<Response, Problem> {
    let asked = window::take(&mut filters, deps.clock.now())?;
    let wanted = filters.take_word("status", &STATUSES)?;
    let recovered: Option<bool> = filters.take("recovered_by_audit")?;
    filters.finish()?;
    let place = page.after::<Place>()?;
    let span = place.as_ref().map_or(asked, |place| place.span);
    let mut looked = match &place {
        Some(place) => rest_of_event(&deps, &account, place).await?,
        None => Vec::new(),
    };
    let (mut after, mut last) = (place.map(|place| place.event), false);
    let mut sieve = page.sieve();
    'pages: loop {
        for some in looked.chunks(DELIVERIES) {
            let ids: Vec<DeliveryId> = some.iter().filter_map(|(_, id)| id.clone()).collect();
            let standings = part::standings(&deps, &account, &ids).await?;
            for (event, id) in some {
                let item = id.as_ref().map(|id| item(event, id, standings.get(id)));
                let item = item.filter(|item| wanted.is_none_or(|wanted| wanted == item.status));
                let item = item.filter(|item| recovered.is_none_or(|recovered| recovered == item.recovered_by_audit));
                let place = Place { span, event: event.clone(), delivery: id.clone() };
                if !sieve.offer(place, item) {
                    break 'pages;
                }
            }
        }
        if last {
            break;
        }
        let part = Part::read(&deps, &account, span, after.as_ref(), EVENTS, DELIVERIES).await?;
        (last, looked, after) =
            (part.next.is_none(), part.entries.into_iter().flat_map(looked_at).collect(), part.next);
    }
    Ok(Answer(sieve.page()).into_response())
}

fn item(event: &EventPlace, id: &DeliveryId, row: Option<&DeliveryStanding>) -> Item {
    Item {
        id: id.clone(),
        event_id: event.id.clone(),
        destination_id: id.destination(),
        status: row.map_or("pending", |row| row.state.as_str()),
        recovered_by_audit: row.is_some_and(|row| row.recovered_by_audit),
    }
}

/// What the event owes on which the page before ended, and that page did not have.
async fn rest_of_event(deps: &Deps, account: &AccountId, place: &Place) -> PortResult<Vec<Looked>> {
    let Some(last) = &place.delivery else { return Ok(Vec::new()) };
    let mut owed: HashMap<_, _> = part::owed(deps, account, std::slice::from_ref(&place.event.id)).await?;
    let owed = owed.remove(&place.event.id).unwrap_or_default();
    Ok(owed.into_iter().filter(|id| id > last).map(|id| (place.event.clone(), Some(id))).collect())
}

/// Events that owe nothing are looked at as well, and so are those that count no more.
fn looked_at(entry: Entry) -> Vec<Looked> {
    let place = entry.event.place;
    if entry.owed.is_empty() {
        return vec![(place, None)];
    }
    entry.owed.into_iter().map(|id| (place.clone(), Some(id))).collect()
}
