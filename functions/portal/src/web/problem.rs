//! The problems (RFC 9457) that the API answers with, as far as pages use them.

use http::StatusCode;
use serde::Deserialize;

#[derive(Debug, Clone, Deserialize)]
pub struct Problem {
    pub status: u16,
    pub code: String,
    pub detail: String,
    #[serde(default)]
    pub errors: Vec<Fault>,
}

/// One fault in a request: where it is, and what is wrong.
#[derive(Debug, Clone, Deserialize)]
pub struct Fault {
    pub pointer: Option<String>,
    pub parameter: Option<String>,
    pub detail: String,
}

impl Problem {
    pub fn status(&self) -> StatusCode {
        StatusCode::from_u16(self.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR)
    }

    /// The first fault at a JSON pointer into the body, or below it.
    pub fn at(&self, pointer: &str) -> Option<&str> {
        let below =
            |found: &str| found.strip_prefix(pointer).is_some_and(|rest| rest.is_empty() || rest.starts_with('/'));
        let fault = self.errors.iter().find(|fault| fault.pointer.as_deref().is_some_and(below))?;
        Some(&fault.detail)
    }
}
