//! A message instead of a page.

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
    /// Where to go on: a path, and the words of the link.
    next: Option<(&'a str, &'a str)>,
}

pub fn message(status: StatusCode, title: &str, detail: &str, next: Option<(&str, &str)>) -> Response {
    match (Message { shell: Shell::of_nobody(title), detail, next }).render() {
        Ok(text) => (status, Html(text)).into_response(),
        Err(_) => (StatusCode::INTERNAL_SERVER_ERROR, title.to_owned()).into_response(),
    }
}
