//! The pages, one file or folder for each section. A page gets data from the API and hands it to a template.
//!
//! Invariant: every page is accessible as far as axe-core can tell, in both themes and at 360 px (tests:
//! `every_page_is_accessible_in_both_themes`).
//!
//! Invariant: a page does not take longer because the account is large: with 1,000 destinations and 100,000 deliveries
//! it takes at most twice what it takes with 25 and 4,000, or 3 ms more (checked by `make bench ONLY=pages`).

pub mod deliveries;
pub mod destinations;
pub mod entry;
pub mod events;
pub mod ledger;
pub mod sessions;
pub mod subscriptions;
pub mod wizard;

use axum::extract::Path;
use axum::response::{IntoResponse, Response};
use domain::access::Permission;
use http::{HeaderValue, StatusCode, header};

use crate::markup::assets;
use crate::markup::message::message;
use crate::web::render;
use crate::web::visitor::Visitor;

/// The start page: redirects to the first section that the visitor can work with.
pub async fn home(visitor: Visitor) -> Response {
    render::see(if visitor.may(Permission::Configure) { "/destinations" } else { "/deliveries" })
}

pub async fn no_such_page() -> Response {
    let (title, detail) = ("There is nothing here", "There is no page at this address.");
    message(StatusCode::NOT_FOUND, title, detail, Some(("/", "Go to the start page")))
}

/// Answers a `GET` to an address that only takes forms, for example when somebody reloads the page after a refused
/// form.
pub async fn nothing_to_see() -> Response {
    let (title, detail) = ("There is no page here", "This address only accepts forms, and nothing was done.");
    message(StatusCode::METHOD_NOT_ALLOWED, title, detail, Some(("/", "Go to the start page")))
}

/// Serves the stylesheet, the script or the logo.
pub async fn asset(Path(name): Path<String>) -> Response {
    let Some(asset) = assets::find(&name) else {
        return message(StatusCode::NOT_FOUND, "There is nothing here", "Reload the page you came from.", None);
    };
    let headers = [
        (header::CONTENT_TYPE, HeaderValue::from_static(asset.media_type)),
        (header::CACHE_CONTROL, HeaderValue::from_static("public, max-age=31536000, immutable")),
    ];
    (headers, asset.content).into_response()
}
