//! Problems that the API answers with (RFC 9457).

use http::StatusCode;
use serde::Deserialize;

/// A problem that the API answered with.
#[derive(Debug, Clone, Deserialize)]
pub struct Problem {
    pub status: u16,
    pub code: String,
    pub detail: String,
    #[serde(default)]
    pub errors: Vec<Fault>,
}

/// One thing to mend.
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

    /// What is wrong with a field of the body, or of what lies below it.
    pub fn at(&self, pointer: &str) -> Option<&str> {
        let below =
            |found: &str| found.strip_prefix(pointer).is_some_and(|rest| rest.is_empty() || rest.starts_with('/'));
        let fault = self.errors.iter().find(|fault| fault.pointer.as_deref().is_some_and(below))?;
        Some(&fault.detail)
    }
}
