//! How a delivery is returned: in a list with a summary of its last attempt, alone with all attempts in full.

use domain::attempt::{Attempt, Outcome};
use domain::delivery::{Attempts, Delivery, DeliveryRecord, DeliveryState};
use domain::destination::DeliveryPath;
use domain::event::{EventType, Scope};
use domain::value::{DeliveryId, DestinationId, EventId, Timestamp, TraceParent};
use serde::Serialize;
use utoipa::ToSchema;

use super::waiting::{ReadDestinations, Waiting};
use crate::web::{choices, schemas};

/// The fields of a delivery that every response has.
#[derive(Serialize, ToSchema)]
#[schema(as = DeliveryFields)]
struct Fields {
    #[schema(value_type = schemas::DeliveryId)]
    id: DeliveryId,
    #[schema(value_type = schemas::EventId)]
    event_id: EventId,
    #[schema(value_type = schemas::EventType)]
    event_type: EventType,
    /// `null` for the oldest deliveries, which have none stored.
    #[schema(required, value_type = Option<schemas::Scope>)]
    scope: Option<Scope>,
    #[schema(value_type = schemas::DestinationId)]
    destination_id: DestinationId,
    #[schema(required, value_type = Option<schemas::DeliveryPath>)]
    path: Option<DeliveryPath>,
    status: choices::DeliveryStatus,
    /// When the next attempt is due, while the delivery is retrying.
    #[schema(required, value_type = Option<schemas::Timestamp>)]
    due_at: Option<Timestamp>,
    /// What the delivery waits for, and until when; `null` once it has ended.
    #[schema(required)]
    waiting: Option<Waiting>,
    attempt_count: u32,
}

impl Fields {
    fn new(record: DeliveryRecord, destinations: &ReadDestinations, now: Timestamp) -> (Self, Attempts) {
        let waiting = Waiting::of(&record, destinations, now);
        let state = record.state();
        let Delivery { id, event, event_type, scope, destination, path, account: _, traceparent: _ } = record.delivery;
        let due_at = if let DeliveryState::Retrying { due_at } = state { Some(due_at) } else { None };
        let fields = Self {
            id,
            event_id: event,
            event_type,
            scope,
            destination_id: destination,
            path,
            status: choices::DeliveryStatus::of(state),
            due_at,
            waiting,
            attempt_count: record.attempts.count(),
        };
        (fields, record.attempts)
    }
}

/// A delivery in the list, with a summary of its last attempt.
#[derive(Serialize, ToSchema)]
#[schema(as = Delivery)]
pub struct DeliveryItem {
    #[serde(flatten)]
    fields: Fields,
    /// `null` if the delivery was cancelled before its first attempt.
    #[schema(required)]
    last_attempt: Option<AttemptItem>,
}

impl DeliveryItem {
    pub fn of(record: DeliveryRecord, destinations: &ReadDestinations, now: Timestamp) -> Self {
        let (fields, attempts) = Fields::new(record, destinations, now);
        Self { fields, last_attempt: attempts.last().map(AttemptItem::from) }
    }
}

/// A summary of one attempt.
#[derive(Serialize, ToSchema)]
#[schema(as = AttemptSummary)]
struct AttemptItem {
    /// When it began.
    #[schema(value_type = schemas::Timestamp)]
    at: Timestamp,
    /// How long it took, in milliseconds.
    duration_ms: u64,
    #[schema(value_type = choices::AttemptOutcome)]
    outcome: &'static str,
    /// The status of the response; `null` if there was none.
    #[schema(required)]
    status_code: Option<u16>,
}

impl From<&Attempt> for AttemptItem {
    fn from(attempt: &Attempt) -> Self {
        Self {
            at: attempt.at,
            duration_ms: u64::try_from(attempt.took.as_millis()).unwrap_or(u64::MAX),
            outcome: attempt.outcome.as_str(),
            status_code: attempt.outcome.status(),
        }
    }
}

/// A delivery with every attempt, in full.
#[derive(Serialize, ToSchema)]
#[schema(as = DeliveryWithAttempts)]
pub struct DeliveryView {
    #[serde(flatten)]
    fields: Fields,
    /// Where the event is in the trace of its producer; `null` if that gave no `traceparent`.
    #[schema(required, value_type = Option<schemas::Traceparent>)]
    traceparent: Option<TraceParent>,
    /// At most the first 5 and the last 25 attempts; `attempt_count` counts all.
    #[schema(max_items = 30)]
    attempts: Vec<AttemptView>,
}

impl DeliveryView {
    pub fn of(record: DeliveryRecord, destinations: &ReadDestinations, now: Timestamp) -> Self {
        let traceparent = record.delivery.traceparent;
        let view = |attempt: &Attempt| AttemptView::of(attempt.clone(), record.delivery.traceparent_at(attempt.at));
        let attempts = record.attempts.kept().iter().map(view).collect();
        Self { fields: Fields::new(record, destinations, now).0, traceparent, attempts }
    }
}

/// One attempt, in full.
#[derive(Serialize, ToSchema)]
#[schema(as = Attempt)]
struct AttemptView {
    /// The number of the attempt, from 1.
    number: u32,
    #[serde(flatten)]
    item: AttemptItem,
    /// Why the attempt failed, in a sentence; `null` if it delivered.
    #[schema(required)]
    error: Option<String>,
    /// The wait that the response asked for, in seconds.
    #[schema(required)]
    retry_after_seconds: Option<u64>,
    /// The beginning of the body of a refusal, if it is text: 16 KiB for the latest attempt, 512 bytes for earlier ones.
    #[schema(required)]
    response_excerpt: Option<String>,
    /// The `traceparent` of the request, unless the destination has a header of that name: a span of its own in the trace of the
    /// event's producer.
    #[schema(required, value_type = Option<schemas::Traceparent>)]
    traceparent: Option<TraceParent>,
}

impl AttemptView {
    fn of(attempt: Attempt, traceparent: Option<TraceParent>) -> Self {
        let (number, item, error) = (attempt.number, AttemptItem::from(&attempt), attempt.outcome.error());
        let (retry_after, excerpt) = match attempt.outcome {
            Outcome::Refused { retry_after, excerpt, .. } => (retry_after, excerpt),
            _ => (None, String::new()),
        };
        let response_excerpt = Some(excerpt).filter(|text| !text.is_empty());
        let retry_after_seconds = retry_after.map(|wait| wait.as_secs());
        Self { number, item, error, retry_after_seconds, response_excerpt, traceparent }
    }
}
