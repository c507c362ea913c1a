//! Sends deliveries through the queue again, with the body of the sealed event. Each delivery has a row first, from
//! which it is sent once more if its message is lost.

use std::time::Duration;

use domain::delivery::{Delivery, DeliveryRecord, DeliveryState, OutgoingDelivery, Purpose};
use domain::value::{AccountId, DeliveryId, Timestamp};
use futures_util::{StreamExt, TryStreamExt, stream};
use ports::{PortError, PortResult, Recorded};
use serde_json::value::RawValue;

use crate::deps::Deps;

/// How many rows are read or written at once.
const AT_ONCE: usize = 20;

/// A delivery to be sent.
pub(crate) struct ToSend {
    pub(crate) delivery: Delivery,
    pub(crate) purpose: Purpose,
    pub(crate) body: Box<RawValue>,
    pub(crate) delay: Duration,
}

/// The row of a delivery, if there is one.
pub(crate) async fn find(deps: &Deps, account: &AccountId, id: &DeliveryId) -> PortResult<Option<DeliveryRecord>> {
    deps.deliveries.find_delivery(account, id).await
}

/// Whether an event that is not found has been deleted; otherwise it was never sealed, and `fanout` may still do so.
pub(crate) fn is_forgotten(deps: &Deps, delivery: &Delivery) -> bool {
    deps.clock.now().since(delivery.id.occurred_at()) > deps.retention
}

/// The body of a delivery; none before its event is sealed and after it was deleted.
pub(crate) async fn body_of(deps: &Deps, delivery: &Delivery) -> PortResult<Option<Box<RawValue>>> {
    let Some(event) = deps.events.find_event(&delivery.account, &delivery.event).await? else { return Ok(None) };
    let body = RawValue::from_string(event.body);
    body.map(Some).map_err(|error| PortError::permanent("reading a body", error))
}

/// Lets a delivery wait for another attempt at `due_at`. Without a body there is nothing to send, and it is exhausted.
pub(crate) async fn reopen(deps: &Deps, record: DeliveryRecord, due_at: Timestamp) -> PortResult<Option<ToSend>> {
    let now = deps.clock.now();
    let Some(body) = body_of(deps, &record.delivery).await? else {
        if !record.state.is_final() && is_forgotten(deps, &record.delivery) {
            deps.deliveries.replace_delivery(&record, &record.ended(DeliveryState::Exhausted, Some(now))).await?;
        }
        return Ok(None);
    };
    // It is sent at our own pace, so at a destination with a rate limit it goes before new deliveries.
    let reopened = record.queued(due_at, deps.horizon.look_again(due_at, now));
    let claimed = deps.deliveries.replace_delivery(&record, &reopened).await?;
    let send = || ToSend { delivery: record.delivery, purpose: Purpose::Again, body, delay: due_at.since(now) };
    Ok(claimed.then(send))
}

/// The first row of a delivery that is owed and has none.
pub(crate) fn first_row(
    deps: &Deps,
    delivery: Delivery,
    state: DeliveryState,
    look_at: Option<Timestamp>,
) -> DeliveryRecord {
    let expires_at = deps.clock.now().plus(deps.retention);
    DeliveryRecord {
        delivery,
        state,
        attempts: Vec::new(),
        look_at,
        in_line: false,
        recovered_by_audit: false,
        expires_at,
    }
}

/// Gives a delivery that is owed and has no row its first one, from which it is attempted at `due_at`.
pub(crate) async fn give_row(
    deps: &Deps,
    delivery: Delivery,
    due_at: Timestamp,
    recovered_by_audit: bool,
) -> PortResult<Option<ToSend>> {
    let Some(body) = body_of(deps, &delivery).await? else { return Ok(None) };
    let now = deps.clock.now();
    let look_at = deps.horizon.look_again(due_at, now);
    let row = first_row(deps, delivery.clone(), DeliveryState::Retrying { due_at }, Some(look_at));
    let row = DeliveryRecord { recovered_by_audit, ..row };
    let recorded = deps.deliveries.record_delivery(&row).await? == Recorded::Recorded;
    let send = || ToSend { delivery, purpose: Purpose::Again, body, delay: due_at.since(now) };
    Ok(recorded.then(send))
}

/// Claims each of `items` with `claim`, several at once, and then sends those that were claimed; answers how many. What
/// is claimed but not sent, because of a crash or a failure in between, is looked at again at the time set by the
/// claim.
pub(crate) async fn claim_and_send<T, F>(deps: &Deps, items: Vec<T>, claim: impl Fn(T) -> F) -> PortResult<usize>
where
    F: Future<Output = PortResult<Option<ToSend>>>,
{
    let claimed: Vec<_> = stream::iter(items.into_iter().map(claim)).buffer_unordered(AT_ONCE).try_collect().await?;
    let claimed: Vec<ToSend> = claimed.into_iter().flatten().collect();
    send(deps, &claimed).await?;
    Ok(claimed.len())
}

pub(crate) async fn send(deps: &Deps, claimed: &[ToSend]) -> PortResult<()> {
    let outgoing = claimed.iter().map(|to_send| OutgoingDelivery {
        delivery: &to_send.delivery,
        purpose: to_send.purpose,
        body: &to_send.body,
        delay: to_send.delay,
    });
    deps.queue.send_deliveries(&outgoing.collect::<Vec<_>>()).await
}
