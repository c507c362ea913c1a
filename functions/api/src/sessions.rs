//! Opens a page session: what a link carries is exchanged, once, for the token that the page sends with its requests. Open to
//! everyone, as who calls has nothing but the link.

use std::sync::Arc;

use axum::Json as Answer;
use axum::extract::State;
use axum::response::{IntoResponse, Response};
use http::StatusCode;
use serde::{Deserialize, Serialize};
use shared::domain::api_key::Role;
use shared::domain::id::{AccountId, SessionId};
use shared::domain::scope::Scope;
use shared::domain::session::{LinkRefusal, PresentedLink};
use shared::domain::timestamp::Timestamp;
use shared::ports::{EntropyExt, OpenedSession};

use crate::Deps;
use crate::body::Json;
use crate::problem::{Code, Problem};

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Link {
    token: String,
}

/// The only answer that ever shows the token.
#[derive(Serialize)]
struct OpenedView<'a> {
    id: SessionId,
    account: AccountId,
    role: Role,
    scope: Option<Scope>,
    token: &'a str,
    expires_at: Timestamp,
}

fn refused(refusal: LinkRefusal) -> Problem {
    match refusal {
        LinkRefusal::Wrong => Problem::new(Code::Unauthorized, "this link is not valid; ask for a new one"),
        LinkRefusal::Used => Problem::new(Code::LinkUsed, "this link was opened before; ask for a new one"),
        LinkRefusal::Expired => Problem::new(Code::LinkExpired, "this link has expired; ask for a new one"),
    }
}

pub async fn open(State(deps): State<Arc<Deps>>, Json(link): Json<Link>) -> Result<Response, Problem> {
    let link: PresentedLink = link.token.parse().map_err(|_| refused(LinkRefusal::Wrong))?;
    let wrong = || refused(LinkRefusal::Wrong);
    let mut session = deps.sessions.find_session(&link.account, &link.session).await?.ok_or_else(wrong)?;
    let token = session.open(&link, deps.entropy.bytes()?, deps.clock.now()).map_err(refused)?;
    deps.accounts.find_account(&link.account).await?.ok_or_else(wrong)?;
    if deps.sessions.open_session(&session).await? == OpenedSession::Not {
        return Err(refused(LinkRefusal::Used));
    }
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
