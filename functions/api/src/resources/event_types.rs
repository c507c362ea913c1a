//! The catalogue of event types from `shared/domain/catalogue`. It is the same for every account and read-only.

use std::collections::BTreeMap;
use std::sync::Arc;

use axum::Json as Answer;
use axum::extract::State;
use axum::response::{IntoResponse, Response};
use domain::event::{Event, EventType, envelope};
use domain::value::{AccountId, Timestamp};
use serde::Serialize;
use serde_json::value::RawValue;
use utoipa::ToSchema;

use crate::web::caller::Reader;
use crate::web::named::Named;
use crate::web::pages::{Page, PageParameters, PageRequest};
use crate::web::problem::{Code, Problem};
use crate::web::{Deps, schemas};

/// An event type of the catalogue.
#[derive(Serialize, ToSchema)]
struct EventTypeSummary {
    #[schema(value_type = schemas::EventType)]
    event_type: EventType,
    /// Its name for people.
    title: &'static str,
    /// When such an event occurs.
    description: &'static str,
    /// The form of the scope of its events.
    #[schema(example = "connection/<id>/endpoint/<id>")]
    scope_form: &'static str,
    /// Whether its events are about this system itself. Only this system publishes them, and `*` in a subscription does not include them.
    operational: bool,
    /// The event type whose absence it reports, or `null`. Only this system publishes such events, and `*` does not include them.
    #[schema(required, value_type = Option<schemas::EventType>)]
    absence_of: Option<EventType>,
    /// The values of `status` in its `data`; the first is the most common one.
    #[schema(example = json!(["succeeded", "failed", "partial"]))]
    statuses: Vec<&'static str>,
}

/// An event type with its schema and samples.
#[derive(Serialize, ToSchema)]
#[schema(as = EventTypeWithSamples)]
struct EventTypeView {
    #[serde(flatten)]
    summary: EventTypeSummary,
    /// The JSON Schema (2020-12) of an event's `data`.
    #[schema(value_type = Object)]
    schema: &'static RawValue,
    /// The whole body that a destination gets, for each status.
    #[schema(value_type = BTreeMap<String, Object>)]
    samples: BTreeMap<&'static str, Box<RawValue>>,
}

fn summary(event_type: EventType) -> EventTypeSummary {
    EventTypeSummary {
        event_type,
        title: event_type.title(),
        description: event_type.description(),
        scope_form: event_type.scope_form(),
        operational: event_type.is_operational(),
        absence_of: event_type.absence_of(),
        statuses: event_type.statuses().collect(),
    }
}

fn sample(
    event_type: EventType,
    status: &'static str,
    account: &AccountId,
    now: Timestamp,
) -> Result<(&'static str, Box<RawValue>), Problem> {
    let failed = |error: &dyn std::fmt::Display| {
        tracing::error!(%error, "a sample could not be built");
        Problem::new(Code::InternalError, "the request failed on our side")
    };
    let event = Event::sample(event_type, Some(status), account.clone(), now).map_err(|error| failed(&error))?;
    let body = envelope::build_test(&event).map_err(|error| failed(&error))?;
    Ok((status, body))
}

/// List event types
///
/// Lists all event types, in the order of their names.
#[utoipa::path(
    get,
    path = "/v1/event-types",
    operation_id = "list_event_types",
    tag = "event types",
    params(PageParameters),
    responses((status = 200, description = "A page of event types.", body = Page<EventTypeSummary>))
)]
pub async fn list(_: Reader, page: PageRequest) -> Result<Response, Problem> {
    let after: Option<EventType> = page.after()?;
    let mut types: Vec<_> = EventType::all().collect();
    types.sort_by_key(|event_type| event_type.as_str());
    types.retain(|event_type| after.is_none_or(|after| event_type.as_str() > after.as_str()));
    Ok(Answer(page.page(types, |event_type| event_type.to_string(), summary)).into_response())
}

/// Read an event type
///
/// Returns an event type with its JSON Schema and a fully populated sample for each status.
#[utoipa::path(
    get,
    path = "/v1/event-types/{event_type}",
    operation_id = "read_event_type",
    tag = "event types",
    params(("event_type" = schemas::EventType, Path)),
    responses((status = 200, description = "The event type.", body = EventTypeView))
)]
pub async fn read(
    Reader(account): Reader,
    State(deps): State<Arc<Deps>>,
    Named(event_type): Named<EventType>,
) -> Result<Response, Problem> {
    let now = deps.clock.now();
    let samples = event_type.statuses().map(|status| sample(event_type, status, &account, now));
    let samples = samples.collect::<Result<_, _>>()?;
    Ok(Answer(EventTypeView { summary: summary(event_type), schema: event_type.schema(), samples }).into_response())
}
