//! Jobs in memory.

use async_trait::async_trait;
use domain::delivery::{Job, JobKind, JobStatus, Lease};
use domain::value::{AccountId, JobId, Timestamp};
use ports::{FindJob, Held, JobPlace, Jobs, ListedJob, Order, PendingJob, PortResult, StartJob};

use super::{MemoryStore, Rows, page};

#[async_trait]
impl FindJob for MemoryStore {
    async fn find_job(&self, id: &JobId) -> PortResult<Option<Job>> {
        Ok(self.call("find_job")?.jobs.get(id).map(|(job, _)| job.clone()))
    }
}

#[async_trait]
impl StartJob for MemoryStore {
    async fn start_job(&self, job: &Job, most: u32) -> PortResult<Option<Job>> {
        let mut rows = self.call("start_job")?;
        if let Some((there, _)) = rows.jobs.get(&job.id).filter(|(there, _)| !there.has_ended()) {
            return Ok(Some(there.clone()));
        }
        let pending = rows.jobs.values().map(|(there, _)| there).filter(|there| !there.has_ended());
        let started = pending.filter(|there| !matches!(there.kind, JobKind::DeleteAccount { .. }));
        let mine = started.filter(|there| there.kind.account() == job.kind.account()).count();
        if mine >= usize::try_from(most).unwrap_or(usize::MAX) {
            return Ok(None);
        }
        rows.jobs.insert(job.id.clone(), (job.clone(), None));
        rows.started_jobs.insert((job.kind.account().clone(), job.created_at, job.id.clone()));
        Ok(Some(job.clone()))
    }

    async fn list_jobs(
        &self,
        account: &AccountId,
        order: Order,
        after: Option<&JobPlace>,
        limit: usize,
    ) -> PortResult<Vec<ListedJob>> {
        let rows = self.call("list_jobs")?;
        let places: Vec<_> = rows.started_jobs_of(account).collect();
        let places = page(places.iter(), |place| place, order, after, limit);
        Ok(places.into_iter().map(|place| rows.listed_job(place)).collect())
    }
}

#[async_trait]
impl Jobs for MemoryStore {
    async fn pending_jobs_after(
        &self,
        now: Timestamp,
        after: Option<&PendingJob>,
        limit: usize,
    ) -> PortResult<Vec<PendingJob>> {
        let rows = self.call("pending_jobs")?;
        let pending = rows.jobs.values().map(|(job, _)| job).filter(|job| !job.has_ended() && job.starts_at <= now);
        let mut pending: Vec<_> = pending
            .map(|job| PendingJob {
                starts_at: job.starts_at,
                id: job.id.clone(),
                account: Some(job.kind.account().clone()),
            })
            .collect();
        pending.retain(|job| after.is_none_or(|after| job > after));
        pending.sort();
        pending.truncate(limit);
        Ok(pending)
    }

    async fn take_job(&self, id: &JobId, lease: &Lease, now: Timestamp) -> PortResult<Option<Job>> {
        let mut rows = self.call("take_job")?;
        let Some((job, held)) = rows.jobs.get_mut(id) else { return Ok(None) };
        if job.has_ended() || held.as_ref().is_some_and(|held| held.until > now) {
            return Ok(None);
        }
        (job.status, *held) = (JobStatus::Running, Some(lease.clone()));
        Ok(Some(job.clone()))
    }

    async fn record_progress(&self, job: &Job, lease: &Lease) -> PortResult<Held> {
        Ok(self.call("record_progress")?.write_job(job, lease))
    }

    async fn end_job(&self, job: &Job, lease: &Lease) -> PortResult<Held> {
        Ok(self.call("end_job")?.write_job(job, lease))
    }
}

impl Rows {
    /// Oldest first.
    fn started_jobs_of(&self, account: &AccountId) -> impl Iterator<Item = JobPlace> {
        let mine = self.started_jobs.iter().filter(move |(of, ..)| of == account);
        mine.map(|(_, created_at, id)| JobPlace { created_at: *created_at, id: id.clone() })
    }

    fn listed_job(&self, place: JobPlace) -> ListedJob {
        let job = self.jobs.get(&place.id).map(|(job, _)| job.clone());
        ListedJob { job: job.filter(|job| job.created_at == place.created_at), place }
    }

    pub(super) fn write_job(&mut self, job: &Job, lease: &Lease) -> Held {
        match self.jobs.get_mut(&job.id) {
            Some((there, Some(held))) if held.holder == lease.holder && !there.has_ended() => {
                (*there, *held) = (job.clone(), lease.clone());
                Held::Held
            }
            _ => Held::Lost,
        }
    }
}
