//! Deliveries and their attempts. A delivery without a row is still pending and is shown only with its event.

mod lists;
mod view;
mod waiting;

use std::sync::Arc;
use std::time::Duration;

use axum::Json as Answer;
use axum::extract::State;
use axum::response::{IntoResponse, Response};
use domain::delivery::DeliveryRecord;
use domain::event::{EventType, Scope};
use domain::value::{AccountId, DeliveryId, DestinationId, EventId, Timestamp};
use ports::Span;
use serde::Deserialize;
use utoipa::IntoParams;

use self::lists::Wanted;
pub use self::view::{DeliveryItem, DeliveryView};
pub use self::waiting::ReadDestinations;
use crate::web::caller::Reader;
use crate::web::filters::{Filters, span};
use crate::web::named::{Kind, Named};
use crate::web::pages::{Page, PageParameters, PageRequest};
use crate::web::problem::Problem;
use crate::web::{Deps, choices, schemas};

/// The filters of the list of deliveries.
#[derive(Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub struct DeliveryFilters {
    /// The order of the items. Default: `desc`, newest first.
    order: Option<choices::Order>,
    /// Only deliveries to this destination, even if it was deleted.
    #[param(value_type = Option<schemas::DestinationId>)]
    destination_id: Option<DestinationId>,
    /// Only deliveries of this event.
    #[param(value_type = Option<schemas::EventId>)]
    event_id: Option<EventId>,
    status: Option<choices::DeliveryStatus>,
    #[param(value_type = Option<schemas::EventType>)]
    event_type: Option<EventType>,
    /// Only deliveries of events at this place or below it.
    #[param(value_type = Option<schemas::Scope>)]
    scope: Option<Scope>,
    /// Only deliveries whose event occurred at this time or later.
    since: Option<schemas::Moment>,
    /// Only deliveries whose event occurred before this time.
    until: Option<schemas::Moment>,
}

/// List deliveries
///
/// Lists deliveries by the time of their events, newest first. Deliveries whose first attempt has not ended are not in the list;
/// read their event to see them. One page examines at most 1,000 deliveries, so with a filter it may have few items or none
/// although there is a next page.
#[utoipa::path(
    get,
    path = "/v1/deliveries",
    operation_id = "list_deliveries",
    tag = "deliveries",
    params(PageParameters, DeliveryFilters),
    responses((status = 200, description = "A page of deliveries.", body = Page<DeliveryItem>))
)]
pub async fn list(
    Reader(account): Reader,
    State(deps): State<Arc<Deps>>,
    page: PageRequest,
    Filters(filters): Filters<DeliveryFilters>,
) -> Result<Response, Problem> {
    let mut span = span(filters.since, filters.until)?;
    let DeliveryFilters { order, destination_id: destination, event_id: event, status, event_type, scope, .. } =
        filters;
    if let Some(id) = &event {
        let occurred_at = deps.events.find_event_with(&account, id, 0).await?.map(|(event, _)| event.occurred_at);
        match occurred_at.and_then(|moment| only_at(moment, span)) {
            Some(moment) => span = moment,
            None => return Ok(Answer(page.ending_at(Vec::<DeliveryItem>::new(), None::<EventId>)).into_response()),
        }
    }
    let order = choices::Order::wanted(order);
    let wanted = Wanted { order, event, status, event_type, scope, span, now: deps.clock.now() };
    let page = match destination {
        Some(destination) => lists::of_destination(&deps, &account, &destination, &wanted, &page).await?,
        None => lists::of_account(&deps, &account, &wanted, &page).await?,
    };
    Ok(Answer(page).into_response())
}

/// The time in milliseconds, if it is in the span.
fn only_at(moment: Timestamp, span: Span) -> Option<Span> {
    let within = (span.since..span.until).contains(&moment);
    within.then(|| Span { since: moment, until: moment.plus(Duration::from_millis(1)) })
}

/// Read a delivery
///
/// Returns a delivery with its attempts. A delivery whose first attempt has not ended is not found; read its event instead.
#[utoipa::path(
    get,
    path = "/v1/deliveries/{id}",
    operation_id = "read_delivery",
    tag = "deliveries",
    params(("id" = schemas::DeliveryId, Path)),
    responses((status = 200, description = "The delivery.", body = DeliveryView))
)]
pub async fn read(
    Reader(account): Reader,
    State(deps): State<Arc<Deps>>,
    Named(id): Named<DeliveryId>,
) -> Result<Response, Problem> {
    let found = find(&deps, &account, &id).await?;
    let destinations = ReadDestinations::of(&deps, &account, std::slice::from_ref(&found)).await?;
    Ok(Answer(DeliveryView::of(found, &destinations, deps.clock.now())).into_response())
}

/// Finds a delivery, unless it is pending or has expired.
pub async fn find(deps: &Deps, account: &AccountId, id: &DeliveryId) -> Result<DeliveryRecord, Problem> {
    let now = deps.clock.now();
    let found = deps.deliveries.find_delivery(account, id).await?.filter(|record| record.expires_at > now);
    found.ok_or_else(DeliveryId::not_found)
}
