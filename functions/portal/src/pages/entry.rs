//! Signing in and out. A link opens a session, once; signing out ends it. After a session has ended, a new link leads back
//! to where the visitor was.
//!
//! Invariant: a link opens only once and only in time; otherwise the page says politely why it does not open (tests:
//! `a_link_opens_once_and_leads_to_the_wizard_for_its_scope`, `an_expired_link_and_one_that_is_none_say_so`).
//!
//! Invariant: a link into another account asks before it ends the present session (tests:
//! `a_link_into_another_account_asks_before_it_ends_the_session`).

use std::sync::Arc;

use askama::Template;
use axum::Router;
use axum::extract::State;
use axum::response::Response;
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
use crate::web::visitor::{Leaving, Stranger};
use crate::web::{cookies, render, visitor};

const NOT_NOW: &str = "This did not work. Your link is still valid: try again.";

pub fn routes() -> Router<Arc<Portal>> {
    Router::new().route("/open", get(show).post(open)).route("/sign-out", post(sign_out))
}

#[derive(Template)]
#[template(path = "open.html")]
struct Open<'a> {
    shell: Shell,
    error: Option<&'static str>,
    /// The token to try again with, if opening the link failed for now.
    token: &'a str,
    /// The account of the present session and that of the link, if opening the link would end the session.
    leaving: Option<(AccountId, AccountId)>,
}

impl<'a> Open<'a> {
    fn new(token: &'a str) -> Self {
        Self { shell: Shell::of_nobody("Open"), error: None, token, leaving: None }
    }
}

/// The session that the API opened, as far as it is used here.
#[derive(Deserialize)]
struct Opened {
    role: Role,
    scope: Option<Scope>,
    token: String,
}

/// Shows the page that a link leads to. Browsers do not send what follows `#`, so this page does not know the token:
/// its script sends the token in a form, and visitors without scripts paste the link.
async fn show() -> Result<Response, Failure> {
    render::page(&Open::new(""))
}

/// Opens a link. If the browser is signed in to another account, it asks first: forms begun there would be lost, and
/// the link may come from a stranger.
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
    if let (Some(link), Some(present)) = (&link, &present)
        && link.account != present.account
        && form.get("leave") != present.account.as_str()
    {
        let leaving = Some((present.account.clone(), link.account.clone()));
        return render::page_with(StatusCode::CONFLICT, &Open { leaving, ..Open::new(token) });
    }
    let opened: Opened = match api.post("/v1/sessions", &json!({ "token": token })).await {
        Ok(answer) => answer.read()?,
        Err(failure) => return refused(&failure.problem()?, token),
    };
    if let Some(present) = present
        && let Err(error) = portal.sessions.end_session(&present.account, &present.id).await
    {
        warn!(error = %ErrorChain(&error), "the previous session could not be ended; it ends by itself");
    }
    let was = link.and_then(|link| cookies::place(&headers, &link.account));
    let next = was.unwrap_or_else(|| begin(&opened));
    let response = with_cookie(render::see(&next), &portal.cookies.session(&opened.token));
    Ok(forgetting_place(&portal, &headers, response))
}

/// Where a session begins.
fn begin(opened: &Opened) -> String {
    let scope = opened.scope.as_ref().map(ToString::to_string);
    let section = if opened.role.may(Permission::Configure) { "/configure" } else { "/deliveries" };
    format!("{section}{}", query(scope.as_deref().map(|scope| ("scope", scope))))
}

/// Removes the remembered place of the browser, because it is used only once.
fn forgetting_place(portal: &Portal, headers: &HeaderMap, response: Response) -> Response {
    if cookies::knows_place(headers) { with_cookie(response, &portal.cookies.was_nowhere()) } else { response }
}

fn refused(problem: &Problem, token: &str) -> Result<Response, Failure> {
    let (status, error, token) = match problem.code.as_str() {
        "link_used" => (
            StatusCode::GONE,
            "This link was opened before, and a link works only once. Ask for a new one where you got this one.",
            "",
        ),
        "link_expired" => {
            (StatusCode::GONE, "This link was not opened in time. Ask for a new one where you got this one.", "")
        }
        "unauthorized" | "validation_failed" => (
            StatusCode::UNPROCESSABLE_ENTITY,
            "This is not a link we know. Paste the whole link, or ask for a new one where you got this one.",
            "",
        ),
        _ => (problem.status(), NOT_NOW, token),
    };
    again(status, token, error)
}

fn again(status: StatusCode, token: &str, error: &'static str) -> Result<Response, Failure> {
    render::page_with(status, &Open { error: Some(error), ..Open::new(token) })
}

async fn sign_out(
    State(portal): State<Arc<Portal>>,
    headers: HeaderMap,
    visitor: Result<Leaving, Failure>,
) -> Result<Response, Failure> {
    match visitor {
        Ok(Leaving(visitor)) => portal.sessions.end_session(&visitor.account, &visitor.session).await?,
        Err(Failure::NoSession) => {}
        Err(other) => return Err(other),
    }
    let detail = "To come back, choose “Configure webhooks” where you look at your data: you get a new link.";
    let page = message(StatusCode::OK, "You are signed out", detail, None);
    Ok(forgetting_place(&portal, &headers, with_cookie(page, &portal.cookies.none())))
}

fn with_cookie(mut response: Response, cookie: &str) -> Response {
    if let Ok(cookie) = HeaderValue::from_str(cookie) {
        response.headers_mut().append(header::SET_COOKIE, cookie);
    }
    response
}
