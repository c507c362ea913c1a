//! A page that shows only a message, for example an error.

use askama::Template;
use axum::response::{Html, IntoResponse, Response};
use http::StatusCode;

use crate::markup::icons;
use crate::markup::shell::Shell;

#[derive(Template)]
#[template(path = "message.html")]
struct Message<'a> {
    shell: Shell,
    detail: &'a str,
    /// A link that leads on: its path and its text.
    next: Option<(&'a str, &'a str)>,
}

/// `next` is a link that leads on: its path and its text.
pub fn message(status: StatusCode, title: &str, detail: &str, next: Option<(&str, &str)>) -> Response {
    match (Message { shell: Shell::of_nobody(title), detail, next }).render() {
        Ok(text) => (status, Html(text)).into_response(),
        Err(_) => (StatusCode::INTERNAL_SERVER_ERROR, title.to_owned()).into_response(),
    }
}
