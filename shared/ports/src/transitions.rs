//! The past runs that are remembered at a place, for subscriptions that wait for a change of status.

use async_trait::async_trait;
use domain::event::{EventType, Scope};
use domain::routing::History;
use domain::value::{AccountId, Timestamp};

use super::PortResult;

/// The runs remembered at a place, and the version of that memory.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Remembered {
    pub history: History,
    pub version: u64,
}

#[async_trait]
pub trait Transitions: Send + Sync {
    /// What is remembered of the runs of this type at this place. Initially it is empty.
    async fn find_runs(&self, account: &AccountId, event_type: EventType, place: &Scope) -> PortResult<Remembered>;
    /// Stores `history` if `before` is still stored; returns whether it was.
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
