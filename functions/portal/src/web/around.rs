//! Answers that are not an ordinary page. Messages get the navigation around them if the visitor is signed in. Visitors
//! who are not signed in see how to get in: nothing that they typed is lost, and a new link leads back to where they were.
//!
//! Invariant: a form that is sent after the session has ended is shown again as it was typed, without secrets (tests:
//! `what_was_typed_when_a_session_ended_is_kept`, `what_looks_like_a_secret_is_not_shown_again`).
//!
//! Invariant: a new link leads back to a page of ours in the same account, filled in only by links of ours (tests:
//! `who_opens_a_new_link_comes_back_to_where_they_were`, `a_place_from_elsewhere_is_kept_without_what_it_would_fill_in`,
//! `who_comes_back_is_led_to_a_path_of_ours_in_the_same_account`).

use std::sync::Arc;

use askama::Template;
use axum::body::{Body, to_bytes};
use axum::extract::{Request, State};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use domain::value::without_secrets;
use http::request::Parts;
use http::{HeaderMap, HeaderValue, StatusCode, header};

use crate::markup::icons;
use crate::markup::message::Message;
use crate::markup::shell::{RENEWAL, Shell};
use crate::web::cookies::{is_ours, presented, was_signed_in};
use crate::web::failure::NobodySignedIn;
use crate::web::fields::{Fields, MAX_FORM, too_long};
use crate::web::portal::Portal;
use crate::web::render;
use crate::web::visitor::{self, Seen};

/// The fields that people type into, by name, and what they are called.
const TYPED: [(&str, &str); 15] = [
    ("name", "Name"),
    ("destination_name", "Name of the destination"),
    ("url", "URL"),
    ("description", "Description"),
    ("headers", "Headers"),
    ("timeout_seconds", "Timeout of an attempt, in seconds"),
    ("rate_limit", "Rate limit, in deliveries a second"),
    ("waits", "Waits, in seconds"),
    ("scope", "Scope"),
    ("place", "Place"),
    ("condition", "Pattern"),
    ("pattern", "Pattern"),
    ("path", "Path"),
    ("grace_seconds", "Grace for missed runs, in seconds"),
    ("since", "Since"),
];

/// The page for a visitor who is not signed in.
#[derive(Template)]
#[template(path = "nobody.html")]
struct Nobody {
    shell: Shell,
    /// Whether there was a session.
    ended: bool,
    /// Whether a new link leads back.
    comes_back: bool,
    form: Option<Kept>,
}

/// A form that was not processed.
struct Kept {
    /// The address to which it can be sent again.
    action: String,
    /// What was typed: label, name and text.
    typed: Vec<(&'static str, String, String)>,
    /// The other fields.
    hidden: Vec<(String, String)>,
    /// Whether something that looks like a secret was left out. Then it cannot be sent again as it was.
    lacks_secret: bool,
}

impl Kept {
    /// The form in the body of a request, if somebody typed something into it.
    fn of(parts: &Parts, body: &[u8]) -> Option<Self> {
        let action = parts.uri.path_and_query()?.as_str().to_owned();
        let (mut typed, mut hidden, mut lacks_secret) = (Vec::new(), Vec::new(), false);
        for (name, value) in Fields::parse(body).pairs() {
            let shown = without_secrets(value);
            lacks_secret |= shown != value;
            let (name, shown) = (name.to_owned(), shown.into_owned());
            match TYPED.iter().find(|(known, _)| *known == name) {
                Some((_, label)) if !shown.trim().is_empty() => typed.push((*label, name, shown)),
                _ => hidden.push((name, shown)),
            }
        }
        let is_a_form = !typed.is_empty() && is_ours(&action);
        is_a_form.then_some(Self { action, typed, hidden, lacks_secret })
    }
}

/// Middleware that puts the navigation around messages, and shows visitors who are not signed in how to get in.
pub async fn said(State(portal): State<Arc<Portal>>, request: Request, next: Next) -> Response {
    let seen = Seen::default();
    let (mut parts, body) = request.into_parts();
    parts.extensions.insert(seen.clone());
    let mut response = if parts.method.is_safe() {
        next.run(Request::from_parts(parts.clone(), body)).await
    } else {
        // The form is kept until it is known whether its sender is signed in.
        match to_bytes(body, MAX_FORM).await {
            Err(_) => too_long(),
            Ok(form) => {
                let response = next.run(Request::from_parts(parts.clone(), Body::from(form.clone()))).await;
                if is_nobodys(&response) {
                    return nobody(&portal, &parts, Kept::of(&parts, &form));
                }
                response
            }
        }
    };
    if is_nobodys(&response) {
        return nobody(&portal, &parts, None);
    }
    match response.extensions_mut().remove::<Message>() {
        Some(message) if response.status().as_u16() >= 400 => {
            within(&portal, &parts.headers, &seen, &message, response).await
        }
        _ => response,
    }
}

fn is_nobodys(response: &Response) -> bool {
    response.extensions().get::<NobodySignedIn>().is_some()
}

/// The message again, within the visitor's shell if they are signed in.
async fn within(portal: &Portal, headers: &HeaderMap, seen: &Seen, message: &Message, response: Response) -> Response {
    let shell = match seen.shell() {
        Some(shell) => Some(shell),
        // No handler has looked up the session. If that fails now, the message is shown without the navigation.
        None => visitor::shell(portal, headers).await.unwrap_or_default(),
    };
    match shell {
        Some(shell) => Response::from_parts(response.into_parts().0, message.page(shell).into_body()),
        None => response,
    }
}

fn nobody(portal: &Portal, parts: &Parts, form: Option<Kept>) -> Response {
    let came = presented(&parts.headers).zip(place(portal, parts));
    let ended = was_signed_in(&parts.headers);
    let shell = Shell::of_nobody(if ended { "Your session has ended" } else { "You are not signed in" });
    let page = Nobody { shell, ended, comes_back: came.is_some(), form };
    let page = render::page_with(StatusCode::UNAUTHORIZED, &page);
    let mut response = page.unwrap_or_else(|_| StatusCode::UNAUTHORIZED.into_response());
    let line = came.map(|(presented, place)| portal.cookies.was(&presented.account, &place));
    if let Some(line) = line.and_then(|line| HeaderValue::from_str(&line).ok()) {
        response.headers_mut().append(header::SET_COOKIE, line);
    }
    response
}

/// Where a new link leads back to: to the requested page, or to the page of the form. A visitor from another site comes back
/// without the query, because a query may fill in fields only if a page of ours sent it.
fn place(portal: &Portal, parts: &Parts) -> Option<String> {
    let place = if parts.method.is_safe() {
        let place = parts.uri.path_and_query()?.as_str();
        let is_of_ours = portal.origin.sent(&parts.headers, header::REFERER);
        if is_of_ours { place } else { parts.uri.path() }
    } else {
        portal.origin.sender(&parts.headers)?
    };
    let leads_back = is_ours(place) && !["/", RENEWAL].contains(&place);
    leads_back.then(|| place.to_owned())
}
