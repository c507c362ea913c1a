//! A delivery, as the API answers it.

use domain::destination::DeliveryPath;
use domain::event::{EventType, Scope};
use domain::value::{DeliveryId, DestinationId, EventId, Timestamp, TraceParent, trace_parent};
use serde::Deserialize;

#[derive(Deserialize)]
pub struct Delivery {
    pub id: DeliveryId,
    pub event_id: EventId,
    pub event_type: EventType,
    pub scope: Option<Scope>,
    pub destination_id: DestinationId,
    pub path: Option<DeliveryPath>,
    pub status: String,
    pub waiting: Option<Waiting>,
    pub attempt_count: u32,
    #[serde(default, deserialize_with = "trace_parent::if_readable")]
    pub traceparent: Option<TraceParent>,
    pub attempts: Vec<Attempt>,
}

/// What a delivery waits for, and until when.
#[derive(Deserialize)]
pub struct Waiting {
    pub r#for: String,
    pub until: Option<Timestamp>,
}

impl Waiting {
    /// The same in words.
    pub fn words(&self) -> &str {
        match self.r#for.as_str() {
            "attempt" => "its attempt, which is due or under way",
            "retry" => "its next attempt",
            "turn" => "its turn under the rate limit of its destination",
            "destination_failing" if self.until.is_some() => "its destination, which is failing and is tried again",
            "destination_failing" => "its destination, which is failing",
            "destination_held" => "its destination, which asked to be left alone",
            "destination_paused" => "its destination, which is paused; resume that to have it sent",
            "destination_disabled" => "its destination, which is disabled; resume that to have it sent",
            "drain" => "its turn; its destination is back, and parked deliveries are being sent",
            other => other,
        }
    }
}

#[derive(Deserialize)]
pub struct Attempt {
    pub number: u32,
    pub at: Timestamp,
    pub duration_ms: u64,
    pub outcome: String,
    pub status_code: Option<u16>,
    pub error: Option<String>,
    pub retry_after_seconds: Option<u64>,
    pub response_excerpt: Option<String>,
    pub traceparent: Option<String>,
}
