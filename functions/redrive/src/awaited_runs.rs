//! Reports runs that were announced and did not come to those who have waited long enough. The domain decides when that
//! is.
//!
//! A missed run is reported before that is stored. After a crash it is reported again as the same event, which `fanout`
//! recognizes.
//!
//! Invariant: a run that does not come is told once to each who waited long enough, a late run cancels that, and after a
//! crash the same event is told again (tests: `a_run_that_does_not_come_is_told_once_to_each_who_waited_long_enough`,
//! `a_late_run_cancels_it_and_one_that_announces_nothing_ends_the_watch`,
//! `what_could_not_be_written_down_is_told_again_as_the_same_event`, the contract suite `awaited_runs`).

use std::collections::BTreeSet;

use domain::routing::Bucket;
use domain::value::Timestamp;
use futures_util::{StreamExt, stream};
use ports::{AwaitedPlace, PortResult, SHARDS};
use runtime::telemetry::ErrorChain;
use tracing::warn;

use crate::deps::Deps;

/// How many are listed at once.
const PAGE: usize = 500;
/// How many are looked at together.
const AT_ONCE: usize = 20;

/// A failure at one place does not affect the others; the next run looks again.
pub(crate) async fn run(deps: &Deps, deadline: Timestamp) -> PortResult<()> {
    let mut failure = None;
    for shard in 0..SHARDS {
        loop {
            let overdue = deps.awaited_runs.overdue_runs(shard, deps.clock.now(), PAGE).await?;
            let (last, mut looked_at) = (overdue.len() < PAGE, 0);
            for together in overdue.chunks(AT_ONCE) {
                if !deps.has_time(deadline) {
                    return failure.map_or(Ok(()), Err);
                }
                let looks = stream::iter(together.to_vec()).map(|(look_at, at)| look(deps, look_at, at));
                for looked in looks.buffer_unordered(AT_ONCE).collect::<Vec<_>>().await {
                    match looked {
                        Ok(done) => looked_at += usize::from(done),
                        Err(error) => {
                            warn!(error = %ErrorChain(&error), "an awaited run could not be looked at");
                            failure = Some(error);
                        }
                    }
                }
            }
            // The list may still contain what was just handled.
            if last || looked_at == 0 {
                break;
            }
        }
    }
    failure.map_or(Ok(()), Err)
}

/// Looks at one place; answers whether this run handled it.
async fn look(deps: &Deps, look_at: Timestamp, at: AwaitedPlace) -> PortResult<bool> {
    let Some(awaited) = deps.awaited_runs.find_awaited_run(&at).await? else { return Ok(false) };
    let Some(absence) = at.event_type.absence().filter(|_| awaited.look_at == Some(look_at)) else { return Ok(false) };
    let buckets = Bucket::of_event(absence, &at.place);
    let filed = deps.subscriptions.find_subscriptions(&at.account, &buckets).await?;
    let watching = filed.iter().filter(|subscription| subscription.listens(absence, &at.place));
    let graces: BTreeSet<_> = watching.map(|subscription| subscription.settings.grace).collect();
    let (events, after) = awaited.missed(&graces, deps.clock.now());
    for event in events {
        deps.event_queue.send_event(&event.text()).await?;
    }
    deps.awaited_runs.update_awaited_run(&awaited, &after).await
}
