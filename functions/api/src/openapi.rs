//! The OpenAPI 3.1 document, `GET /v1/openapi.json`. It is built from the operations that the router serves, so the API
//! and its description cannot differ. It is the same for everybody and needs no credentials.
//!
//! A handler describes itself in its `#[utoipa::path]`; the domain's words are in `schemas`, and shared answers in
//! `responses`.
//!
//! Invariant: every route is in the document, and `docs/api.md` lists exactly its operations (tests:
//! `no_other_route_is_served_that_is_not_described`, `the_page_lists_the_operations_of_the_document`).
//!
//! Invariant: the document is valid, and the API answers what it says (tests:
//! `an_independent_validator_finds_no_fault_in_the_document`, on the deployed stack
//! `a_property_based_tester_finds_no_fault_in_the_api`).
//!
//! Invariant: three routes are open: this document, `POST /v1/sessions`, which takes a link, and the page's `$default`,
//! which asks for its own cookie (tests: `nothing_but_the_document_and_a_link_is_open`, `routes_are_closed`).

mod responses;
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
use utoipa::openapi::{ComponentsBuilder, Info, InfoBuilder, LicenseBuilder, OpenApi, OpenApiBuilder, RefOr, Schema};
use utoipa::{PartialSchema, ToSchema};

use crate::resources::config;
use crate::web::problem::{self, Code, Problem};
use crate::web::{Deps, choices, schemas};

/// Operations under this path belong to the operator and are signed with AWS credentials. All others take an account's
/// API key.
pub const SIGNED_PATHS: &str = "/admin/";

const DESCRIPTION: &str = "\
Configures who hears of which data-sync events: destinations are URLs that receive signed requests, subscriptions say which \
events they receive.

An account's API key says whose things a request is about; what belongs to another account answers like what does not exist. \
Errors are RFC 9457 problems with a stable `code`; `webhooks` describes the requests that a destination receives.

Limits: a body has at most 256 KiB, a page 1–100 items; 100 requests a second over all callers (bursts of 200).";

/// The parts of the document that concern the whole API; the router adds its operations.
pub fn document() -> OpenApi {
    let api_key = HttpBuilder::new().scheme(HttpAuthScheme::Bearer).bearer_format("whk_<account>.<key>.<secret>");
    let api_key = api_key.description(Some("An API key of an account. The answer about a key is cached for 60 s."));
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

/// The document as it is served. It is finished by the first request and not when the function starts, so it does not slow
/// down a cold start; later requests only fill in where the API is served.
pub struct Served {
    operations: OpenApi,
    /// The text before and after the address; none if it could not be made.
    finished: OnceLock<Option<[String; 2]>>,
}

/// It stands for the address in the finished text.
const ADDRESS: &str = "{address}";

impl Served {
    pub fn new(operations: OpenApi) -> Self {
        Self { operations, finished: OnceLock::new() }
    }

    fn finished(&self) -> Option<&[String; 2]> {
        let finish = || {
            let document = complete(self.operations.clone(), ADDRESS);
            let document = document.inspect_err(|error| {
                tracing::error!(error = %ErrorChain(error), "the OpenAPI document could not be made");
            });
            let text = document.ok()?.to_string();
            text.split_once(&json!(ADDRESS).to_string()).map(|(before, after)| [before, after].map(str::to_owned))
        };
        self.finished.get_or_init(finish).as_ref()
    }
}

/// The finished document for an API served at `server`. It can only fail in serialization, or if the catalogue is wrong.
fn complete(mut operations: OpenApi, server: &str) -> Result<Value, serde_json::Error> {
    responses::complete(&mut operations);
    let mut document = serde_json::to_value(operations)?;
    document["servers"] = json!([{ "url": server }]);
    webhooks::add(&mut document)?;
    Ok(document)
}

/// Read the OpenAPI document
///
/// This document. It needs no credentials, and is the same for everybody.
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
    let failed = || Problem::new(Code::InternalError, "this failed on our side");
    let [before, after] = served.finished().ok_or_else(failed)?;
    let server = deps.public_url.clone().unwrap_or_else(|| server(&request));
    let text = [before, json!(server).to_string().as_str(), after].concat();
    Ok(([(header::CONTENT_TYPE, "application/json")], text).into_response())
}

/// The address at which API Gateway was called. Without one it is `/`: wherever the document came from.
fn server(request: &Request) -> String {
    let context = request.extensions().get::<RequestContext>();
    let host = context.and_then(|context| match context {
        RequestContext::ApiGatewayV2(context) => context.domain_name.clone(),
        _ => None,
    });
    let scheme = request.headers().get("x-forwarded-proto").and_then(|value| value.to_str().ok());
    host.map_or_else(|| "/".to_owned(), |host| format!("{}://{host}", scheme.unwrap_or("https")))
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;
    use std::io::Write;
    use std::path::Path;
    use std::process::{Command, Stdio};

    use super::*;

    fn finished() -> Value {
        complete(crate::router::operations().to_openapi(), "https://api.example").expect("a document")
    }

    /// Every operation of the document by its name, such as `GET /v1/destinations`.
    fn described(section: &str) -> Vec<(String, Value)> {
        let document = finished();
        let paths = document[section].as_object().expect("paths");
        let operations = paths.iter().flat_map(|(path, item)| {
            let methods = item.as_object().expect("operations");
            methods
                .iter()
                .map(move |(method, operation)| (format!("{} {path}", method.to_uppercase()), operation.clone()))
        });
        operations.collect()
    }

    #[test]
    fn an_independent_validator_finds_no_fault_in_the_document() {
        let python = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../.venv/schemathesis/bin/python");
        let mut validator = Command::new(&python);
        validator.args(["-m", "openapi_spec_validator", "--schema", "3.1.0", "-"]);
        let validator = validator.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn();
        let mut validator = validator.expect("tools/bootstrap.sh installs the validator; run `make bootstrap`");
        validator.stdin.take().expect("a pipe").write_all(finished().to_string().as_bytes()).expect("written");
        let output = validator.wait_with_output().expect("an end");
        // After its findings it repeats the whole document.
        let said = [output.stdout, output.stderr].concat();
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&said[..said.len().min(500)]));
    }

    #[test]
    fn the_document_is_finished_once() {
        let served = Served::new(crate::router::operations().to_openapi());
        let text = served.finished().expect("a document");
        assert_eq!(text.concat().matches(ADDRESS).count(), 0);
        assert!(std::ptr::eq(text, served.finished().expect("a document")));
    }

    #[test]
    fn no_other_route_is_served_that_is_not_described() {
        let plain = include_str!("router.rs").lines().find(|line| line.trim().starts_with(".route("));
        assert_eq!(plain, None, "add it with `.routes(routes!(…))`");
    }

    #[test]
    fn the_page_lists_the_operations_of_the_document() {
        let page = include_str!("../../../docs/api.md");
        let rows = page.lines().filter_map(|line| Some(line.strip_prefix("| [`")?.split_once('`')?.0.to_owned()));
        assert_eq!(
            rows.collect::<BTreeSet<_>>(),
            described("paths").into_iter().map(|(operation, _)| operation).collect()
        );
    }

    #[test]
    fn the_page_lists_the_codes_of_problems() {
        let page = include_str!("../../../docs/api.md");
        let rows = page.lines().filter_map(|line| line.strip_prefix("| `")?.split_once("` | "));
        let rows = rows.filter(|(_, rest)| rest.starts_with(|c: char| c.is_ascii_digit()));
        let listed = rows.map(|(code, _)| json!(code).to_string()).collect::<BTreeSet<_>>();
        let codes = finished()["components"]["schemas"]["ProblemCode"]["enum"].take();
        let codes = codes.as_array().expect("an enum").iter().map(ToString::to_string);
        assert_eq!(listed, codes.collect());
    }

    #[test]
    fn everything_has_a_name_a_summary_and_a_tag() {
        let mut ids = BTreeSet::new();
        for (operation, said) in described("paths").into_iter().chain(described("webhooks")) {
            for field in ["summary", "description"] {
                assert!(said[field].as_str().is_some_and(|text| !text.is_empty()), "{operation} has no {field}");
            }
            assert!(said["tags"][0].is_string(), "{operation} has no tag");
            let id = said["operationId"].as_str().expect("an id").to_owned();
            assert!(ids.insert(id.clone()), "two operations are called {id}");
        }
        for (name, schema) in finished()["components"]["schemas"].as_object().expect("schemas") {
            assert!(schema["description"].is_string() || schema["allOf"].is_array(), "{name} has no description");
        }
    }

    #[test]
    fn nothing_but_the_document_and_a_link_is_open() {
        let open = described("paths").into_iter().filter(|(_, said)| said["security"] == json!([{}]));
        let open = open.map(|(operation, _)| operation).collect::<Vec<_>>();
        assert_eq!(open, ["GET /v1/openapi.json", "POST /v1/sessions"]);
    }

    #[test]
    fn every_event_type_has_a_webhook_with_a_sample_for_each_status() {
        let webhooks = finished()["webhooks"].take();
        for event_type in domain::event::EventType::all() {
            let body = &webhooks[event_type.as_str()]["post"]["requestBody"]["content"]["application/json"];
            assert_eq!(body["schema"]["properties"]["type"]["const"], event_type.as_str());
            for status in event_type.statuses() {
                assert_eq!(body["examples"][status]["value"]["data"]["status"], status);
            }
        }
    }
}
