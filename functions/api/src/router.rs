//! Every operation of the API at its path, with the OpenAPI document of all of them.

use std::sync::Arc;

use axum::middleware::Next;
use axum::{Extension, Router, middleware};
use ports::read_units;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use crate::openapi;
use crate::resources::{
    accounts, api_keys, config, deliveries, destinations, event_types, events, ingest, jobs, ledger, matching,
    recovery, rejected_events, scopes, sessions, setups, subscriptions, unregistered_accounts,
};
use crate::web::etag::{self, Unversioned};
use crate::web::parameters::{self, Described};
use crate::web::problem::{self, Code, Problem};
use crate::web::{Deps, admission, gateway, idempotency, session};

/// Every operation of the API. `routes!` takes the operations of one path and also adds them to the OpenAPI document.
pub fn operations() -> OpenApiRouter<Arc<Deps>> {
    OpenApiRouter::with_openapi(openapi::document())
        .routes(routes!(openapi::read))
        .routes(routes!(accounts::create, accounts::list))
        .routes(routes!(accounts::read, accounts::delete))
        .routes(routes!(jobs::read))
        .routes(routes!(api_keys::create, api_keys::list))
        .routes(routes!(api_keys::delete))
        .routes(routes!(sessions::offer::create, sessions::known::list_of))
        .routes(routes!(sessions::known::revoke_of))
        .routes(routes!(rejected_events::list))
        .routes(routes!(rejected_events::read, rejected_events::delete))
        .routes(routes!(rejected_events::resubmission::resubmit))
        .routes(routes!(unregistered_accounts::list))
        .routes(routes!(sessions::open::open, sessions::known::list))
        .routes(routes!(sessions::known::revoke))
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
        .routes(routes!(recovery::replay_span::replay))
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
        .routes(routes!(jobs::list))
        .routes(routes!(jobs::read_own))
        .routes(routes!(scopes::list))
        .routes(routes!(config::read, config::put))
        .routes(routes!(setups::create))
}

/// The router that serves the API, including its OpenAPI document.
pub fn router(deps: Deps) -> Router {
    let (router, document) = operations().split_for_parts();
    let deps = Arc::new(deps);
    router
        .fallback(async || Problem::new(Code::NotFound, "there is no such resource"))
        .method_not_allowed_fallback(async || Problem::new(Code::MethodNotAllowed, "unsupported method; see `allow`"))
        .layer(middleware::from_fn_with_state(deps.clone(), idempotency::once))
        .layer(middleware::from_fn_with_state(Arc::clone(&deps), session::while_open))
        .layer(middleware::from_fn_with_state(Arc::clone(&deps.admission), admission::within_budget))
        .layer(middleware::from_fn_with_state(Arc::new(Unversioned::of(&document)), etag::refuse_ignored))
        .layer(middleware::from_fn_with_state(Arc::new(Described::of(&document)), parameters::refuse_unknown))
        .layer(Extension(Arc::new(openapi::Served::new(document))))
        .layer(middleware::from_fn(gateway::only_as_sent))
        .layer(middleware::from_fn(problem::render))
        .layer(middleware::from_fn(async |request, next: Next| read_units::counted(next.run(request)).await))
        .with_state(deps)
}
