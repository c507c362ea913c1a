//! The way in and out: a link opens a session, once; signing out forgets it.

use std::sync::Arc;

use askama::Template;
use axum::Router;
use axum::extract::State;
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use http::{HeaderValue, StatusCode, header};
use serde::Deserialize;
use serde_json::json;
use shared::domain::api_key::{Permission, Role};
use shared::domain::scope::Scope;

use crate::Portal;
use crate::failure::Failure;
use crate::fields::{Form, query};
use crate::icons;
use crate::render::{self, Shell};
use crate::visitor::{Stranger, Visitor};

pub fn routes() -> Router<Arc<Portal>> {
    Router::new().route("/open", get(show).post(open)).route("/sign-out", post(sign_out))
}

#[derive(Template)]
#[template(path = "open.html")]
struct Open {
    shell: Shell,
    error: Option<&'static str>,
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
    render::page(&Open { shell: Shell::of_nobody("Open"), error: None })
}

async fn open(
    State(portal): State<Arc<Portal>>,
    Stranger(api): Stranger,
    Form(form): Form,
) -> Result<Response, Failure> {
    let typed = form.get("token");
    let token = typed.rsplit('#').next().unwrap_or(typed);
    let opened: Opened = match api.post("/v1/sessions", &json!({ "token": token })).await {
        Ok(answer) => answer.read()?,
        Err(failure) => return refused(&failure.problem()?.code),
    };
    let scope = opened.scope.map(|scope| scope.to_string());
    let next = match opened.role.may(Permission::Configure) {
        true => format!("/configure{}", query(scope.as_deref().map(|scope| ("scope", scope)))),
        false => format!("/deliveries{}", query(scope.as_deref().map(|scope| ("scope", scope)))),
    };
    Ok(with_cookie(render::see(&next), &portal.cookies.session(&opened.token)))
}

fn refused(code: &str) -> Result<Response, Failure> {
    let (status, error) = match code {
        "link_used" => (
            StatusCode::GONE,
            "This link was opened before, and a link opens only once. Ask for a new one where you got it.",
        ),
        "link_expired" => (StatusCode::GONE, "This link was not opened in time. Ask for a new one where you got it."),
        _ => (
            StatusCode::UNPROCESSABLE_ENTITY,
            "This is not a link we know. Paste all of it, or ask for a new one where you got it.",
        ),
    };
    render::page_with(status, &Open { shell: Shell::of_nobody("Open"), error: Some(error) })
}

async fn sign_out(State(portal): State<Arc<Portal>>, visitor: Result<Visitor, Failure>) -> Result<Response, Failure> {
    match visitor {
        Ok(visitor) => portal.sessions.end_session(&visitor.account, &visitor.session).await?,
        Err(Failure::NoSession) => {}
        Err(other) => return Err(other),
    }
    let detail = "To come back, choose “Configure webhooks” where you look at your data: you get a new link.";
    let page = render::message(StatusCode::OK, "You are signed out", detail, None);
    Ok(with_cookie(page, &portal.cookies.none()))
}

fn with_cookie(response: Response, cookie: &str) -> Response {
    let mut response = response.into_response();
    if let Ok(cookie) = HeaderValue::from_str(cookie) {
        response.headers_mut().insert(header::SET_COOKIE, cookie);
    }
    response
}
