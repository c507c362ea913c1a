//! Jobs.

use async_trait::async_trait;
use domain::delivery::{Job, Lease};
use domain::value::{JobId, Timestamp};

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
