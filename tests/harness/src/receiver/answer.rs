//! What a receiver can be told to answer.
//!
//! No answer depends on the request: a test sets the answers beforehand. Only a [`super::Guard`] looks at requests, and
//! decides whether one is accepted.

use std::time::Duration;

use http::{HeaderMap, HeaderName, HeaderValue};

/// One answer. `Answer::status(503).header("retry-after", "7")`.
#[derive(Debug, Clone)]
pub struct Answer {
    pub(super) status: u16,
    pub(super) headers: HeaderMap,
    pub(super) body: Vec<u8>,
    pub(super) delay: Duration,
    pub(super) sever: bool,
}

impl Answer {
    pub fn status(status: u16) -> Self {
        Self { status, headers: HeaderMap::new(), body: Vec::new(), delay: Duration::ZERO, sever: false }
    }

    /// Closes the connection instead of answering.
    pub fn close() -> Self {
        Self { sever: true, ..Self::status(200) }
    }

    #[must_use]
    #[expect(clippy::expect_used, reason = "a wrong header value is a mistake in a test and should end it")]
    pub fn header(mut self, name: &'static str, value: &str) -> Self {
        let value = HeaderValue::from_str(value).expect("a header value of a test");
        self.headers.insert(HeaderName::from_static(name), value);
        self
    }

    #[must_use]
    pub fn body(mut self, body: impl Into<Vec<u8>>) -> Self {
        self.body = body.into();
        self
    }

    /// Waits this long before it answers.
    #[must_use]
    pub fn after(mut self, delay: Duration) -> Self {
        self.delay = delay;
        self
    }
}
