//! `api`: the HTTPS API by which operators register accounts and accounts configure destinations and subscriptions.
//! Producers without AWS credentials publish events through it, and what became of them is read here. It matches nothing
//! and never sends a delivery. `docs/api.md` is its document.
//!
//! Who is calling comes from API Gateway alone (`caller`); no request can name another account's anything, and what
//! belongs to another account answers exactly like what does not exist.

mod body;
mod caller;
mod config;
mod deliveries;
mod destinations;
mod etag;
mod event_types;
mod events;
mod filters;
mod ingest;
mod matching;
mod named;
mod newest_first;
mod openapi;
mod operator;
mod pages;
mod problem;
mod responses;
mod schemas;
mod scopes;
mod sessions;
mod subscriptions;
mod webhooks;

use std::sync::Arc;

use axum::routing::{delete, get, post};
use axum::{Extension, Router, middleware};
use shared::domain::address::AddressPolicy;
use shared::ports::{
    Accounts, ApiKeys, Clock, Deliveries, Destinations, Entropy, EventQueue, Events, FindJob, HostLookup,
    ListDeliveries, ListEvents, SeenScopes, Sessions, Subscriptions, Transitions, Vault,
};
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

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
    pub sessions: Arc<dyn Sessions>,
    pub jobs: Arc<dyn FindJob>,
    pub destinations: Arc<dyn Destinations>,
    pub subscriptions: Arc<dyn Subscriptions>,
    pub events: Arc<dyn Events>,
    pub event_list: Arc<dyn ListEvents>,
    pub event_queue: Arc<dyn EventQueue>,
    pub deliveries: Arc<dyn Deliveries>,
    pub delivery_list: Arc<dyn ListDeliveries>,
    pub scopes: Arc<dyn SeenScopes>,
    pub transitions: Arc<dyn Transitions>,
    pub vault: Arc<dyn Vault>,
    pub hosts: Arc<dyn HostLookup>,
    pub clock: Arc<dyn Clock>,
    pub entropy: Arc<dyn Entropy>,
    pub addresses: AddressPolicy,
    pub limits: Limits,
    /// Where the page is, without a slash at the end; links begin with it.
    pub page_url: String,
}

/// Every operation of the API, each with its description. `routes!` takes the operations of one path, and adds them to the
/// OpenAPI document as well.
fn operations() -> OpenApiRouter<Arc<Deps>> {
    let one_account = get(operator::accounts::read).delete(operator::accounts::delete);
    let one_destination = get(destinations::read).patch(destinations::change).delete(destinations::delete);
    let one_subscription = get(subscriptions::read).patch(subscriptions::change).delete(subscriptions::delete);
    OpenApiRouter::with_openapi(openapi::document())
        .route("/admin/v1/accounts", post(operator::accounts::create).get(operator::accounts::list))
        .route("/admin/v1/accounts/{account}", one_account)
        .route("/admin/v1/accounts/{account}/keys", post(operator::keys::create).get(operator::keys::list))
        .route("/admin/v1/accounts/{account}/keys/{key}", delete(operator::keys::delete))
        .route("/admin/v1/accounts/{account}/sessions", post(operator::sessions::create))
        .route("/v1/sessions", post(sessions::open))
        .route("/admin/v1/jobs/{id}", get(operator::accounts::read_job))
        .routes(routes!(openapi::read))
        .routes(routes!(event_types::list))
        .routes(routes!(event_types::read))
        .route("/v1/destinations", post(destinations::create).get(destinations::list))
        .route("/v1/destinations/{id}", one_destination)
        .route("/v1/destinations/{id}/secrets/rotate", post(destinations::secrets::rotate))
        .route("/v1/subscriptions", post(subscriptions::create).get(subscriptions::list))
        .route("/v1/subscriptions/{id}", one_subscription)
        .route("/v1/events", post(ingest::create).get(events::list))
        .route("/v1/events/{id}", get(events::read))
        .route("/v1/deliveries", get(deliveries::list))
        .route("/v1/deliveries/{id}", get(deliveries::read))
        .route("/v1/scopes", get(scopes::list))
        .routes(routes!(matching::judge))
        .routes(routes!(config::read, config::put))
}

/// What serves the API: the operations, and the document of them.
pub fn router(deps: Deps) -> Router {
    let (router, document) = operations().split_for_parts();
    router
        .fallback(async || Problem::new(Code::NotFound, "there is no such resource"))
        .method_not_allowed_fallback(async || Problem::new(Code::MethodNotAllowed, "this resource has other methods"))
        .layer(Extension(Arc::new(document)))
        .layer(middleware::from_fn(problem::render))
        .with_state(Arc::new(deps))
}
