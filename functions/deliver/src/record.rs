//! What is written in a delivery's row and what happens to its message, both without an attempt and after one. The rules
//! are in [`domain::delivery::custody`]; here is what follows for the message.

use std::time::Duration;

use domain::attempt::Attempt;
use domain::delivery::{Delivery, DeliveryRecord, DeliveryState, End, Held};
use domain::destination::Destination;
use domain::value::Timestamp;
use ports::{PortError, PortResult};
use runtime::batch::Verdict;
use runtime::metrics::Count;
use tracing::info;

use crate::deps::Deps;
use crate::health;
use crate::received::{DeliverError, Received};

/// The longest wait that is spent in the queue. There the message is in flight, and a queue holds about 120,000 of
/// those.
pub(crate) const IN_QUEUE: Duration = Duration::from_secs(120);
/// A message that was received this often is not kept for another retry: `redrive` sends a new one. After 20 times it
/// would be dead-lettered.
const RECEIVES: u32 = 10;
/// How often an attempt is recorded anew if others keep changing the row.
const TRIES: u32 = 5;

/// The destination does not exist: it was deleted, or its whole account was.
pub(crate) async fn gone(
    deps: &Deps,
    record: &Received,
    delivery: &Delivery,
    before: Option<DeliveryRecord>,
) -> Result<Verdict, DeliverError> {
    if deps.accounts.find_account(&delivery.account).await?.is_none() {
        return Ok(ignored());
    }
    give_to(deps, record, delivery, before, Held::ended(End::Cancelled)).await
}

/// Acknowledges the message and writes no row, which would outlive the account.
pub(crate) fn ignored() -> Verdict {
    info!(counted = "ignored", "a delivery of an account that is gone or being deleted was acknowledged");
    Verdict::Acknowledge
}

/// Records when the delivery's turn comes. This is not an attempt.
pub(crate) async fn wait_in_line(
    deps: &Deps,
    record: &Received,
    delivery: &Delivery,
    before: Option<DeliveryRecord>,
    due_at: Timestamp,
) -> Result<Verdict, DeliverError> {
    let now = deps.clock.now();
    if before.as_ref().is_some_and(|before| before.state().is_final()) {
        // It was delivered before and somebody asked for it again. The row does not show that it waits.
        return keep(deps, record, due_at.since(now)).await;
    }
    give_to(deps, record, delivery, before, place(deps, record, due_at, now).in_line()).await
}

/// Who holds a delivery that is due at `due_at`: the queue for a short wait, the table for a long one.
pub(crate) fn place(deps: &Deps, record: &Received, due_at: Timestamp, now: Timestamp) -> Held {
    if due_at.since(now) <= IN_QUEUE && record.receives < RECEIVES {
        Held::by_queue(due_at, now, deps.lease)
    } else {
        Held::ByTable { due_at, in_line: false }
    }
}

/// Parks the delivery until its destination works again, and sees to it that somebody looks before it expires.
pub(crate) async fn park(
    deps: &Deps,
    record: &Received,
    destination: &Destination,
    delivery: &Delivery,
    before: Option<DeliveryRecord>,
) -> Result<Verdict, DeliverError> {
    if before.as_ref().is_some_and(|before| before.held == Held::ByDestination || before.is_delivered()) {
        return Ok(Verdict::Acknowledge);
    }
    let now = deps.clock.now();
    health::note(deps, destination, |health| health.parked(now)).await?;
    give_to(deps, record, delivery, before, Held::ByDestination).await
}

/// Gives the delivery to another holder without an attempt.
async fn give_to(
    deps: &Deps,
    record: &Received,
    delivery: &Delivery,
    before: Option<DeliveryRecord>,
    held: Held,
) -> Result<Verdict, DeliverError> {
    let was = before.as_ref().map(DeliveryRecord::state);
    let written = match before {
        Some(before) => {
            let expires_at = before.expires_at.max(kept_until(deps));
            deps.deliveries.replace_delivery(&before, &DeliveryRecord { expires_at, ..before.held(held) }).await?
        }
        None => {
            let first = DeliveryRecord::first(delivery.clone(), held, kept_until(deps));
            deps.deliveries.create_delivery(&first).await?
        }
    };
    if written && held.state() == DeliveryState::Parked {
        count(deps, was, held.state());
    }
    // Somebody else was faster. What the row says then decides when the message is received again.
    if written { release(deps, record, held).await } else { keep(deps, record, Duration::ZERO).await }
}

/// Records an attempt that should be followed by `then`; answers the row as it then is. `before` is the row that was
/// seen before the attempt. Whatever others have recorded in the meantime, the attempt is recorded too.
pub(crate) async fn attempted(
    deps: &Deps,
    delivery: &Delivery,
    before: Option<DeliveryRecord>,
    attempt: Attempt,
    then: Held,
) -> PortResult<DeliveryRecord> {
    // Without a row, the queue holds it.
    let held = Held::by_queue(attempt.at, attempt.at, deps.lease);
    let first = || DeliveryRecord::first(delivery.clone(), held, kept_until(deps));
    let seen = before.clone().unwrap_or_else(first);
    let mut stored = before;
    for _ in 0..TRIES {
        let known = stored.as_ref().unwrap_or(&seen);
        let after = known.attempted(attempt.clone(), &seen, then);
        let after = DeliveryRecord { expires_at: after.expires_at.max(kept_until(deps)), ..after };
        let written = match &stored {
            Some(before) => deps.deliveries.replace_delivery(before, &after).await?,
            None => deps.deliveries.create_delivery(&after).await?,
        };
        if written {
            count(deps, stored.as_ref().map(DeliveryRecord::state), after.state());
            return Ok(after);
        }
        stored = deps.deliveries.find_delivery(&delivery.account, &delivery.id).await?;
    }
    Err(PortError::transient("recording an attempt", "the row kept changing at the same time"))
}

/// Counts what became of a delivery whose row was just written.
fn count(deps: &Deps, was: Option<DeliveryState>, is: DeliveryState) {
    let count = match is {
        DeliveryState::Retrying { .. } => Count::DeliveriesRetried,
        // Another attempt changed nothing.
        _ if was == Some(is) => return,
        DeliveryState::Delivered => Count::DeliveriesDelivered,
        DeliveryState::Parked => Count::DeliveriesParked,
        DeliveryState::Exhausted => Count::DeliveriesExhausted,
        DeliveryState::Cancelled => return,
    };
    deps.metrics.add(count, 1);
}

fn kept_until(deps: &Deps) -> Timestamp {
    deps.clock.now().plus(deps.retention)
}

/// What happens to the message of a delivery that this message gave to `held`.
pub(crate) async fn release(deps: &Deps, record: &Received, held: Held) -> Result<Verdict, DeliverError> {
    match held {
        Held::ByQueue { due_at, .. } => keep(deps, record, due_at.since(deps.clock.now())).await,
        _ => Ok(Verdict::Acknowledge),
    }
}

/// Leaves the message in the queue, to be received again after `wait`.
pub(crate) async fn keep(deps: &Deps, record: &Received, wait: Duration) -> Result<Verdict, DeliverError> {
    deps.queue.postpone(&record.receipt, wait).await?;
    Ok(Verdict::Keep)
}
