//! Work that takes longer than a request: what a job does, its progress, and how it ended. Rules only: `redrive` does the
//! work.
//!
//! A job is pending until it has ended. Whoever works on it holds a [`Lease`], which is renewed with each step, so that
//! after a crash another run continues the job.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::recovery::{Recovered, Recovery};
use super::replay::{BEGINS_AFTER, Replay, Replayed};
use crate::value::{AccountId, JobId, Timestamp};

/// How long a lease lasts: longer than an invocation of `redrive`, so that no run outlives its lease.
pub const LEASE: Duration = Duration::from_secs(120);
/// How many unfinished jobs an account may have. The operator's deletion of the account is not counted, and never refused.
pub const MOST_PENDING: u32 = 20;
/// How long a job can be read after it has ended.
pub const KEPT: Duration = Duration::from_secs(30 * 86_400);
/// How long a deletion waits after it has marked the account and closed its destinations, before it deletes rows. By then,
/// requests and deliveries that were admitted before have ended: an authorizer's answer (5 s) that is cached (60 s) for a
/// request (29 s), or an account or a destination cached (5 s) by a batch (60 s).
pub const SETTLE: Duration = Duration::from_secs(100);

/// What a job does.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum JobKind {
    /// Deletes an account and everything that belongs to it.
    DeleteAccount { account: AccountId },
    /// Sends again what a destination did not receive.
    Recover(Recovery),
    /// Matches past events with a subscription.
    Replay(Replay),
}

impl JobKind {
    /// The account that the job is for.
    pub fn account(&self) -> &AccountId {
        match self {
            JobKind::DeleteAccount { account } => account,
            JobKind::Recover(recovery) => &recovery.account,
            JobKind::Replay(replay) => &replay.account,
        }
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum JobStatus {
    Queued,
    Running,
    Succeeded,
    Failed,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Job {
    pub id: JobId,
    pub kind: JobKind,
    pub status: JobStatus,
    /// How many items it has processed.
    pub done: u64,
    /// The progress of a recovery; none for other jobs.
    pub recovered: Option<Recovered>,
    /// The progress of a replay; none for other jobs.
    pub replayed: Option<Replayed>,
    pub created_at: Timestamp,
    pub updated_at: Timestamp,
    /// The time before which nobody works on it.
    pub starts_at: Timestamp,
    /// Why it failed, if it did.
    pub error: Option<String>,
}

impl Job {
    pub fn delete_account(id: JobId, account: AccountId, now: Timestamp) -> Self {
        Self::new(id, JobKind::DeleteAccount { account }, now)
    }

    pub fn recover(recovery: Recovery, now: Timestamp) -> Self {
        let recovered = Some(Recovered::default());
        Self { recovered, ..Self::new(recovery.job_id(), JobKind::Recover(recovery), now) }
    }

    pub fn replay(replay: Replay, now: Timestamp) -> Self {
        let (replayed, starts_at) = (Some(Replayed::default()), now.plus(BEGINS_AFTER));
        Self { replayed, starts_at, ..Self::new(replay.job_id(), JobKind::Replay(replay), now) }
    }

    fn new(id: JobId, kind: JobKind, now: Timestamp) -> Self {
        Self {
            id,
            kind,
            status: JobStatus::Queued,
            done: 0,
            recovered: None,
            replayed: None,
            created_at: now,
            updated_at: now,
            starts_at: now,
            error: None,
        }
    }

    pub fn has_ended(&self) -> bool {
        matches!(self.status, JobStatus::Succeeded | JobStatus::Failed)
    }

    /// When the row of an ended job may be deleted.
    pub fn expires_at(&self) -> Option<Timestamp> {
        self.has_ended().then(|| self.updated_at.plus(KEPT))
    }

    pub fn progressed(&mut self, by: u64, now: Timestamp) {
        self.done = self.done.saturating_add(by);
        self.updated_at = now;
    }

    pub fn succeeded(&mut self, now: Timestamp) {
        (self.status, self.updated_at) = (JobStatus::Succeeded, now);
    }

    pub fn failed(&mut self, error: String, now: Timestamp) {
        (self.status, self.updated_at, self.error) = (JobStatus::Failed, now, Some(error));
    }
}

/// The right to work on a job, until another may take it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Lease {
    /// The holder: random, one for each invocation.
    pub holder: [u8; 16],
    pub until: Timestamp,
}

impl Lease {
    pub fn taken(holder: [u8; 16], now: Timestamp) -> Self {
        Self { holder, until: now.plus(LEASE) }
    }

    /// The lease renewed at `now`.
    pub fn renewed(&self, now: Timestamp) -> Self {
        Self::taken(self.holder, now)
    }

    /// The lease given back, so that another may take the job at once.
    pub fn released(&self, now: Timestamp) -> Self {
        Self { holder: self.holder, until: now }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_job_is_kept_for_thirty_days_after_its_end_and_for_as_long_as_it_takes_before() {
        let at = Timestamp::from_unix_ms;
        let mut job = Job::delete_account(JobId::from_entropy([1; 10]), "acme".parse().expect("an account"), at(0));
        assert_eq!((job.has_ended(), job.expires_at(), job.starts_at), (false, None, at(0)));
        job.progressed(7, at(1));
        job.progressed(5, at(2));
        assert_eq!((job.done, job.updated_at, job.expires_at()), (12, at(2), None));
        job.succeeded(at(86_400_000));
        assert_eq!((job.has_ended(), job.expires_at()), (true, Some(at(31 * 86_400_000))));
    }

    #[test]
    fn a_lease_is_renewed_and_released_by_its_holder() {
        let at = Timestamp::from_unix_ms;
        let lease = Lease::taken([7; 16], at(1_000));
        assert_eq!(lease.until, at(121_000));
        assert_eq!(lease.renewed(at(2_000)).until, at(122_000));
        assert_eq!(lease.released(at(2_000)), Lease { holder: [7; 16], until: at(2_000) });
    }
}
