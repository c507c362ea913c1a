//! Corrects what the conversion of API Gateway's events to HTTP requests would lose silently: one cookie that no header
//! can carry would drop all cookies, and the path is normalized, so the path that was sent would be lost. A query that is no
//! part of a URL would even end the invocation.
//!
//! Invariant: no event of API Gateway ends the invocation (tests: `what_no_url_can_carry_is_encoded_and_not_a_panic`, and the
//! fuzz target `request`).

use axum::Router;
use axum::extract::Request;
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use http::{HeaderName, HeaderValue};
use lambda_http::request::LambdaRequest;
use lambda_http::{Adapter, Error, LambdaEvent, RequestExt, lambda_runtime};
use percent_encoding::{AsciiSet, CONTROLS, percent_decode_str, utf8_percent_encode};
use tower::ServiceExt;

use crate::web::problem::{Code, Problem};

/// Serves a router on Lambda.
///
/// # Errors
/// If the runtime of Lambda cannot be reached.
pub async fn run(router: Router) -> Result<(), Error> {
    let readable = |event: LambdaEvent<LambdaRequest>| LambdaEvent { payload: readable(event.payload), ..event };
    lambda_runtime::run(Adapter::from(router).map_request(readable)).await
}

/// What a query cannot contain as it is, besides everything that is not ASCII.
const NOT_IN_QUERIES: &AsciiSet = &CONTROLS.add(b' ').add(b'"').add(b'#').add(b'<').add(b'>');

/// An event as the conversion can read it. Cookies that no header can carry are dropped: because of one of them, all would be.
/// In the query, characters that no URL can carry are encoded. A scheme that is none is dropped.
pub fn readable(mut event: LambdaRequest) -> LambdaRequest {
    if let LambdaRequest::ApiGatewayV2(request) = &mut event {
        request.cookies.iter_mut().for_each(|cookies| cookies.retain(|cookie| HeaderValue::from_str(cookie).is_ok()));
        if let Some(query) = &mut request.raw_query_string {
            *query = utf8_percent_encode(query, NOT_IN_QUERIES).to_string();
        }
        let scheme = HeaderName::from_static("x-forwarded-proto");
        if request.headers.get(&scheme).is_some_and(|scheme| scheme != "https" && scheme != "http") {
            request.headers.remove(scheme);
        }
    }
    event
}

/// Middleware that returns 404 if the path that was sent is not normalized, such as `/v1/x/../y`. API Gateway chose the
/// route by the path as it was sent.
pub async fn only_as_sent(request: Request, next: Next) -> Response {
    if is_as_sent(&request) {
        return next.run(request).await;
    }
    Problem::new(Code::NotFound, "there is no such resource").into_response()
}

/// Whether the path of a request is the one that was sent, except for percent-encoding and the name of a stage before it.
pub fn is_as_sent(request: &Request) -> bool {
    let (path, sent) = (percent_decode_str(request.uri().path()), percent_decode_str(request.raw_http_path()));
    path.collect::<Vec<_>>().ends_with(&sent.collect::<Vec<_>>())
}

#[cfg(test)]
mod tests {
    use lambda_http::http;
    use serde_json::{Value, json};

    use super::*;

    fn converted(change: impl FnOnce(&mut Value)) -> http::Request<lambda_http::Body> {
        let sample = include_str!("../../../../events/api-create-destination.json");
        let mut event: Value = serde_json::from_str(sample).expect("a sample");
        change(&mut event);
        let event = serde_json::from_str::<LambdaRequest>(&event.to_string()).expect("an event");
        readable(event).into()
    }

    #[test]
    fn a_cookie_that_no_header_can_carry_is_passed_over() {
        let request = converted(|event| event["cookies"] = json!(["n=é", "a=b", "c=\u{7}", "__Host-synchub=x"]));
        assert_eq!(request.headers()["cookie"].as_bytes(), "n=é; a=b; __Host-synchub=x".as_bytes());
        let none = converted(|event| event["cookies"] = json!(["c=\u{7}"]));
        assert!(none.headers()["cookie"].is_empty());
    }

    #[track_caller]
    fn check_query(sent: &str, expected: &str) {
        let request = converted(|event| event["rawQueryString"] = json!(sent));
        assert_eq!(request.uri().query(), Some(expected), "{sent:?}");
    }

    #[test]
    fn what_no_url_can_carry_is_encoded_and_not_a_panic() {
        check_query("a=b&c=%20+é", "a=b&c=%20+%C3%A9");
        check_query("a=<b>&c=\"d\" e\u{7f}\t", "a=%3Cb%3E&c=%22d%22%20e%7F%09");
        check_query("a=#b", "a=%23b");
        check_query("a={}|\\^`[]'%zz?/:@", "a={}|\\^`[]'%zz?/:@");
        for scheme in ["", "a b", "://", "javascript", "é", "http,https"] {
            let request = converted(|event| event["headers"]["x-forwarded-proto"] = json!(scheme));
            assert_eq!(request.uri().scheme_str(), Some("https"), "{scheme:?}");
        }
    }

    #[track_caller]
    fn check(sent: &str, expected: bool) {
        let request = converted(|event| event["rawPath"] = json!(sent)).map(axum::body::Body::new);
        assert_eq!(is_as_sent(&request), expected, "{sent:?} became {}", request.uri());
    }

    #[test]
    fn a_path_that_normalizes_to_another_one_is_told() {
        for sent in [
            "/",
            "/v1/destinations",
            "/v1/a b",
            "/v1/a%20b",
            "/v1/é",
            "/v1/%C3%A9",
            "/v1/a%2Fb",
            "/v1//a",
            "/v1/...",
            "/v1/%2561",
        ] {
            check(sent, true);
        }
        for sent in [
            "/v1/x/../destinations",
            "/v1/./a",
            "/v1/%2e%2E/admin/v1/accounts",
            "/v1/..",
            "/v1\\destinations",
            "/v1/a\tb",
            "/v1/a\n",
            "/v1/events#x",
            "/v1/events?x",
        ] {
            check(sent, false);
        }
    }
}
