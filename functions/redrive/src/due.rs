//! Sends what is due. The row of a delivery that is sent stays in the index, pushed forward, until the outcome of an
//! attempt is written. If the message is lost or this process crashes, the delivery becomes due again.
//!
//! Invariant: what was sent is not sent again before its lease has run out, however short that is (tests:
//! `what_was_sent_ahead_is_not_sent_again_before_its_lease_has_run_out`,
//! `what_spends_a_short_wait_in_the_queue_is_left_there_until_its_lease_has_run_out`).

use std::time::Duration;

use domain::delivery::{DeliveryRecord, DeliveryState, Purpose};
use domain::value::Timestamp;
use ports::{Due, PortResult, SHARDS};
use tracing::error;

use crate::deps::Deps;
use crate::send::{ToSend, body_of, claim_and_send, find, is_forgotten};
use crate::tell;

/// What becomes due before the next run is sent now with a delay, so that it starts to the second.
const AHEAD: Duration = Duration::from_secs(60);
/// How many are listed at once.
const PAGE: usize = 500;
/// How long after a failed report it is tried again: after everything that this run still looks at.
const TELL_AGAIN: Duration = AHEAD.saturating_mul(2);
/// How many are claimed before they are sent.
const TOGETHER: usize = 50;

pub(crate) async fn run(deps: &Deps, deadline: Timestamp) -> PortResult<()> {
    for shard in 0..SHARDS {
        loop {
            let due = deps.waiting.due_deliveries(shard, deps.clock.now().plus(AHEAD), PAGE).await?;
            let (last, mut sent) = (due.len() < PAGE, 0);
            for together in due.chunks(TOGETHER) {
                if !deps.has_time(deadline) {
                    return Ok(());
                }
                sent += claim_and_send(deps, together.to_vec(), |due| claim(deps, due)).await?;
            }
            // The list may still contain what was just claimed.
            if last || sent == 0 {
                break;
            }
        }
    }
    Ok(())
}

async fn claim(deps: &Deps, due: Due) -> PortResult<Option<ToSend>> {
    let Some(record) = find(deps, &due.account, &due.id).await? else { return Ok(None) };
    if record.look_at != Some(due.look_at) {
        return Ok(None);
    }
    let DeliveryState::Retrying { due_at } = record.state else { return look_no_further(deps, record).await };
    let now = deps.clock.now();
    if record.is_under_way(now) {
        // Its holder may still be working on it. It is listed early if the lease is shorter than what this run looks
        // ahead.
        return Ok(None);
    }
    let Some(body) = body_of(deps, &record.delivery).await? else {
        let after = if is_forgotten(deps, &record.delivery) {
            error!("delivery.id" = %record.delivery.id, "the event of a delivery has been forgotten before its schedule ended");
            record.ended(DeliveryState::Exhausted, Some(now))
        } else {
            // Its body exists once the event is sealed, however long that takes.
            record.leased(now.plus(deps.horizon.lease()))
        };
        deps.deliveries.replace_delivery(&record, &after).await?;
        return Ok(None);
    };
    let leased = record.leased(deps.horizon.look_again(due_at, now));
    let claimed = deps.deliveries.replace_delivery(&record, &leased).await?;
    let send = || ToSend { delivery: record.delivery, purpose: Purpose::Again, body, delay: due_at.since(now) };
    Ok(claimed.then(send))
}

/// A delivery that has ended is looked at once, to report it; again if that failed, behind what is due by then.
async fn look_no_further(deps: &Deps, record: DeliveryRecord) -> PortResult<Option<ToSend>> {
    let told = record.state != DeliveryState::Exhausted || tell::exhausted(deps, &record).await;
    let look_at = (!told).then(|| deps.clock.now().plus(TELL_AGAIN));
    deps.deliveries.replace_delivery(&record, &DeliveryRecord { look_at, ..record.clone() }).await?;
    Ok(None)
}
