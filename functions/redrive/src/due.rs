//! Sends what is due. A row that is sent stays where it is, pushed forward, until the outcome of an attempt is written over it:
//! if the message is lost, or this crashes, it is due again.

use std::time::Duration;

use domain::delivery::{DeliveryRecord, DeliveryState, Purpose};
use domain::value::Timestamp;
use ports::{Due, PortResult, SHARDS};
use tracing::error;

use crate::deps::Deps;
use crate::send::{ToSend, body_of, claim_and_send, find, is_forgotten};
use crate::tell;

/// What comes due before the next run is sent now, held back by the queue: so it starts to the second.
const AHEAD: Duration = Duration::from_secs(60);
/// How many are listed at once.
const PAGE: usize = 500;
/// After how long that is told which could not be told now: after what this run still looks at.
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
            // The list may still hold what was just claimed.
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
        // Whoever has it may still be at it. It is listed early where the lease is shorter than what this looks ahead.
        return Ok(None);
    }
    let Some(body) = body_of(deps, &record.delivery).await? else {
        let after = if is_forgotten(deps, &record.delivery) {
            error!("delivery.id" = %record.delivery.id, "the event of a delivery has been forgotten before its schedule ended");
            record.ended(DeliveryState::Exhausted, Some(now))
        } else {
            // It comes when the event is sealed, however long that takes.
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

/// One that has ended is looked at once, to tell of it; again where that did not work, behind what is due by then.
async fn look_no_further(deps: &Deps, record: DeliveryRecord) -> PortResult<Option<ToSend>> {
    let told = record.state != DeliveryState::Exhausted || tell::exhausted(deps, &record).await;
    let look_at = (!told).then(|| deps.clock.now().plus(TELL_AGAIN));
    deps.deliveries.replace_delivery(&record, &DeliveryRecord { look_at, ..record.clone() }).await?;
    Ok(None)
}
