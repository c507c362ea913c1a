//! Rejected events: what the operator reads of them, sends anew after mending, and dismisses. Their messages in the dead-letter
//! queue are not touched here: no message of a queue can be named.

use std::sync::Arc;
use std::time::Duration;

use axum::Json as Answer;
use axum::extract::{FromRequest, Request, State};
use axum::response::{IntoResponse, Response};
use http::StatusCode;
use serde::Serialize;
use shared::domain::event::{Event, Rejection, RejectionCode};
use shared::domain::id::{AccountId, EventId, RejectedEventId};
use shared::domain::rejected_event::{KEPT_BYTES, REACH, RejectedEvent, Resubmission};
use shared::domain::timestamp::Timestamp;
use shared::ports::Span;
use utoipa::{IntoParams, ToSchema};

use crate::body::{bytes, media_type};
use crate::caller::Operator;
use crate::filters::Filters;
use crate::named::{Kind, Named};
use crate::pages::{Page, PageRequest};
use crate::problem::{Code, Problem};
use crate::{Deps, choices, ingest, schemas};

/// How many are read at a time where a filter may drop most of them.
const STEP: usize = 250;
/// How far ahead of this clock the queue's may be.
const AHEAD: Duration = Duration::from_secs(3_600);

/// An event that was rejected.
#[derive(Serialize, ToSchema)]
#[schema(as = RejectedEvent)]
struct RejectedView {
    #[schema(value_type = schemas::RejectedEventId)]
    id: RejectedEventId,
    #[schema(value_type = choices::RejectionCode)]
    code: RejectionCode,
    /// A JSON pointer to what is to be mended; empty where nothing can be pointed at.
    pointer: String,
    /// What is wrong, for people: the first 1,000 bytes.
    detail: String,
    /// The account that it names, registered or not; `null` where none can be read.
    #[schema(required, value_type = Option<schemas::AccountId>)]
    account: Option<AccountId>,
    /// When its message was sent.
    #[schema(value_type = schemas::Timestamp)]
    sent_at: Timestamp,
    #[schema(value_type = schemas::Timestamp)]
    rejected_at: Timestamp,
    /// Until when it is kept here.
    #[schema(value_type = schemas::Timestamp)]
    expires_at: Timestamp,
    /// Bytes of its whole text.
    body_bytes: usize,
    /// Whether only the first 300 KiB of its text are kept.
    body_truncated: bool,
    /// That it was sent anew, the last time; `null` if it never was.
    #[schema(required)]
    resubmission: Option<ResubmissionView>,
}

/// That a rejected event was sent anew.
#[derive(Serialize, ToSchema)]
#[schema(as = Resubmission)]
struct ResubmissionView {
    #[schema(value_type = schemas::Timestamp)]
    at: Timestamp,
    #[schema(value_type = schemas::AccountId)]
    account: AccountId,
    #[schema(value_type = schemas::EventId)]
    event_id: EventId,
}

/// An event that was rejected, with its text.
#[derive(Serialize, ToSchema)]
#[schema(as = RejectedEventWithBody)]
struct RejectedWithBody {
    #[serde(flatten)]
    listed: RejectedView,
    /// Its text, which need not be JSON.
    body: String,
}

impl From<RejectedEvent> for RejectedView {
    fn from(rejected: RejectedEvent) -> Self {
        Self {
            body_truncated: rejected.is_truncated(),
            sent_at: rejected.id.sent_at(),
            id: rejected.id,
            code: rejected.code,
            pointer: rejected.pointer,
            detail: rejected.detail,
            account: rejected.account,
            rejected_at: rejected.rejected_at,
            expires_at: rejected.expires_at,
            body_bytes: rejected.body_bytes,
            resubmission: rejected.resubmission.map(|Resubmission { at, account, event_id }| ResubmissionView {
                at,
                account,
                event_id,
            }),
        }
    }
}

impl Kind for RejectedEventId {
    const KIND: &'static str = "rejected event, or it is kept no longer";
}

/// What the list of rejected events is filtered by.
#[derive(IntoParams)]
#[into_params(parameter_in = Query)]
#[expect(dead_code, reason = "it describes what `Filters` reads, and is never a value")]
pub struct RejectedFilters {
    #[param(value_type = Option<choices::RejectionCode>)]
    code: Option<String>,
    /// The account that they name.
    #[param(value_type = Option<schemas::AccountId>)]
    account: Option<String>,
    /// Those that were sent then or later.
    since: Option<schemas::Moment>,
    /// Those that were sent before.
    until: Option<schemas::Moment>,
}

/// List rejected events
///
/// The one sent last first, each for 14 days after it was rejected. One page looks at no more than 1,000: where a filter leaves
/// few of them it may be short, or empty, and yet have a next one.
#[utoipa::path(
    get,
    path = "/admin/v1/rejected-events",
    operation_id = "list_rejected_events",
    tag = "operator",
    params(schemas::PageParameters, RejectedFilters),
    responses((status = 200, description = "A page of rejected events.", body = Page<RejectedView>))
)]
pub async fn list(
    _: Operator,
    State(deps): State<Arc<Deps>>,
    page: PageRequest,
    mut filters: Filters,
) -> Result<Response, Problem> {
    let code = filters.take_word("code", &RejectionCode::ALL.map(RejectionCode::as_str))?;
    let account = filters.take::<AccountId>("account")?;
    let wanted = filters.take_span()?;
    filters.finish()?;
    let now = deps.clock.now();
    let first = Timestamp::from_unix_ms(now.unix_ms().saturating_sub(REACH.as_secs() * 1000));
    let span = Span { since: wanted.since.max(first), until: wanted.until.min(now.plus(AHEAD)) };
    let matches = |rejected: &RejectedEvent| {
        rejected.expires_at > now
            && code.is_none_or(|wanted| rejected.code.as_str() == wanted)
            && (account.is_none() || rejected.account == account)
    };
    let step = if code.is_some() || account.is_some() { STEP } else { page.to_read() };
    let list = &deps.rejections;
    let read = |after| async move { list.list_rejections(span, Option::as_ref(&after), step).await };
    let keep = |rejected| Some(rejected).filter(matches).map(RejectedView::from);
    let found = page.sift(step, read, |rejected| rejected.id.clone(), keep).await?;
    Ok(Answer(found).into_response())
}

async fn find(deps: &Deps, id: &RejectedEventId) -> Result<RejectedEvent, Problem> {
    let found = deps.rejections.find_rejection(id).await?;
    found.filter(|rejected| rejected.expires_at > deps.clock.now()).ok_or_else(RejectedEventId::not_found)
}

async fn find_body(deps: &Deps, id: &RejectedEventId) -> Result<String, Problem> {
    // Without one, it was dismissed just now.
    deps.rejections.find_rejected_body(id).await?.ok_or_else(RejectedEventId::not_found)
}

/// Read a rejected event
///
/// With its text as it was sent.
#[utoipa::path(
    get,
    path = "/admin/v1/rejected-events/{id}",
    operation_id = "read_rejected_event",
    tag = "operator",
    params(("id" = schemas::RejectedEventId, Path)),
    responses((status = 200, description = "The rejected event.", body = RejectedWithBody))
)]
pub async fn read(
    _: Operator,
    State(deps): State<Arc<Deps>>,
    Named(id): Named<RejectedEventId>,
) -> Result<Response, Problem> {
    let rejected = find(&deps, &id).await?;
    let body = find_body(&deps, &id).await?;
    Ok(Answer(RejectedWithBody { listed: rejected.into(), body }).into_response())
}

/// Dismiss a rejected event
///
/// It is taken off the list. Its message in the dead-letter queue stays.
#[utoipa::path(
    delete,
    path = "/admin/v1/rejected-events/{id}",
    operation_id = "delete_rejected_event",
    tag = "operator",
    params(("id" = schemas::RejectedEventId, Path)),
    responses((status = 204, description = "It is dismissed."))
)]
pub async fn delete(
    _: Operator,
    State(deps): State<Arc<Deps>>,
    Named(id): Named<RejectedEventId>,
) -> Result<Response, Problem> {
    if deps.rejections.delete_rejection(&id).await? {
        Ok(StatusCode::NO_CONTENT.into_response())
    } else {
        Err(RejectedEventId::not_found())
    }
}

/// The event as it should have been; there is none without a body, or where it is `null`.
pub struct Mended(Option<String>);

impl FromRequest<Arc<Deps>> for Mended {
    type Rejection = Problem;

    async fn from_request(request: Request, _: &Arc<Deps>) -> Result<Self, Problem> {
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

/// The whole event as it should have been, in the form that producers push.
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
    /// Where it happened, in the `scope_form` of its type.
    #[schema(value_type = schemas::Scope)]
    scope: String,
    /// At most 30 days ago and 1 hour ahead, counted from this request.
    #[schema(value_type = schemas::Moment)]
    occurred_at: String,
    /// What happened: an object that keeps to the JSON Schema of the event type.
    #[schema(value_type = Object)]
    data: String,
}

/// A rejected event that was sent anew.
#[derive(Serialize, ToSchema)]
#[schema(as = ResubmittedEvent)]
struct Resubmitted {
    #[schema(value_type = schemas::AccountId)]
    account: AccountId,
    #[schema(value_type = schemas::EventId)]
    event_id: EventId,
    #[schema(value_type = choices::Acceptance)]
    status: &'static str,
    /// When it was resubmitted before; `null` if it was not.
    #[schema(required, value_type = Option<schemas::Timestamp>)]
    resubmitted_before: Option<Timestamp>,
}

/// Resubmit a rejected event
///
/// Mended, as the body of the request, or without a body as it was rejected. It is judged as it will be when it is matched, and
/// goes the way of all events. Safe to repeat: the same content under its id is delivered once.
#[utoipa::path(
    post,
    path = "/admin/v1/rejected-events/{id}/resubmit",
    operation_id = "resubmit_rejected_event",
    tag = "operator",
    params(("id" = schemas::RejectedEventId, Path)),
    request_body(content = Option<MendedEvent>, description = "The mended event; without a body, it is the one that was rejected."),
    responses(
        (status = 202, description = "It will be matched, or was before.", body = Resubmitted),
        (status = 409, description = "`id_reused`: the id was used before for an event with other content; give this one another."),
        (status = 413, description = "`body_too_large`: the event has more than 256 KiB."),
        (status = 422, description = "`validation_failed`: the event is still wrong; `errors` points at what is to be mended. Or its \
            account is not registered; or no body was sent, and the event is not kept whole.")
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
        let detail =
            "is not registered, and events of such accounts are forgotten; register it first, or name another one";
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

/// The event to send, and its text.
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
        let detail = format!("of its {bytes} bytes the first {KEPT_BYTES} are kept; send the whole event as the body");
        return Err(Problem::at(Code::ValidationFailed, "", detail));
    }
    let text = find_body(deps, &rejected.id).await?;
    let event = Event::parse(&text, now).map_err(|rejection| still_wrong(&sent_anew(rejection)))?;
    Ok((event, text))
}

/// An event may be too old only because it is sent now.
fn sent_anew(mut rejection: Rejection) -> Rejection {
    if rejection.code == RejectionCode::OccurredAtOutOfRange {
        rejection.detail += "; a resubmitted event counts as sent at the time of the request";
    }
    rejection
}

/// What is wrong with an event that nobody has mended.
fn still_wrong(rejection: &Rejection) -> Problem {
    let detail =
        format!("{} (this is the event as it was rejected: send the mended one as the body)", rejection.reason());
    Problem::at(Code::ValidationFailed, &rejection.pointer, detail)
}
