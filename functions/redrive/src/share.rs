//! The time that a part of a run may use, and the lists that it goes through in turn.

use std::collections::{BTreeSet, VecDeque};
use std::time::Duration;

use domain::value::Timestamp;
use ports::{PortResult, SHARDS};

use crate::deps::Deps;
use crate::failures::Failures;
use crate::unit::{Kept, Left};

/// What a part may use of the invocation's time.
#[derive(Clone, Copy)]
pub(crate) struct Share<'a> {
    pub(crate) deps: &'a Deps,
    pub(crate) failures: &'a Failures,
    /// No further step begins after this time.
    pub(crate) until: Timestamp,
}

impl Share<'_> {
    pub(crate) fn has_time(&self) -> bool {
        self.deps.clock.now() < self.until
    }

    /// Whether the part begins another step.
    pub(crate) fn goes_on(&self) -> bool {
        !self.failures.given_up() && self.has_time()
    }

    /// The same share, but for no longer than `most`.
    pub(crate) fn slice(&self, most: Duration) -> Self {
        Self { until: self.until.min(self.deps.clock.now().plus(most)), ..*self }
    }
}

/// A part of a run. It remembers its progress between turns.
pub(crate) trait Part {
    /// Works until its share of the time or its work ends. An error ends it for this run.
    async fn turn(&mut self, share: Share<'_>) -> PortResult<Went>;
    /// What it has left to do, as far as it knows.
    fn left(&self, now: Timestamp) -> Vec<Left>;
    /// Keeps only this; others do the rest.
    fn keep(&mut self, kept: &Kept);
}

/// Whether a part has more to do in this run.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Went {
    /// Its share of the time has ended; it continues if time is left.
    OutOfTime,
    /// It has ended.
    ToTheEnd,
}

/// The shards of a list, a page of each in turn, with the last entry that was handled.
pub(crate) struct Turns<E> {
    shards: BTreeSet<u8>,
    left: VecDeque<(u8, Option<E>)>,
    failed: BTreeSet<u8>,
}

impl<E> Turns<E> {
    pub(crate) fn of(shards: impl IntoIterator<Item = u8>) -> Self {
        let left: VecDeque<_> = shards.into_iter().map(|shard| (shard, None)).collect();
        Self { shards: left.iter().map(|(shard, _)| *shard).collect(), left, failed: BTreeSet::new() }
    }

    /// The shard whose turn it is.
    pub(crate) fn next(&mut self) -> Option<(u8, Option<E>)> {
        self.left.pop_front()
    }

    /// This shard has more entries after `after`; its turn comes again after the others.
    pub(crate) fn again(&mut self, shard: u8, after: Option<E>) {
        self.left.push_back((shard, after));
    }

    /// This shard's turn has not ended.
    pub(crate) fn interrupted(&mut self, shard: u8, after: Option<E>) {
        self.left.push_front((shard, after));
    }

    /// This shard cannot be listed; the next run lists it again.
    pub(crate) fn failed(&mut self, shard: u8) {
        self.failed.insert(shard);
    }

    /// The shards that are left, each with the last entry that was handled.
    pub(crate) fn left(&self) -> impl Iterator<Item = (u8, Option<&E>)> {
        self.left.iter().map(|(shard, after)| (*shard, after.as_ref()))
    }

    /// Other instances go through the shards that are left and not kept.
    pub(crate) fn keep(&mut self, kept: &Kept) {
        let others = self.left.iter().map(|(shard, _)| *shard).filter(|shard| !kept.contains_key(shard));
        let others: BTreeSet<u8> = others.collect();
        self.left.retain(|(shard, _)| !others.contains(shard));
        self.shards.retain(|shard| !others.contains(shard));
    }

    /// The shards that were gone through to the end.
    pub(crate) fn through(&self) -> impl Iterator<Item = u8> {
        let open: BTreeSet<u8> = self.left.iter().map(|(shard, _)| *shard).collect();
        self.shards.iter().copied().filter(move |shard| !open.contains(shard) && !self.failed.contains(shard))
    }
}

/// All shards, beginning with another one each minute.
pub(crate) fn all_shards(now: Timestamp) -> Vec<u8> {
    let minute = u8::try_from(now.unix_seconds() / 60 % u64::from(SHARDS)).unwrap_or_default();
    (0..SHARDS).map(|n| (n + minute) % SHARDS).collect()
}
