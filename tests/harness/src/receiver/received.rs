//! A request that arrived at a receiver, and what a Standard Webhooks library says about its signature.
//!
//! Nothing else is checked here: tests say which headers and which body are right.

use axum::body::Bytes;
use http::HeaderMap;
use serde_json::Value;
use standardwebhooks::Webhook;
use time::OffsetDateTime;

/// A request as it arrived.
#[derive(Debug, Clone)]
pub struct Received {
    /// The path, with the query if there was one.
    pub path: String,
    pub headers: HeaderMap,
    pub body: Bytes,
    pub arrived_at: OffsetDateTime,
    /// Whether a secret registered for the path verifies the signature, or why none does.
    pub verified: Result<(), String>,
    /// The status of the answer; `None` if the connection was closed instead.
    pub answered: Option<u16>,
}

impl Received {
    /// The text of a header; empty if it is missing.
    pub fn header(&self, name: &str) -> &str {
        self.headers.get(name).and_then(|value| value.to_str().ok()).unwrap_or_default()
    }

    /// The header `webhook-id`, which is the same for every attempt of a delivery.
    pub fn delivery_id(&self) -> &str {
        self.header("webhook-id")
    }

    /// The header `webhook-attempt`, counted from 1; 0 if it is missing or not a number.
    pub fn attempt(&self) -> u32 {
        self.header("webhook-attempt").parse().unwrap_or_default()
    }

    /// The body as JSON; `null` if it is something else.
    pub fn json(&self) -> Value {
        serde_json::from_slice(&self.body).unwrap_or_default()
    }

    /// The id of the event that the request is about; empty if the body has none.
    pub fn event_id(&self) -> String {
        self.json()["id"].as_str().unwrap_or_default().to_owned()
    }

    /// One line that identifies the request.
    pub fn summary(&self) -> String {
        let verified =
            self.verified.as_ref().map_or_else(|reason| format!("not verified: {reason}"), |()| "verified".into());
        format!("{} {} attempt {} at {} ({verified})", self.path, self.event_id(), self.attempt(), self.arrived_at)
    }
}

/// Verifies a request with each of the secrets until one matches.
pub(super) fn verify(secrets: &[String], headers: &HeaderMap, body: &[u8]) -> Result<(), String> {
    let mut reason = "no secret is registered for this path".to_owned();
    for secret in secrets {
        match Webhook::new(secret).and_then(|webhook| webhook.verify(body, headers)) {
            Ok(()) => return Ok(()),
            Err(error) => reason = error.to_string(),
        }
    }
    Err(reason)
}
