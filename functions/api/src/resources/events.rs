//! Events that were accepted, and the deliveries they owe.

use std::collections::VecDeque;
use std::sync::Arc;

use axum::Json as Answer;
use axum::extract::State;
use axum::response::{IntoResponse, Response};
use domain::delivery::{Delivery, DeliveryRecord, DeliveryState};
use domain::destination::DeliveryPath;
use domain::event::{EventType, Scope};
use domain::value::{DeliveryId, DestinationId, EventId, Label, Timestamp};
use futures_util::future::try_join;
use futures_util::{StreamExt, TryStreamExt, stream};
use ports::{EventPlace, ListedEvent, PortError, PortResult, SealedEvent, read_units};
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;
use utoipa::{IntoParams, ToSchema};

use crate::resources::matching::explain::{self, SubscriptionMatch};
use crate::web::caller::Reader;
use crate::web::filters::{Filters, span};
use crate::web::named::{Kind, Named};
use crate::web::pages::{Page, PageParameters, PageRequest};
use crate::web::problem::Problem;
use crate::web::{Deps, choices, schemas};

/// How many events are read at a time if a filter may drop most of them.
const STEP: usize = 250;
/// How many deliveries are shown with an event.
const OWED_SHOWN: usize = 100;
/// How many deliveries are read concurrently.
const LOOK_UPS: usize = 20;
/// The greatest cost of reading one delivery, in read units: a row of 60 KiB, and the destination.
const LOOK_UP_UNITS: usize = 22;

/// One event in the list.
#[derive(Serialize, ToSchema)]
#[schema(as = Event)]
struct EventItem {
    #[schema(value_type = schemas::EventId)]
    id: EventId,
    #[schema(value_type = schemas::EventType)]
    event_type: EventType,
    #[schema(value_type = schemas::Scope)]
    scope: Scope,
    #[schema(value_type = schemas::Timestamp)]
    occurred_at: Timestamp,
    /// When the event was matched.
    #[schema(value_type = schemas::Timestamp)]
    sealed_at: Timestamp,
    /// How many deliveries the event owes.
    owed_count: usize,
    /// Why the event owes no delivery; `null` if it owes any.
    #[schema(required, value_type = Option<choices::Unmatched>)]
    unmatched: Option<&'static str>,
}

impl From<ListedEvent> for EventItem {
    fn from(event: ListedEvent) -> Self {
        Self {
            id: event.place.id,
            event_type: event.event_type,
            scope: event.scope,
            occurred_at: event.place.occurred_at,
            sealed_at: event.sealed_at,
            owed_count: event.owed_count,
            unmatched: event.unmatched.map(|reason| reason.as_str()),
        }
    }
}

/// The filters of the list of events.
#[derive(Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub struct EventFilters {
    /// The order of the items. Default: `desc`, newest first.
    order: Option<choices::Order>,
    #[param(value_type = Option<schemas::EventType>)]
    event_type: Option<EventType>,
    /// Only events at this place or below it.
    #[param(value_type = Option<schemas::Scope>)]
    scope: Option<Scope>,
    /// `matched` events owe at least one delivery.
    status: Option<choices::EventStatus>,
    /// Only events that occurred at this time or later.
    since: Option<schemas::Moment>,
    /// Only events that occurred before this time.
    until: Option<schemas::Moment>,
}

/// List events
///
/// Lists events by the time when they occurred, newest first. An event appears when it has been matched, usually within a second. One page examines
/// at most 1,000 events, so with a filter it may have few items or none although there is a next page.
#[utoipa::path(
    get,
    path = "/v1/events",
    operation_id = "list_events",
    tag = "events",
    params(PageParameters, EventFilters),
    responses((status = 200, description = "A page of events.", body = Page<EventItem>))
)]
pub async fn list(
    Reader(account): Reader,
    State(deps): State<Arc<Deps>>,
    page: PageRequest,
    Filters(filters): Filters<EventFilters>,
) -> Result<Response, Problem> {
    let span = span(filters.since, filters.until)?;
    let EventFilters { order, event_type, scope, status, .. } = filters;
    let now = deps.clock.now();
    let matches = |event: &ListedEvent| {
        event.expires_at > now
            && event_type.is_none_or(|wanted| event.event_type == wanted)
            && scope.as_ref().is_none_or(|wanted| wanted.contains(&event.scope))
            && status.is_none_or(|wanted| (wanted == choices::EventStatus::Matched) == (event.owed_count > 0))
    };
    let filtered = event_type.is_some() || scope.is_some() || status.is_some();
    let step = if filtered { STEP } else { page.to_read() };
    let (list, account) = (&deps.event_list, &account);
    let order = choices::Order::wanted(order);
    let read =
        |after: Option<EventPlace>| async move { list.list_events(account, span, order, after.as_ref(), step).await };
    let keep = |event| Some(event).filter(matches).map(EventItem::from);
    let found = page.sift(step, read, |event| event.place.clone(), keep).await?;
    Ok(Answer(found).into_response())
}

/// One delivery that an event owes.
#[derive(Serialize, ToSchema)]
#[schema(as = OwedDelivery)]
struct OwedItem {
    #[schema(value_type = schemas::DeliveryId)]
    id: DeliveryId,
    #[schema(value_type = schemas::DestinationId)]
    destination_id: DestinationId,
    /// `null` if the destination was deleted.
    #[schema(required, value_type = Option<schemas::Label>)]
    destination_name: Option<Label>,
    #[schema(required, value_type = Option<schemas::DeliveryPath>)]
    path: Option<DeliveryPath>,
    status: choices::OwedStatus,
    /// When the next attempt is due, while the delivery is retrying.
    #[schema(required, value_type = Option<schemas::Timestamp>)]
    due_at: Option<Timestamp>,
    attempt_count: u32,
}

/// An event with its body and what it owes.
#[derive(Serialize, ToSchema)]
#[schema(as = EventWithDeliveries)]
struct EventView {
    #[schema(value_type = schemas::EventId)]
    id: EventId,
    #[schema(value_type = schemas::EventType)]
    event_type: EventType,
    #[schema(value_type = schemas::Scope)]
    scope: Scope,
    #[schema(value_type = schemas::Timestamp)]
    occurred_at: Timestamp,
    /// When the event was matched.
    #[schema(value_type = schemas::Timestamp)]
    sealed_at: Timestamp,
    /// The body that destinations get.
    #[schema(value_type = Object)]
    body: Box<RawValue>,
    /// Why the event owes no delivery; `null` if it owes any.
    #[schema(required, value_type = Option<choices::Unmatched>)]
    unmatched: Option<&'static str>,
    /// If the event owes no delivery: why today's subscriptions do not match it, at most 20 of them, closest first. The
    /// subscriptions may have changed since the event was matched; one that would match now says so.
    #[schema(max_items = 20)]
    nearest_subscriptions: Vec<SubscriptionMatch>,
    /// How many deliveries the event owes.
    owed_count: usize,
    /// At most the first 100 deliveries, and fewer if reading them would cost more than 500 read units.
    #[schema(max_items = 100)]
    owed: Vec<OwedItem>,
}

/// Read an event
///
/// Returns an event with the body that destinations get and the present state of its deliveries, or with the reason why it
/// matched nothing.
#[utoipa::path(
    get,
    path = "/v1/events/{id}",
    operation_id = "read_event",
    tag = "events",
    params(("id" = schemas::EventId, Path)),
    responses((status = 200, description = "The event.", body = EventView))
)]
pub async fn read(
    Reader(account): Reader,
    State(deps): State<Arc<Deps>>,
    Named(id): Named<EventId>,
) -> Result<Response, Problem> {
    let now = deps.clock.now();
    let found = deps.events.find_event_with(&account, &id, OWED_SHOWN).await?;
    let found = found.filter(|(event, _)| event.expires_at > now);
    let (mut event, owed_count) = found.ok_or_else(EventId::not_found)?;
    let mut left: VecDeque<_> = std::mem::take(&mut event.owed).into_iter().take(OWED_SHOWN).collect();
    let mut owed = Vec::new();
    // As many as the request may read, which is known only after some have been read.
    while !left.is_empty() && read_units::left_for(LOOK_UP_UNITS) > 0 {
        let some = left.drain(..left.len().min(read_units::left_for(LOOK_UP_UNITS)));
        let some = some.map(|owed| look_up(&deps, owed, now));
        owed.extend(stream::iter(some).buffered(LOOK_UPS).try_collect::<Vec<_>>().await?);
    }
    let nearest = if event.unmatched.is_some() { explain::nearest(&deps, &event).await? } else { Vec::new() };
    Ok(Answer(view(event, owed_count, owed, nearest)?).into_response())
}

async fn look_up(deps: &Deps, owed: Delivery, now: Timestamp) -> PortResult<OwedItem> {
    let record = deps.deliveries.find_delivery(&owed.account, &owed.id);
    let destination = deps.destinations.find_destination(&owed.account, &owed.destination);
    let (record, destination) = try_join(record, destination).await?;
    let name = destination.map(|destination| destination.settings.name);
    Ok(owed_item(owed, name, record.filter(|record| record.expires_at > now)))
}

/// An owed delivery as it is returned; without a row it is pending.
fn owed_item(owed: Delivery, destination_name: Option<Label>, record: Option<DeliveryRecord>) -> OwedItem {
    let due_at = match record.as_ref().map(|record| record.state()) {
        Some(DeliveryState::Retrying { due_at }) => Some(due_at),
        _ => None,
    };
    OwedItem {
        id: owed.id,
        destination_id: owed.destination,
        destination_name,
        due_at,
        path: owed.path,
        status: choices::OwedStatus::of(record.as_ref().map(|record| record.state())),
        attempt_count: record.map_or(0, |record| record.attempts.count()),
    }
}

fn view(
    event: SealedEvent,
    owed_count: usize,
    owed: Vec<OwedItem>,
    nearest_subscriptions: Vec<SubscriptionMatch>,
) -> PortResult<EventView> {
    let body = RawValue::from_string(event.body).map_err(|error| PortError::permanent("reading a body", error))?;
    Ok(EventView {
        id: event.id,
        event_type: event.event_type,
        scope: event.scope,
        occurred_at: event.occurred_at,
        sealed_at: event.sealed_at,
        body,
        unmatched: event.unmatched.map(|reason| reason.as_str()),
        nearest_subscriptions,
        owed_count,
        owed,
    })
}
