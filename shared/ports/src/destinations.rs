//! The receivers an account configures.

use async_trait::async_trait;
use domain::destination::Destination;
use domain::value::{AccountId, DestinationId, Label};

use super::PortResult;

#[async_trait]
pub trait FindDestination: Send + Sync {
    async fn find_destination(&self, account: &AccountId, id: &DestinationId) -> PortResult<Option<Destination>>;
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum CreatedDestination {
    Created,
    NameTaken,
    /// The account has as many as it may.
    LimitReached,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum UpdatedDestination {
    Updated,
    NameTaken,
    /// It was changed or deleted meanwhile; nothing was written.
    Changed,
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
    /// Creates it unless the account has `most` already.
    async fn create_destination(&self, destination: &Destination, most: u32) -> PortResult<CreatedDestination>;
    /// Writes `after` where `before` is still what is stored.
    async fn update_destination(&self, before: &Destination, after: &Destination) -> PortResult<UpdatedDestination>;
    async fn find_destination_named(&self, account: &AccountId, name: &Label) -> PortResult<Option<DestinationId>>;
    /// In the order of their ids, from the one after `after`, at most `limit`.
    async fn list_destinations(
        &self,
        account: &AccountId,
        after: Option<&DestinationId>,
        limit: usize,
    ) -> PortResult<Vec<Destination>>;
    async fn delete_destination(&self, account: &AccountId, id: &DestinationId) -> PortResult<DeletedDestination>;
}
