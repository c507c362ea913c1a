//! Jobs.

use std::fmt;
use std::str::FromStr;

use async_trait::async_trait;
use domain::delivery::{Job, Lease};
use domain::value::{AccountId, JobId, Timestamp};

use super::{Order, PortResult};

/// Whether a lease still holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Held {
    Held,
    /// Another holder has the job, or it has ended; nothing was written.
    Lost,
}

#[async_trait]
pub trait FindJob: Send + Sync {
    async fn find_job(&self, id: &JobId) -> PortResult<Option<Job>>;
}

#[async_trait]
pub trait StartJob: FindJob {
    /// Stores the job as pending, unless a job with its id exists and has not ended. Returns the job that is stored
    /// then; `None` if the account already has `most` jobs that were started here and have not ended.
    async fn start_job(&self, job: &Job, most: u32) -> PortResult<Option<Job>>;
    /// At most `limit` of the account's jobs that were started here, after `after`, in this order. Fewer than `limit`
    /// mean the last page.
    async fn list_jobs(
        &self,
        account: &AccountId,
        order: Order,
        after: Option<&JobPlace>,
        limit: usize,
    ) -> PortResult<Vec<ListedJob>>;
}

/// The position of a job in the list of its account. If an id is used again for a new job, both have a position.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct JobPlace {
    pub created_at: Timestamp,
    pub id: JobId,
}

/// A job in the list of its account.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ListedJob {
    pub place: JobPlace,
    /// `None` if it was forgotten, or replaced by a newer job with its id.
    pub job: Option<Job>,
}

/// `<created_at in milliseconds>.<id>`
impl fmt::Display for JobPlace {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{}", self.created_at.unix_ms(), self.id)
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("must be a time in milliseconds, `.` and a job's id")]
pub struct JobPlaceError;

impl FromStr for JobPlace {
    type Err = JobPlaceError;

    fn from_str(text: &str) -> Result<Self, JobPlaceError> {
        let (ms, id) = text.split_once('.').ok_or(JobPlaceError)?;
        let created_at = Timestamp::from_unix_ms(ms.parse().map_err(|_| JobPlaceError)?);
        Ok(Self { created_at, id: id.parse().map_err(|_| JobPlaceError)? })
    }
}

/// A job that has not ended.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct PendingJob {
    pub starts_at: Timestamp,
    pub id: JobId,
    /// The job's account; `None` for jobs that an older release stored without it.
    pub account: Option<AccountId>,
}

#[async_trait]
pub trait Jobs: FindJob {
    /// At most `limit` pending jobs after `after` that may start at `now`, sorted by their start.
    async fn pending_jobs_after(
        &self,
        now: Timestamp,
        after: Option<&PendingJob>,
        limit: usize,
    ) -> PortResult<Vec<PendingJob>>;
    /// The first of them.
    async fn pending_jobs(&self, now: Timestamp, limit: usize) -> PortResult<Vec<JobId>> {
        Ok(self.pending_jobs_after(now, None, limit).await?.into_iter().map(|job| job.id).collect())
    }
    /// Gives the pending job to the holder of `lease`; `None` if another lease is still valid or the job has ended.
    async fn take_job(&self, id: &JobId, lease: &Lease, now: Timestamp) -> PortResult<Option<Job>>;
    /// Stores the progress of the job and the end of the lease.
    async fn record_progress(&self, job: &Job, lease: &Lease) -> PortResult<Held>;
    /// Stores how the job ended. It is no longer pending then.
    async fn end_job(&self, job: &Job, lease: &Lease) -> PortResult<Held>;
}
