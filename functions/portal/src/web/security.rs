//! Security headers, and the refusal of requests that come from another site.
//!
//! Invariant: what another site makes a browser send is refused, and only sites that were named may frame the page
//! (tests: `what_another_site_sends_is_refused`, `a_page_may_be_framed_by_nobody_or_by_who_was_named`).
//!
//! Invariant: nothing is asked of another origin, and the content security policy has nothing to refuse (checked by
//! `Browser::finish`, which ends each test of `tests/browser`).

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
    /// `frame_ancestors` lists the origins that may show the page in a frame, separated by spaces. If it is empty, none
    /// may.
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
    // With `no-referrer`, browsers would send `Origin: null` with our own forms.
    headers.insert(header::REFERRER_POLICY, HeaderValue::from_static("same-origin"));
    headers.insert(header::STRICT_TRANSPORT_SECURITY, HeaderValue::from_static("max-age=31536000"));
    if !ours.framed {
        headers.insert(header::X_FRAME_OPTIONS, HeaderValue::from_static("DENY"));
    }
    // Pages contain data of an account, so nothing may cache them.
    headers.entry(header::CACHE_CONTROL).or_insert(HeaderValue::from_static("no-store"));
    response
}

/// Refuses a request that changes something unless it comes from a page of ours. Browsers name the page's origin in the
/// `origin` header, and no page can forge it.
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
