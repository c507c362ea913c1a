//! The page as a browser requests it: with a cookie, and the page's own forms. Every page is recorded as it is.

use std::fmt::Write as _;

use axum::body::Body;
use http::Request;
use tower::ServiceExt;
use url::form_urlencoded::Serializer;

use crate::answers::{Answer, lines, read};
use crate::world::World;

/// A visitor with or without a cookie.
pub struct Visitor<'w> {
    world: &'w World,
    account: &'static str,
    cookie: String,
    pub pages: String,
}

impl<'w> Visitor<'w> {
    pub fn of(world: &'w World, account: &'static str) -> Self {
        Self { world, account, cookie: String::new(), pages: String::new() }
    }

    pub async fn get(&mut self, path: &str) -> Answer {
        let request = Request::get(path).header("cookie", &self.cookie).header("sec-fetch-site", "same-origin");
        self.ask(path, request.body(Body::empty()).expect("a request")).await
    }

    /// Sends a form of a page that this visitor has.
    pub async fn post(&mut self, path: &str, fields: &[(&str, &str)]) -> Answer {
        let form = Serializer::new(String::new()).extend_pairs(fields).finish();
        let sender = if self.cookie.is_empty() { String::new() } else { format!("?account={}", self.account) };
        let request = Request::post(format!("{path}{sender}"))
            .header("cookie", &self.cookie)
            .header("host", "page.example")
            .header("origin", "https://page.example")
            .header("content-type", "application/x-www-form-urlencoded");
        self.ask(path, request.body(Body::from(form)).expect("a request")).await
    }

    /// Sends a form as another site would make the browser send it.
    pub async fn post_from_elsewhere(&mut self, path: &str) -> Answer {
        let request = Request::post(path).header("cookie", &self.cookie).header("origin", "https://evil.example");
        self.ask(path, request.body(Body::empty()).expect("a request")).await
    }

    /// Opens a link, and keeps the cookie.
    pub async fn open(&mut self, link: &str) {
        let opened = self.post("/open", &[("token", link)]).await;
        let cookie = opened.headers["set-cookie"].to_str().expect("text");
        cookie.split(';').next().unwrap_or_default().clone_into(&mut self.cookie);
    }

    async fn ask(&mut self, path: &str, request: Request<Body>) -> Answer {
        let method = request.method().clone();
        let answer = read(self.world.portal.clone().oneshot(request).await.expect("an answer")).await;
        let headers = lines(&answer.headers).join("\n");
        let asset = path.starts_with("/assets/") && answer.status == 200;
        // An asset's name contains the digest of its content.
        let text = if asset { format!("{} bytes", answer.text.len()) } else { answer.text.clone() };
        let text = if path.starts_with("/configure/test") { without_duration(&text) } else { text };
        let title = "=".repeat(40);
        let _ = writeln!(self.pages, "{title} {method} {path}\n{}\n{headers}\n\n{text}\n", answer.status);
        answer
    }
}

/// A test payload is timed by the real clock.
fn without_duration(page: &str) -> String {
    let Some((before, after)) = page.split_once(" ms</span>") else { return page.to_owned() };
    format!("{}… ms</span>{after}", before.trim_end_matches(|c: char| c.is_ascii_digit()))
}

/// The value of a hidden field.
pub fn hidden(page: &Answer, name: &str) -> String {
    let field = page.text.split_once(&format!("name=\"{name}\" value=\""));
    let (value, _) = field.and_then(|(_, rest)| rest.split_once('"')).expect("the field");
    value.replace("&#34;", "\"")
}
