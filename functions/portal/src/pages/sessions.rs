//! The list of who is signed in and which links can still be opened, with a button that ends each but the visitor's own.
//! Also the path that the script of a visible page requests from time to time, so that its session does not end for lack
//! of use.
//!
//! Invariant: a visible page keeps its session, for at most eight hours (tests:
//! `a_page_that_asks_now_and_then_keeps_its_session_for_eight_hours`).

use std::sync::Arc;

use askama::Template;
use axum::Router;
use axum::extract::Path;
use axum::response::Response;
use axum::routing::{get, post};
use domain::access::Permission;
use domain::value::Timestamp;
use http::{Method, StatusCode};
use serde::Deserialize;

use crate::markup::address::segment;
use crate::markup::shell::{RENEWAL, Shell};
use crate::markup::{html, icons, shown};
use crate::model::listing::{Filters, Listing, ROWS};
use crate::web::failure::Failure;
use crate::web::fields::Query;
use crate::web::portal::Portal;
use crate::web::render;
use crate::web::visitor::{Leaving, Visitor};

pub fn routes() -> Router<Arc<Portal>> {
    Router::new().route("/sessions", get(list)).route("/sessions/{id}/revoke", post(revoke)).route(RENEWAL, get(renew))
}

#[derive(Deserialize)]
struct Session {
    id: String,
    status: String,
    subject: Option<String>,
    role: String,
    created_at: Timestamp,
    opened_at: Option<Timestamp>,
    last_used_at: Option<Timestamp>,
    expires_at: Timestamp,
}

#[derive(Template)]
#[template(path = "sessions.html")]
struct List {
    shell: Shell,
    filters: Filters,
    list: Listing<Session>,
    /// The id of the visitor's own session.
    own: String,
}

async fn list(visitor: Visitor, Query(query): Query) -> Result<Response, Failure> {
    visitor.must(Permission::Configure)?;
    let shell = visitor.shell("", "Who is signed in").after(done(query.get("done")));
    let mut filters = Filters::new(query, &[]);
    let list = filters.list(&visitor.api, "/v1/sessions", ROWS).await?;
    render::page_with(filters.status(), &List { shell, filters, list, own: visitor.session.to_string() })
}

/// Keeps the session alive, even if the account has spent its budget: letting the visitor in counts as use.
async fn renew(_: Leaving) -> StatusCode {
    StatusCode::NO_CONTENT
}

fn done(word: &str) -> Option<&'static str> {
    (word == "revoked").then_some("Ended. It no longer works.")
}

async fn revoke(visitor: Visitor, Path(id): Path<String>) -> Result<Response, Failure> {
    visitor.api.call(Method::DELETE, &format!("/v1/sessions/{}", segment(&id)), None, None).await?;
    Ok(render::see("/sessions?done=revoked"))
}
