//! Runs that somebody waits for. There is one row for each watched place. It is in the index only while it has to be
//! looked at.

use async_trait::async_trait;
use domain::event::{EventType, Scope};
use domain::routing::AwaitedRun;
use domain::value::{AccountId, Timestamp};

use super::{PortResult, SHARDS};

/// The key of an awaited run.
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

    /// The shard of the index that contains it, computed from the sum of the bytes of its text.
    pub fn shard(&self) -> u8 {
        let text = format!("{}#{}", self.account, self.place);
        text.bytes().fold(0, u8::wrapping_add) % SHARDS
    }
}

#[async_trait]
pub trait AwaitRuns: Send + Sync {
    /// Stores it, unless a run is stored there that completed at the same time or later.
    async fn await_run(&self, run: &AwaitedRun) -> PortResult<()>;
}

#[async_trait]
pub trait AwaitedRuns: AwaitRuns {
    /// At most `limit` places of a shard after `after` that have to be looked at by `until`, each with its time,
    /// earliest first. The list is eventually consistent: it may not show the latest writes yet.
    async fn overdue_runs(
        &self,
        shard: u8,
        until: Timestamp,
        after: Option<&(Timestamp, AwaitedPlace)>,
        limit: usize,
    ) -> PortResult<Vec<(Timestamp, AwaitedPlace)>>;
    async fn find_awaited_run(&self, at: &AwaitedPlace) -> PortResult<Option<AwaitedRun>>;
    /// Writes `after` if `before` is still stored; returns whether it was.
    async fn update_awaited_run(&self, before: &AwaitedRun, after: &AwaitedRun) -> PortResult<bool>;
}
