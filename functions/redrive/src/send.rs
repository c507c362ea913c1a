//! Sends deliveries that have a row through the queue again, with the body that their event was sealed with.

use futures_util::{StreamExt, TryStreamExt, stream};
use serde_json::value::RawValue;
use shared::domain::delivery::{Delivery, DeliveryRecord, OutgoingDelivery, Purpose};
use shared::domain::id::{AccountId, DeliveryId};
use shared::ports::{PortError, PortResult};
use std::time::Duration;

use crate::Deps;

/// How many rows are read or written at once.
const AT_ONCE: usize = 20;

/// A delivery to be sent.
pub(crate) struct ToSend {
    pub(crate) delivery: Delivery,
    pub(crate) purpose: Purpose,
    pub(crate) body: Box<RawValue>,
    pub(crate) delay: Duration,
}

/// What the row says, if there is one.
pub(crate) async fn find(deps: &Deps, account: &AccountId, id: &DeliveryId) -> PortResult<Option<DeliveryRecord>> {
    deps.deliveries.find_delivery(account, id).await
}

/// Whether an event that is not there has been forgotten; otherwise it was never sealed, which `fanout` may still do.
pub(crate) fn is_forgotten(deps: &Deps, delivery: &Delivery) -> bool {
    deps.clock.now().since(delivery.id.occurred_at()) > deps.retention
}

/// The body of a delivery; none while its event is not sealed, and once it has been forgotten.
pub(crate) async fn body_of(deps: &Deps, delivery: &Delivery) -> PortResult<Option<Box<RawValue>>> {
    let Some(event) = deps.events.find_event(&delivery.account, &delivery.event).await? else { return Ok(None) };
    let body = RawValue::from_string(event.body);
    body.map(Some).map_err(|error| PortError::permanent("reading a body", error))
}

/// Claims each of `items` with `claim`, several at once, and then sends those that were claimed. What is claimed and not sent,
/// because of a crash or a failure in between, is looked at again when the claim says.
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
