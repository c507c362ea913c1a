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

/// How many are read at a time if a filter may drop most of them.
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
    /// A JSON pointer to what to correct; empty if the fault is in no particular field.
    pointer: String,
    /// What is wrong, for people; cut after 1,000 bytes.
    detail: String,
    /// The account that the event names, registered or not; `null` if none can be read.
    #[schema(required, value_type = Option<schemas::AccountId>)]
    account: Option<AccountId>,
    /// When the message was sent.
    #[schema(value_type = schemas::Timestamp)]
    sent_at: Timestamp,
    #[schema(value_type = schemas::Timestamp)]
    rejected_at: Timestamp,
    /// When it is removed from the list.
    #[schema(value_type = schemas::Timestamp)]
    expires_at: Timestamp,
    /// The size of the whole text in bytes.
    body_bytes: usize,
    /// Whether only the first 300 KiB of the text are kept.
    body_truncated: bool,
    /// The last resubmission; `null` if there was none.
    #[schema(required)]
    resubmission: Option<ResubmissionView>,
}

/// The resubmission of a rejected event.
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
    /// The text of the event, which need not be JSON.
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
    const KIND: &'static str = "rejected event, or it is no longer kept";
}

/// The filters of the list of rejected events.
#[derive(Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub struct RejectedFilters {
    /// The order of the items. Default: `desc`, newest first.
    order: Option<choices::Order>,
    #[param(value_type = Option<choices::RejectionCode>)]
    code: Option<RejectionCode>,
    /// Only events that name this account.
    #[param(value_type = Option<schemas::AccountId>)]
    account: Option<AccountId>,
    /// Only events that were sent at this time or later.
    since: Option<schemas::Moment>,
    /// Only events that were sent before this time.
    until: Option<schemas::Moment>,
}

/// List rejected events
///
/// Lists rejected events by the time when they were sent, newest first. Each is kept for 14 days after it was rejected. One page examines at
/// most 1,000, so with a filter it may have few items or none although there is a next page.
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
    // If there is no text, the event has just been dismissed.
    deps.rejections.find_rejected_body(id).await?.ok_or_else(RejectedEventId::not_found)
}

/// Read a rejected event
///
/// Returns a rejected event with its text as it was sent.
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
/// Removes a rejected event from the list, with its text.
#[utoipa::path(
    delete,
    path = "/admin/v1/rejected-events/{id}",
    operation_id = "delete_rejected_event",
    tag = "operator",
    params(("id" = schemas::RejectedEventId, Path)),
    responses((status = 204, description = "The event is removed from the list."))
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
