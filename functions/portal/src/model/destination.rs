//! A destination, as the API answers it.

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
    pub paused: bool,
    pub timeout_seconds: u64,
    pub rate_limit: Option<u64>,
    pub retry_policy: Value,
    pub health: String,
    pub failing_since: Option<Timestamp>,
    pub next_probe_at: Option<Timestamp>,
    pub held_until: Option<Timestamp>,
    pub disabled_reason: Option<String>,
    pub draining: bool,
    pub secrets: Vec<Secret>,
    pub created_at: Timestamp,
}

/// A valid secret. Its value is never shown again.
#[derive(Debug, Deserialize)]
pub struct Secret {
    pub fingerprint: String,
    pub created_at: Timestamp,
    pub expires_at: Option<Timestamp>,
}

/// The path of a destination's page. The paths of its actions begin with it.
pub fn path(id: &str) -> String {
    format!("/destinations/{}", segment(id))
}

/// The path of a destination in the API.
pub fn at(id: &str) -> String {
    format!("/v1/destinations/{}", segment(id))
}

impl Destination {
    /// The texts of its badges: what its owner decided, and what its receiver made of it. Of a paused one that is healthy,
    /// only the first.
    pub fn states(&self) -> impl Iterator<Item = &str> {
        let of_receiver = match (self.health.as_str(), &self.held_until) {
            ("healthy", Some(_)) => Some("on hold"),
            ("healthy", None) if self.draining => Some("draining"),
            ("healthy", None) if self.paused => None,
            (health, _) => Some(health),
        };
        self.paused.then_some("paused").into_iter().chain(of_receiver)
    }

    /// Why nothing is sent to it now, if that is so.
    pub fn takes_nothing(&self) -> Option<&'static str> {
        match (self.health.as_str(), &self.held_until) {
            _ if self.paused => Some("It is paused"),
            ("failing", _) => Some("It is failing"),
            ("disabled", _) => Some("It is disabled"),
            (_, Some(_)) => Some("It asked to be left alone"),
            _ => None,
        }
    }

    /// Its place in a list, in which what needs somebody comes first: failing, disabled, on hold, all others. What is paused
    /// is so because its owner wants it.
    pub fn urgency(&self) -> u8 {
        match (self.health.as_str(), &self.held_until) {
            _ if self.paused => 3,
            ("failing", _) => 0,
            ("disabled", _) => 1,
            ("healthy", Some(_)) => 2,
            _ => 3,
        }
    }

    /// The greatest number of parked deliveries that are sent in a second.
    pub fn drained_per_second(&self) -> u64 {
        drained_per_second(self.rate_limit)
    }

    /// Whether to offer resuming it.
    pub fn may_be_resumed(&self) -> bool {
        self.paused || self.health != "healthy"
    }

    /// Its headers, each as `name: value`.
    pub fn header_lines(&self) -> Vec<String> {
        self.headers.iter().map(|(name, value)| format!("{name}: {}", value.as_str().unwrap_or_default())).collect()
    }
}
