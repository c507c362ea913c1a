//! Jobs, and what the job that deletes an account needs.

use async_trait::async_trait;
use domain::delivery::{Job, Lease};
use domain::value::{AccountId, JobId, Timestamp};

use super::PortResult;

/// Whether a lease still holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Held {
    Held,
    /// Somebody else has the job, or it has ended; nothing was written.
    Lost,
}

#[async_trait]
pub trait FindJob: Send + Sync {
    async fn find_job(&self, id: &JobId) -> PortResult<Option<Job>>;
}

#[async_trait]
pub trait StartJob: FindJob {
    /// Stores the job, pending, unless one of its id is there that has not ended; answers the one that is there then.
    async fn start_job(&self, job: &Job) -> PortResult<Job>;
}

#[async_trait]
pub trait Jobs: FindJob {
    /// The pending jobs whose time has come, those first that could start first, at most `limit`.
    async fn pending_jobs(&self, now: Timestamp, limit: usize) -> PortResult<Vec<JobId>>;
    /// Gives the pending job to the holder of `lease`; `None` while somebody else's lease lasts, and when it has ended.
    async fn take_job(&self, id: &JobId, lease: &Lease, now: Timestamp) -> PortResult<Option<Job>>;
    /// Writes down how far the job is, and until when the lease lasts.
    async fn record_progress(&self, job: &Job, lease: &Lease) -> PortResult<Held>;
    /// Writes down how the job ended; it is not pending any more.
    async fn end_job(&self, job: &Job, lease: &Lease) -> PortResult<Held>;
}

/// What one step of a purge did.
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
    /// Closes every destination of the account, so that nothing more is sent to it or recorded of it; answers how many were open.
    async fn close_destinations(&self, account: &AccountId) -> PortResult<u64>;
    /// Deletes about `limit` rows of the account, never the account's own. What leads to other rows is deleted after them, so
    /// that the next step, or the same one after a crash, finds what is left.
    async fn purge_account(&self, account: &AccountId, limit: usize) -> PortResult<Purged>;
    /// Deletes the account's own row and ends `job`, together, so that no later step can meet a new account of this id.
    async fn end_deletion(&self, account: &AccountId, job: &Job, lease: &Lease) -> PortResult<Held>;
}
