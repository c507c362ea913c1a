//! The fields of a query or a form, in order. A name can occur several times, for example with check boxes.

use std::convert::Infallible;

use axum::body::to_bytes;
use axum::extract::{FromRequest, FromRequestParts, Request};
use axum::response::Response;
use http::request::Parts;
use http::{StatusCode, Uri};
use url::form_urlencoded;

use crate::markup::message::message;

/// The largest form, in bytes. It is larger than any field that the API accepts.
pub const MAX_FORM: usize = 64 * 1024;

#[derive(Debug, Clone, Default)]
pub struct Fields(Vec<(String, String)>);

impl Fields {
    pub fn parse(text: &[u8]) -> Self {
        Self(form_urlencoded::parse(text).into_owned().collect())
    }

    /// The query of an address.
    pub fn of(uri: &Uri) -> Self {
        Self::parse(uri.query().unwrap_or_default().as_bytes())
    }

    /// The trimmed value of the first field of this name, or an empty string if there is none.
    pub fn get(&self, name: &str) -> &str {
        self.0.iter().find(|(found, _)| found == name).map_or("", |(_, value)| value.trim())
    }

    /// Like [`Fields::get`], but `None` for an empty value.
    pub fn some(&self, name: &str) -> Option<&str> {
        Some(self.get(name)).filter(|value| !value.is_empty())
    }

    /// All values of this name, untrimmed.
    pub fn all<'a>(&'a self, name: &'a str) -> impl Iterator<Item = &'a str> {
        self.0.iter().filter(move |(found, _)| found == name).map(|(_, value)| value.as_str())
    }

    pub fn has(&self, name: &str, value: &str) -> bool {
        self.all(name).any(|found| found == value)
    }

    /// Replaces all values of this name by one.
    pub fn set(&mut self, name: &str, value: &str) {
        self.0.retain(|(found, _)| found != name);
        self.0.push((name.to_owned(), value.to_owned()));
    }

    /// Takes out all fields of this name.
    pub fn remove(&mut self, name: &str) {
        self.0.retain(|(found, _)| found != name);
    }

    /// Leaves only the fields of these names.
    pub fn keep(&mut self, names: &[&str]) {
        self.0.retain(|(found, _)| names.contains(&found.as_str()));
    }

    pub fn is_there(&self, name: &str) -> bool {
        self.0.iter().any(|(found, _)| found == name)
    }

    pub fn pairs(&self) -> impl Iterator<Item = (&str, &str)> {
        self.0.iter().map(|(name, value)| (name.as_str(), value.as_str()))
    }
}

/// Extracts the query of a request.
pub struct Query(pub Fields);

impl<S: Send + Sync> FromRequestParts<S> for Query {
    type Rejection = Infallible;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Infallible> {
        Ok(Self(Fields::of(&parts.uri)))
    }
}

/// Extracts the form from the body of a request.
pub struct Form(pub Fields);

impl<S: Send + Sync> FromRequest<S> for Form {
    type Rejection = Response;

    async fn from_request(request: Request, _: &S) -> Result<Self, Self::Rejection> {
        match to_bytes(request.into_body(), MAX_FORM).await {
            Ok(bytes) => Ok(Self(Fields::parse(&bytes))),
            Err(_) => Err(too_long()),
        }
    }
}

/// The answer to a form over the limit.
pub fn too_long() -> Response {
    let detail = "A form may have up to 64 KiB. Go back and shorten what you typed.";
    message(StatusCode::PAYLOAD_TOO_LARGE, "This is too long", detail, None)
}
