//! Reports announced runs that did not come, to subscribers that have waited long enough. The domain decides when that
//! is.
//!
//! A missed run is reported before the report is stored. After a crash it is reported again as the same event, which
//! `fanout` recognizes.
//!
//! Invariant: a missed run is reported once to each subscriber that waited long enough, a late run cancels that, and
//! after a crash the same event is sent again (tests:
//! `a_run_that_does_not_come_is_told_once_to_each_who_waited_long_enough`,
//! `a_late_run_cancels_it_and_one_that_announces_nothing_ends_the_watch`,
//! `what_could_not_be_written_down_is_told_again_as_the_same_event`, the contract suite `awaited_runs`).

use std::collections::BTreeSet;

use domain::routing::Bucket;
use domain::value::Timestamp;
use futures_util::{StreamExt, stream};
use ports::{AwaitedPlace, PortResult};

use crate::deps::Deps;
use crate::failures::Row;
use crate::share::{Part, Share, Turns, Went};
use crate::unit::{Kept, Left};

/// How many are listed at once, which is one turn of a shard.
const PAGE: usize = 100;
/// How many are looked at together.
const AT_ONCE: usize = 20;

/// The progress of this run.
pub(crate) struct Missed {
    until: Timestamp,
    turns: Turns<(Timestamp, AwaitedPlace)>,
}

impl Missed {
    pub(crate) fn of(shards: Vec<u8>, now: Timestamp) -> Self {
        Self { until: now, turns: Turns::of(shards) }
    }
}

/// A failure at one place does not affect the others; the next run looks again.
impl Part for Missed {
    async fn turn(&mut self, share: Share<'_>) -> PortResult<Went> {
        while let Some((shard, mut after)) = self.turns.next() {
            if !share.goes_on() {
                self.turns.interrupted(shard, after);
                return Ok(Went::OutOfTime);
            }
            let list = share.deps.awaited_runs.overdue_runs(shard, self.until, after.as_ref(), PAGE).await;
            let Some(page) = share.failures.listed("missed runs", list) else {
                self.turns.failed(shard);
                continue;
            };
            let last = page.len() < PAGE;
            for together in page.chunks(AT_ONCE) {
                if !share.goes_on() {
                    self.turns.interrupted(shard, after);
                    return Ok(Went::OutOfTime);
                }
                let looks = together.iter().map(|(look_at, at)| async move {
                    match look(share.deps, *look_at, at).await {
                        Ok(()) => share.failures.worked(&at.account, None),
                        Err(error) => {
                            let row =
                                Row { account: &at.account, destination: None, what: "awaited run", id: &at.place };
                            share.failures.failed(row, &error);
                        }
                    }
                });
                stream::iter(looks).buffer_unordered(AT_ONCE).collect::<()>().await;
                after = together.last().cloned();
            }
            if !last {
                self.turns.again(shard, after);
            }
        }
        Ok(Went::ToTheEnd)
    }

    fn left(&self, _now: Timestamp) -> Vec<Left> {
        let since = |after: Option<&(Timestamp, AwaitedPlace)>| after.map_or(self.until, |(look_at, _)| *look_at);
        self.turns.left().map(|(shard, after)| Left { shard, since: since(after), parts: 1 }).collect()
    }

    fn keep(&mut self, kept: &Kept) {
        self.turns.keep(kept);
    }
}

/// Looks at one place.
async fn look(deps: &Deps, look_at: Timestamp, at: &AwaitedPlace) -> PortResult<()> {
    let Some(awaited) = deps.awaited_runs.find_awaited_run(at).await? else { return Ok(()) };
    let Some(absence) = at.event_type.absence().filter(|_| awaited.look_at == Some(look_at)) else { return Ok(()) };
    let buckets = Bucket::of_event(absence, &at.place);
    let listeners = deps.subscriptions.find_listeners(&at.account, &buckets).await?;
    let graces: BTreeSet<_> = listeners.iter().flat_map(|listeners| listeners.graces()).collect();
    let (events, after) = awaited.missed(&graces, deps.clock.now());
    for event in events {
        deps.event_queue.send_event(&event.account, &event.text(), None).await?;
    }
    deps.awaited_runs.update_awaited_run(&awaited, &after).await.map(drop)
}
