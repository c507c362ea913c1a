//! A job that this run has taken: the run works under a lease and stores its progress.

use domain::delivery::{Job, Lease};
use domain::value::Timestamp;
use ports::{Held, PortResult};

use crate::deps::Deps;
use crate::share::Share;

/// How far a run got with a job.
pub(super) enum Progress {
    /// It has ended, and that is stored.
    Ended,
    /// There was no time left.
    OutOfTime,
    /// There is nothing to do for a while.
    PutOff,
    /// Another run holds it now.
    Lost,
}

/// A job that this run has taken.
pub(super) struct Taken<'a> {
    pub(super) deps: &'a Deps,
    pub(super) job: Job,
    /// The lease as it was taken or last renewed.
    pub(super) lease: Lease,
    pub(super) share: Share<'a>,
}

impl Taken<'_> {
    pub(super) fn has_time(&self) -> bool {
        self.share.goes_on()
    }

    /// Stores the progress, and renews the lease.
    pub(super) async fn progressed(&mut self, by: u64) -> PortResult<Held> {
        let now = self.deps.clock.now();
        self.job.progressed(by, now);
        self.lease = self.lease.renewed(now);
        self.deps.jobs.record_progress(&self.job, &self.lease).await
    }

    /// Nobody may take the job before `until`; whoever takes it then continues it.
    pub(super) async fn put_off(&mut self, until: Timestamp) -> PortResult<Held> {
        let lease = Lease { until, ..self.lease.clone() };
        self.deps.jobs.record_progress(&self.job, &lease).await
    }

    /// Stores that the job has ended, and why if it failed.
    pub(super) async fn end(&mut self, how: Result<(), &str>) -> PortResult<Progress> {
        let now = self.deps.clock.now();
        match how {
            Ok(()) => self.job.succeeded(now),
            Err(why) => self.job.failed(why.to_owned(), now),
        }
        Ok(match self.deps.jobs.end_job(&self.job, &self.lease).await? {
            Held::Held => Progress::Ended,
            Held::Lost => Progress::Lost,
        })
    }

    /// Gives the job back, so that the next run can take it at once.
    pub(super) async fn give_back(&self) -> PortResult<()> {
        let released = self.lease.released(self.deps.clock.now());
        self.deps.jobs.record_progress(&self.job, &released).await.map(drop)
    }
}
