//! Which events an account wants where.

use async_trait::async_trait;

use super::PortResult;
use crate::domain::id::{AccountId, SubscriptionId};
use crate::domain::subscription::{Bucket, Subscription};

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
