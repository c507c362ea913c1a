//! A destination as the API answers it.

use domain::destination::health::drained_per_second;
use domain::value::Timestamp;
use serde::Deserialize;
use serde_json::{Map, Value};

use crate::markup::address::segment;

#[derive(Debug, Deserialize)]
pub struct Destination {
    pub id: String,
    pub name: String,
    pub url: String,
    pub description: String,
    pub headers: Map<String, Value>,
    pub enabled: bool,
    pub timeout_seconds: u64,
    pub rate_limit: Option<u64>,
    pub retry_policy: Value,
    pub health: String,
    pub failing_since: Option<Timestamp>,
    pub next_probe_at: Option<Timestamp>,
    pub disabled_reason: Option<String>,
    pub draining: bool,
    pub secrets: Vec<Secret>,
    pub created_at: Timestamp,
}

/// A valid secret, which nothing shows any more.
#[derive(Debug, Deserialize)]
pub struct Secret {
    pub fingerprint: String,
    pub created_at: Timestamp,
    pub expires_at: Option<Timestamp>,
}

/// Where a destination's page is, and what lies below it.
pub fn path(id: &str) -> String {
    format!("/destinations/{}", segment(id))
}

/// Where the API has it.
pub fn at(id: &str) -> String {
    format!("/v1/destinations/{}", segment(id))
}

impl Destination {
    /// What a badge says of it.
    pub fn state(&self) -> &str {
        if self.health == "healthy" && self.draining { "draining" } else { &self.health }
    }

    /// How many a second are sent of what was set aside, at most.
    pub fn drained_per_second(&self) -> u64 {
        drained_per_second(self.rate_limit)
    }

    /// Whether resuming helps.
    pub fn may_be_resumed(&self) -> bool {
        self.health != "healthy"
    }

    pub fn header_lines(&self) -> Vec<String> {
        self.headers.iter().map(|(name, value)| format!("{name}: {}", value.as_str().unwrap_or_default())).collect()
    }
}
