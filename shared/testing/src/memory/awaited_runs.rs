//! Awaited runs in memory.

use async_trait::async_trait;
use domain::routing::AwaitedRun;
use domain::value::Timestamp;
use ports::{AwaitRuns, AwaitedPlace, AwaitedRuns, PortResult};

use super::MemoryStore;

#[async_trait]
impl AwaitRuns for MemoryStore {
    async fn await_run(&self, run: &AwaitedRun) -> PortResult<()> {
        let mut rows = self.call("await_run")?;
        let known = rows.awaited.get(&AwaitedPlace::of(run));
        if known.is_none_or(|known| known.last_completed_at < run.last_completed_at) {
            rows.awaited.insert(AwaitedPlace::of(run), run.clone());
        }
        Ok(())
    }
}

#[async_trait]
impl AwaitedRuns for MemoryStore {
    async fn overdue_runs(
        &self,
        shard: u8,
        until: Timestamp,
        after: Option<&(Timestamp, AwaitedPlace)>,
        limit: usize,
    ) -> PortResult<Vec<(Timestamp, AwaitedPlace)>> {
        let rows = self.call("overdue_runs")?;
        let watched = rows.awaited.iter().filter_map(|(at, run)| Some((run.look_at?, at.clone())));
        let mut overdue: Vec<_> = watched.filter(|(look_at, at)| *look_at <= until && at.shard() == shard).collect();
        overdue.retain(|one| after.is_none_or(|after| one > after));
        overdue.sort();
        overdue.truncate(limit);
        Ok(overdue)
    }

    async fn find_awaited_run(&self, at: &AwaitedPlace) -> PortResult<Option<AwaitedRun>> {
        Ok(self.call("find_awaited_run")?.awaited.get(at).cloned())
    }

    async fn update_awaited_run(&self, before: &AwaitedRun, after: &AwaitedRun) -> PortResult<bool> {
        let mut rows = self.call("update_awaited_run")?;
        let is_before = |stored: &&mut AwaitedRun| {
            (stored.last_completed_at, stored.look_at) == (before.last_completed_at, before.look_at)
        };
        let Some(stored) = rows.awaited.get_mut(&AwaitedPlace::of(before)).filter(is_before) else { return Ok(false) };
        *stored = after.clone();
        Ok(true)
    }
}
