//! `api`: the HTTPS API by which operators register accounts and accounts configure destinations and subscriptions.
//! It configures, and on request sends a destination a test payload, which is no delivery. `docs/api.md` is its document.
//!
//! Who is calling comes from API Gateway alone (`caller`); no request can name another account's anything, and what
//! belongs to another account answers exactly like what does not exist.

mod body;
mod caller;
mod destinations;
mod etag;
mod event_types;
mod named;
mod openapi;
mod operator;
mod pages;
mod problem;
mod responses;
mod schemas;
mod subscriptions;

use std::sync::Arc;

use axum::routing::{get, post};
use axum::{Extension, Router, middleware};
use shared::domain::address::AddressPolicy;
use shared::ports::{Accounts, ApiKeys, Clock, Destinations, Entropy, HostLookup, HttpSender, Subscriptions, Vault};
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use crate::openapi::Document;
use crate::problem::{Code, Problem};

/// The largest body of a request, in bytes.
pub const MAX_BODY_BYTES: usize = 256 * 1024;

/// How much an account may configure.
#[derive(Debug, Clone, Copy)]
pub struct Limits {
    pub destinations: u32,
    pub subscriptions: u32,
}

pub struct Deps {
    pub accounts: Arc<dyn Accounts>,
    pub keys: Arc<dyn ApiKeys>,
    pub destinations: Arc<dyn Destinations>,
    pub subscriptions: Arc<dyn Subscriptions>,
    pub vault: Arc<dyn Vault>,
    pub hosts: Arc<dyn HostLookup>,
    /// Sends tests as deliveries are sent.
    pub sender: Arc<dyn HttpSender>,
    pub clock: Arc<dyn Clock>,
    pub entropy: Arc<dyn Entropy>,
    pub addresses: AddressPolicy,
    pub limits: Limits,
}

/// Every operation of the API, each with its description. `routes!` takes the operations of one path, and adds them to the
/// OpenAPI document as well.
fn operations() -> OpenApiRouter<Arc<Deps>> {
    let one_destination = get(destinations::read).patch(destinations::change).delete(destinations::delete);
    let one_subscription = get(subscriptions::read).patch(subscriptions::change).delete(subscriptions::delete);
    OpenApiRouter::with_openapi(openapi::document())
        .routes(routes!(operator::create_account))
        .routes(routes!(operator::create_key))
        .routes(routes!(openapi::read))
        .route("/v1/event-types", get(event_types::list))
        .route("/v1/event-types/{type}", get(event_types::read))
        .route("/v1/destinations", post(destinations::create).get(destinations::list))
        .route("/v1/destinations/{id}", one_destination)
        .routes(routes!(destinations::test_payload::send))
        .route("/v1/destinations/{id}/secrets/rotate", post(destinations::secrets::rotate))
        .route("/v1/subscriptions", post(subscriptions::create).get(subscriptions::list))
        .route("/v1/subscriptions/{id}", one_subscription)
}

/// What serves the API: the operations, and the document of them.
pub fn router(deps: Deps) -> Router {
    let (router, document) = operations().split_for_parts();
    router
        .fallback(async || Problem::new(Code::NotFound, "there is no such resource"))
        .method_not_allowed_fallback(async || Problem::new(Code::MethodNotAllowed, "this resource has other methods"))
        .layer(Extension(Arc::new(Document::complete(document))))
        .layer(middleware::from_fn(problem::render))
        .with_state(Arc::new(deps))
}
