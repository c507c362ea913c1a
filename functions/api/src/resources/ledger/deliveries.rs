//! `GET /v1/ledger/deliveries`: the deliveries that a number of the ledger counts. It reads the same rows as the
//! ledger, so it includes deliveries that the list of deliveries cannot contain: pending ones and those to deleted
//! destinations.
//!
//! Invariant: the list behind each number of the ledger has exactly the deliveries that the number counts, including
//! pending ones and those to deleted destinations (tests: `the_list_of_every_number_has_exactly_what_it_counts`,
//! `what_is_owed_to_a_deleted_destination_is_counted_and_listed`).

use std::sync::Arc;

use axum::Json as Answer;
use axum::extract::State;
use axum::response::{IntoResponse, Response};
use domain::value::{DeliveryId, DestinationId, EventId};
use ports::{DeliveryStanding, EventPlace};
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

use super::walk::{self, Walk};
use super::{standings, window};
use crate::web::caller::Reader;
use crate::web::filters::Filters;
use crate::web::pages::{Page, PageParameters, PageRequest};
use crate::web::problem::Problem;
use crate::web::{Deps, choices, schemas};

/// The filters of the list of deliveries in the ledger.
#[derive(Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub struct ListFilters {
    /// The order of the items. Default: `desc`, those of the newest event first.
    order: Option<choices::Order>,
    /// Only deliveries whose event occurred at this time or later. Default: 24 hours before `until`.
    since: Option<schemas::Moment>,
    /// Only deliveries whose event occurred before this time, which is at most 31 days after `since`. Default: now.
    until: Option<schemas::Moment>,
    status: Option<choices::OwedStatus>,
    /// Only deliveries that the audit sent again (`true`), or only the others (`false`).
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
    status: choices::OwedStatus,
    /// Whether the audit found no record of the delivery and sent it again.
    recovered_by_audit: bool,
}

/// List the deliveries that the ledger counts
///
/// Lists the deliveries that the events of the span owe, newest event first, including pending deliveries and those to deleted
/// destinations. One page examines at most 1,000 deliveries and events that owe none, and fewer if reading them costs 500 read
/// units. So with a filter it may have few items or none although there is a next page.
#[utoipa::path(
    get,
    path = "/v1/ledger/deliveries",
    operation_id = "list_ledger_deliveries",
    tag = "ledger",
    params(PageParameters, ListFilters),
    responses((status = 200, description = "A page of deliveries.", body = Page<Item>))
)]
pub async fn list(
    Reader(account): Reader,
    State(deps): State<Arc<Deps>>,
    page: PageRequest,
    Filters(filters): Filters<ListFilters>,
) -> Result<Response, Problem> {
    let now = deps.clock.now();
    let asked = window::span(filters.since, filters.until, now)?;
    let ListFilters { order, status: wanted, recovered_by_audit: recovered, .. } = filters;
    let mut walk = Walk::new(&deps, &account, asked, choices::Order::wanted(order), page.after()?, walk::EVENTS);
    let mut sieve = page.sieve();
    'page: while let Some(some) = walk.next(standings::UNITS, |_| true).await? {
        let ids: Vec<DeliveryId> = some.iter().filter_map(|looked| looked.id.clone()).collect();
        let standings = standings::of(&deps, &account, &ids).await?;
        for looked in some {
            let item = looked.id.as_ref().map(|id| item(&looked.place.event, id, standings.get(id)));
            let item = item.filter(|item| wanted.is_none_or(|wanted| wanted == item.status));
            let item = item.filter(|item| recovered.is_none_or(|recovered| recovered == item.recovered_by_audit));
            if !sieve.offer(looked.place, item) {
                break 'page;
            }
        }
        if walk.must_stop(standings::UNITS) {
            sieve.stop();
            break;
        }
    }
    Ok(Answer(sieve.page()).into_response())
}

fn item(event: &EventPlace, id: &DeliveryId, row: Option<&DeliveryStanding>) -> Item {
    Item {
        id: id.clone(),
        event_id: event.id.clone(),
        destination_id: id.destination(),
        status: choices::OwedStatus::of(row.map(|row| row.state)),
        recovered_by_audit: row.is_some_and(|row| row.recovered_by_audit),
    }
}
