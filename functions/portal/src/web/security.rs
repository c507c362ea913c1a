//! Security headers, and the refusal of requests that come from another site.
//!
//! Invariant: requests that another site makes a browser send are refused, and only configured sites may frame the page
//! (tests: `what_another_site_sends_is_refused`, `a_page_may_be_framed_by_nobody_or_by_who_was_named`).
//!
//! Invariant: a link from another site can fill in a place and event types, but not where events are sent (tests:
//! `a_link_from_elsewhere_fills_in_a_place_and_types_alone`).
//!
//! Invariant: no page sends a request to another origin or violates the content security policy (checked by
//! `Browser::finish`, which ends each test of `tests/browser`).

use std::convert::Infallible;
use std::sync::Arc;

use axum::extract::{FromRequestParts, Request, State};
use axum::middleware::Next;
use axum::response::Response;
use http::request::Parts;
use http::{HeaderValue, StatusCode, header};

use crate::markup::message::message;
use crate::web::origin::Origin;
use crate::web::portal::Portal;

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

/// Refuses a request that changes something unless it comes from a page of ours.
pub async fn same_origin(State(page): State<Origin>, request: Request, next: Next) -> Response {
    if request.method().is_safe() || page.sent(request.headers(), header::ORIGIN) {
        return next.run(request).await;
    }
    let detail = "The request came from another site. Open the page itself, and try again there.";
    message(StatusCode::FORBIDDEN, "This was refused", detail, None)
}

/// Whether the visitor did not come from a page of ours, but from another site, a mail or a chat, or by typing the address.
pub struct FromElsewhere(pub bool);

impl FromRequestParts<Arc<Portal>> for FromElsewhere {
    type Rejection = Infallible;

    async fn from_request_parts(parts: &mut Parts, portal: &Arc<Portal>) -> Result<Self, Infallible> {
        Ok(Self(!portal.origin.sent(&parts.headers, header::REFERER)))
    }
}
