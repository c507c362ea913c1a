//! Receivers that look at a request before they answer it: one that verifies with a Standard Webhooks library, and two that
//! leave out a part of it, as receivers in the wild do.
//!
//! What a guard does not let in is answered 401; what it lets in, as the receiver was told to answer.

use http::HeaderMap;
use standardwebhooks::Webhook;
use time::OffsetDateTime;

use super::received::verify;

/// How far a timestamp may be off, in seconds: what the library allows for.
const TOLERANCE: u64 = 300;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Guard {
    /// Leaves everything to the library.
    Verifies,
    /// Checks the signature and not how old it is: what was recorded can be sent again.
    SkipsTimestamp,
    /// Checks the timestamp and not the signature: anybody can write one.
    SkipsSignature,
}

impl Guard {
    pub(super) fn lets_in(self, secrets: &[String], headers: &HeaderMap, body: &[u8]) -> bool {
        match self {
            Guard::Verifies => verify(secrets, headers, body).is_ok(),
            Guard::SkipsTimestamp => secrets.iter().any(|secret| is_signed(secret, headers, body)),
            Guard::SkipsSignature => {
                let now = OffsetDateTime::now_utc().unix_timestamp();
                timestamp(headers).is_some_and(|timestamp| now.abs_diff(timestamp) <= TOLERANCE)
            }
        }
    }
}

fn text<'h>(headers: &'h HeaderMap, name: &str) -> Option<&'h str> {
    headers.get(name).and_then(|value| value.to_str().ok())
}

fn timestamp(headers: &HeaderMap) -> Option<i64> {
    text(headers, "webhook-timestamp")?.parse().ok()
}

/// Whether one of the signatures is this secret's, by the library's own signing.
fn is_signed(secret: &str, headers: &HeaderMap, body: &[u8]) -> bool {
    let (Some(id), Some(timestamp)) = (text(headers, "webhook-id"), timestamp(headers)) else { return false };
    let expected = Webhook::new(secret).and_then(|webhook| webhook.sign(id, timestamp, body));
    let given = text(headers, "webhook-signature").unwrap_or_default();
    expected.is_ok_and(|expected| given.split(' ').any(|each| each == expected))
}
