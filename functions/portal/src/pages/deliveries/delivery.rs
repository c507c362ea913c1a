//! A delivery, as the API answers it.

use domain::destination::DeliveryPath;
use domain::event::{EventType, Scope};
use domain::value::{DeliveryId, DestinationId, EventId, Timestamp};
use serde::Deserialize;

#[derive(Deserialize)]
pub struct Delivery {
    pub id: DeliveryId,
    pub event_id: EventId,
    #[serde(rename = "type")]
    pub event_type: EventType,
    pub scope: Option<Scope>,
    pub destination_id: DestinationId,
    pub path: Option<DeliveryPath>,
    pub status: String,
    pub due_at: Option<Timestamp>,
    pub attempt_count: u32,
    pub attempts: Vec<Attempt>,
}

#[derive(Deserialize)]
pub struct Attempt {
    pub number: u32,
    pub at: Timestamp,
    pub duration_ms: u64,
    pub outcome: String,
    pub status_code: Option<u16>,
    pub error: Option<String>,
    pub retry_after_s: Option<u64>,
    pub response_excerpt: Option<String>,
}
