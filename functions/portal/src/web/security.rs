//! What the browser is told to refuse, and which requests are refused here: those that another site makes it send.

use axum::extract::{Request, State};
use axum::middleware::Next;
use axum::response::Response;
use http::{HeaderValue, StatusCode, header};

use crate::markup::message::message;

const POLICY: &str = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; \
                      form-action 'self'; base-uri 'none'";

#[derive(Clone)]
pub struct Headers {
    policy: HeaderValue,
    framed: bool,
}

impl Headers {
    /// `frame_ancestors`: the origins that may show the page in a frame, separated by spaces; none if empty.
    pub fn new(frame_ancestors: &str) -> Self {
        let framed = !frame_ancestors.is_empty();
        let ancestors = if framed { frame_ancestors } else { "'none'" };
        let policy = HeaderValue::from_str(&format!("{POLICY}; frame-ancestors {ancestors}"));
        Self { policy: policy.unwrap_or(HeaderValue::from_static(POLICY)), framed }
    }
}

pub async fn add_headers(State(ours): State<Headers>, request: Request, next: Next) -> Response {
    let mut response = next.run(request).await;
    let headers = response.headers_mut();
    headers.insert(header::CONTENT_SECURITY_POLICY, ours.policy);
    headers.insert(header::X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    // `no-referrer` would make browsers send `Origin: null` with our own forms.
    headers.insert(header::REFERRER_POLICY, HeaderValue::from_static("same-origin"));
    headers.insert(header::STRICT_TRANSPORT_SECURITY, HeaderValue::from_static("max-age=31536000"));
    if !ours.framed {
        headers.insert(header::X_FRAME_OPTIONS, HeaderValue::from_static("DENY"));
    }
    // What an account has is for nobody's cache.
    headers.entry(header::CACHE_CONTROL).or_insert(HeaderValue::from_static("no-store"));
    response
}

/// What changes something has to come from a page of ours: browsers say in `origin` where a form was, and no page can forge it.
pub async fn same_origin(request: Request, next: Next) -> Response {
    if request.method().is_safe() || is_ours(&request) {
        return next.run(request).await;
    }
    let detail = "The request came from another site. Open the page itself, and try again there.";
    message(StatusCode::FORBIDDEN, "This was refused", detail, None)
}

fn is_ours(request: &Request) -> bool {
    let text = |name| request.headers().get(name).and_then(|value| value.to_str().ok());
    let (Some(origin), Some(host)) = (text(header::ORIGIN), text(header::HOST)) else { return false };
    origin.split_once("://").is_some_and(|(_, from)| from.eq_ignore_ascii_case(host))
}
