//! The page sessions of an account that are offered, open or ended recently: who has them, and revoking them. The operator
//! can do this for any account; people who may configure an account can do it for that account.
//!
//! Invariant: a session that is revoked ends at once, and its link opens nothing (tests:
//! `a_session_that_is_revoked_ends_at_once_and_its_link_opens_nothing`).

use std::sync::Arc;

use axum::Json as Answer;
use axum::extract::{FromRequestParts, Path, State};
use axum::response::{IntoResponse, Response};
use domain::access::{Opened, Role, Session, SessionStatus};
use domain::event::Scope;
use domain::value::{AccountId, Label, SessionId, Timestamp};
use http::StatusCode;
use http::request::Parts;
use ports::Order;
use serde::Serialize;
use utoipa::ToSchema;

use crate::web::caller::{Configurer, Operator};
use crate::web::filters::Filters;
use crate::web::named::{Kind, Named};
use crate::web::pages::{OrderParameter, Page, PageParameters, PageRequest};
use crate::web::problem::Problem;
use crate::web::{Deps, choices, schemas};

/// A page session of an account, without its link and its token.
#[derive(Serialize, ToSchema)]
#[schema(as = PageSession)]
struct SessionView {
    #[schema(value_type = schemas::SessionId)]
    id: SessionId,
    #[schema(value_type = choices::SessionStatus)]
    status: SessionStatus,
    /// The person whom the link was made for; `null` if none was given.
    #[schema(required, value_type = Option<schemas::Label>)]
    subject: Option<Label>,
    #[schema(value_type = choices::PageRole)]
    role: Role,
    /// Where the page begins.
    #[schema(required, value_type = Option<schemas::Scope>)]
    scope: Option<Scope>,
    #[schema(value_type = schemas::Timestamp)]
    created_at: Timestamp,
    /// When its link was opened; `null` if it was not.
    #[schema(required, value_type = Option<schemas::Timestamp>)]
    opened_at: Option<Timestamp>,
    /// When it was last used, to the minute; `null` if its link was not opened.
    #[schema(required, value_type = Option<schemas::Timestamp>)]
    last_used_at: Option<Timestamp>,
    /// Until when the link can be opened; once it was opened, the latest end of the session.
    #[schema(value_type = schemas::Timestamp)]
    expires_at: Timestamp,
}

impl SessionView {
    fn of(session: Session, now: Timestamp) -> Self {
        let opened = |of: fn(&Opened) -> Timestamp| session.opened.as_ref().map(of);
        Self {
            status: session.status(now),
            opened_at: opened(|opened| opened.at),
            last_used_at: opened(|opened| opened.last_used_at),
            expires_at: session.ends_at(),
            id: session.id,
            subject: session.subject,
            role: session.role,
            scope: session.scope,
            created_at: session.created_at,
        }
    }
}

impl Kind for SessionId {
    const KIND: &'static str = "page session";
}

/// The session in a path of the operator: `…/accounts/{account}/sessions/{session}`.
pub struct NamedSession(AccountId, SessionId);

impl<S: Send + Sync> FromRequestParts<S> for NamedSession {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Problem> {
        let path = Path::<(String, String)>::from_request_parts(parts, state).await;
        let parsed = path.ok().and_then(|Path((account, id))| Some(Self(account.parse().ok()?, id.parse().ok()?)));
        parsed.ok_or_else(SessionId::not_found)
    }
}

/// List page sessions of an account
///
/// Lists page sessions, newest first, including links that can still be opened and sessions that ended in the last hours.
#[utoipa::path(
    get,
    path = "/admin/v1/accounts/{account}/sessions",
    operation_id = "list_account_sessions",
    tag = "operator",
    params(("account" = schemas::AccountId, Path), PageParameters, OrderParameter),
    responses((status = 200, description = "A page of sessions.", body = Page<SessionView>))
)]
pub async fn list_of(
    _: Operator,
    State(deps): State<Arc<Deps>>,
    Named(account): Named<AccountId>,
    page: PageRequest,
    Filters(OrderParameter { order }): Filters<OrderParameter>,
) -> Result<Response, Problem> {
    deps.accounts.read_account(&account).await?.ok_or_else(AccountId::not_found)?;
    listed(&deps, &account, &page, choices::Order::wanted(order)).await
}

/// Revoke a page session of an account
///
/// The session ends at once, and its link can no longer be opened.
#[utoipa::path(
    delete,
    path = "/admin/v1/accounts/{account}/sessions/{session}",
    operation_id = "revoke_account_session",
    tag = "operator",
    params(("account" = schemas::AccountId, Path), ("session" = schemas::SessionId, Path)),
    responses((status = 204, description = "The session is revoked."))
)]
pub async fn revoke_of(
    _: Operator,
    State(deps): State<Arc<Deps>>,
    NamedSession(account, id): NamedSession,
) -> Result<Response, Problem> {
    revoked(&deps, &account, &id).await
}

/// List page sessions
///
/// Lists page sessions, newest first, including links that can still be opened and sessions that ended in the last hours.
#[utoipa::path(
    get,
    path = "/v1/sessions",
    operation_id = "list_sessions",
    tag = "page sessions",
    params(PageParameters, OrderParameter),
    responses((status = 200, description = "A page of sessions.", body = Page<SessionView>))
)]
pub async fn list(
    Configurer(account): Configurer,
    State(deps): State<Arc<Deps>>,
    page: PageRequest,
    Filters(OrderParameter { order }): Filters<OrderParameter>,
) -> Result<Response, Problem> {
    listed(&deps, &account, &page, choices::Order::wanted(order)).await
}

/// Revoke a page session
///
/// The session ends at once, and its link can no longer be opened.
#[utoipa::path(
    delete,
    path = "/v1/sessions/{id}",
    operation_id = "revoke_session",
    tag = "page sessions",
    params(("id" = schemas::SessionId, Path)),
    responses((status = 204, description = "The session is revoked."))
)]
pub async fn revoke(
    Configurer(account): Configurer,
    State(deps): State<Arc<Deps>>,
    Named(id): Named<SessionId>,
) -> Result<Response, Problem> {
    revoked(&deps, &account, &id).await
}

async fn listed(deps: &Deps, account: &AccountId, page: &PageRequest, order: Order) -> Result<Response, Problem> {
    let (now, after): (_, Option<SessionId>) = (deps.clock.now(), page.after()?);
    let found = deps.sessions.list_sessions(account, order, after.as_ref(), page.to_read()).await?;
    let view = |session| SessionView::of(session, now);
    Ok(Answer(page.page(found, |session| session.id.to_string(), view)).into_response())
}

async fn revoked(deps: &Deps, account: &AccountId, id: &SessionId) -> Result<Response, Problem> {
    if !deps.sessions.revoke_session(account, id).await? {
        return Err(SessionId::not_found());
    }
    tracing::info!(account.id = %account, session.id = %id, "a page session was revoked");
    Ok(StatusCode::NO_CONTENT.into_response())
}
