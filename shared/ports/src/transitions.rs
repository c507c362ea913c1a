//! What is remembered of the runs at a place, for subscriptions that wait for a change.

use async_trait::async_trait;
use domain::event::{EventType, Scope};
use domain::routing::History;
use domain::value::{AccountId, Timestamp};

use super::PortResult;

/// The runs remembered at a place, and which state of that memory this is.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Remembered {
    pub history: History,
    pub version: u64,
}

#[async_trait]
pub trait Transitions: Send + Sync {
    /// What is remembered of the runs of this type at this place: nothing at all, at first.
    async fn find_runs(&self, account: &AccountId, event_type: EventType, place: &Scope) -> PortResult<Remembered>;
    /// Stores `history` in the place of `before`; answers whether that was still what is stored.
    async fn store_runs(
        &self,
        account: &AccountId,
        event_type: EventType,
        place: &Scope,
        before: &Remembered,
        history: &History,
        expires_at: Timestamp,
    ) -> PortResult<bool>;
}
