//! Works on the pending jobs one after the other while the invocation lasts. Each kind of job has a file of its own.
//!
//! Invariant: a crash at any step leaves a job that the next run finishes (tests:
//! `a_crash_at_any_step_leaves_a_job_that_the_next_run_finishes`).
//!
//! Invariant: a run that has lost the lease of a job writes no further (tests: `who_lost_the_lease_deletes_no_further`,
//! the contract suite `jobs`).

mod deletion;
mod recover;
mod taken;

use domain::delivery::{JobKind, Lease};
use domain::value::{JobId, Timestamp};
use ports::{EntropyExt, PortError, PortResult};
use runtime::telemetry::ErrorChain;
use tracing::{error, info, warn};

use self::taken::{Progress, Taken};
use crate::deps::Deps;

/// How many jobs are looked at in one run, at most.
const AT_MOST: usize = 100;

/// Works on every pending job that nobody else holds. A job that fails does not affect the others. Returns the last
/// failure for which trying again may help.
pub(crate) async fn run(deps: &Deps, deadline: Timestamp) -> PortResult<()> {
    let mut failure = None;
    for id in deps.jobs.pending_jobs(deps.clock.now(), AT_MOST).await? {
        if !deps.has_time(deadline) {
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
            deps.jobs.end_job(&taken.job, &taken.lease).await.map(drop)
        }
        Err(failed) => {
            // The same failure may keep this from working as well; then the lease runs out.
            let _ = taken.give_back().await;
            Err(failed)
        }
    }
}
