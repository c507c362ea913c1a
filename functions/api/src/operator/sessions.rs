//! Offers page sessions: a link, which lets whoever opens it first act for the account for a while.

use std::sync::Arc;
use std::time::Duration;

use axum::Json as Answer;
use axum::extract::State;
use axum::response::{IntoResponse, Response};
use http::StatusCode;
use serde::{Deserialize, Serialize};
use shared::domain::api_key::Role;
use shared::domain::id::{AccountId, SessionId};
use shared::domain::scope::Scope;
use shared::domain::session::Session;
use shared::domain::timestamp::Timestamp;
use shared::ports::{CreatedKey, EntropyExt};

use crate::Deps;
use crate::body::Json;
use crate::caller::Operator;
use crate::named::{Kind, Named};
use crate::problem::{Code, Problem};

/// For how many seconds a link may be opened.
const LINK_SECONDS: std::ops::RangeInclusive<u64> = 60..=3_600;
const LINK_SECONDS_DEFAULT: u64 = 300;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub struct NewSession {
    scope: Option<Scope>,
    role: Option<Role>,
    expires_in: Option<u64>,
}

/// The only answer that ever shows the link.
#[derive(Serialize)]
struct NewSessionView {
    id: SessionId,
    url: String,
    expires_at: Timestamp,
}

pub async fn create(
    _: Operator,
    State(deps): State<Arc<Deps>>,
    Named(account): Named<AccountId>,
    Json(new): Json<NewSession>,
) -> Result<Response, Problem> {
    let wrong = |pointer, detail: &str| Problem::at(Code::ValidationFailed, pointer, detail);
    let role = new.role.unwrap_or(Role::Editor);
    if role == Role::Publisher {
        return Err(wrong("/role", "a page needs to read: use `viewer`, `editor` or `admin`"));
    }
    let seconds = new.expires_in.unwrap_or(LINK_SECONDS_DEFAULT);
    if !LINK_SECONDS.contains(&seconds) {
        return Err(wrong("/expires_in", "must be a number of seconds from 60 to 3600"));
    }
    let (id, secret) = (SessionId::from_entropy(deps.entropy.bytes()?), deps.entropy.bytes()?);
    let open_within = Duration::from_secs(seconds);
    let (session, link) = Session::offer(id, account, (role, new.scope), secret, deps.clock.now(), open_within);
    match deps.sessions.create_session(&session).await? {
        CreatedKey::Created => {
            // A browser sends what follows `#` to nobody.
            let url = format!("{}/open#{}", deps.page_url, *link);
            let view = NewSessionView { id: session.id, url, expires_at: session.link_expires_at };
            Ok((StatusCode::CREATED, Answer(view)).into_response())
        }
        CreatedKey::NoAccount => Err(AccountId::not_found()),
    }
}
