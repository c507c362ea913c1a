//! Works on the pending jobs until the part's share of the time is used up: one job of each account in turn, two
//! seconds at a time. Each kind of job has its own file.
//!
//! Invariant: an account's jobs do not delay those of others (tests:
//! `a_hundred_recoveries_of_one_account_do_not_hold_up_the_deletion_of_another`,
//! `a_hundred_recoveries_of_one_account_delay_those_of_others_and_a_deletion_by_no_more_than_a_run`).
//!
//! Invariant: a crash at any step leaves a job that the next run finishes (tests:
//! `a_crash_at_any_step_leaves_a_job_that_the_next_run_finishes`).
//!
//! Invariant: a run that has lost the lease of a job writes nothing more (tests:
//! `who_lost_the_lease_deletes_no_further`,
//! the contract suite `jobs`).

mod deletion;
mod portion;
mod recover;
mod replay;
mod taken;

use std::collections::{BTreeMap, HashSet, VecDeque};
use std::time::Duration;

use domain::delivery::{JobKind, Lease};
use domain::value::{AccountId, JobId, Timestamp};
use ports::{EntropyExt, PendingJob, PortError, PortResult};
use runtime::telemetry::ErrorChain;
use tracing::{error, info, warn};

use self::taken::{Progress, Taken};
use crate::deps::Deps;
use crate::failures::Row;
use crate::share::{Part, Share, Went};
use crate::unit::{Division, Kept, Left};

/// How many jobs are listed at once.
const PAGE: usize = 100;
/// How many pending jobs a run reads, at most.
const MOST: usize = 10_000;
/// How long a job is worked on before the next account has its turn.
const SLICE: Duration = Duration::from_secs(2);

/// The pending jobs of an account, earliest start first.
type Line = VecDeque<PendingJob>;

/// The accounts with pending jobs, in the order of their turns. Each minute begins with another account.
pub(crate) struct JobsPart {
    division: Division,
    lines: Option<VecDeque<Line>>,
    /// The jobs that had a turn.
    turned: HashSet<JobId>,
}

impl JobsPart {
    pub(crate) fn of(division: Division) -> Self {
        Self { division, lines: None, turned: HashSet::new() }
    }
}

/// Works on every pending job that nobody else holds, a job of each account in turn. A job that fails does not affect
/// the others.
impl Part for JobsPart {
    async fn turn(&mut self, share: Share<'_>) -> PortResult<Went> {
        let lines = match &mut self.lines {
            Some(lines) => lines,
            none => none.insert(lines(share.deps, self.division).await?),
        };
        while let Some(mut line) = lines.pop_front() {
            let Some(job) = line.pop_front() else { continue };
            if !share.goes_on() {
                line.push_front(job);
                lines.push_front(line);
                return Ok(Went::OutOfTime);
            }
            let alone = lines.is_empty() && line.is_empty();
            let slice = if alone { share } else { share.slice(SLICE) };
            let worked = work_on(slice, &job.id).await;
            self.turned.insert(job.id.clone());
            match (&worked, &job.account) {
                (Ok(_), Some(account)) => share.failures.worked(account, None),
                (Ok(_), None) => {}
                (Err(error), Some(account)) => {
                    share.failures.failed(Row { account, destination: None, what: "job", id: &job.id }, error);
                }
                (Err(error), None) => {
                    warn!("job.id" = %job.id, error = %ErrorChain(error), "a job made no progress; it is tried again");
                    share.failures.other();
                }
            }
            if matches!(worked, Ok(true)) {
                line.push_back(job);
            }
            lines.push_back(line);
        }
        Ok(Went::ToTheEnd)
    }

    /// A job that had a turn does not count as waiting, however long it takes.
    fn left(&self, now: Timestamp) -> Vec<Left> {
        let lines = self.lines.iter().flatten().filter(|line| !line.is_empty());
        let waits = lines.clone().flatten().filter(|job| !self.turned.contains(&job.id));
        let since = waits.map(|job| job.starts_at).min().unwrap_or(now);
        let parts = u16::try_from(lines.count()).unwrap_or(u16::MAX);
        (parts > 0).then_some(Left { shard: 0, since, parts }).into_iter().collect()
    }

    fn keep(&mut self, kept: &Kept) {
        self.division = kept.values().next().copied().unwrap_or(self.division);
        for line in self.lines.iter_mut().flatten() {
            line.retain(|job| is_of(self.division, job));
        }
    }
}

/// Whether a job belongs to a division; all jobs of an account belong to the same one.
fn is_of(division: Division, job: &PendingJob) -> bool {
    division.has(job.account.as_ref().map_or(job.id.as_str(), AccountId::as_str))
}

async fn lines(deps: &Deps, division: Division) -> PortResult<VecDeque<Line>> {
    let now = deps.clock.now();
    let (mut lines, mut after, mut count): (BTreeMap<Option<AccountId>, Line>, Option<PendingJob>, usize) =
        Default::default();
    loop {
        let page = deps.jobs.pending_jobs_after(now, after.as_ref(), PAGE).await?;
        let ended = page.len() < PAGE;
        count += page.len();
        after = page.last().cloned();
        for job in page.into_iter().filter(|job| is_of(division, job)) {
            lines.entry(job.account.clone()).or_default().push_back(job);
        }
        if ended || count >= MOST {
            break;
        }
    }
    let mut lines: VecDeque<Line> = lines.into_values().collect();
    let minute = usize::try_from(now.unix_seconds() / 60).unwrap_or_default();
    lines.rotate_left(minute.checked_rem(lines.len()).unwrap_or_default());
    Ok(lines)
}

/// Works on a job; returns whether it was given back for lack of time.
async fn work_on(share: Share<'_>, id: &JobId) -> PortResult<bool> {
    let (deps, now) = (share.deps, share.deps.clock.now());
    let lease = Lease::taken(deps.entropy.bytes()?, now);
    let Some(job) = deps.jobs.take_job(id, &lease, now).await? else { return Ok(false) };
    let mut taken = Taken { deps, job, lease, share };
    let progress = match taken.job.kind.clone() {
        JobKind::DeleteAccount { account } => deletion::delete_account(&mut taken, &account).await,
        JobKind::Recover(recovery) => recover::recover(&mut taken, &recovery).await,
        JobKind::Replay(asked) => replay::replay(&mut taken, &asked).await,
    };
    match progress {
        Ok(Progress::Ended) => {
            info!("job.id" = %id, done = taken.job.done, "a job has ended");
            Ok(false)
        }
        Ok(Progress::OutOfTime) => taken.give_back().await.map(|()| true),
        Ok(Progress::Lost | Progress::PutOff) => Ok(false),
        Err(failed @ PortError::Permanent { .. }) => {
            error!("job.id" = %id, error = %ErrorChain(&failed), "a job has failed");
            taken.job.failed(failed.to_string(), deps.clock.now());
            deps.jobs.end_job(&taken.job, &taken.lease).await.map(|_| false)
        }
        Err(failed) => {
            // If the same failure keeps this from working, the lease expires by itself.
            let _ = taken.give_back().await;
            Err(failed)
        }
    }
}
