//! Works on the pending jobs, one after the other, for as long as the invocation lasts. What a job of a kind does is in a file
//! of its own.

use domain::delivery::{Job, JobKind, Lease};
use domain::value::{JobId, Timestamp};
use ports::{Held, PortError, PortResult};
use runtime::telemetry::ErrorChain;
use tracing::{error, info, warn};

use crate::{Deps, deletion, has_time, recover};

/// Most jobs looked at in one run.
const AT_MOST: usize = 100;

/// How far one run got with a job.
pub(crate) enum Progress {
    /// It has ended, and that is written down.
    Ended,
    /// There was no time for more.
    OutOfTime,
    /// There is nothing to do for a while.
    PutOff,
    /// Somebody else has it by now.
    Lost,
}

/// A job that this run has taken.
pub(crate) struct Taken<'a> {
    pub(crate) deps: &'a Deps,
    pub(crate) job: Job,
    lease: Lease,
    deadline: Timestamp,
}

impl Taken<'_> {
    /// The lease as it was taken or last renewed.
    pub(crate) fn lease(&self) -> &Lease {
        &self.lease
    }

    pub(crate) fn has_time(&self) -> bool {
        has_time(self.deps, self.deadline)
    }

    /// Writes down what was done, and renews the lease.
    pub(crate) async fn progressed(&mut self, by: u64) -> PortResult<Held> {
        let now = self.deps.clock.now();
        self.job.progressed(by, now);
        self.lease = self.lease.renewed(now);
        self.deps.jobs.record_progress(&self.job, &self.lease).await
    }

    /// Lets nobody take the job before `until`; whoever takes it then goes on.
    pub(crate) async fn put_off(&mut self, until: Timestamp) -> PortResult<Held> {
        let lease = Lease { until, ..self.lease.clone() };
        self.deps.jobs.record_progress(&self.job, &lease).await
    }

    /// Writes down that it has ended, and why where it failed.
    pub(crate) async fn end(&mut self, how: Result<(), &str>) -> PortResult<Progress> {
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

    /// Lets the next run take the job at once.
    async fn give_back(&self) -> PortResult<()> {
        let released = self.lease.released(self.deps.clock.now());
        self.deps.jobs.record_progress(&self.job, &released).await.map(drop)
    }
}

/// Works on every job that is pending and nobody else's. One that fails does nothing to the others; the last failure that
/// trying again may mend is returned.
pub(crate) async fn run(deps: &Deps, deadline: Timestamp) -> PortResult<()> {
    let mut failure = None;
    for id in deps.jobs.pending_jobs(deps.clock.now(), AT_MOST).await? {
        if !has_time(deps, deadline) {
            break;
        }
        if let Err(error) = work_on(deps, &id, deadline).await {
            warn!("job.id" = %id, error = %ErrorChain(&error), "a job did not get on; the next run tries again");
            failure = Some(error);
        }
    }
    failure.map_or(Ok(()), Err)
}

async fn work_on(deps: &Deps, id: &JobId, deadline: Timestamp) -> PortResult<()> {
    use ports::EntropyExt;
    let now = deps.clock.now();
    let lease = Lease::taken(deps.entropy.bytes()?, now);
    let Some(job) = deps.jobs.take_job(id, &lease, now).await? else { return Ok(()) };
    let mut taken = Taken { deps, job, lease, deadline };
    let progress = match taken.job.kind.clone() {
        JobKind::DeleteAccount { account } => deletion::delete_account(&mut taken, &account).await,
        JobKind::Recover(recovery) => recover::recover(&mut taken, &recovery).await,
    };
    match progress {
        Ok(Progress::Ended) => {
            info!("job.id" = %id, done = taken.job.done, "a job has ended");
            Ok(())
        }
        Ok(Progress::OutOfTime) => taken.give_back().await,
        Ok(Progress::Lost | Progress::PutOff) => Ok(()),
        Err(failed @ PortError::Permanent { .. }) => {
            error!("job.id" = %id, error = %ErrorChain(&failed), "a job has failed");
            taken.job.failed(failed.to_string(), deps.clock.now());
            deps.jobs.end_job(&taken.job, taken.lease()).await.map(drop)
        }
        Err(failed) => {
            // What did not work may keep this from working as well; then the lease runs out.
            let _ = taken.give_back().await;
            Err(failed)
        }
    }
}
