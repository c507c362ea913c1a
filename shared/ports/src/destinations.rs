//! The receivers an account configures.

use async_trait::async_trait;
use domain::destination::Destination;
use domain::value::{AccountId, DestinationId, Label, SubscriptionId};

use super::{Order, PortResult};

#[async_trait]
pub trait FindDestination: Send + Sync {
    async fn find_destination(&self, account: &AccountId, id: &DestinationId) -> PortResult<Option<Destination>>;
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum CreatedDestination {
    Created,
    NameTaken,
    /// The account has as many as it may have.
    LimitReached,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum UpdatedDestination {
    Updated,
    NameTaken,
    /// It was changed or deleted in the meantime; nothing was written.
    Changed,
}

/// The result of deleting a destination.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum DeletedDestination {
    Deleted,
    NotFound,
    /// Subscriptions still use it, so it was not deleted.
    InUse,
    /// It is another version than the one to delete.
    Changed,
}

#[async_trait]
pub trait Destinations: FindDestination {
    /// Creates it, unless the account already has `most` destinations. It is healthy.
    async fn create_destination(&self, destination: &Destination, most: u32) -> PortResult<CreatedDestination>;
    /// Writes `after` if its owner has not changed what is stored since `before`. Health is written with it, if it
    /// differs, and then must also be as it was in `before`; otherwise it makes no difference what became of it.
    async fn update_destination(&self, before: &Destination, after: &Destination) -> PortResult<UpdatedDestination>;
    async fn find_destination_named(&self, account: &AccountId, name: &Label) -> PortResult<Option<DestinationId>>;
    /// At most `limit` destinations that follow `after` in this order, as they are at this moment.
    async fn list_destinations(
        &self,
        account: &AccountId,
        order: Order,
        after: Option<&DestinationId>,
        limit: usize,
    ) -> PortResult<Vec<Destination>>;
    /// The same, oldest first, as if none of them had ever failed: whoever compares settings does not pay for reading their
    /// health.
    async fn list_settings(
        &self,
        account: &AccountId,
        after: Option<&DestinationId>,
        limit: usize,
    ) -> PortResult<Vec<Destination>>;
    /// Deletes it, if it is this version or none is given.
    async fn delete_destination(
        &self,
        account: &AccountId,
        id: &DestinationId,
        version: Option<u64>,
    ) -> PortResult<DeletedDestination>;
    /// After which of the account's subscriptions the search for those that are deleted with this destination goes on.
    async fn find_searched(&self, account: &AccountId, id: &DestinationId) -> PortResult<Option<SubscriptionId>>;
    /// Notes how far that search is; `None` begins it anew. It does nothing if there is no such destination.
    async fn note_searched(
        &self,
        account: &AccountId,
        id: &DestinationId,
        after: Option<&SubscriptionId>,
    ) -> PortResult<()>;
}
