//! Events that owe so much that they are sealed before their deliveries are sent. The seal has the plan, which is what
//! the event owes, and a row beside it says how far the plan was sent.

use async_trait::async_trait;
use domain::delivery::Sending;
use domain::value::{AccountId, EventId, Timestamp};

use super::PortResult;
use super::events::{Events, Sealed, SealedEvent};

/// What `fanout` needs to know of a sealed event that comes again.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Seal {
    /// The digest of the body.
    pub digest: [u8; 32],
    /// How many deliveries were planned, if they were to be sent after the seal. They are the first that the event
    /// owes; what a replay added comes after them.
    pub planned: Option<usize>,
}

#[async_trait]
pub trait WideEvents: Events {
    /// The event's seal, without what the event owes.
    async fn find_seal(&self, account: &AccountId, id: &EventId) -> PortResult<Option<Seal>>;
    /// Seals the event like [`Events::seal_event`], and says that its deliveries are yet to be sent.
    async fn seal_plan(&self, event: &SealedEvent) -> PortResult<Sealed>;
    /// How far the plan was sent; nothing if nobody has begun.
    async fn find_sending(&self, account: &AccountId, id: &EventId) -> PortResult<Option<Sending>>;
    /// Notes `after` if `before` is what is noted; answers whether it did.
    async fn note_sending(
        &self,
        account: &AccountId,
        id: &EventId,
        before: Option<&Sending>,
        after: &Sending,
        expires_at: Timestamp,
    ) -> PortResult<bool>;
}
