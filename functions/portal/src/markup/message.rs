//! A page that shows only a message, for example an error.

use askama::Template;
use axum::response::{Html, IntoResponse, Response};
use http::StatusCode;

use crate::markup::icons;
use crate::markup::shell::Shell;

/// What such a page says. A response carries it, so that the page can be rendered again with the navigation around it.
#[derive(Debug, Clone)]
pub struct Message {
    status: StatusCode,
    title: String,
    detail: String,
    /// A link that leads on: its path and its text.
    next: Option<(&'static str, &'static str)>,
}

#[derive(Template)]
#[template(path = "message.html")]
struct Page<'a> {
    shell: Shell,
    message: &'a Message,
}

impl Message {
    /// The page, within this shell. The title is the message's.
    pub fn page(&self, shell: Shell) -> Response {
        let shell = Shell { title: self.title.clone(), ..shell };
        match (Page { shell, message: self }).render() {
            Ok(text) => (self.status, Html(text)).into_response(),
            Err(_) => (StatusCode::INTERNAL_SERVER_ERROR, self.title.clone()).into_response(),
        }
    }
}

/// `next` is a link that leads on: its path and its text.
pub fn message(status: StatusCode, title: &str, detail: &str, next: Option<(&'static str, &'static str)>) -> Response {
    let message = Message { status, title: title.to_owned(), detail: detail.to_owned(), next };
    let mut response = message.page(Shell::of_nobody(""));
    response.extensions_mut().insert(message);
    response
}
