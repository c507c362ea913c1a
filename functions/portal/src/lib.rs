//! `portal`: the page on which customers configure webhooks and follow their deliveries, as HTML that works without
//! JavaScript.
//!
//! The page has no rules of its own. It calls the API's router within this process (`web::inner`), as the account and
//! with the role of the session. So it can do nothing that the API cannot do, and it refuses what the API refuses, in
//! the API's words. It deliberately stores nothing either: what a visitor typed travels in the fields of the forms.
//!
//! The floors, from the ground up: `markup` (building blocks of HTML), `web` (requests, sessions, the API within this
//! process), `model` (what the API answers), `pages`, and the router in this file. Each floor uses only those below it,
//! and no page uses another page.

mod markup;
mod model;
mod pages;
mod web;

use std::sync::Arc;

use axum::middleware::Next;
use axum::routing::get;
use axum::{Router, middleware};
use ports::read_units;
use tower_http::compression::CompressionLayer;

use crate::web::cookies::Cookies;
use crate::web::origin::Origin;
use crate::web::portal::Portal;
use crate::web::{around, inner, security, timing};

/// Returns the router that serves the page. It has the same dependencies as the API.
///
/// `frame_ancestors` lists the origins that may show the page in a frame, separated by spaces. If it is empty, none
/// may.
pub fn router(deps: api::Deps, frame_ancestors: &str) -> Router {
    let (accounts, sessions, clock) = (deps.accounts.clone(), deps.sessions.clone(), deps.clock.clone());
    let admission = deps.admission.clone();
    let headers = security::Headers::new(frame_ancestors);
    let cookies = Cookies::new(!frame_ancestors.is_empty());
    let origin = Origin::new(&deps.page_url);
    let api = api::router(deps);
    let portal = Portal { api: api.clone(), admission, accounts, sessions, clock, cookies, origin: origin.clone() };
    let portal = Arc::new(portal);
    Router::new()
        .route("/", get(pages::home))
        .route("/assets/{name}", get(pages::asset))
        .merge(pages::entry::routes())
        .merge(pages::wizard::routes())
        .merge(pages::destinations::routes())
        .merge(pages::subscriptions::routes())
        .merge(pages::deliveries::routes())
        .merge(pages::events::routes())
        .merge(pages::ledger::routes())
        .merge(pages::sessions::routes())
        .fallback(pages::no_such_page)
        .method_not_allowed_fallback(pages::nothing_to_see)
        .layer(middleware::from_fn_with_state(portal.clone(), around::said))
        .layer(middleware::from_fn_with_state(origin, security::same_origin))
        .layer(middleware::from_fn_with_state(api, inner::no_such_resource))
        .layer(middleware::from_fn_with_state(headers, security::add_headers))
        .layer(CompressionLayer::new())
        .layer(middleware::from_fn(timing::tell))
        .layer(middleware::from_fn(async |request, next: Next| read_units::counted(next.run(request)).await))
        .with_state(portal)
}
