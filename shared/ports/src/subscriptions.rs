//! Which events an account wants where.

use std::sync::Arc;

use async_trait::async_trait;
use domain::routing::{Bucket, Subscription};
use domain::value::{AccountId, Label, SubscriptionId};

use super::PortResult;

#[async_trait]
pub trait FindSubscriptions: Send + Sync {
    /// Every subscription of the account that is filed under one of `buckets`. A subscription that is filed under
    /// several may occur several times. They are shared with a cache, because an account may have very many.
    async fn find_subscriptions(&self, account: &AccountId, buckets: &[Bucket]) -> PortResult<Vec<Arc<Subscription>>>;
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum CreatedSubscription {
    Created,
    /// Its destination does not exist (any more); nothing was created.
    NoDestination,
    NameTaken,
    /// The account has as many as it may have.
    LimitReached,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum UpdatedSubscription {
    Updated,
    NoDestination,
    NameTaken,
    /// It was changed or deleted in the meantime; nothing was written.
    Changed,
}

/// The result of deleting a subscription.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum DeletedSubscription {
    Deleted,
    NotFound,
    /// It is another version than the one to delete.
    Changed,
}

#[async_trait]
pub trait Subscriptions: FindSubscriptions {
    /// Creates it, unless the account already has `most` subscriptions.
    async fn create_subscription(&self, subscription: &Subscription, most: u32) -> PortResult<CreatedSubscription>;
    /// Writes `after` if `before` is still stored.
    async fn update_subscription(&self, before: &Subscription, after: &Subscription)
    -> PortResult<UpdatedSubscription>;
    async fn find_subscription(&self, account: &AccountId, id: &SubscriptionId) -> PortResult<Option<Subscription>>;
    async fn find_subscription_named(&self, account: &AccountId, name: &Label) -> PortResult<Option<SubscriptionId>>;
    /// At most `limit` subscriptions, sorted by id, beginning after `after`, as they are at this moment.
    async fn list_subscriptions(
        &self,
        account: &AccountId,
        after: Option<&SubscriptionId>,
        limit: usize,
    ) -> PortResult<Vec<Subscription>>;
    /// Deletes it, if it is this version or none is given.
    async fn delete_subscription(
        &self,
        account: &AccountId,
        id: &SubscriptionId,
        version: Option<u64>,
    ) -> PortResult<DeletedSubscription>;
}
