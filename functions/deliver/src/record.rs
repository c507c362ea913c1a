//! What is written in a delivery's row and what happens to its message, both without an attempt and after one.

use std::time::Duration;

use domain::delivery::{Delivery, DeliveryRecord, DeliveryState};
use domain::value::Timestamp;
use ports::Recorded;
use runtime::batch::Verdict;
use tracing::info;

use crate::deps::Deps;
use crate::received::{DeliverError, Received};

/// The longest wait that is spent in the queue. There the message is in flight, and a queue holds about 120,000 of
/// those.
pub(crate) const IN_QUEUE: Duration = Duration::from_secs(120);
/// A message that was received this often is not kept for another retry: `redrive` sends a new one. After 20 times it
/// would be dead-lettered.
const RECEIVES: u32 = 10;

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
    let known = before.unwrap_or_else(|| unknown(deps, delivery));
    set_aside(deps, record, &known, DeliveryState::Cancelled).await
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
    let (look_at, in_queue) = place(deps, record, due_at, now);
    let written = match before {
        // It was delivered before and somebody asked for it again. The row does not show that it waits.
        Some(before) if before.state.is_final() => return keep(deps, record, due_at.since(now)).await,
        Some(before) => deps.deliveries.replace_delivery(&before, &before.queued(due_at, look_at)).await?,
        None => {
            let queued = unknown(deps, delivery).queued(due_at, look_at);
            deps.deliveries.record_delivery(&queued).await? == Recorded::Recorded
        }
    };
    match (written, in_queue) {
        (true, true) => keep(deps, record, due_at.since(now)).await,
        (true, false) => Ok(Verdict::Acknowledge),
        (false, _) => keep(deps, record, Duration::ZERO).await,
    }
}

/// When `redrive` looks at a delivery that is due at `due_at`, and whether the delivery waits for that in the queue.
pub(crate) fn place(deps: &Deps, record: &Received, due_at: Timestamp, now: Timestamp) -> (Timestamp, bool) {
    let in_queue = due_at.since(now) <= IN_QUEUE && record.receives < RECEIVES;
    (if in_queue { deps.horizon.look_again(due_at, now) } else { due_at }, in_queue)
}

/// Parks the delivery until its destination works again.
pub(crate) async fn park(
    deps: &Deps,
    record: &Received,
    delivery: &Delivery,
    before: Option<DeliveryRecord>,
) -> Result<Verdict, DeliverError> {
    let state = before.as_ref().map(|before| before.state);
    if let Some(DeliveryState::Parked | DeliveryState::Delivered) = state {
        return Ok(Verdict::Acknowledge);
    }
    let known = before.unwrap_or_else(|| unknown(deps, delivery));
    set_aside(deps, record, &known, DeliveryState::Parked).await
}

/// The record of a delivery that has no row.
pub(crate) fn unknown(deps: &Deps, delivery: &Delivery) -> DeliveryRecord {
    DeliveryRecord {
        delivery: delivery.clone(),
        state: DeliveryState::Parked,
        attempts: Vec::new(),
        look_at: None,
        in_line: false,
        recovered_by_audit: false,
        expires_at: deps.clock.now().plus(deps.retention),
    }
}

/// Records when the next attempt is due, and leaves it to the queue or to `redrive`.
pub(crate) async fn retry(
    deps: &Deps,
    record: &Received,
    known: &DeliveryRecord,
    ended: Timestamp,
    wait: Duration,
) -> Result<Verdict, DeliverError> {
    let due_at = ended.plus(wait);
    let (look_at, in_queue) = place(deps, record, due_at, ended);
    match deps.deliveries.record_delivery(&known.reopened(due_at, look_at)).await? {
        Recorded::Recorded if in_queue => keep(deps, record, wait).await,
        Recorded::Recorded => Ok(Verdict::Acknowledge),
        Recorded::Superseded => keep(deps, record, Duration::ZERO).await,
    }
}

/// Records a delivery for which nothing more is attempted now.
pub(crate) async fn ended_as(deps: &Deps, record: &Received, known: DeliveryRecord) -> Result<Verdict, DeliverError> {
    match deps.deliveries.record_delivery(&known).await? {
        Recorded::Recorded => Ok(Verdict::Acknowledge),
        // Only a delivered row is not replaced by a delivered record.
        Recorded::Superseded if known.state == DeliveryState::Delivered => Ok(Verdict::Acknowledge),
        // Another message of this delivery was faster. Its row decides when this message is received again.
        Recorded::Superseded => keep(deps, record, Duration::ZERO).await,
    }
}

/// Records that no attempt is made now.
pub(crate) async fn set_aside(
    deps: &Deps,
    record: &Received,
    known: &DeliveryRecord,
    state: DeliveryState,
) -> Result<Verdict, DeliverError> {
    let expires_at = deps.clock.now().plus(deps.retention);
    ended_as(deps, record, DeliveryRecord { expires_at, ..known.ended(state, None) }).await
}

/// Leaves the message in the queue, to be received again after `wait`.
pub(crate) async fn keep(deps: &Deps, record: &Received, wait: Duration) -> Result<Verdict, DeliverError> {
    deps.queue.postpone(&record.receipt, wait).await?;
    Ok(Verdict::Keep)
}
