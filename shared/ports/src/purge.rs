//! What the job that deletes an account needs.

use async_trait::async_trait;
use domain::delivery::{Job, Lease};
use domain::value::AccountId;

use super::PortResult;
use super::jobs::Held;

/// The result of one step of a purge.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Purged {
    /// Rows deleted.
    pub deleted: u64,
    /// Whether there may be more to delete.
    pub more: bool,
}

/// Deletes what belongs to an account that is being deleted.
#[async_trait]
pub trait AccountPurge: Send + Sync {
    /// Closes every destination of the account, so that nothing more is sent to it or recorded for it; returns how many
    /// were open.
    async fn close_destinations(&self, account: &AccountId) -> PortResult<u64>;
    /// Deletes about `limit` rows of the account, but never the account's own row. A row through which others are found
    /// is deleted after them, so that the next step, or the same step after a crash, finds the rest.
    async fn purge_account(&self, account: &AccountId, limit: usize) -> PortResult<Purged>;
    /// Deletes the account's own row and ends `job` in one transaction, so that no later step can affect a new account
    /// with this id.
    async fn end_deletion(&self, account: &AccountId, job: &Job, lease: &Lease) -> PortResult<Held>;
}
