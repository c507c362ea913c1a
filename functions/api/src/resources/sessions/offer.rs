//! Offering a page session: the operator gets a link to pass on.

use std::sync::Arc;
use std::time::Duration;

use axum::Json as Answer;
use axum::extract::State;
use axum::response::{IntoResponse, Response};
use domain::access::{Role, Session};
use domain::event::Scope;
use domain::value::{AccountId, Label, SessionId, Timestamp};
use http::StatusCode;
use ports::{CreatedKey, EntropyExt};
use serde::{Deserialize, Serialize};
use tracing::info;
use utoipa::ToSchema;

use crate::web::body::Json;
use crate::web::caller::Operator;
use crate::web::named::{Kind, Named};
use crate::web::problem::{Code, Problem};
use crate::web::{Deps, choices, schemas};

/// How long a link may be opened, in seconds.
const LINK_SECONDS: std::ops::RangeInclusive<u64> = 60..=3_600;
const LINK_SECONDS_DEFAULT: u64 = 300;

/// A page session to offer.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct NewSession {
    /// Where the page begins. It restricts nothing.
    #[schema(value_type = Option<schemas::Scope>)]
    scope: Option<Scope>,
    /// What the person who opens the link may do. Default: `editor`.
    #[schema(value_type = Option<choices::PageRole>)]
    role: Option<Role>,
    /// The person whom the link is for, such as a name or a mail address. It appears in lists of sessions and in logs.
    #[schema(value_type = Option<schemas::Label>)]
    subject: Option<Label>,
    /// For how many seconds the link can be opened. Default: 300.
    #[schema(minimum = 60, maximum = 3600)]
    expires_in_seconds: Option<u64>,
}

/// A page session that was offered. No other response ever shows its link.
#[derive(Serialize, ToSchema)]
#[schema(as = OfferedSession)]
struct NewSessionView {
    #[schema(value_type = schemas::SessionId)]
    id: SessionId,
    /// The link. The part after `#` is its token, which browsers do not send to servers.
    #[schema(example = "https://abc123.execute-api.us-east-1.amazonaws.com/open#whl_acme.6h2k9q1n7c0dmv3b.Qm9vLi4")]
    url: String,
    /// Until when the link can be opened.
    #[schema(value_type = schemas::Timestamp)]
    expires_at: Timestamp,
}

/// Offer a page session
///
/// Creates a link. The first person who opens it can act for the account for a while.
#[utoipa::path(
    post,
    path = "/admin/v1/accounts/{account}/sessions",
    operation_id = "create_session",
    tag = "operator",
    params(("account" = schemas::AccountId, Path)),
    request_body = NewSession,
    responses((status = 201, description = "The link, which is shown only this once.", body = NewSessionView))
)]
pub async fn create(
    _: Operator,
    State(deps): State<Arc<Deps>>,
    Named(account): Named<AccountId>,
    Json(new): Json<NewSession>,
) -> Result<Response, Problem> {
    let wrong = |pointer, detail: &str| Problem::at(Code::ValidationFailed, pointer, detail);
    let role = new.role.unwrap_or(Role::Editor);
    if role == Role::Publisher {
        return Err(wrong("/role", "must be a role that may read: `viewer`, `editor` or `admin`"));
    }
    let seconds = new.expires_in_seconds.unwrap_or(LINK_SECONDS_DEFAULT);
    if !LINK_SECONDS.contains(&seconds) {
        return Err(wrong("/expires_in_seconds", "must be a number of seconds from 60 to 3600"));
    }
    let (id, secret) = (SessionId::made_at(deps.clock.now(), deps.entropy.bytes()?), deps.entropy.bytes()?);
    let open_within = Duration::from_secs(seconds);
    let (mut session, link) = Session::offer(id, account, (role, new.scope), secret, deps.clock.now(), open_within);
    session.subject = new.subject;
    match deps.sessions.create_session(&session).await? {
        CreatedKey::Created => {
            let subject = session.subject.clone().map(String::from);
            info!(account.id = %session.account, session.id = %session.id, session.subject = subject, "a link to the page was offered");
            // Browsers do not send what follows `#`.
            let url = format!("{}/open#{}", deps.page_url, *link);
            let view = NewSessionView { id: session.id, url, expires_at: session.link_expires_at };
            Ok((StatusCode::CREATED, Answer(view)).into_response())
        }
        CreatedKey::NoAccount => Err(AccountId::not_found()),
    }
}
