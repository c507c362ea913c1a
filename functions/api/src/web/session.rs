//! Requests by a page session. API Gateway may cache its authorizer's answer for a minute, but a session must end at once:
//! so the session of each token is read again here. The page has already read it.
//!
//! Invariant: no request of a session that has ended is served, whatever API Gateway has cached (tests:
//! `a_session_that_is_revoked_ends_at_once_and_its_link_opens_nothing`).
//!
//! Invariant: what a session changes, and nothing else, is logged with the person's name (tests:
//! `what_a_session_changes_is_logged_with_who_it_is`, `what_changes_nothing_is_not_logged_as_a_change`).

use std::sync::Arc;

use axum::extract::{Request, State};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use domain::access::SessionStatus;
use domain::value::{AccountId, Label, SessionId};
use tracing::info;

use crate::web::Deps;
use crate::web::admission::Admitted;
use crate::web::caller::{self, Caller};
use crate::web::done::Done;
use crate::web::problem::{Code, Problem};

/// Middleware that refuses a session that has ended, and logs what a session changes.
pub async fn while_open(State(deps): State<Arc<Deps>>, request: Request, next: Next) -> Response {
    let Some(Caller { account, session: Some(id), subject }) = caller::of(request.extensions()) else {
        return next.run(request).await;
    };
    let subject = match request.extensions().get::<Admitted>() {
        Some(Admitted) => subject,
        None => match open(&deps, &account, &id).await {
            Ok(found) => found,
            Err(problem) => return problem.into_response(),
        },
    };
    if request.method().is_safe() {
        return next.run(request).await;
    }
    let (method, path) = (request.method().clone(), request.uri().path().to_owned());
    let response = next.run(request).await;
    if Done::of(&response) == Done::Something {
        let subject = subject.map(String::from);
        info!(account.id = %account, session.id = %id, session.subject = subject, %method, path, "a page session changed something");
    }
    response
}

/// The person whom an open session was made for.
async fn open(deps: &Deps, account: &AccountId, id: &SessionId) -> Result<Option<Label>, Problem> {
    let found = deps.sessions.find_session(account, id).await?;
    let open = found.filter(|session| session.status(deps.clock.now()) == SessionStatus::Open);
    let ended = || Problem::new(Code::Unauthorized, "this page session has ended; ask for a new link");
    Ok(open.ok_or_else(ended)?.subject)
}
