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
    /// The account has the maximum number of destinations.
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
    /// Its version is not the one that the caller wanted to delete.
    Changed,
}

#[async_trait]
pub trait Destinations: FindDestination {
    /// Creates it, unless the account already has `most` destinations. A new destination is healthy.
    async fn create_destination(&self, destination: &Destination, most: u32) -> PortResult<CreatedDestination>;
    /// Writes `after` if the stored settings are still those of `before`. If the health differs, it is written as well,
    /// and the stored health must also be that of `before`. Otherwise the stored health does not matter.
    async fn update_destination(&self, before: &Destination, after: &Destination) -> PortResult<UpdatedDestination>;
    async fn find_destination_named(&self, account: &AccountId, name: &Label) -> PortResult<Option<DestinationId>>;
    /// At most `limit` destinations after `after`, in this order. The list is strongly consistent.
    async fn list_destinations(
        &self,
        account: &AccountId,
        order: Order,
        after: Option<&DestinationId>,
        limit: usize,
    ) -> PortResult<Vec<Destination>>;
    /// The same, oldest first, with every destination shown as healthy: comparing settings does not need the cost of
    /// reading their health.
    async fn list_settings(
        &self,
        account: &AccountId,
        after: Option<&DestinationId>,
        limit: usize,
    ) -> PortResult<Vec<Destination>>;
    /// Deletes it if it has this version, or if no version is given.
    async fn delete_destination(
        &self,
        account: &AccountId,
        id: &DestinationId,
        version: Option<u64>,
    ) -> PortResult<DeletedDestination>;
    /// The subscription after which the search for subscriptions that are deleted with this destination continues.
    async fn find_searched(&self, account: &AccountId, id: &DestinationId) -> PortResult<Option<SubscriptionId>>;
    /// Stores the progress of that search; `None` restarts it. Does nothing if the destination does not exist.
    async fn note_searched(
        &self,
        account: &AccountId,
        id: &DestinationId,
        after: Option<&SubscriptionId>,
    ) -> PortResult<()>;
}
