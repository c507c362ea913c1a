//! `api`: the HTTPS API by which operators register accounts and accounts configure destinations and subscriptions.
//! It only configures: it never sends an event or a delivery. `docs/api.md` is its document.
//!
//! Who is calling comes from API Gateway alone (`caller`); no request can name another account's anything, and what
//! belongs to another account answers exactly like what does not exist.

mod body;
mod caller;
mod destinations;
mod events;
mod filters;
mod named;
mod operator;
mod pages;
mod problem;
mod sessions;
mod subscriptions;

use std::sync::Arc;

use axum::Router;
use axum::middleware;
use axum::routing::{delete, get, post};
use shared::domain::address::AddressPolicy;
use shared::ports::{
    Accounts, ApiKeys, Clock, Deliveries, Destinations, Entropy, Events, FindJob, HostLookup, ListEvents, Sessions,
    Subscriptions, Vault,
};

use crate::problem::{Code, Problem};

/// The largest body of a request, in bytes.
pub const MAX_BODY_BYTES: usize = 256 * 1024;

pub struct Deps {
    pub accounts: Arc<dyn Accounts>,
    pub keys: Arc<dyn ApiKeys>,
    pub sessions: Arc<dyn Sessions>,
    pub jobs: Arc<dyn FindJob>,
    pub destinations: Arc<dyn Destinations>,
    pub subscriptions: Arc<dyn Subscriptions>,
    pub events: Arc<dyn Events>,
    pub event_list: Arc<dyn ListEvents>,
    pub deliveries: Arc<dyn Deliveries>,
    pub vault: Arc<dyn Vault>,
    pub hosts: Arc<dyn HostLookup>,
    pub clock: Arc<dyn Clock>,
    pub entropy: Arc<dyn Entropy>,
    pub addresses: AddressPolicy,
    /// Where the page is, without a slash at the end; links begin with it.
    pub page_url: String,
}

/// Every route of the API.
pub fn router(deps: Deps) -> Router {
    let one_account = get(operator::accounts::read).delete(operator::accounts::delete);
    let one_destination = get(destinations::read).delete(destinations::delete);
    let one_subscription = get(subscriptions::read).delete(subscriptions::delete);
    Router::new()
        .route("/admin/v1/accounts", post(operator::accounts::create).get(operator::accounts::list))
        .route("/admin/v1/accounts/{account}", one_account)
        .route("/admin/v1/accounts/{account}/keys", post(operator::keys::create).get(operator::keys::list))
        .route("/admin/v1/accounts/{account}/keys/{key}", delete(operator::keys::delete))
        .route("/admin/v1/accounts/{account}/sessions", post(operator::sessions::create))
        .route("/v1/sessions", post(sessions::open))
        .route("/admin/v1/jobs/{id}", get(operator::accounts::read_job))
        .route("/v1/destinations", post(destinations::create).get(destinations::list))
        .route("/v1/destinations/{id}", one_destination)
        .route("/v1/subscriptions", post(subscriptions::create).get(subscriptions::list))
        .route("/v1/subscriptions/{id}", one_subscription)
        .route("/v1/events", get(events::list))
        .route("/v1/events/{id}", get(events::read))
        .fallback(async || Problem::new(Code::NotFound, "there is no such resource"))
        .method_not_allowed_fallback(async || Problem::new(Code::MethodNotAllowed, "this resource has other methods"))
        .layer(middleware::from_fn(problem::render))
        .with_state(Arc::new(deps))
}
