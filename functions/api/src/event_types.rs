//! The catalogue of event types, as it is in `shared/catalogue`: the same for every account, and only read.

use std::collections::BTreeMap;
use std::sync::Arc;

use axum::Json as Answer;
use axum::extract::State;
use axum::response::{IntoResponse, Response};
use serde::Serialize;
use serde_json::value::RawValue;
use shared::domain::envelope;
use shared::domain::event::Event;
use shared::domain::event_type::EventType;
use shared::domain::id::AccountId;
use shared::domain::timestamp::Timestamp;

use crate::Deps;
use crate::caller::Reader;
use crate::named::Named;
use crate::pages::Page;
use crate::problem::{Code, Problem};

#[derive(Serialize)]
struct EventTypeSummary {
    #[serde(rename = "type")]
    event_type: EventType,
    title: &'static str,
    description: &'static str,
    scope_form: &'static str,
    statuses: Vec<&'static str>,
}

#[derive(Serialize)]
struct EventTypeView {
    #[serde(flatten)]
    summary: EventTypeSummary,
    schema: &'static RawValue,
    /// By status, the whole body that a destination gets.
    samples: BTreeMap<&'static str, Box<RawValue>>,
}

fn summary(event_type: EventType) -> EventTypeSummary {
    EventTypeSummary {
        event_type,
        title: event_type.title(),
        description: event_type.description(),
        scope_form: event_type.scope_form(),
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
        tracing::error!(%error, "a sample could not be made");
        Problem::new(Code::InternalError, "this failed on our side")
    };
    let event = Event::sample(event_type, Some(status), account.clone(), now).map_err(|error| failed(&error))?;
    let body = envelope::build_test(&event).map_err(|error| failed(&error))?;
    Ok((status, body))
}

pub async fn list(_: Reader) -> Response {
    Answer(Page::whole(EventType::all().map(summary).collect())).into_response()
}

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
