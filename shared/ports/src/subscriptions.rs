//! Which events an account wants where.

use async_trait::async_trait;
use domain::routing::{Bucket, Subscription};
use domain::value::{AccountId, Label, SubscriptionId};

use super::PortResult;

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
    NameTaken,
    /// The account has as many as it may.
    LimitReached,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum UpdatedSubscription {
    Updated,
    NoDestination,
    NameTaken,
    /// It was changed or deleted meanwhile; nothing was written.
    Changed,
}

#[async_trait]
pub trait Subscriptions: FindSubscriptions {
    /// Creates it unless the account has `most` already.
    async fn create_subscription(&self, subscription: &Subscription, most: u32) -> PortResult<CreatedSubscription>;
    /// Writes `after` where `before` is still what is stored.
    async fn update_subscription(&self, before: &Subscription, after: &Subscription)
    -> PortResult<UpdatedSubscription>;
    async fn find_subscription(&self, account: &AccountId, id: &SubscriptionId) -> PortResult<Option<Subscription>>;
    async fn find_subscription_named(&self, account: &AccountId, name: &Label) -> PortResult<Option<SubscriptionId>>;
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
