//! Sealed events with what they owe, one by one and in lists.
//!
//! A list comes in pages, and can be limited only by time: the caller filters, and decides when to stop. Neither
//! `fanout` nor `deliver` uses lists.

use std::fmt;
use std::str::FromStr;

use async_trait::async_trait;
use domain::delivery::Delivery;
use domain::event::{Event, EventType, Scope, envelope};
use domain::value::{AccountId, EventId, Span, Timestamp, TraceParent};

use super::{Order, PortError, PortResult};

/// An accepted event, with the deliveries it owes. It never changes, except that a replay may add deliveries.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SealedEvent {
    pub account: AccountId,
    pub id: EventId,
    pub event_type: EventType,
    pub scope: Scope,
    pub occurred_at: Timestamp,
    pub sealed_at: Timestamp,
    /// The digest of the body. It distinguishes a repeated event from another event with the same id.
    pub digest: [u8; 32],
    pub body: String,
    pub owed: Vec<Delivery>,
    /// Where it is in its producer's trace, as are the deliveries that it owes.
    pub traceparent: Option<TraceParent>,
    /// If it owes nothing, the reason.
    pub unmatched: Option<UnmatchedReason>,
    /// When the row may be deleted.
    pub expires_at: Timestamp,
}

impl SealedEvent {
    /// The event as its producer pushed it.
    pub fn read(&self) -> PortResult<Event> {
        let data = envelope::data_of(&self.body).map_err(|error| PortError::permanent("reading a body", error))?;
        Ok(Event {
            id: self.id.clone(),
            event_type: self.event_type,
            account: self.account.clone(),
            scope: self.scope.clone(),
            occurred_at: self.occurred_at,
            data,
            traceparent: self.traceparent,
        })
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum UnmatchedReason {
    /// No subscription listens to this type at this scope or a wider one.
    NoSubscription,
    /// Some subscriptions listen, but their conditions or transitions do not match the event.
    ConditionsNotMet,
}

impl UnmatchedReason {
    pub fn as_str(self) -> &'static str {
        match self {
            UnmatchedReason::NoSubscription => "no_subscription",
            UnmatchedReason::ConditionsNotMet => "conditions_not_met",
        }
    }

    pub fn parse(text: &str) -> Option<Self> {
        [UnmatchedReason::NoSubscription, UnmatchedReason::ConditionsNotMet]
            .into_iter()
            .find(|reason| reason.as_str() == text)
    }
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Sealed {
    Sealed,
    /// An event with that id was sealed before. The digest tells whether it is the same event.
    Before {
        digest: [u8; 32],
    },
}

#[async_trait]
pub trait Events: Send + Sync {
    async fn find_event(&self, account: &AccountId, id: &EventId) -> PortResult<Option<SealedEvent>>;
    /// The same with only the first deliveries that it owes: at least `most` if it owes as many, unless the request may
    /// not read so much. Also returns how many it owes.
    async fn find_event_with(
        &self,
        account: &AccountId,
        id: &EventId,
        most: usize,
    ) -> PortResult<Option<(SealedEvent, usize)>>;
    /// The body of an event alone, without what it owes.
    async fn find_body(&self, account: &AccountId, id: &EventId) -> PortResult<Option<String>>;
    /// Seals the event, unless an event with its id is sealed already.
    async fn seal_event(&self, event: &SealedEvent) -> PortResult<Sealed>;
}

#[async_trait]
pub trait OweMore: Events {
    /// Adds `more` to what the event owes, if it still owes exactly what `known` does; returns whether it did.
    /// Afterwards the event does not count as unmatched. If `more` is very long, a failure may leave a part of it
    /// added. What is added has rows already. From `now` on, the roll-ups of its destinations are held open
    /// ([`domain::delivery::RollUp::held`]), so that they count it.
    async fn add_owed(&self, known: &SealedEvent, more: &[Delivery], now: Timestamp) -> PortResult<bool>;
}

/// The position of an event in the list: by time, then by id.
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

/// A sealed event without its body, and with the number of its deliveries.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ListedEvent {
    pub place: EventPlace,
    pub event_type: EventType,
    pub scope: Scope,
    pub sealed_at: Timestamp,
    pub owed_count: usize,
    pub unmatched: Option<UnmatchedReason>,
    /// When the row may be deleted. It may still be listed after that, until it is deleted.
    pub expires_at: Timestamp,
}

#[async_trait]
pub trait ListEvents: Send + Sync {
    /// At most `limit` events after `after`, in this order, that occurred in the span. Fewer than `limit` mean the last
    /// page. An event may be missing for a moment after it was sealed.
    async fn list_events(
        &self,
        account: &AccountId,
        span: Span,
        order: Order,
        after: Option<&EventPlace>,
        limit: usize,
    ) -> PortResult<Vec<ListedEvent>>;
}
