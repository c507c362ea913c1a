//! What the API answers, as far as more than one page shows it. The API's document says what each field means.

use domain::value::Timestamp;
use serde::Deserialize;
use serde_json::{Map, Value};

/// A page of a list.
#[derive(Debug, Deserialize)]
pub struct Listed<T> {
    pub data: Vec<T>,
    pub next_cursor: Option<String>,
}

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

#[derive(Debug, Deserialize)]
pub struct Subscription {
    pub id: String,
    pub name: String,
    pub destination_id: String,
    pub event_types: Vec<String>,
    pub scope: String,
    pub condition: Option<Value>,
    pub transition: Option<String>,
    pub path: Option<String>,
    pub grace_seconds: u64,
    pub enabled: bool,
}
