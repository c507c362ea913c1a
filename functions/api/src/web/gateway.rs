//! Corrects what the conversion of API Gateway's events to HTTP requests would lose silently: one cookie that no header
//! can carry would drop all cookies, and the path is normalized, so the path that was sent would be lost.

use axum::Router;
use axum::extract::Request;
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use http::HeaderValue;
use lambda_http::request::LambdaRequest;
use lambda_http::{Adapter, Error, LambdaEvent, RequestExt, lambda_runtime};
use percent_encoding::percent_decode_str;
use tower::ServiceExt;

use crate::web::problem::{Code, Problem};

/// Serves a router on Lambda.
///
/// # Errors
/// If the runtime of Lambda cannot be reached.
pub async fn run(router: Router) -> Result<(), Error> {
    lambda_runtime::run(Adapter::from(router).map_request(with_readable_cookies)).await
}

/// Drops the cookies that no header can carry. Because of one of them, the conversion would drop all cookies.
fn with_readable_cookies(mut event: LambdaEvent<LambdaRequest>) -> LambdaEvent<LambdaRequest> {
    if let LambdaRequest::ApiGatewayV2(request) = &mut event.payload {
        request.cookies.iter_mut().for_each(|cookies| cookies.retain(|cookie| HeaderValue::from_str(cookie).is_ok()));
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
    use lambda_http::{Context, http};
    use serde_json::{Value, json};

    use super::*;

    fn converted(change: impl FnOnce(&mut Value)) -> http::Request<lambda_http::Body> {
        let sample = include_str!("../../../../events/api-create-destination.json");
        let mut event: Value = serde_json::from_str(sample).expect("a sample");
        change(&mut event);
        let event = serde_json::from_str::<LambdaRequest>(&event.to_string()).expect("an event");
        with_readable_cookies(LambdaEvent::new(event, Context::default())).payload.into()
    }

    #[test]
    fn a_cookie_that_no_header_can_carry_is_passed_over() {
        let request = converted(|event| event["cookies"] = json!(["n=é", "a=b", "c=\u{7}", "__Host-synchub=x"]));
        assert_eq!(request.headers()["cookie"].as_bytes(), "n=é; a=b; __Host-synchub=x".as_bytes());
        let none = converted(|event| event["cookies"] = json!(["c=\u{7}"]));
        assert!(none.headers()["cookie"].is_empty());
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
