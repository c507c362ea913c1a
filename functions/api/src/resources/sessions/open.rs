//! Opening a page session: the secret in the link is exchanged, once, for the token that the page sends with its
//! requests. The route is open to everyone, because the caller has nothing but the link.

use std::sync::Arc;

use axum::Json as Answer;
use axum::extract::State;
use axum::response::{IntoResponse, Response};
use domain::access::{LinkRefusal, PresentedLink, Role};
use domain::event::Scope;
use domain::value::{AccountId, SessionId, Timestamp};
use http::StatusCode;
use ports::{EntropyExt, OpenedSession};
use serde::{Deserialize, Serialize};
use tracing::info;
use utoipa::ToSchema;

use crate::web::body::Json;
use crate::web::problem::{Code, Problem};
use crate::web::{Deps, choices, schemas};

/// The token of a link to a page session.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Link {
    /// The part after `#` in the link: `whl_<account>.<session>.<secret>`.
    #[schema(example = "whl_acme.6h2k9q1n7c0dmv3b.Qm9vLi4")]
    token: String,
}

/// A page session that was opened. No other response ever shows its token.
#[derive(Serialize, ToSchema)]
#[schema(as = OpenedSession)]
struct OpenedView<'a> {
    #[schema(value_type = schemas::SessionId)]
    id: SessionId,
    #[schema(value_type = schemas::AccountId)]
    account: AccountId,
    #[schema(value_type = choices::PageRole)]
    role: Role,
    /// Where the page begins.
    #[schema(required, value_type = Option<schemas::Scope>)]
    scope: Option<Scope>,
    /// The token of the session, to be sent as `Authorization: Bearer whs_…`.
    token: &'a str,
    /// The latest end of the session. It ends earlier if it is not used for 15 minutes.
    #[schema(value_type = schemas::Timestamp)]
    expires_at: Timestamp,
}

fn refused(refusal: LinkRefusal) -> Problem {
    match refusal {
        LinkRefusal::Wrong => Problem::new(Code::Unauthorized, "this link is not valid; ask for a new one"),
        LinkRefusal::Used => Problem::new(Code::LinkUsed, "this link was opened before; ask for a new one"),
        LinkRefusal::Expired => Problem::new(Code::LinkExpired, "this link has expired; ask for a new one"),
    }
}

/// Open a page session
///
/// Exchanges the token of a link, once, for a session token, which is used like an API key. It needs no other credentials.
#[utoipa::path(
    post,
    path = "/v1/sessions",
    operation_id = "open_session",
    tag = "page sessions",
    security(()),
    request_body = Link,
    responses(
        (status = 201, description = "The token, which is shown only this once.", body = OpenedView),
        (status = 401, description = "`unauthorized`: there is no such link."),
        (status = 410, description = "`link_used`: the link was opened before; `link_expired`: it was not opened in time.")
    )
)]
pub async fn open(State(deps): State<Arc<Deps>>, Json(link): Json<Link>) -> Result<Response, Problem> {
    let link: PresentedLink = link.token.parse().map_err(|_| refused(LinkRefusal::Wrong))?;
    let wrong = || refused(LinkRefusal::Wrong);
    let mut session = deps.sessions.find_session(&link.account, &link.session).await?.ok_or_else(wrong)?;
    let token = session.open(&link, deps.entropy.bytes()?, deps.clock.now()).map_err(refused)?;
    deps.accounts.find_account(&link.account).await?.ok_or_else(wrong)?;
    if deps.sessions.open_session(&session).await? == OpenedSession::Not {
        return Err(refused(LinkRefusal::Used));
    }
    let subject = session.subject.clone().map(String::from);
    info!(account.id = %session.account, session.id = %session.id, session.subject = subject, "a link to the page was opened");
    let view = OpenedView {
        expires_at: session.ends_at(),
        id: session.id,
        account: session.account,
        role: session.role,
        scope: session.scope,
        token: &token,
    };
    Ok((StatusCode::CREATED, Answer(view)).into_response())
}
