//! Publishing events over HTTPS, for producers without AWS credentials. Events are checked in the same way as in `fanout`
//! and put on the same queue. Nothing is matched or sealed here.
//!
//! A producer may send the same id with the same content any number of times, so the content must not depend on when it
//! arrived: if `occurred_at` is left out, it is the `completed_at` of the data.
//!
//! Invariant: the same rules apply to posted and pushed events, and the same content is the same event however late it is
//! repeated (tests: `what_is_wrong_with_an_event_is_pointed_at`,
//! `the_same_content_again_is_accepted_and_not_sent_however_late_and_other_content_is_refused`, on the deployed stack
//! `a_posted_event_is_delivered_and_told_of`).

use std::convert::Infallible;
use std::sync::Arc;

use axum::Json as Answer;
use axum::extract::{FromRequestParts, State};
use axum::response::Response;
use domain::event::{Event, EventType, Rejection, RejectionCode, envelope};
use domain::value::{AccountId, EventId, TRACEPARENT, Timestamp, TraceParent};
use http::StatusCode;
use http::request::Parts;
use ports::{EntropyExt, PortError};
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;
use utoipa::{IntoParams, ToSchema};

use crate::web::body::Json;
use crate::web::caller::Publisher;
use crate::web::idempotency::KEY_HEADER;
use crate::web::problem::{Code, Problem};
use crate::web::{Deps, choices, done, schemas};

/// The id in the header `Idempotency-Key`, if there is one.
pub struct IdempotencyKey(Option<EventId>);

impl<S: Send + Sync> FromRequestParts<S> for IdempotencyKey {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Problem> {
        // API Gateway joins the values of a repeated header with a comma, which no id contains.
        let Some(value) = parts.headers.get(KEY_HEADER) else { return Ok(Self(None)) };
        let text = String::from_utf8_lossy(value.as_bytes());
        text.parse().map(|id| Self(Some(id))).map_err(|error| Problem::parameter(KEY_HEADER, format!("{error}")))
    }
}

/// Where the caller is in a trace, in the header `traceparent`. As the standard says, a malformed one counts as none.
pub struct Traced(Option<TraceParent>);

impl<S: Send + Sync> FromRequestParts<S> for Traced {
    type Rejection = Infallible;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Infallible> {
        let value = parts.headers.get(TRACEPARENT).and_then(|value| value.to_str().ok());
        Ok(Self(value.and_then(|text| text.parse().ok())))
    }
}

/// The headers `Idempotency-Key` and `traceparent`.
#[derive(IntoParams)]
#[into_params(parameter_in = Header)]
#[expect(dead_code, reason = "it describes what `IdempotencyKey` and `Traced` read, and is never a value")]
pub struct EventHeaders {
    /// The id of the event, if it is not in the body.
    #[param(rename = "Idempotency-Key", value_type = Option<schemas::EventId>)]
    idempotency_key: Option<String>,
    /// The caller's position in a trace (W3C Trace Context), which receivers of the event continue. A malformed value is ignored.
    #[param(example = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01")]
    traceparent: Option<String>,
}

// The fields that `Event::parse` checks are passed to it unread.
/// An event to publish.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct NewEvent {
    /// The idempotency key of the event. It can be in the header `Idempotency-Key` instead. Default: a generated id.
    #[serde(default)]
    #[schema(value_type = Option<schemas::EventId>)]
    id: Option<EventId>,
    #[serde(default, rename = "type")]
    /// A type that producers publish. Types with `operational` or `absence_of` are published only by this system.
    #[schema(required, value_type = schemas::PublishedEventType)]
    event_type: Option<Box<RawValue>>,
    /// The account of the API key; any other is refused. Leave it out.
    #[serde(default)]
    #[schema(value_type = Option<schemas::AccountId>)]
    account: Option<AccountId>,
    /// Where the event happened, in the `scope_form` of its type.
    #[serde(default)]
    #[schema(required, value_type = schemas::Scope)]
    scope: Option<Box<RawValue>>,
    /// When the event occurred: at most 30 days ago and 1 hour ahead. Default: `data.completed_at`.
    #[serde(default)]
    #[schema(required = false, value_type = schemas::Moment)]
    occurred_at: Option<Box<RawValue>>,
    /// What happened: an object that conforms to the JSON Schema of the event type.
    #[serde(default)]
    #[schema(required, value_type = Object)]
    data: Option<Box<RawValue>>,
}

/// The event in the form in which producers push it to the queue.
#[derive(Serialize)]
struct Pushed<'a> {
    id: &'a EventId,
    #[serde(rename = "type", skip_serializing_if = "Option::is_none")]
    event_type: Option<&'a RawValue>,
    account: &'a AccountId,
    #[serde(skip_serializing_if = "Option::is_none")]
    scope: Option<&'a RawValue>,
    #[serde(skip_serializing_if = "Option::is_none")]
    occurred_at: Option<&'a RawValue>,
    #[serde(skip_serializing_if = "Option::is_none")]
    data: Option<&'a RawValue>,
}

/// The part of the data that says when the event occurred.
#[derive(Deserialize)]
struct Completed {
    completed_at: Timestamp,
}

/// An event that was accepted.
#[derive(Serialize, ToSchema)]
#[schema(as = AcceptedEvent)]
struct Accepted<'a> {
    #[schema(value_type = schemas::EventId)]
    id: &'a EventId,
    #[schema(value_type = choices::Acceptance)]
    status: &'static str,
}

/// Publish an event
///
/// It is safe to repeat a request with the same id: the same content is delivered once. The content is type, scope, `occurred_at`
/// and the bytes of `data`. Without an id, each request publishes a new event.
#[utoipa::path(
    post,
    path = "/v1/events",
    operation_id = "publish_event",
    tag = "events",
    params(EventHeaders),
    request_body = NewEvent,
    responses(
        (status = 202, description = "The event will be matched, or was matched before.", body = Accepted),
        (status = 400, description = "`malformed_json`: the body is not JSON, or something follows it; `invalid_parameter`: the \
            header `Idempotency-Key` is not a valid id."),
        (status = 409, description = "`id_reused`: the id was used before for an event with other content; the first event is kept."),
        (status = 413, description = "`body_too_large`: the body, or the event with the added fields, has more than 256 KiB.")
    )
)]
pub async fn create(
    Publisher(account): Publisher,
    State(deps): State<Arc<Deps>>,
    IdempotencyKey(key): IdempotencyKey,
    Traced(traceparent): Traced,
    Json(mut new): Json<NewEvent>,
) -> Result<Response, Problem> {
    if new.account.as_ref().is_some_and(|given| *given != account) {
        let detail = "is not the account of the key; leave it out, because the key names the account";
        return Err(Problem::at(Code::ValidationFailed, "/account", detail));
    }
    let id = match (new.id.take(), key) {
        (Some(id), Some(key)) if id != key => {
            let detail =
                format!("differs from the header {KEY_HEADER}; send only one of them, or the same value in both");
            return Err(Problem::at(Code::ValidationFailed, "/id", detail));
        }
        (Some(id), _) | (None, Some(id)) => id,
        (None, None) => EventId::from_entropy(deps.entropy.bytes()?),
    };
    if let Some(event_type) = own(&new) {
        let detail = format!("{event_type} events are published by this system itself and cannot be posted");
        return Err(Problem::at(Code::ValidationFailed, "/type", detail));
    }
    let (text, event) = complete(&id, &account, &new, deps.clock.now())?;
    let status = publish(&deps, &Event { traceparent, ..event }, &text).await?;
    Ok(done::nothing_if(status == DUPLICATE, (StatusCode::ACCEPTED, Answer(Accepted { id: &id, status }))))
}

/// The status of an event that was matched before.
const DUPLICATE: &str = "duplicate";

/// Puts the text of an event on the queue, unless its id was used before. Returns `accepted` or `duplicate`.
pub async fn publish(deps: &Deps, event: &Event, text: &str) -> Result<&'static str, Problem> {
    let body = envelope::build(event).map_err(|error| PortError::permanent("building the body", error))?;
    match deps.events.find_event_with(&event.account, &event.id, 0).await? {
        None => {
            deps.event_queue.send_event(&event.account, text, event.traceparent).await?;
            Ok("accepted")
        }
        Some((before, _)) if before.digest == envelope::content_digest(body.get()) => Ok(DUPLICATE),
        Some(_) => Err(refused(&Rejection::id_reused(&event.id))),
    }
}

/// The event's type, if only this system publishes events of this type.
fn own(new: &NewEvent) -> Option<EventType> {
    let event_type: EventType = serde_json::from_str(new.event_type.as_ref()?.get()).ok()?;
    event_type.is_own().then_some(event_type)
}

/// Adds the fields that were left out of an event. Returns the text for the queue, and the event as `fanout` will read it.
fn complete(id: &EventId, account: &AccountId, new: &NewEvent, now: Timestamp) -> Result<(String, Event), Problem> {
    let completed = new.data.as_ref().and_then(|data| serde_json::from_str::<Completed>(data.get()).ok());
    let raw = |time: Timestamp| serde_json::value::to_raw_value(&time);
    // The present time is only a placeholder, so that the other fields can be checked; it never becomes the event's time.
    let default = raw(completed.as_ref().map_or(now, |data| data.completed_at));
    let default = default.map_err(|error| PortError::permanent("writing a time", error))?;
    let pushed = Pushed {
        id,
        event_type: new.event_type.as_deref(),
        account,
        scope: new.scope.as_deref(),
        occurred_at: Some(new.occurred_at.as_deref().unwrap_or(&default)),
        data: new.data.as_deref(),
    };
    let text = serde_json::to_string(&pushed).map_err(|error| PortError::permanent("writing an event", error))?;
    let text = queue_text(&text);
    let event = Event::parse(&text, now).map_err(|rejection| refused(&rejection))?;
    if new.occurred_at.is_none() && completed.is_none() {
        let detail = "missing field `occurred_at`: it can be left out only if `data` has a `completed_at`";
        return Err(Problem::at(Code::ValidationFailed, "", detail));
    }
    Ok((text, event))
}

/// The same JSON with U+FFFE and U+FFFF escaped: JSON allows them, but the queue refuses them.
pub fn queue_text(text: &str) -> String {
    text.replace('\u{FFFE}', "\\ufffe").replace('\u{FFFF}', "\\uffff")
}

/// The problem of a rejected event, with a pointer into it.
pub fn refused(rejection: &Rejection) -> Problem {
    let code = match rejection.code {
        RejectionCode::MalformedJson => Code::MalformedJson,
        RejectionCode::EventTooLarge => Code::BodyTooLarge,
        RejectionCode::IdReused => Code::IdReused,
        RejectionCode::InvalidEvent
        | RejectionCode::UnknownEventType
        | RejectionCode::OccurredAtOutOfRange
        | RejectionCode::UnknownAccount => Code::ValidationFailed,
    };
    Problem::at(code, &rejection.pointer, rejection.reason())
}
