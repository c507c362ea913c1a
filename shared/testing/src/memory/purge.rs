//! The purge of an account in memory.

use std::collections::BTreeMap;

use async_trait::async_trait;
use domain::delivery::{Job, Lease};
use domain::value::AccountId;
use ports::{AccountPurge, Held, PortResult, Purged};

use super::MemoryStore;

/// Removes up to `limit` rows whose keys `of` selects; returns how many.
fn remove<K: Ord + Clone, V>(rows: &mut BTreeMap<K, V>, limit: &mut usize, of: impl Fn(&K) -> bool) -> u64 {
    let found: Vec<K> = rows.keys().filter(|key| of(key)).take(*limit).cloned().collect();
    found.iter().for_each(|key| drop(rows.remove(key)));
    *limit -= found.len();
    found.len() as u64
}

#[async_trait]
impl AccountPurge for MemoryStore {
    async fn close_destinations(&self, account: &AccountId) -> PortResult<u64> {
        let mut rows = self.call("close_destinations")?;
        let mine = rows.destinations.values().filter(|destination| destination.account == *account);
        let open: Vec<_> = mine
            .map(|stored| rows.with_health(stored))
            .filter_map(|before| Some((before.with_health(before.health.closed()?), before)))
            .collect();
        Ok(open.iter().filter(|(closed, before)| rows.update_health(before, closed)).count() as u64)
    }

    async fn purge_account(&self, account: &AccountId, limit: usize) -> PortResult<Purged> {
        let (mut rows, mut left) = (self.call("purge_account")?, limit);
        let mut deleted = remove(&mut rows.keys, &mut left, |(a, _)| a == account);
        deleted += remove(&mut rows.sessions, &mut left, |(a, _)| a == account);
        deleted += remove(&mut rows.subscriptions, &mut left, |(a, _)| a == account);
        let deliveries = rows.deliveries.remove_of(account, left);
        (deleted, left) = (deleted + deliveries as u64, left - deliveries);
        deleted += remove(&mut rows.plans, &mut left, |(a, _)| a == account);
        deleted += remove(&mut rows.sendings, &mut left, |(a, _)| a == account);
        deleted += remove(&mut rows.events, &mut left, |(a, _)| a == account);
        deleted += remove(&mut rows.destinations, &mut left, |(a, _)| a == account);
        if left > 0 {
            rows.searched.retain(|(a, _), _| a != account);
            rows.health.retain(|(a, _), _| a != account);
        }
        deleted += remove(&mut rows.roll_ups, &mut left, |(a, _)| a == account);
        deleted += remove(&mut rows.paces, &mut left, |(a, _)| a == account);
        deleted += remove(&mut rows.budgets, &mut left, |(a, _)| a == account);
        deleted += remove(&mut rows.test_places, &mut left, |(a, _)| a == account);
        deleted += remove(&mut rows.keyed_requests, &mut left, |key| key.account.as_ref() == Some(account));
        deleted += remove(&mut rows.scopes, &mut left, |(a, _)| a == account);
        rows.started_jobs.retain(|(a, ..)| a != account);
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
            rows.unregistered.remove(account);
        }
        Ok(held)
    }
}
