//! The ledger read back in lists, newest first. Nothing here is asked on the way of an event or a delivery.
//!
//! A list is asked for in pages and knows no filter but time: whoever asks filters, and decides when to stop.

use std::fmt;
use std::str::FromStr;

use async_trait::async_trait;
use domain::delivery::DeliveryRecord;
use domain::event::{EventType, Scope};
use domain::value::{AccountId, DeliveryId, DestinationId, EventId, Timestamp};

use super::PortResult;
use super::ledger::UnmatchedReason;

/// When the events in question occurred: from `since` on, and before `until`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Span {
    pub since: Timestamp,
    pub until: Timestamp,
}

/// Where an event stands in the list: by time, and among those of the same millisecond by id.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct EventPlace {
    pub occurred_at: Timestamp,
    pub id: EventId,
}

/// `<ms>.<id>`.
impl fmt::Display for EventPlace {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{}", self.occurred_at.unix_ms(), self.id)
    }
}

impl FromStr for EventPlace {
    type Err = EventPlaceError;

    fn from_str(text: &str) -> Result<Self, EventPlaceError> {
        let (ms, id) = text.split_once('.').ok_or(EventPlaceError)?;
        let ms = ms.parse().map_err(|_| EventPlaceError)?;
        Ok(Self { occurred_at: Timestamp::from_unix_ms(ms), id: id.parse().map_err(|_| EventPlaceError)? })
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("must be a time in milliseconds, `.` and an event's id")]
pub struct EventPlaceError;

/// A sealed event without its body, and with a count of what it owes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ListedEvent {
    pub place: EventPlace,
    pub event_type: EventType,
    pub scope: Scope,
    pub sealed_at: Timestamp,
    pub owed_count: usize,
    pub unmatched: Option<UnmatchedReason>,
    /// When the row may be forgotten; until it is, it may still be listed.
    pub expires_at: Timestamp,
}

#[async_trait]
pub trait ListEvents: Send + Sync {
    /// At most `limit` events of the span, newest first, that come after `after` in this order. Fewer than `limit` are the
    /// last. An event may be missing for a moment after it was sealed.
    async fn list_events(
        &self,
        account: &AccountId,
        span: Span,
        after: Option<&EventPlace>,
        limit: usize,
    ) -> PortResult<Vec<ListedEvent>>;
}

/// What the deliveries on a page are older than.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum OlderThan {
    Time(Timestamp),
    /// Those of the same millisecond stand by their ids.
    Delivery(DeliveryId),
}

#[async_trait]
pub trait ListDeliveries: Send + Sync {
    /// At most `limit` deliveries of one destination, newest first, whose events occurred at `since` or later. Fewer than
    /// `limit` are the last. Those that are pending have no row and are not among them.
    async fn list_deliveries(
        &self,
        account: &AccountId,
        destination: &DestinationId,
        since: Timestamp,
        older: &OlderThan,
        limit: usize,
    ) -> PortResult<Vec<DeliveryRecord>>;
}
