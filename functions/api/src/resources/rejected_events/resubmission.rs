//! Sending a rejected event again, corrected or unchanged.
//!
//! Invariant: a rejected event is sent again only if `fanout` would accept it; sending it twice delivers it once
//! (tests: `what_is_still_wrong_is_pointed_at_and_not_sent`,
//! `a_mended_event_is_sent_byte_for_byte_and_noted_and_doing_it_twice_is_harmless`, on the deployed stack
//! `a_rejected_event_is_listed_mended_resubmitted_and_delivered`).

use std::sync::Arc;

use axum::Json as Answer;
use axum::extract::{FromRequest, Request, State};
use axum::response::{IntoResponse, Response};
use domain::event::rejected_event::KEPT_BYTES;
use domain::event::{Event, RejectedEvent, Rejection, RejectionCode, Resubmission};
use domain::value::{AccountId, EventId, RejectedEventId, Timestamp};
use http::StatusCode;
use serde::Serialize;
use utoipa::ToSchema;

use super::{find, find_body};
use crate::resources::ingest;
use crate::web::body::{bytes, media_type};
use crate::web::caller::Operator;
use crate::web::named::Named;
use crate::web::problem::{Code, Problem};
use crate::web::{Deps, choices, schemas};

/// The corrected event; `None` without a body, or if the body is `null`.
pub struct Mended(Option<String>);

impl<S: Send + Sync> FromRequest<S> for Mended {
    type Rejection = Problem;

    async fn from_request(request: Request, _: &S) -> Result<Self, Problem> {
        let media_type = media_type(&request);
        let body = bytes(request).await?;
        if body.is_empty() {
            return Ok(Self(None));
        }
        if media_type != "application/json" {
            return Err(Problem::new(Code::UnsupportedMediaType, "send `content-type: application/json`"));
        }
        let text = String::from_utf8(body.into());
        text.map(|text| Self(Some(text).filter(|text| text.trim() != "null")))
            .map_err(|_| Problem::at(Code::MalformedJson, "", "is not UTF-8"))
    }
}

/// The whole corrected event, in the form that producers push.
#[derive(ToSchema)]
#[schema(as = MendedEvent)]
#[serde(deny_unknown_fields)]
#[expect(dead_code, reason = "it describes what the domain's Event parses, and is never a value")]
pub struct MendedEvent {
    #[schema(value_type = schemas::EventId)]
    id: String,
    #[schema(value_type = schemas::EventType)]
    r#type: String,
    /// A registered account.
    #[schema(value_type = schemas::AccountId)]
    account: String,
    /// Where the event happened, in the `scope_form` of its type.
    #[schema(value_type = schemas::Scope)]
    scope: String,
    /// When the event occurred: at most 30 days before and 1 hour after this request.
    #[schema(value_type = schemas::Moment)]
    occurred_at: String,
    /// What happened: an object that conforms to the JSON Schema of the event type.
    #[schema(value_type = Object)]
    data: String,
}

/// A rejected event that was resubmitted.
#[derive(Serialize, ToSchema)]
#[schema(as = ResubmittedEvent)]
struct Resubmitted {
    #[schema(value_type = schemas::AccountId)]
    account: AccountId,
    #[schema(value_type = schemas::EventId)]
    event_id: EventId,
    #[schema(value_type = choices::Acceptance)]
    status: &'static str,
    /// When it was last resubmitted before; `null` if it was not.
    #[schema(required, value_type = Option<schemas::Timestamp>)]
    resubmitted_before: Option<Timestamp>,
}

/// Resubmit a rejected event
///
/// Sends a rejected event again: corrected, as the body of the request, or unchanged, without a body. It is checked by the same
/// rules as every event, and goes to the same queue. Repeating this is safe: the same content under its id is delivered once.
#[utoipa::path(
    post,
    path = "/admin/v1/rejected-events/{id}/resubmit",
    operation_id = "resubmit_rejected_event",
    tag = "operator",
    params(("id" = schemas::RejectedEventId, Path)),
    request_body(content = Option<MendedEvent>, description = "The corrected event. Without a body, the rejected event is sent as it is."),
    responses(
        (status = 202, description = "The event will be matched, or was matched before.", body = Resubmitted),
        (status = 409, description = "`id_reused`: the id was used before for an event with other content; give this event another id."),
        (status = 413, description = "`body_too_large`: the event has more than 256 KiB."),
        (status = 422, description = "`validation_failed`: the event is still wrong; `errors` points at what to correct. Or its \
            account is not registered; or no body was sent, and not all of the event's text is kept.")
    )
)]
pub async fn resubmit(
    _: Operator,
    State(deps): State<Arc<Deps>>,
    Named(id): Named<RejectedEventId>,
    Mended(mended): Mended,
) -> Result<Response, Problem> {
    let (rejected, now) = (find(&deps, &id).await?, deps.clock.now());
    let (event, text) = judge(&deps, &rejected, mended, now).await?;
    if deps.accounts.find_account(&event.account).await?.is_none() {
        let detail = "is not registered, and events of such accounts are forgotten; register the account first, or name another one";
        return Err(Problem::at(Code::ValidationFailed, "/account", detail));
    }
    let status = ingest::publish(&deps, &event, &text).await?;
    let (account, event_id) = (event.account, event.id);
    let resubmission = Resubmission { at: now, account: account.clone(), event_id: event_id.clone() };
    deps.rejections.note_resubmission(&id, &resubmission).await?;
    let resubmitted_before = rejected.resubmission.map(|before| before.at);
    let answer = Resubmitted { account, event_id, status, resubmitted_before };
    Ok((StatusCode::ACCEPTED, Answer(answer)).into_response())
}

/// Checks the event to send. Returns it with its text.
async fn judge(
    deps: &Deps,
    rejected: &RejectedEvent,
    mended: Option<String>,
    now: Timestamp,
) -> Result<(Event, String), Problem> {
    if let Some(text) = mended {
        let text = ingest::queue_text(&text);
        let event = Event::parse(&text, now).map_err(|rejection| ingest::refused(&sent_anew(rejection)))?;
        return Ok((event, text));
    }
    if rejected.is_truncated() {
        let bytes = rejected.body_bytes;
        let detail =
            format!("of its {bytes} bytes, only the first {KEPT_BYTES} are kept; send the whole event as the body");
        return Err(Problem::at(Code::ValidationFailed, "", detail));
    }
    let text = find_body(deps, &rejected.id).await?;
    let event = Event::parse(&text, now).map_err(|rejection| still_wrong(&sent_anew(rejection)))?;
    Ok((event, text))
}

/// If an event is rejected for its age, adds that the time of this request counts.
fn sent_anew(mut rejection: Rejection) -> Rejection {
    if rejection.code == RejectionCode::OccurredAtOutOfRange {
        rejection.detail += "; a resubmitted event counts as sent at the time of the request";
    }
    rejection
}

/// The problem of an event that is resubmitted unchanged.
fn still_wrong(rejection: &Rejection) -> Problem {
    let detail =
        format!("{} (this is the event as it was rejected; send the corrected event as the body)", rejection.reason());
    Problem::at(Code::ValidationFailed, &rejection.pointer, detail)
}
