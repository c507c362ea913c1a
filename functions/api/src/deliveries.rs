//! What became of deliveries, attempt by attempt. Those without a row yet are pending; they are seen at their event only.

use std::sync::Arc;

use axum::Json as Answer;
use axum::extract::State;
use axum::response::{IntoResponse, Response};
use domain::attempt::Attempt;
use domain::attempt::Outcome;
use domain::delivery::{Delivery, DeliveryRecord, DeliveryState};
use domain::destination::DeliveryPath;
use domain::event::{EventType, Scope};
use domain::value::{AccountId, DeliveryId, DestinationId, EventId, Timestamp};
use serde::Serialize;
use utoipa::{IntoParams, ToSchema};

use crate::Deps;
use crate::caller::Reader;
use crate::delivery_lists::{self, Wanted};
use crate::filters::Filters;
use crate::named::{Kind, Named};
use crate::pages::{Page, PageRequest};
use crate::problem::Problem;
use crate::{choices, schemas};

/// What a delivery in the list can be.
const STATUSES: [&str; 5] = ["delivered", "retrying", "parked", "exhausted", "cancelled"];

/// What is told of a delivery wherever it is shown.
#[derive(Serialize, ToSchema)]
#[schema(as = DeliveryFields)]
struct Fields {
    #[schema(value_type = schemas::DeliveryId)]
    id: DeliveryId,
    #[schema(value_type = schemas::EventId)]
    event_id: EventId,
    #[serde(rename = "type")]
    #[schema(value_type = schemas::EventType)]
    event_type: EventType,
    /// Not kept for the oldest deliveries.
    #[schema(required, value_type = Option<schemas::Scope>)]
    scope: Option<Scope>,
    #[schema(value_type = schemas::DestinationId)]
    destination_id: DestinationId,
    #[schema(required, value_type = Option<schemas::DeliveryPath>)]
    path: Option<DeliveryPath>,
    #[schema(value_type = choices::DeliveryStatus)]
    status: &'static str,
    /// When the next attempt is due, while it is retrying.
    #[schema(required, value_type = Option<schemas::Timestamp>)]
    due_at: Option<Timestamp>,
    attempt_count: usize,
}

impl Fields {
    fn new(record: DeliveryRecord) -> (Self, Vec<Attempt>) {
        let Delivery { id, event, event_type, scope, destination, path, account: _ } = record.delivery;
        let due_at = if let DeliveryState::Retrying { due_at } = record.state { Some(due_at) } else { None };
        let fields = Self {
            id,
            event_id: event,
            event_type,
            scope,
            destination_id: destination,
            path,
            status: record.state.as_str(),
            due_at,
            attempt_count: record.attempts.len(),
        };
        (fields, record.attempts)
    }
}

/// A delivery in the list, with its last attempt in short.
#[derive(Serialize, ToSchema)]
#[schema(as = Delivery)]
pub struct DeliveryItem {
    #[serde(flatten)]
    fields: Fields,
    /// `null` where it was cancelled before the first.
    #[schema(required)]
    last_attempt: Option<AttemptItem>,
}

impl From<DeliveryRecord> for DeliveryItem {
    fn from(record: DeliveryRecord) -> Self {
        let (fields, attempts) = Fields::new(record);
        Self { fields, last_attempt: attempts.last().map(AttemptItem::from) }
    }
}

/// One attempt, in short.
#[derive(Serialize, ToSchema)]
#[schema(as = AttemptSummary)]
struct AttemptItem {
    /// When it began.
    #[schema(value_type = schemas::Timestamp)]
    at: Timestamp,
    /// How long it took, in milliseconds.
    duration_ms: u64,
    #[schema(value_type = choices::AttemptOutcome)]
    outcome: &'static str,
    /// Of the answer; `null` without one.
    #[schema(required)]
    status_code: Option<u16>,
}

impl From<&Attempt> for AttemptItem {
    fn from(attempt: &Attempt) -> Self {
        Self {
            at: attempt.at,
            duration_ms: u64::try_from(attempt.took.as_millis()).unwrap_or(u64::MAX),
            outcome: attempt.outcome.as_str(),
            status_code: attempt.outcome.status(),
        }
    }
}

/// A delivery with every attempt, in full.
#[derive(Serialize, ToSchema)]
#[schema(as = DeliveryWithAttempts)]
pub struct DeliveryView {
    #[serde(flatten)]
    fields: Fields,
    attempts: Vec<AttemptView>,
}

impl From<DeliveryRecord> for DeliveryView {
    fn from(record: DeliveryRecord) -> Self {
        let (fields, attempts) = Fields::new(record);
        Self { fields, attempts: attempts.into_iter().map(AttemptView::from).collect() }
    }
}

/// One attempt, in full.
#[derive(Serialize, ToSchema)]
#[schema(as = Attempt)]
struct AttemptView {
    /// From 1.
    number: u32,
    #[serde(flatten)]
    item: AttemptItem,
    /// A sentence; `null` when it delivered.
    #[schema(required)]
    error: Option<String>,
    /// What the answer asked to wait, in seconds.
    #[schema(required)]
    retry_after_s: Option<u64>,
    /// The beginning of a refusal's body, if it is text: 16 KiB of the latest attempt, 512 bytes of earlier ones.
    #[schema(required)]
    response_excerpt: Option<String>,
}

impl From<Attempt> for AttemptView {
    fn from(attempt: Attempt) -> Self {
        let (number, item, error) = (attempt.number, AttemptItem::from(&attempt), attempt.outcome.error());
        let (retry_after, excerpt) = match attempt.outcome {
            Outcome::Refused { retry_after, excerpt, .. } => (retry_after, excerpt),
            _ => (None, String::new()),
        };
        let response_excerpt = Some(excerpt).filter(|text| !text.is_empty());
        Self { number, item, error, retry_after_s: retry_after.map(|wait| wait.as_secs()), response_excerpt }
    }
}

/// What the list of deliveries is filtered by.
#[derive(IntoParams)]
#[into_params(parameter_in = Query)]
#[expect(dead_code, reason = "it describes what `Filters` reads, and is never a value")]
pub struct DeliveryFilters {
    /// Those to one destination, also to one that was deleted.
    #[param(value_type = Option<schemas::DestinationId>)]
    destination_id: Option<String>,
    #[param(value_type = Option<choices::DeliveryStatus>)]
    status: Option<String>,
    #[param(value_type = Option<schemas::EventType>)]
    r#type: Option<String>,
    /// This place of the event and everything below it.
    #[param(value_type = Option<schemas::Scope>)]
    scope: Option<String>,
    /// Those whose event occurred then or later.
    since: Option<schemas::Moment>,
    /// Those whose event occurred before.
    until: Option<schemas::Moment>,
}

/// List deliveries
///
/// Newest first by when their events occurred. Those whose first attempt has not ended are not in the list; their event shows
/// them. One page looks at no more than 1,000 deliveries: where a filter leaves few of them it may be short, or empty, and yet
/// have a next one.
#[utoipa::path(
    get,
    path = "/v1/deliveries",
    operation_id = "list_deliveries",
    tag = "deliveries",
    params(schemas::PageParameters, DeliveryFilters),
    responses((status = 200, description = "A page of deliveries.", body = Page<DeliveryItem>))
)]
pub async fn list(
    Reader(account): Reader,
    State(deps): State<Arc<Deps>>,
    page: PageRequest,
    mut filters: Filters,
) -> Result<Response, Problem> {
    let destination = filters.take::<DestinationId>("destination_id")?;
    let status = filters.take_word("status", &STATUSES)?;
    let event_type = filters.take::<EventType>("type")?;
    let scope = filters.take::<Scope>("scope")?;
    let span = filters.take_span()?;
    filters.finish()?;
    let wanted = Wanted { status, event_type, scope, span, now: deps.clock.now() };
    let page = match destination {
        Some(destination) => delivery_lists::of_destination(&deps, &account, &destination, &wanted, &page).await?,
        None => delivery_lists::of_account(&deps, &account, &wanted, &page).await?,
    };
    Ok(Answer(page).into_response())
}

/// Read a delivery
///
/// With every attempt. A delivery whose first attempt has not ended is not found; its event shows it.
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
    Ok(Answer(DeliveryView::from(find(&deps, &account, &id).await?)).into_response())
}

/// The delivery, unless it is pending or may be forgotten.
pub async fn find(deps: &Deps, account: &AccountId, id: &DeliveryId) -> Result<DeliveryRecord, Problem> {
    let now = deps.clock.now();
    let found = deps.deliveries.find_delivery(account, id).await?.filter(|record| record.expires_at > now);
    found.ok_or_else(DeliveryId::not_found)
}
