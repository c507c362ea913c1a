//! The runs that somebody waits for: one row for each place that is watched, and in the index only while it is to be looked at.

use async_trait::async_trait;
use domain::event::{EventType, Scope};
use domain::routing::AwaitedRun;
use domain::value::{AccountId, Timestamp};

use super::{PortResult, SHARDS};

/// Where an awaited run is kept.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct AwaitedPlace {
    pub account: AccountId,
    pub event_type: EventType,
    pub place: Scope,
}

impl AwaitedPlace {
    pub fn of(run: &AwaitedRun) -> Self {
        Self { account: run.account.clone(), event_type: run.event_type, place: run.place.clone() }
    }

    /// The part of the index it lies in, by the sum of what its text has.
    pub fn shard(&self) -> u8 {
        let text = format!("{}#{}", self.account, self.place);
        text.bytes().fold(0, u8::wrapping_add) % SHARDS
    }
}

#[async_trait]
pub trait AwaitRuns: Send + Sync {
    /// Keeps it, unless a run that completed as late is known there.
    async fn await_run(&self, run: &AwaitedRun) -> PortResult<()>;
}

#[async_trait]
pub trait AwaitedRuns: AwaitRuns {
    /// The places of a shard that are to be looked at at `until` or before, with when, earliest first, at most `limit`. It does not
    /// read consistently: what was written a moment ago may be missing, or still there.
    async fn overdue_runs(
        &self,
        shard: u8,
        until: Timestamp,
        limit: usize,
    ) -> PortResult<Vec<(Timestamp, AwaitedPlace)>>;
    async fn find_awaited_run(&self, at: &AwaitedPlace) -> PortResult<Option<AwaitedRun>>;
    /// Writes `after` where `before` is still what is stored; answers whether it was.
    async fn update_awaited_run(&self, before: &AwaitedRun, after: &AwaitedRun) -> PortResult<bool>;
}
