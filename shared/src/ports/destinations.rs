//! The receivers an account configures.

use async_trait::async_trait;

use super::PortResult;
use crate::domain::destination::Destination;
use crate::domain::id::{AccountId, DestinationId};

#[async_trait]
pub trait FindDestination: Send + Sync {
    async fn find_destination(&self, account: &AccountId, id: &DestinationId) -> PortResult<Option<Destination>>;
}

/// What became of a request to delete a destination.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum DeletedDestination {
    Deleted,
    NotFound,
    /// Subscriptions still send to it, so it stays.
    InUse,
}

#[async_trait]
pub trait Destinations: FindDestination {
    async fn create_destination(&self, destination: &Destination) -> PortResult<()>;
    /// In the order of their ids, from the one after `after`, at most `limit`.
    async fn list_destinations(
        &self,
        account: &AccountId,
        after: Option<&DestinationId>,
        limit: usize,
    ) -> PortResult<Vec<Destination>>;
    async fn delete_destination(&self, account: &AccountId, id: &DestinationId) -> PortResult<DeletedDestination>;
}
