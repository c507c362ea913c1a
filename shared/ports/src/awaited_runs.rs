//! Runs that somebody waits for. There is one row for each watched place, and it is in the index only while somebody
//! has to look at it.

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

    /// The part of the index that contains it, by the sum of the bytes of its text.
    pub fn shard(&self) -> u8 {
        let text = format!("{}#{}", self.account, self.place);
        text.bytes().fold(0, u8::wrapping_add) % SHARDS
    }
}

#[async_trait]
pub trait AwaitRuns: Send + Sync {
    /// Stores it, unless a run that completed as late or later is known there.
    async fn await_run(&self, run: &AwaitedRun) -> PortResult<()>;
}

#[async_trait]
pub trait AwaitedRuns: AwaitRuns {
    /// The places of a shard that have to be looked at by `until`, each with its time, earliest first, at most `limit`,
    /// beginning after `after`. The list is not consistent: what was written a moment ago may be missing, or may still be there.
    async fn overdue_runs(
        &self,
        shard: u8,
        until: Timestamp,
        after: Option<&(Timestamp, AwaitedPlace)>,
        limit: usize,
    ) -> PortResult<Vec<(Timestamp, AwaitedPlace)>>;
    async fn find_awaited_run(&self, at: &AwaitedPlace) -> PortResult<Option<AwaitedRun>>;
    /// Writes `after` if `before` is still stored; answers whether it was.
    async fn update_awaited_run(&self, before: &AwaitedRun, after: &AwaitedRun) -> PortResult<bool>;
}
