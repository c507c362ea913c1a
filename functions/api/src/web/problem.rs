//! Errors as RFC 9457 problems: a stable `code` for programs, a `detail` for people, and pointers to what has to be
//! corrected.
//!
//! Invariant: no problem repeats anything that looks like one of our secrets, or any long text (tests:
//! `what_looks_like_a_secret_is_repeated_by_no_answer`, `what_is_long_is_repeated_by_no_answer`).

use std::borrow::Cow;
use std::collections::BTreeMap;

use axum::extract::Request;
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use domain::value::{bounded, without_secrets};
use http::{HeaderValue, StatusCode, header};
use lambda_http::request::RequestContext;
use ports::PortError;
use runtime::telemetry::ErrorChain;
use serde::Serialize;
use serde_json::value::{RawValue, to_raw_value};
use utoipa::ToSchema;

use super::done::Done;

/// The media type of a problem.
pub const MEDIA_TYPE: &str = "application/problem+json";

/// The codes of problems. Programs may rely on them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, ToSchema)]
#[schema(as = ProblemCode)]
#[serde(rename_all = "snake_case")]
pub enum Code {
    MalformedJson,
    MalformedYaml,
    InvalidParameter,
    Unauthorized,
    Forbidden,
    NotFound,
    MethodNotAllowed,
    AccountExists,
    NameTaken,
    LimitReached,
    IdReused,
    DestinationInUse,
    TooManySecrets,
    DocumentTooLarge,
    DestinationDeleted,
    DeliveryEnded,
    RecoveryUnderWay,
    ReplayUnderWay,
    RequestUnderWay,
    PreconditionFailed,
    LinkUsed,
    LinkExpired,
    EventForgotten,
    BodyTooLarge,
    UnsupportedMediaType,
    ValidationFailed,
    BlockedAddress,
    IdempotencyKeyReused,
    RateLimited,
    InternalError,
    Unavailable,
}

impl Code {
    fn status(self) -> StatusCode {
        match self {
            Code::MalformedJson | Code::MalformedYaml | Code::InvalidParameter => StatusCode::BAD_REQUEST,
            Code::Unauthorized => StatusCode::UNAUTHORIZED,
            Code::Forbidden => StatusCode::FORBIDDEN,
            Code::NotFound => StatusCode::NOT_FOUND,
            Code::MethodNotAllowed => StatusCode::METHOD_NOT_ALLOWED,
            Code::AccountExists
            | Code::NameTaken
            | Code::LimitReached
            | Code::DestinationInUse
            | Code::IdReused
            | Code::TooManySecrets
            | Code::DocumentTooLarge
            | Code::DestinationDeleted
            | Code::DeliveryEnded
            | Code::RecoveryUnderWay
            | Code::ReplayUnderWay
            | Code::RequestUnderWay => StatusCode::CONFLICT,
            Code::PreconditionFailed => StatusCode::PRECONDITION_FAILED,
            Code::LinkUsed | Code::LinkExpired | Code::EventForgotten => StatusCode::GONE,
            Code::BodyTooLarge => StatusCode::PAYLOAD_TOO_LARGE,
            Code::UnsupportedMediaType => StatusCode::UNSUPPORTED_MEDIA_TYPE,
            Code::ValidationFailed | Code::BlockedAddress | Code::IdempotencyKeyReused => {
                StatusCode::UNPROCESSABLE_ENTITY
            }
            Code::RateLimited => StatusCode::TOO_MANY_REQUESTS,
            Code::InternalError => StatusCode::INTERNAL_SERVER_ERROR,
            Code::Unavailable => StatusCode::SERVICE_UNAVAILABLE,
        }
    }
}

/// One thing to correct.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct Fault {
    /// A JSON pointer into the body; empty if the whole body is meant.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = String, example = "/url")]
    pub pointer: Option<String>,
    /// The name of a query parameter, or of a header.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = String, example = "limit")]
    pub parameter: Option<Cow<'static, str>>,
    /// What is wrong with it, for people.
    pub detail: String,
}

#[derive(Debug, Clone)]
pub struct Problem {
    code: Code,
    detail: String,
    errors: Vec<Fault>,
    members: Members,
    /// After how many seconds the request can be tried again.
    retry_after: Option<u64>,
    /// Whether the request changed something before it failed.
    after_changes: bool,
}

/// A text as it is shown: long parts are shortened, and our secrets are removed.
fn told(text: String) -> String {
    bounded(without_secrets(&text).into_owned())
}

/// Extension members by name (RFC 9457 §3.2), each as JSON.
type Members = BTreeMap<&'static str, Box<RawValue>>;

impl Problem {
    pub fn new(code: Code, detail: impl Into<String>) -> Self {
        let retry_after = matches!(code, Code::Unavailable | Code::RequestUnderWay).then_some(1);
        let (errors, members) = (Vec::new(), Members::new());
        Self { code, detail: told(detail.into()), errors, members, retry_after, after_changes: false }
    }

    /// The account has spent its budget and may try again after `seconds`.
    pub fn rate_limited(detail: impl Into<String>, seconds: u64) -> Self {
        Self { retry_after: Some(seconds), ..Self::new(Code::RateLimited, detail) }
    }

    /// A problem with the part of the body at `pointer`.
    pub fn at(code: Code, pointer: &str, detail: impl Into<String>) -> Self {
        let (pointer, detail) = (without_secrets(pointer), told(detail.into()));
        let fault = Fault { pointer: Some(pointer.clone().into_owned()), parameter: None, detail: detail.clone() };
        let place = if pointer.is_empty() { "the body" } else { &pointer };
        Self { errors: vec![fault], detail: format!("{place}: {detail}"), ..Self::new(code, "") }
    }

    /// A problem with a query parameter or a header.
    pub fn parameter(name: impl Into<Cow<'static, str>>, detail: impl Into<String>) -> Self {
        let name = match name.into() {
            Cow::Owned(name) => Cow::Owned(told(name)),
            known => known,
        };
        let detail = told(detail.into());
        let fault = Fault { pointer: None, parameter: Some(name.clone()), detail: detail.clone() };
        Self { errors: vec![fault], detail: format!("{name}: {detail}"), ..Self::new(Code::InvalidParameter, "") }
    }

    pub fn code(&self) -> Code {
        self.code
    }

    /// What happened and what to do, for people.
    pub fn detail(&self) -> &str {
        &self.detail
    }

    /// The same problem with an extension member. Describe each new member in the OpenAPI document.
    pub fn with(mut self, name: &'static str, value: &impl Serialize) -> Self {
        match to_raw_value(value) {
            Ok(value) => {
                self.members.insert(name, value);
            }
            Err(error) => tracing::error!(error = %ErrorChain(&error), "a member of a problem could not be serialized"),
        }
        self
    }

    /// The same problem, which also points at everything that `other` points at. It keeps its own detail.
    pub fn and(mut self, other: Problem) -> Self {
        for fault in other.errors {
            let is_here = |one: &Fault| one.pointer == fault.pointer && one.parameter == fault.parameter;
            if !self.errors.iter().any(is_here) {
                self.errors.push(fault);
            }
        }
        self
    }

    /// The places in the body that it points at.
    #[cfg(test)]
    pub fn pointers(&self) -> impl Iterator<Item = &str> {
        self.errors.iter().filter_map(|fault| fault.pointer.as_deref())
    }

    /// The parameters that it names.
    #[cfg(test)]
    pub fn parameters(&self) -> impl Iterator<Item = &str> {
        self.errors.iter().filter_map(|fault| fault.parameter.as_deref())
    }

    /// The same problem, marked as that of a request that changed something before it failed.
    pub fn after_changes(self) -> Self {
        Self { after_changes: true, ..self }
    }

    /// The same problem, as that of one step among several; `after` is appended to its detail.
    pub fn in_step(mut self, step: &str, after: &str) -> Self {
        self.detail = format!("step {step}: {}{after}", self.detail);
        self
    }

    /// The same problem, as that of a part at `pointer` in a larger body.
    pub fn under(mut self, pointer: &str) -> Self {
        let pointed = self.errors.iter_mut().filter_map(|fault| fault.pointer.as_mut());
        pointed.for_each(|below| below.insert_str(0, pointer));
        if let [Fault { pointer: Some(pointer), detail, .. }, ..] = self.errors.as_slice() {
            self.detail = format!("{pointer}: {detail}");
        }
        self
    }
}

impl From<PortError> for Problem {
    /// Logs the error, once. The caller is told only whether trying again helps.
    fn from(error: PortError) -> Self {
        tracing::error!(error = %ErrorChain(&error), "a request failed");
        match error {
            PortError::Transient { .. } => Self::new(Code::Unavailable, "the request failed for the moment; try again"),
            PortError::Permanent { .. } => Self::new(Code::InternalError, "the request failed on our side"),
        }
    }
}

impl IntoResponse for Problem {
    fn into_response(self) -> Response {
        let mut response = self.code.status().into_response();
        if self.after_changes {
            response.extensions_mut().insert(Done::Something);
        }
        response.extensions_mut().insert(self);
        response
    }
}

/// An error: an RFC 9457 problem. Programs may rely on `code`.
#[derive(Serialize, ToSchema)]
#[schema(as = Problem)]
pub struct Body<'a> {
    /// Always `about:blank`; use `code` instead.
    #[serde(rename = "type")]
    problem_type: &'static str,
    /// The status in words.
    title: &'static str,
    /// The status of the response.
    #[schema(minimum = 400, maximum = 599)]
    status: u16,
    code: Code,
    /// What happened and what to do, for people.
    detail: &'a str,
    /// What to correct. It is missing if the problem concerns no particular field or parameter.
    #[serde(skip_serializing_if = "<[_]>::is_empty")]
    #[schema(required = false)]
    errors: &'a [Fault],
    #[serde(flatten)]
    #[schema(ignore)]
    members: &'a Members,
    /// API Gateway's id of the request.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = String, required = false)]
    request_id: Option<&'a str>,
}

/// Middleware that writes the body of every problem, with the id of the request.
pub async fn render(request: Request, next: Next) -> Response {
    let context = request.extensions().get::<RequestContext>();
    let request_id = context.and_then(|context| match context {
        RequestContext::ApiGatewayV2(context) => context.request_id.clone(),
        _ => None,
    });
    let mut response = next.run(request).await;
    response.headers_mut().insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    let Some(problem) = response.extensions_mut().remove::<Problem>() else { return response };
    let status = problem.code.status();
    let body = Body {
        problem_type: "about:blank",
        title: status.canonical_reason().unwrap_or("Error"),
        status: status.as_u16(),
        code: problem.code,
        detail: &problem.detail,
        errors: &problem.errors,
        members: &problem.members,
        request_id: request_id.as_deref(),
    };
    let mut rendered = (status, axum::Json(body)).into_response();
    let headers = rendered.headers_mut();
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static(MEDIA_TYPE));
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    if let Some(seconds) = problem.retry_after {
        headers.insert(header::RETRY_AFTER, HeaderValue::from(seconds));
    }
    rendered
}
