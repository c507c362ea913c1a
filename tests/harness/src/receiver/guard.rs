//! Receivers that check a request before they answer it: one verifies it with a Standard Webhooks library, two leave
//! out a part of that, as some real receivers do.
//!
//! A request that the guard refuses is answered with 401, every other one as the receiver was told.

use http::HeaderMap;
use standardwebhooks::Webhook;
use time::OffsetDateTime;

use super::received::verify;

/// How far a timestamp may be off, in seconds. The library has the same tolerance.
const TOLERANCE: u64 = 300;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Guard {
    /// Leaves everything to the library.
    Verifies,
    /// Checks the signature but not its age, so that a recorded request can be sent again.
    SkipsTimestamp,
    /// Checks the timestamp but not the signature, so that anybody can send requests.
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

/// Whether one of the signatures was made with this secret. The library makes the one to compare with.
fn is_signed(secret: &str, headers: &HeaderMap, body: &[u8]) -> bool {
    let (Some(id), Some(timestamp)) = (text(headers, "webhook-id"), timestamp(headers)) else { return false };
    let expected = Webhook::new(secret).and_then(|webhook| webhook.sign(id, timestamp, body));
    let given = text(headers, "webhook-signature").unwrap_or_default();
    expected.is_ok_and(|expected| given.split(' ').any(|each| each == expected))
}
