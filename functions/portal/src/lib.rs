//! `portal`: the page on which customers configure webhooks and follow their deliveries, as HTML that works without JavaScript.
//!
//! It has no rule of its own. What it shows and does, it asks the API's own router for, within this process (`inner`), as the
//! account and with the role of the session; so the page can do nothing that the API cannot, and refuses what it refuses, in
//! its words. It deliberately keeps nothing either: what a form holds travels in its fields.

mod assets;
mod failure;
mod faults;
mod fields;
mod html;
mod icons;
mod inner;
mod model;
mod pages;
mod render;
mod security;
mod timing;
mod visitor;

use std::sync::Arc;

use axum::routing::get;
use axum::{Router, middleware};
use ports::{Accounts, Clock, Sessions};
use tower_http::compression::CompressionLayer;

use crate::visitor::Cookies;

/// What the page needs beside the API.
struct Portal {
    api: Router,
    accounts: Arc<dyn Accounts>,
    sessions: Arc<dyn Sessions>,
    clock: Arc<dyn Clock>,
    cookies: Cookies,
}

/// What serves the page, over the same dependencies as the API.
///
/// `frame_ancestors` are the origins that may show it in a frame, separated by spaces; none if empty.
pub fn router(deps: api::Deps, frame_ancestors: &str) -> Router {
    let (accounts, sessions, clock) = (deps.accounts.clone(), deps.sessions.clone(), deps.clock.clone());
    let headers = security::Headers::new(frame_ancestors);
    let cookies = Cookies::new(!frame_ancestors.is_empty());
    let api = api::router(deps);
    let portal = Portal { api: api.clone(), accounts, sessions, clock, cookies };
    Router::new()
        .route("/", get(pages::home))
        .route("/assets/{name}", get(assets::serve))
        .merge(pages::entry::routes())
        .merge(pages::wizard::routes())
        .merge(pages::destinations::routes())
        .merge(pages::subscriptions::routes())
        .merge(pages::deliveries::routes())
        .merge(pages::events::routes())
        .merge(pages::ledger::routes())
        .fallback(pages::no_such_page)
        .method_not_allowed_fallback(pages::nothing_to_see)
        .layer(middleware::from_fn(security::same_origin))
        .layer(middleware::from_fn_with_state(api, inner::no_such_resource))
        .layer(middleware::from_fn_with_state(headers, security::add_headers))
        .layer(CompressionLayer::new())
        .layer(middleware::from_fn(timing::tell))
        .with_state(Arc::new(portal))
}
