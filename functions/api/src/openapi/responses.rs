//! The responses that handlers do not document themselves: those of API Gateway, of the extractors and of a failing port.
//! They are added to every operation here, depending on what the operation accepts.
//!
//! A handler documents only its successes and its own problems: `(status = 409, description = "`account_exists`: …")`.
//! The body of a problem is added here.

use utoipa::openapi::header::Header;
use utoipa::openapi::path::{Operation, ParameterIn};
use utoipa::openapi::security::SecurityRequirement;
use utoipa::openapi::{Content, ObjectBuilder, OpenApi, PathItem, Ref, RefOr, Response, ResponseBuilder, Type};
use utoipa::{IntoParams, PartialSchema, ToSchema};

use super::SIGNED_PATHS;
use crate::web::idempotency::{self, KeyHeader};
use crate::web::problem::MEDIA_TYPE;

/// The body of a response that API Gateway gives by itself.
#[derive(ToSchema)]
#[expect(dead_code, reason = "a schema: API Gateway makes the value")]
pub struct GatewayMessage {
    /// A text for people. Programs must not depend on it.
    #[schema(example = "Forbidden")]
    message: String,
}

const MALFORMED: &str = "`malformed_json`: the body is not JSON, or something follows it.";
const BAD_PARAMETER: &str = "`invalid_parameter`: a query parameter or a header is wrong; `errors` names it.";
const UNKNOWN: &str = "`not_found`: it does not exist, or it belongs to another account. API Gateway returns this status for a path that it cannot accept.";
const TOO_LARGE: &str = "`body_too_large`: the body has more than 256 KiB.";
const MEDIA: &str = "`unsupported_media_type`: the operation does not accept the body's `content-type`.";
const INVALID: &str = "`validation_failed`: a field is missing, unknown or wrong; `errors` points at it.";
const NO_KEY: &str = "API Gateway refuses a request without an `Authorization` header.";
const REFUSED_KEY: &str =
    "API Gateway refuses a key that it does not know; `forbidden`: the key's role does not allow this.";
const UNSIGNED: &str = "API Gateway refuses a request that is not signed, or whose credentials lack the permission.";
const SPENT: &str = "`rate_limited`: the account has spent its budget; try again after `retry-after` seconds. API Gateway \
    refuses requests over the limit that all callers share.";
const THROTTLED: &str = "API Gateway refuses requests over the limit that all callers share; try again later.";
const UNDER_WAY: &str = "`request_under_way`: the same request is being carried out under this `Idempotency-Key`; try again after `retry-after` seconds.";
const REUSED: &str = "`idempotency_key_reused`: a different request was sent under this `Idempotency-Key`.";
const AFTER_SECONDS: &str = "How many seconds to wait before trying again.";
const AFTER_SPENDING: &str =
    "How many seconds to wait before trying again; missing if API Gateway refused the request.";
const FAILED: &str = "`internal_error`: the request failed on our side; trying again does not help.";
const UNAVAILABLE: &str = "`unavailable`: the request failed for the moment; try again after `retry-after` seconds.";

fn content(schema: &str) -> Content {
    Content::new(Some(Ref::from_schema_name(schema)))
}

fn problem(description: &str) -> Response {
    ResponseBuilder::new().description(description).content(MEDIA_TYPE, content("Problem")).build()
}

fn gateway(description: &str) -> Response {
    ResponseBuilder::new().description(description).content("application/json", content("GatewayMessage")).build()
}

/// A response that either the API or API Gateway gives.
fn either(description: &str) -> Response {
    let mut response = problem(description);
    response.content.insert("application/json".to_owned(), content("GatewayMessage").into());
    response
}

/// The header that says when to try again.
fn retry_after(description: &str) -> RefOr<Header> {
    let mut header = Header::new(ObjectBuilder::new().schema_type(Type::Integer).minimum(Some(1)));
    header.description = Some(description.to_owned());
    RefOr::T(header)
}

/// Adds the shared responses to every operation of the document.
pub fn complete(document: &mut OpenApi) {
    let components = document.components.get_or_insert_default();
    components.schemas.insert("GatewayMessage".to_owned(), GatewayMessage::schema());
    for (path, item) in &mut document.paths.paths {
        let PathItem { get, put, post, patch, delete, .. } = item;
        if let Some(post) = post.as_mut().filter(|_| idempotency::takes_key(path)) {
            takes_key(post);
        }
        for operation in [get, put, post, patch, delete].into_iter().flatten() {
            complete_operation(path, operation);
        }
    }
}

/// Describes that the operation accepts an `Idempotency-Key`.
fn takes_key(operation: &mut Operation) {
    let header = KeyHeader::into_params(|| None).into_iter().map(RefOr::T);
    operation.parameters.get_or_insert_default().extend(header);
    for (status, said) in [("409", UNDER_WAY), ("422", REUSED)] {
        match operation.responses.responses.get_mut(status) {
            Some(RefOr::T(response)) => response.description.extend([" ", said]),
            _ if status == "422" && operation.request_body.is_some() => {
                let response = problem(&format!("{INVALID} {REUSED}"));
                operation.responses.responses.insert(status.to_owned(), RefOr::T(response));
            }
            _ => {
                operation.responses.responses.insert(status.to_owned(), RefOr::T(problem(said)));
            }
        }
    }
}

fn complete_operation(path: &str, operation: &mut Operation) {
    if path.starts_with(SIGNED_PATHS) {
        operation.security = Some(vec![SecurityRequirement::new("aws_signature", Vec::<String>::new())]);
    }
    for (status, response) in &mut operation.responses.responses {
        if let RefOr::T(response) = response
            && status.as_str() >= "400"
            && response.content.is_empty()
        {
            response.content.insert(MEDIA_TYPE.to_owned(), content("Problem").into());
        }
    }
    for (status, response) in shared_answers(path, operation) {
        operation.responses.responses.entry(status.to_owned()).or_insert(RefOr::T(response));
    }
    for (status, said) in [("429", AFTER_SPENDING), ("503", AFTER_SECONDS)] {
        if let Some(RefOr::T(response)) = operation.responses.responses.get_mut(status) {
            response.headers.insert("retry-after".to_owned(), retry_after(said));
        }
    }
}

fn shared_answers(path: &str, operation: &Operation) -> Vec<(&'static str, Response)> {
    let metered = operation.security.is_none() && !path.starts_with(SIGNED_PATHS);
    let too_many = if metered { either(SPENT) } else { gateway(THROTTLED) };
    let mut answers = vec![("429", too_many), ("500", problem(FAILED)), ("503", problem(UNAVAILABLE))];
    let takes = |place: ParameterIn| {
        let mut parameters = operation.parameters.iter().flatten();
        parameters.any(|each| matches!(each, RefOr::T(parameter) if parameter.parameter_in == place))
    };
    match (takes(ParameterIn::Query) || takes(ParameterIn::Header), operation.request_body.is_some()) {
        (true, true) => answers.push(("400", problem(&format!("{MALFORMED} {BAD_PARAMETER}")))),
        (true, false) => answers.push(("400", problem(BAD_PARAMETER))),
        (false, true) => answers.push(("400", problem(MALFORMED))),
        (false, false) => {}
    }
    if operation.request_body.is_some() {
        answers.extend([("413", problem(TOO_LARGE)), ("415", problem(MEDIA)), ("422", problem(INVALID))]);
    }
    if takes(ParameterIn::Path) {
        answers.push(("404", either(UNKNOWN)));
    }
    if path.starts_with(SIGNED_PATHS) {
        answers.push(("403", gateway(UNSIGNED)));
    } else if operation.security.is_none() {
        answers.extend([("401", gateway(NO_KEY)), ("403", either(REFUSED_KEY))]);
    }
    answers
}
