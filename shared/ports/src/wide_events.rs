//! Events that owe so many deliveries that they are sealed before these are sent. The seal contains the plan, the list
//! of what the event owes, and another row says how far the plan was sent.

use async_trait::async_trait;
use domain::delivery::Sending;
use domain::value::{AccountId, EventId, Timestamp};

use super::PortResult;
use super::events::{Events, Sealed, SealedEvent};

/// What `fanout` needs to know about a sealed event that is received again.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Seal {
    /// The digest of the body.
    pub digest: [u8; 32],
    /// How many deliveries were planned, if they are sent after the seal. They are the first in the list of what the
    /// event owes; those that a replay added come after them.
    pub planned: Option<usize>,
}

#[async_trait]
pub trait WideEvents: Events {
    /// The event's seal, without the list of what the event owes.
    async fn find_seal(&self, account: &AccountId, id: &EventId) -> PortResult<Option<Seal>>;
    /// Seals the event like [`Events::seal_event`], and records that its deliveries have not been sent yet.
    async fn seal_plan(&self, event: &SealedEvent) -> PortResult<Sealed>;
    /// How far the plan was sent; `None` if sending has not begun.
    async fn find_sending(&self, account: &AccountId, id: &EventId) -> PortResult<Option<Sending>>;
    /// Stores `after` if `before` is still stored; returns whether it did.
    async fn note_sending(
        &self,
        account: &AccountId,
        id: &EventId,
        before: Option<&Sending>,
        after: &Sending,
        expires_at: Timestamp,
    ) -> PortResult<bool>;
}
