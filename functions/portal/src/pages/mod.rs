//! The pages, a file for each section. Each takes what the API answers and hands it to a template.

pub mod deliveries;
pub mod destinations;
pub mod entry;
pub mod events;
pub mod ledger;
mod listing;
mod named;
mod shown;
pub mod subscriptions;
pub mod wizard;

use axum::response::Response;
use domain::access::Permission;
use http::StatusCode;

use crate::render;
use crate::visitor::Visitor;

/// Where who comes without a path goes on.
pub async fn home(visitor: Visitor) -> Response {
    render::see(if visitor.may(Permission::Configure) { "/destinations" } else { "/deliveries" })
}

pub async fn no_such_page() -> Response {
    let (title, detail) = ("There is nothing here", "The address leads nowhere.");
    render::message(StatusCode::NOT_FOUND, title, detail, Some(("/", "To the start")))
}

/// For addresses that only take forms, such as when somebody reloads what a form was refused with.
pub async fn nothing_to_see() -> Response {
    let (title, detail) = ("There is nothing to see here", "This address only takes forms, and nothing was done.");
    render::message(StatusCode::METHOD_NOT_ALLOWED, title, detail, Some(("/", "To the start")))
}
