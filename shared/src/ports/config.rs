//! What customers and operators configure: accounts, API keys, destinations, subscriptions.

use async_trait::async_trait;

use super::PortResult;
use crate::domain::api_key::ApiKey;
use crate::domain::destination::Destination;
use crate::domain::id::{AccountId, DestinationId, KeyId, SubscriptionId};
use crate::domain::subscription::{Bucket, Subscription};
use crate::domain::timestamp::Timestamp;

/// Whether something new came to be, or an older one of that id stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Created {
    Created,
    Exists,
}

#[async_trait]
pub trait FindAccount: Send + Sync {
    /// When the account was registered, if it was.
    async fn find_account(&self, account: &AccountId) -> PortResult<Option<Timestamp>>;
}

#[async_trait]
pub trait Accounts: FindAccount {
    async fn create_account(&self, account: &AccountId, now: Timestamp) -> PortResult<Created>;
}

#[async_trait]
pub trait ApiKeys: Send + Sync {
    async fn store_key(&self, key: &ApiKey) -> PortResult<()>;
    async fn find_key(&self, account: &AccountId, id: &KeyId) -> PortResult<Option<ApiKey>>;
}

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

#[async_trait]
pub trait FindSubscriptions: Send + Sync {
    /// Every subscription of the account that is filed under one of `buckets`; one filed under several may come repeatedly.
    async fn find_subscriptions(&self, account: &AccountId, buckets: &[Bucket]) -> PortResult<Vec<Subscription>>;
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum CreatedSubscription {
    Created,
    /// Its destination does not exist (any more); nothing was created.
    NoDestination,
}

#[async_trait]
pub trait Subscriptions: FindSubscriptions {
    async fn create_subscription(&self, subscription: &Subscription) -> PortResult<CreatedSubscription>;
    async fn find_subscription(&self, account: &AccountId, id: &SubscriptionId) -> PortResult<Option<Subscription>>;
    /// In the order of their ids, from the one after `after`, at most `limit`.
    async fn list_subscriptions(
        &self,
        account: &AccountId,
        after: Option<&SubscriptionId>,
        limit: usize,
    ) -> PortResult<Vec<Subscription>>;
    /// Whether there was one to delete.
    async fn delete_subscription(&self, account: &AccountId, id: &SubscriptionId) -> PortResult<bool>;
}
