//! Which events an account wants where.

use std::sync::Arc;

use async_trait::async_trait;
use domain::routing::{Bucket, Listeners, Subscription};
use domain::value::{AccountId, Label, SubscriptionId};

use super::{Order, PortResult};

#[async_trait]
pub trait FindSubscriptions: Send + Sync {
    /// At most `most` subscriptions of the account in `bucket`, after `after`, sorted by id.
    async fn find_subscriptions(
        &self,
        account: &AccountId,
        bucket: &Bucket,
        after: Option<&SubscriptionId>,
        most: usize,
    ) -> PortResult<Vec<Subscription>>;
}

#[async_trait]
pub trait FindListeners: Send + Sync {
    /// The listeners in each of the account's `buckets`, ready to be matched with events. They are shared with a cache,
    /// because there may be very many.
    async fn find_listeners(&self, account: &AccountId, buckets: &[Bucket]) -> PortResult<Vec<Arc<Listeners>>>;
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum CreatedSubscription {
    Created,
    /// Its destination does not exist, or no longer; nothing was created.
    NoDestination,
    NameTaken,
    /// The account has the maximum number of subscriptions.
    LimitReached,
    /// The conditions of the account would have more than [`domain::routing::MAX_CONDITION_BYTES`].
    TooManyConditions,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum UpdatedSubscription {
    Updated,
    NoDestination,
    NameTaken,
    /// The conditions of the account would have more than [`domain::routing::MAX_CONDITION_BYTES`].
    TooManyConditions,
    /// It was changed or deleted in the meantime; nothing was written.
    Changed,
}

/// The result of deleting a subscription.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum DeletedSubscription {
    Deleted,
    NotFound,
    /// Its version is not the one that the caller wanted to delete.
    Changed,
}

#[async_trait]
pub trait Subscriptions: FindSubscriptions + FindListeners {
    /// Creates it, unless the account already has `most` subscriptions.
    async fn create_subscription(&self, subscription: &Subscription, most: u32) -> PortResult<CreatedSubscription>;
    /// Writes `after` if `before` is still stored.
    async fn update_subscription(&self, before: &Subscription, after: &Subscription)
    -> PortResult<UpdatedSubscription>;
    async fn find_subscription(&self, account: &AccountId, id: &SubscriptionId) -> PortResult<Option<Subscription>>;
    async fn find_subscription_named(&self, account: &AccountId, name: &Label) -> PortResult<Option<SubscriptionId>>;
    /// At most `limit` subscriptions after `after`, in this order. The list is strongly consistent.
    async fn list_subscriptions(
        &self,
        account: &AccountId,
        order: Order,
        after: Option<&SubscriptionId>,
        limit: usize,
    ) -> PortResult<Vec<Subscription>>;
    /// Deletes it if it has this version, or if no version is given.
    async fn delete_subscription(
        &self,
        account: &AccountId,
        id: &SubscriptionId,
        version: Option<u64>,
    ) -> PortResult<DeletedSubscription>;
}
