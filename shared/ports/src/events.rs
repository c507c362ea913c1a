//! The account of what was owed and what became of it: sealed events and their deliveries.

use async_trait::async_trait;
use domain::delivery::{Delivery, DeliveryRecord};
use domain::event::{EventType, Scope};
use domain::value::{AccountId, DeliveryId, EventId, Timestamp};

use super::PortResult;

/// An event that was accepted, with what it owes. It never changes, but that a replay may add to what it owes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SealedEvent {
    pub account: AccountId,
    pub id: EventId,
    pub event_type: EventType,
    pub scope: Scope,
    pub occurred_at: Timestamp,
    pub sealed_at: Timestamp,
    /// The digest of the body, by which a repeated event is told from another one under the same id.
    pub digest: [u8; 32],
    pub body: String,
    pub owed: Vec<Delivery>,
    /// Why it owes nothing, when it does.
    pub unmatched: Option<UnmatchedReason>,
    /// When the row may be forgotten.
    pub expires_at: Timestamp,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum UnmatchedReason {
    /// No subscription listens to this type at this scope or a wider one.
    NoSubscription,
    /// Some listen, but the event is not what they want: a condition or a change it is not.
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
    /// One of that id was sealed before; its digest tells whether it is the same event.
    Before {
        digest: [u8; 32],
    },
}

#[async_trait]
pub trait Events: Send + Sync {
    async fn find_event(&self, account: &AccountId, id: &EventId) -> PortResult<Option<SealedEvent>>;
    /// Seals the event unless one of its id is sealed already.
    async fn seal_event(&self, event: &SealedEvent) -> PortResult<Sealed>;
}

#[async_trait]
pub trait OweMore: Events {
    /// Adds `more` to what the event owes, where it still owes what `known` does; answers whether it did. After that it is not
    /// unmatched any more. Where there are very many, a part of them may be added when this fails.
    async fn add_owed(&self, known: &SealedEvent, more: &[Delivery]) -> PortResult<bool>;
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Recorded {
    Recorded,
    /// The row already tells of as many attempts or of an end, so it stays as it is.
    Superseded,
}

#[async_trait]
pub trait Deliveries: Send + Sync {
    async fn find_delivery(&self, account: &AccountId, id: &DeliveryId) -> PortResult<Option<DeliveryRecord>>;
    /// Writes what is known of a delivery, in one write, unless the row there stands by [`DeliveryRecord::supersedes`].
    async fn record_delivery(&self, record: &DeliveryRecord) -> PortResult<Recorded>;
    /// Writes `after` where the state, the number of attempts and `look_at` of `before` are still what is stored; answers whether
    /// they were. For changes that no attempt brings about.
    async fn replace_delivery(&self, before: &DeliveryRecord, after: &DeliveryRecord) -> PortResult<bool>;
}
