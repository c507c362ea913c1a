//! Versions of a resource as entity tags (RFC 9110, `If-Match`).
//!
//! Invariant: nobody overwrites what somebody else just changed (tests:
//! `whoever_read_an_older_version_is_told_so_and_changes_nothing`, the contract suites `destinations` and
//! `subscriptions`).
//!
//! Invariant: an operation that changes something either checks `If-Match` or refuses it (tests:
//! `every_operation_looks_at_the_version_that_it_is_sent_or_refuses_it`).

use std::collections::BTreeSet;
use std::sync::Arc;

use axum::extract::{FromRequestParts, MatchedPath, Request, State};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use http::request::Parts;
use http::{HeaderValue, Method, header};
use utoipa::IntoParams;
use utoipa::openapi::OpenApi;

use crate::web::described;
use crate::web::problem::{Code, Problem};

/// The entity tag of a version.
pub fn etag(version: u64) -> HeaderValue {
    // Digits and quotes are always a valid header value.
    HeaderValue::from_str(&text(version)).unwrap_or(HeaderValue::from_static("\"\""))
}

fn text(version: u64) -> String {
    format!("\"v{version}\"")
}

/// The versions that the caller agrees to change; any version if it named none.
pub struct IfMatch(Option<String>);

/// Documents the header `If-Match`: `params(IfMatchHeader)`.
#[derive(IntoParams)]
#[into_params(parameter_in = Header)]
#[expect(dead_code, reason = "it describes what `IfMatch` reads, and is never a value")]
pub struct IfMatchHeader {
    /// The `etag` that was read: the change is refused if somebody has changed the resource since then.
    #[param(rename = "If-Match", example = "\"v1\"")]
    if_match: Option<String>,
}

impl<S: Send + Sync> FromRequestParts<S> for IfMatch {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Problem> {
        let mut all = Vec::new();
        for value in parts.headers.get_all(header::IF_MATCH) {
            let unreadable =
                |_| Problem::new(Code::InvalidParameter, "if-match: send the `etag` of the response that you read");
            all.push(value.to_str().map_err(unreadable)?);
        }
        Ok(Self((!all.is_empty()).then(|| all.join(","))))
    }
}

impl IfMatch {
    /// Whether the caller named any version.
    pub fn is_given(&self) -> bool {
        self.0.is_some()
    }

    /// Refuses a version that the caller did not name.
    pub fn check(&self, version: u64) -> Result<(), Problem> {
        self.check_any(&[text(version)])
    }

    /// Refuses a resource that has none of the tags that the caller named.
    pub fn check_any(&self, tags: &[String]) -> Result<(), Problem> {
        let Some(given) = &self.0 else { return Ok(()) };
        let matches = |tag: &str| tag == "*" || tags.iter().any(|known| known == tag);
        if given.split(',').map(str::trim).any(matches) { Ok(()) } else { Err(changed()) }
    }
}

/// The operations that change something and check no version, by method and path: those whose description has no
/// `If-Match`.
pub struct Unversioned(BTreeSet<(&'static str, String)>);

impl Unversioned {
    pub fn of(document: &OpenApi) -> Self {
        let changes = described::operations(document).filter(|(method, ..)| *method != "GET");
        let ignoring = changes.filter(|(.., operation)| {
            !described::parameters(operation).any(|parameter| parameter.name.eq_ignore_ascii_case("if-match"))
        });
        Self(ignoring.map(|(method, path, _)| (method, path.to_owned())).collect())
    }

    fn has(&self, method: &Method, path: &str) -> bool {
        self.0.iter().any(|(with, at)| *with == method.as_str() && at == path)
    }
}

/// Refuses `If-Match` where it would be ignored. Otherwise its sender would wrongly believe that no change of others can be
/// overwritten.
pub async fn refuse_ignored(State(unversioned): State<Arc<Unversioned>>, request: Request, next: Next) -> Response {
    let path = request.extensions().get::<MatchedPath>().map(MatchedPath::as_str);
    let ignored = path.is_some_and(|path| unversioned.has(request.method(), path));
    if ignored && request.headers().contains_key(header::IF_MATCH) {
        let detail = "if-match: this operation does not check versions; leave the header out";
        return Problem::new(Code::InvalidParameter, detail).into_response();
    }
    next.run(request).await
}

/// The problem of a resource that was changed since the caller read it.
pub fn changed() -> Problem {
    Problem::new(Code::PreconditionFailed, "it was changed since you read it; read it again, and send its new `etag`")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(given: Option<&str>, version: u64, fits: bool) {
        assert_eq!(IfMatch(given.map(str::to_owned)).check(version).is_ok(), fits, "{given:?} for {version}");
    }

    #[test]
    fn a_version_fits_when_it_is_named_or_nothing_is() {
        check(None, 7, true);
        check(Some("*"), 7, true);
        check(Some("\"v7\""), 7, true);
        check(Some("\"v6\", \"v7\""), 7, true);
        check(Some("\"v6\""), 7, false);
        check(Some("W/\"v7\""), 7, false);
        check(Some("v7"), 7, false);
        check(Some(""), 7, false);
    }
}
