//! Rejected events: the operator lists and reads them, sends them again (`resubmission`) and dismisses them.

pub mod resubmission;

use std::sync::Arc;
use std::time::Duration;

use axum::Json as Answer;
use axum::extract::State;
use axum::response::{IntoResponse, Response};
use domain::event::rejected_event::REACH;
use domain::event::{RejectedEvent, RejectionCode, Resubmission};
use domain::value::{AccountId, EventId, RejectedEventId, Timestamp};
use http::StatusCode;
use ports::Span;
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

use crate::web::caller::Operator;
use crate::web::filters::{Filters, span};
use crate::web::named::{Kind, Named};
use crate::web::pages::{Page, PageParameters, PageRequest};
use crate::web::problem::Problem;
use crate::web::{Deps, choices, schemas};

/// How many are read at a time when a filter may drop most of them.
const STEP: usize = 250;
/// How far the queue's clock may be ahead of ours.
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
#[derive(Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub struct RejectedFilters {
    /// `desc`, the newest first, if left out.
    order: Option<choices::Order>,
    #[param(value_type = Option<choices::RejectionCode>)]
    code: Option<RejectionCode>,
    /// The account that they name.
    #[param(value_type = Option<schemas::AccountId>)]
    account: Option<AccountId>,
    /// Those that were sent then or later.
    since: Option<schemas::Moment>,
    /// Those that were sent before.
    until: Option<schemas::Moment>,
}

/// List rejected events
///
/// Newest first by when they were sent, each for 14 days after it was rejected. One page looks at no more than 1,000: where a filter leaves
/// few of them it may be short, or empty, and yet have a next one.
#[utoipa::path(
    get,
    path = "/admin/v1/rejected-events",
    operation_id = "list_rejected_events",
    tag = "operator",
    params(PageParameters, RejectedFilters),
    responses((status = 200, description = "A page of rejected events.", body = Page<RejectedView>))
)]
pub async fn list(
    _: Operator,
    State(deps): State<Arc<Deps>>,
    page: PageRequest,
    Filters(filters): Filters<RejectedFilters>,
) -> Result<Response, Problem> {
    let wanted = span(filters.since, filters.until)?;
    let RejectedFilters { order, code, account, .. } = filters;
    let now = deps.clock.now();
    let first = Timestamp::from_unix_ms(now.unix_ms().saturating_sub(REACH.as_secs() * 1000));
    let span = Span { since: wanted.since.max(first), until: wanted.until.min(now.plus(AHEAD)) };
    let matches = |rejected: &RejectedEvent| {
        rejected.expires_at > now
            && code.is_none_or(|wanted| rejected.code == wanted)
            && (account.is_none() || rejected.account == account)
    };
    let step = if code.is_some() || account.is_some() { STEP } else { page.to_read() };
    let list = &deps.rejections;
    let order = choices::Order::wanted(order);
    let read =
        |after: Option<RejectedEventId>| async move { list.list_rejections(span, order, after.as_ref(), step).await };
    let keep = |rejected| Some(rejected).filter(matches).map(RejectedView::from);
    let found = page.sift(step, read, |rejected| rejected.id.clone(), keep).await?;
    Ok(Answer(found).into_response())
}

async fn find(deps: &Deps, id: &RejectedEventId) -> Result<RejectedEvent, Problem> {
    let found = deps.rejections.find_rejection(id).await?;
    found.filter(|rejected| rejected.expires_at > deps.clock.now()).ok_or_else(RejectedEventId::not_found)
}

async fn find_body(deps: &Deps, id: &RejectedEventId) -> Result<String, Problem> {
    // If there is none, the event has just been dismissed.
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
/// It is taken off the list, with its text.
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
