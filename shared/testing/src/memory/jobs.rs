//! Jobs in memory, and the purge of an account.

use async_trait::async_trait;
use domain::delivery::{Job, JobStatus, Lease};
use domain::value::{AccountId, JobId, Timestamp};
use ports::{AccountPurge, FindJob, Held, Jobs, PortResult, Purged, StartJob};

use super::{MemoryStore, Rows};

#[async_trait]
impl FindJob for MemoryStore {
    async fn find_job(&self, id: &JobId) -> PortResult<Option<Job>> {
        Ok(self.call("find_job")?.jobs.get(id).map(|(job, _)| job.clone()))
    }
}

#[async_trait]
impl StartJob for MemoryStore {
    async fn start_job(&self, job: &Job) -> PortResult<Job> {
        let mut rows = self.call("start_job")?;
        if let Some((there, _)) = rows.jobs.get(&job.id).filter(|(there, _)| !there.has_ended()) {
            return Ok(there.clone());
        }
        rows.jobs.insert(job.id.clone(), (job.clone(), None));
        Ok(job.clone())
    }
}

#[async_trait]
impl Jobs for MemoryStore {
    async fn pending_jobs(&self, now: Timestamp, limit: usize) -> PortResult<Vec<JobId>> {
        let rows = self.call("pending_jobs")?;
        let pending = rows.jobs.values().map(|(job, _)| job).filter(|job| !job.has_ended() && job.starts_at <= now);
        let mut pending: Vec<_> = pending.map(|job| (job.starts_at, job.id.clone())).collect();
        pending.sort();
        Ok(pending.into_iter().take(limit).map(|(_, id)| id).collect())
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
    fn write_job(&mut self, job: &Job, lease: &Lease) -> Held {
        match self.jobs.get_mut(&job.id) {
            Some((there, Some(held))) if held.holder == lease.holder && !there.has_ended() => {
                (*there, *held) = (job.clone(), lease.clone());
                Held::Held
            }
            _ => Held::Lost,
        }
    }
}

/// Removes up to `limit` of what `of` says is the account's; answers how many.
fn remove<K: Ord + Clone, V>(
    rows: &mut std::collections::BTreeMap<K, V>,
    limit: &mut usize,
    of: impl Fn(&K) -> bool,
) -> u64 {
    let found: Vec<K> = rows.keys().filter(|key| of(key)).take(*limit).cloned().collect();
    found.iter().for_each(|key| drop(rows.remove(key)));
    *limit -= found.len();
    found.len() as u64
}

#[async_trait]
impl AccountPurge for MemoryStore {
    async fn close_destinations(&self, account: &AccountId) -> PortResult<u64> {
        let mut rows = self.call("close_destinations")?;
        let mine = rows.destinations.values_mut().filter(|destination| destination.account == *account);
        let closed = mine.filter_map(|destination| {
            destination.health = destination.health.closed()?;
            Some(())
        });
        Ok(closed.count() as u64)
    }

    async fn purge_account(&self, account: &AccountId, limit: usize) -> PortResult<Purged> {
        let (mut rows, mut left) = (self.call("purge_account")?, limit);
        let mut deleted = remove(&mut rows.keys, &mut left, |(a, _)| a == account);
        deleted += remove(&mut rows.sessions, &mut left, |(a, _)| a == account);
        deleted += remove(&mut rows.subscriptions, &mut left, |(a, _)| a == account);
        deleted += remove(&mut rows.deliveries, &mut left, |(a, _)| a == account);
        deleted += remove(&mut rows.events, &mut left, |(a, _)| a == account);
        deleted += remove(&mut rows.destinations, &mut left, |(a, _)| a == account);
        deleted += remove(&mut rows.roll_ups, &mut left, |(a, _)| a == account);
        deleted += remove(&mut rows.paces, &mut left, |(a, _)| a == account);
        deleted += remove(&mut rows.scopes, &mut left, |(a, _)| a == account);
        deleted += remove(&mut rows.runs, &mut left, |(a, ..)| a == account);
        Ok(Purged { deleted, more: deleted > 0 })
    }

    async fn end_deletion(&self, account: &AccountId, job: &Job, lease: &Lease) -> PortResult<Held> {
        let mut rows = self.call("end_deletion")?;
        if rows.accounts.get(account).is_some_and(|there| there.deletion.as_ref() != Some(&job.id)) {
            return Ok(Held::Lost);
        }
        let held = rows.write_job(job, lease);
        if held == Held::Held {
            rows.accounts.remove(account);
        }
        Ok(held)
    }
}
