//! The way in and out: a link opens a session, once; signing out forgets it.

use std::sync::Arc;

use askama::Template;
use axum::Router;
use axum::extract::State;
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use domain::access::{Permission, PresentedLink, Role};
use domain::event::Scope;
use domain::value::AccountId;
use http::{HeaderMap, HeaderValue, StatusCode, header};
use runtime::telemetry::ErrorChain;
use serde::Deserialize;
use serde_json::json;
use tracing::{error, warn};

use crate::markup::address::query;
use crate::markup::icons;
use crate::markup::message::message;
use crate::markup::shell::Shell;
use crate::web::failure::Failure;
use crate::web::fields::Form;
use crate::web::portal::Portal;
use crate::web::problem::Problem;
use crate::web::visitor::{Stranger, Visitor};
use crate::web::{render, visitor};

const NOT_NOW: &str = "It did not work just now. Your link is as good as before: try again.";

pub fn routes() -> Router<Arc<Portal>> {
    Router::new().route("/open", get(show).post(open)).route("/sign-out", post(sign_out))
}

#[derive(Template)]
#[template(path = "open.html")]
struct Open<'a> {
    shell: Shell,
    error: Option<&'static str>,
    /// What was typed, where opening it can be tried again.
    token: &'a str,
    /// Of which account the present session is, and which one the link leads to, where that ends the session.
    leaving: Option<(AccountId, AccountId)>,
}

impl<'a> Open<'a> {
    fn new(token: &'a str) -> Self {
        Self { shell: Shell::of_nobody("Open"), error: None, token, leaving: None }
    }
}

/// The session that the API opened.
#[derive(Deserialize)]
struct Opened {
    role: Role,
    scope: Option<Scope>,
    token: String,
}

/// What follows `#` in a link comes to no server, so the link's page is the same for everybody: its script sends the token, or
/// whoever has no script pastes the link.
async fn show() -> Result<Response, Failure> {
    render::page(&Open::new(""))
}

/// Nobody gets into another account by a link without being asked: forms begun in the present one would be lost, and a link may
/// come from a stranger.
async fn open(
    State(portal): State<Arc<Portal>>,
    Stranger(api): Stranger,
    headers: HeaderMap,
    Form(form): Form,
) -> Result<Response, Failure> {
    let typed = form.get("token");
    let token = typed.rsplit('#').next().unwrap_or(typed);
    let present = match visitor::session(&portal, &headers).await {
        Ok(present) => present,
        Err(error) => {
            error!(error = %ErrorChain(&error), "the present session could not be looked up");
            return again(StatusCode::SERVICE_UNAVAILABLE, token, NOT_NOW);
        }
    };
    let link = token.parse::<PresentedLink>().ok();
    if let (Some(link), Some(present)) = (link, &present)
        && link.account != present.account
        && form.get("leave") != present.account.as_str()
    {
        let leaving = Some((present.account.clone(), link.account));
        return render::page_with(StatusCode::CONFLICT, &Open { leaving, ..Open::new(token) });
    }
    let opened: Opened = match api.post("/v1/sessions", &json!({ "token": token })).await {
        Ok(answer) => answer.read()?,
        Err(failure) => return refused(&failure.problem()?, token),
    };
    if let Some(present) = present
        && let Err(error) = portal.sessions.end_session(&present.account, &present.id).await
    {
        warn!(error = %ErrorChain(&error), "the session before could not be ended; it ends by itself");
    }
    let scope = opened.scope.map(|scope| scope.to_string());
    let next = match opened.role.may(Permission::Configure) {
        true => format!("/configure{}", query(scope.as_deref().map(|scope| ("scope", scope)))),
        false => format!("/deliveries{}", query(scope.as_deref().map(|scope| ("scope", scope)))),
    };
    Ok(with_cookie(render::see(&next), &portal.cookies.session(&opened.token)))
}

fn refused(problem: &Problem, token: &str) -> Result<Response, Failure> {
    let (status, error, token) = match problem.code.as_str() {
        "link_used" => (
            StatusCode::GONE,
            "This link was opened before, and a link opens only once. Ask for a new one where you got it.",
            "",
        ),
        "link_expired" => {
            (StatusCode::GONE, "This link was not opened in time. Ask for a new one where you got it.", "")
        }
        "unauthorized" | "validation_failed" => (
            StatusCode::UNPROCESSABLE_ENTITY,
            "This is not a link we know. Paste all of it, or ask for a new one where you got it.",
            "",
        ),
        _ => (problem.status(), NOT_NOW, token),
    };
    again(status, token, error)
}

fn again(status: StatusCode, token: &str, error: &'static str) -> Result<Response, Failure> {
    render::page_with(status, &Open { error: Some(error), ..Open::new(token) })
}

async fn sign_out(State(portal): State<Arc<Portal>>, visitor: Result<Visitor, Failure>) -> Result<Response, Failure> {
    match visitor {
        Ok(visitor) => portal.sessions.end_session(&visitor.account, &visitor.session).await?,
        Err(Failure::NoSession) => {}
        Err(other) => return Err(other),
    }
    let detail = "To come back, choose “Configure webhooks” where you look at your data: you get a new link.";
    let page = message(StatusCode::OK, "You are signed out", detail, None);
    Ok(with_cookie(page, &portal.cookies.none()))
}

fn with_cookie(response: Response, cookie: &str) -> Response {
    let mut response = response.into_response();
    if let Ok(cookie) = HeaderValue::from_str(cookie) {
        response.headers_mut().insert(header::SET_COOKIE, cookie);
    }
    response
}
