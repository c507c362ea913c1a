//! The pages, a file for each section. Each takes what the API answers and hands it to a template.

pub mod deliveries;
pub mod destinations;
pub mod entry;
pub mod events;
pub mod ledger;
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

/// Where who comes without a path goes on.
pub async fn home(visitor: Visitor) -> Response {
    render::see(if visitor.may(Permission::Configure) { "/destinations" } else { "/deliveries" })
}

pub async fn no_such_page() -> Response {
    let (title, detail) = ("There is nothing here", "The address leads nowhere.");
    message(StatusCode::NOT_FOUND, title, detail, Some(("/", "To the start")))
}

/// For addresses that only take forms, such as when somebody reloads what a form was refused with.
pub async fn nothing_to_see() -> Response {
    let (title, detail) = ("There is nothing to see here", "This address only takes forms, and nothing was done.");
    message(StatusCode::METHOD_NOT_ALLOWED, title, detail, Some(("/", "To the start")))
}

/// The stylesheet, the script or the mark.
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
