//! The OpenAPI 3.1 document, `GET /v1/openapi.json`. It is built from the operations that the router serves, so the API
//! and its description cannot differ. It is the same for everybody and needs no credentials.
//!
//! A handler describes itself in its `#[utoipa::path]`; the domain's text types are in `schemas`, and shared responses in
//! `responses`.
//!
//! Invariant: every route is in the document, and `docs/api.md` lists exactly its operations (tests:
//! `no_other_route_is_served_that_is_not_described`, `the_page_lists_the_operations_of_the_document`).
//!
//! Invariant: the document is valid, and the API's responses conform to it (tests:
//! `an_independent_validator_finds_no_fault_in_the_document`, on the deployed stack
//! `a_property_based_tester_finds_no_fault_in_the_api`).
//!
//! Invariant: four routes are open: this document, `POST /v1/sessions` and the page's `POST /open`, which take a link, and its `$default`,
//! which asks for its own cookie (tests: `nothing_but_the_document_and_a_link_is_open`, `routes_are_closed`).

mod bodies;
mod generators;
mod responses;
#[cfg(test)]
mod tests;
mod webhooks;

use std::sync::{Arc, OnceLock};

use axum::Extension;
use axum::extract::{Request, State};
use axum::response::{IntoResponse, Response};
use http::header;
use lambda_http::request::RequestContext;
use runtime::telemetry::ErrorChain;
use serde_json::{Value, json};
use utoipa::openapi::security::{
    ApiKey, ApiKeyValue, HttpAuthScheme, HttpBuilder, SecurityRequirement, SecurityScheme,
};
use utoipa::openapi::tag::TagBuilder;
use utoipa::openapi::{ComponentsBuilder, Info, InfoBuilder, LicenseBuilder, OpenApi, OpenApiBuilder, RefOr, Schema};
use utoipa::{PartialSchema, ToSchema};

use crate::resources::config;
use crate::web::problem::{self, Code, Problem};
use crate::web::{Deps, choices, schemas};

/// Operations under this path belong to the operator and are signed with AWS credentials. All others take an account's
/// API key.
pub const SIGNED_PATHS: &str = "/admin/";

const DESCRIPTION: &str = "\
Configures who is notified of which data-sync events: destinations are URLs that receive signed requests, and subscriptions \
decide which events they receive.

The API key decides which account a request is about. A resource of another account looks the same as one that does not exist. \
Errors are RFC 9457 problems with a stable `code`; `webhooks` describes the requests that a destination receives.

Limits: a body has at most 256 KiB, and a page 1–100 items (1–500 events of the ledger, 1–5,000 scopes). An account may spend 100 units a second, and saves up at most the \
units of ten seconds: reading one resource costs 1, a list 5, a change 5; configuration documents, the ledger, dry runs, set-ups, \
tests, recoveries and replays cost 25. Posted events do not cost units; their limit is 100 a second. Requests over a limit are refused with 429 and `retry-after`.";

/// When the samples occur: 2026-11-23T09:30:42Z.
const SAMPLED_AT_MS: u64 = 1_795_426_242_000;

/// The groups of operations, in the order in which they are read.
const TAGS: [(&str, &str); 14] = [
    ("event types", "Which events exist, and what their `data` contains. They are the same for every account."),
    ("destinations", "Receivers: URLs that get signed requests, with their settings, health and secrets."),
    ("subscriptions", "Which events go to which destination: by type, by place, and by content."),
    ("setups", "Creates a destination and a subscription to it in one call."),
    (
        "configuration",
        "All destinations and subscriptions as one document, which can be kept in a file and uploaded again.",
    ),
    ("events", "The events that were published, with the deliveries they owe; and publishing over HTTPS."),
    ("deliveries", "What happened to one event at one destination, attempt by attempt."),
    (
        "ledger",
        "Which events were accepted, which deliveries they owe, and what happened to those. Every number comes with what it counts.",
    ),
    ("jobs", "Work that takes longer than a request."),
    ("scopes", "The connections, tables and insights that events came from."),
    ("page sessions", "Opening the customers' page with a link."),
    (
        "operator",
        "The platform's own operations: accounts, API keys, links to the page, and rejected events. Requests are signed with AWS credentials.",
    ),
    ("document", "This document."),
    ("webhooks", "The requests that destinations get."),
];

/// The parts of the document that apply to the whole API; the router adds its operations.
pub fn document() -> OpenApi {
    let api_key = HttpBuilder::new().scheme(HttpAuthScheme::Bearer).bearer_format("whk_<account>.<key>.<secret>");
    let api_key = api_key.description(Some("An API key of an account. The check of a key is cached for 60 s."));
    let mut signature = ApiKeyValue::with_description(
        "Authorization",
        "AWS Signature Version 4, service `execute-api`, by credentials that have `execute-api:Invoke` on the route.",
    );
    let signed = [("x-amazon-apigateway-authtype", "awsSigv4")];
    signature.extensions = Some(signed.into_iter().collect());
    let mut schemas = [schemas::words(), choices::choices()].concat();
    schemas.push((problem::Body::name().into_owned(), problem_schema()));
    problem::Body::schemas(&mut schemas);
    config::Progress::schemas(&mut schemas);
    let components = ComponentsBuilder::new()
        .schemas_from_iter(schemas)
        .security_scheme("api_key", SecurityScheme::Http(api_key.build()))
        .security_scheme("aws_signature", SecurityScheme::ApiKey(ApiKey::Header(signature)));
    OpenApiBuilder::new()
        .info(info())
        .components(Some(components.build()))
        .tags(Some(TAGS.map(|(name, description)| TagBuilder::new().name(name).description(Some(description)).build())))
        .security(Some([SecurityRequirement::new("api_key", Vec::<String>::new())]))
        .build()
}

/// The schema of a problem, with the extension members that resources add.
fn problem_schema() -> RefOr<Schema> {
    let mut problem = problem::Body::schema();
    if let (RefOr::T(Schema::Object(problem)), RefOr::T(Schema::Object(members))) =
        (&mut problem, config::Progress::schema())
    {
        problem.properties.extend(members.properties);
    }
    problem
}

fn info() -> Info {
    let licence = LicenseBuilder::new().name(env!("CARGO_PKG_LICENSE")).identifier(Some(env!("CARGO_PKG_LICENSE")));
    let info = InfoBuilder::new().title("SyncHub Webhooks").version(env!("CARGO_PKG_VERSION"));
    info.description(Some(DESCRIPTION)).license(Some(licence.build())).build()
}

/// The document as it is served. The first request finishes it, not the start of the function, so it does not slow
/// down a cold start. Later requests only fill in the address of the API.
pub struct Served {
    operations: OpenApi,
    /// The text before and after the address; `None` if the document could not be built.
    finished: OnceLock<Option<[String; 2]>>,
}

/// A placeholder for the address in the finished text.
const ADDRESS: &str = "{address}";

impl Served {
    pub fn new(operations: OpenApi) -> Self {
        Self { operations, finished: OnceLock::new() }
    }

    fn finished(&self) -> Option<&[String; 2]> {
        let finish = || {
            let document = complete(self.operations.clone(), ADDRESS);
            let document = document.inspect_err(|error| {
                tracing::error!(error = %ErrorChain(error), "the OpenAPI document could not be built");
            });
            let text = document.ok()?.to_string();
            text.split_once(&json!(ADDRESS).to_string()).map(|(before, after)| [before, after].map(str::to_owned))
        };
        self.finished.get_or_init(finish).as_ref()
    }
}

/// The finished document for an API served at `server`. It can fail only in serialization, or if the catalogue is wrong.
fn complete(mut operations: OpenApi, server: &str) -> Result<Value, serde_json::Error> {
    responses::complete(&mut operations);
    let mut document = serde_json::to_value(operations)?;
    document["servers"] = json!([{ "url": server }]);
    generators::smooth(&mut document);
    bodies::complete(&mut document)?;
    webhooks::add(&mut document)?;
    Ok(document)
}

/// Read the OpenAPI document
///
/// Returns this document. It needs no credentials and is the same for everybody.
#[utoipa::path(
    get,
    path = "/v1/openapi.json",
    operation_id = "read_openapi",
    tag = "document",
    security(()),
    responses((status = 200, description = "An OpenAPI 3.1 document.", body = Object))
)]
pub async fn read(
    Extension(served): Extension<Arc<Served>>,
    State(deps): State<Arc<Deps>>,
    request: Request,
) -> Result<Response, Problem> {
    let failed = || Problem::new(Code::InternalError, "the request failed on our side");
    let [before, after] = served.finished().ok_or_else(failed)?;
    let server = deps.public_url.clone().unwrap_or_else(|| server(&request));
    let text = [before, json!(server).to_string().as_str(), after].concat();
    Ok(([(header::CONTENT_TYPE, "application/json")], text).into_response())
}

/// The address at which API Gateway was called. If there is none, it is `/`, which means where the document was read.
fn server(request: &Request) -> String {
    let context = request.extensions().get::<RequestContext>();
    let host = context.and_then(|context| match context {
        RequestContext::ApiGatewayV2(context) => context.domain_name.clone(),
        _ => None,
    });
    let scheme = request.headers().get("x-forwarded-proto").and_then(|value| value.to_str().ok());
    host.map_or_else(|| "/".to_owned(), |host| format!("{}://{host}", scheme.unwrap_or("https")))
}
