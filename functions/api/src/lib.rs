//! `api`: the HTTPS API by which operators register accounts and accounts configure destinations and subscriptions.
//! Producers without AWS credentials publish events through it, what became of them is read here and sent again, and on request
//! it sends a destination a test payload, which is no delivery. It matches nothing but in a dry run and for a replay. `docs/api.md` is its document.
//!
//! Who is calling comes from API Gateway alone (`caller`); no request can name another account's anything, and what
//! belongs to another account answers exactly like what does not exist.

mod body;
mod caller;
mod choices;
mod config;
mod deliveries;
mod delivery_lists;
mod destinations;
mod etag;
mod event_types;
mod events;
mod explain;
mod filters;
mod ingest;
mod jobs;
mod ledger;
mod matching;
mod named;
mod openapi;
mod operator;
mod pages;
mod problem;
mod recovery;
mod responses;
mod schemas;
mod scopes;
mod sessions;
mod settings;
mod setups;
mod subscriptions;
mod webhooks;

use std::sync::Arc;

use axum::{Extension, Router, middleware};
use domain::destination::AddressPolicy;
use domain::value::Horizon;
use ports::{
    Accounts, ApiKeys, Clock, Deliveries, DeliveryQueue, Destinations, Entropy, EventQueue, FindRollUp, HostLookup,
    HttpSender, ListDeliveries, ListEvents, OweMore, Reckoning, Rejections, SeenScopes, Sessions, StartJob,
    Subscriptions, Transitions, Vault,
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
    pub jobs: Arc<dyn StartJob>,
    pub destinations: Arc<dyn Destinations>,
    pub subscriptions: Arc<dyn Subscriptions>,
    pub events: Arc<dyn OweMore>,
    pub event_list: Arc<dyn ListEvents>,
    pub event_queue: Arc<dyn EventQueue>,
    pub rejections: Arc<dyn Rejections>,
    pub deliveries: Arc<dyn Deliveries>,
    pub delivery_list: Arc<dyn ListDeliveries>,
    pub reckoning: Arc<dyn Reckoning>,
    pub roll_ups: Arc<dyn FindRollUp>,
    pub delivery_queue: Arc<dyn DeliveryQueue>,
    pub scopes: Arc<dyn SeenScopes>,
    pub transitions: Arc<dyn Transitions>,
    pub vault: Arc<dyn Vault>,
    pub hosts: Arc<dyn HostLookup>,
    /// Sends tests as deliveries are sent.
    pub sender: Arc<dyn HttpSender>,
    pub clock: Arc<dyn Clock>,
    pub entropy: Arc<dyn Entropy>,
    pub addresses: AddressPolicy,
    pub limits: Limits,
    /// After how long what was lost is looked for.
    pub horizon: Horizon,
    /// Where the page is, without a slash at the end; links begin with it.
    pub page_url: String,
}

/// Every operation of the API, each with its description. `routes!` takes the operations of one path, and adds them to the
/// OpenAPI document as well.
fn operations() -> OpenApiRouter<Arc<Deps>> {
    OpenApiRouter::with_openapi(openapi::document())
        .routes(routes!(openapi::read))
        .routes(routes!(operator::accounts::create, operator::accounts::list))
        .routes(routes!(operator::accounts::read, operator::accounts::delete))
        .routes(routes!(operator::accounts::read_job))
        .routes(routes!(operator::keys::create, operator::keys::list))
        .routes(routes!(operator::keys::delete))
        .routes(routes!(operator::sessions::create))
        .routes(routes!(operator::rejected_events::list))
        .routes(routes!(operator::rejected_events::read, operator::rejected_events::delete))
        .routes(routes!(operator::rejected_events::resubmission::resubmit))
        .routes(routes!(sessions::open))
        .routes(routes!(event_types::list))
        .routes(routes!(event_types::read))
        .routes(routes!(destinations::create, destinations::list))
        .routes(routes!(destinations::read, destinations::change, destinations::deletion::delete))
        .routes(routes!(destinations::stats::read))
        .routes(routes!(destinations::pausing::pause))
        .routes(routes!(destinations::pausing::resume))
        .routes(routes!(recovery::recover::recover))
        .routes(routes!(destinations::secrets::rotate))
        .routes(routes!(destinations::test_payload::send))
        .routes(routes!(subscriptions::create, subscriptions::list))
        .routes(routes!(subscriptions::read, subscriptions::change, subscriptions::delete))
        .routes(routes!(matching::judge))
        .routes(routes!(ingest::create, events::list))
        .routes(routes!(events::read))
        .routes(routes!(recovery::replay::replay))
        .routes(routes!(deliveries::list))
        .routes(routes!(deliveries::read))
        .routes(routes!(ledger::read))
        .routes(routes!(ledger::deliveries::list))
        .routes(routes!(recovery::resend::resend))
        .routes(routes!(recovery::cancel::cancel))
        .routes(routes!(jobs::read))
        .routes(routes!(scopes::list))
        .routes(routes!(config::read, config::put))
        .routes(routes!(setups::create))
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
