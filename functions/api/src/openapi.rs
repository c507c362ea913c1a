//! The OpenAPI 3.1 document, `GET /v1/openapi.json`: made of the operations that the router serves, so that what is served and
//! what is described cannot differ. It is the same for everybody, and the only answer that needs no credentials.
//!
//! What a handler says of itself is in its `#[utoipa::path]`; the domain's words are in `schemas`, shared answers in `responses`.

use std::sync::Arc;

use axum::extract::Request;
use axum::response::{IntoResponse, Response};
use axum::{Extension, Json as Answer};
use lambda_http::request::RequestContext;
use utoipa::PartialSchema;
use utoipa::openapi::security::{
    ApiKey, ApiKeyValue, HttpAuthScheme, HttpBuilder, SecurityRequirement, SecurityScheme,
};
use utoipa::openapi::{ComponentsBuilder, Info, InfoBuilder, LicenseBuilder, OpenApi, OpenApiBuilder, Server};

use crate::{problem, responses, schemas};

/// Operations under this path are the operator's, signed with AWS credentials. All others take an account's API key.
pub const SIGNED_PATHS: &str = "/admin/";

const DESCRIPTION: &str = "\
Configures who hears of which data-sync events: destinations are URLs that receive signed requests, subscriptions say which \
events they receive.

An account's API key says whose things a request is about; what belongs to another account answers like what does not exist. \
Errors are RFC 9457 problems with a stable `code`; `webhooks` describes the requests that a destination receives.

Limits: a body has at most 256 KiB, a page 1–100 items; 100 requests a second over all callers (bursts of 200).";

/// What the document says of the whole API; the router adds its operations.
pub fn document() -> OpenApi {
    let api_key = HttpBuilder::new().scheme(HttpAuthScheme::Bearer).bearer_format("whk_<account>.<key>.<secret>");
    let api_key = api_key.description(Some("An API key of an account. The answer about a key is cached for 60 s."));
    let mut signature = ApiKeyValue::with_description(
        "Authorization",
        "AWS Signature Version 4, service `execute-api`, by credentials that have `execute-api:Invoke` on the route.",
    );
    let signed = [("x-amazon-apigateway-authtype", "awsSigv4")];
    signature.extensions = Some(signed.into_iter().collect());
    let components = ComponentsBuilder::new()
        .schemas_from_iter(schemas::words())
        .schema("Problem", problem::Body::schema())
        .security_scheme("api_key", SecurityScheme::Http(api_key.build()))
        .security_scheme("aws_signature", SecurityScheme::ApiKey(ApiKey::Header(signature)));
    OpenApiBuilder::new()
        .info(info())
        .components(Some(components.build()))
        .security(Some([SecurityRequirement::new("api_key", Vec::<String>::new())]))
        .build()
}

fn info() -> Info {
    let licence = LicenseBuilder::new().name(env!("CARGO_PKG_LICENSE")).identifier(Some(env!("CARGO_PKG_LICENSE")));
    let info = InfoBuilder::new().title("SyncHub Webhooks").version(env!("CARGO_PKG_VERSION"));
    info.description(Some(DESCRIPTION)).license(Some(licence.build())).build()
}

/// The document, complete but for the address that it is read from.
pub struct Document(OpenApi);

impl Document {
    /// The document of a router's operations.
    pub fn complete(mut operations: OpenApi) -> Self {
        responses::complete(&mut operations);
        Self(operations)
    }

    /// The document as it is answered, for an API served at `server`.
    pub fn served_at(&self, server: String) -> OpenApi {
        let mut document = self.0.clone();
        document.servers = Some(vec![Server::new(server)]);
        document
    }
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
pub async fn read(Extension(document): Extension<Arc<Document>>, request: Request) -> Response {
    Answer(document.served_at(server(&request))).into_response()
}

/// Where API Gateway says that it was called; `/`, which is wherever the document came from, where it says nothing.
fn server(request: &Request) -> String {
    let context = request.extensions().get::<RequestContext>();
    let host = context.and_then(|context| match context {
        RequestContext::ApiGatewayV2(context) => context.domain_name.clone(),
        _ => None,
    });
    let scheme = request.headers().get("x-forwarded-proto").and_then(|value| value.to_str().ok());
    host.map_or_else(|| "/".to_owned(), |host| format!("{}://{host}", scheme.unwrap_or("https")))
}
