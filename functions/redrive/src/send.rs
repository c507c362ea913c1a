//! Sends deliveries through the queue again, with the body of the sealed event. Each delivery gets a row first, from
//! which it is sent once more if its message is lost.

use std::sync::Arc;
use std::time::Duration;

use domain::delivery::{Delivery, DeliveryRecord, Held, OutgoingDelivery, Purpose};
use domain::value::{AccountId, DeliveryId, Timestamp};
use futures_util::{StreamExt, stream};
use ports::{PortError, PortResult};
use runtime::metrics::Count;
use serde_json::value::RawValue;

use crate::deps::Deps;
use crate::failures::Row;
use crate::share::Share;

/// How many rows are read or written at once.
const AT_ONCE: usize = 20;
/// How many batches are sent at once.
const SENDS_AT_ONCE: usize = 5;
/// How many deliveries, and how many bytes of their bodies, are sent together: SQS takes 10 and 1 MiB.
const BATCH: usize = 10;
const BATCH_BYTES: usize = 768 * 1_024;

/// A delivery to be sent.
pub(crate) struct ToSend {
    pub(crate) delivery: Delivery,
    pub(crate) purpose: Purpose,
    /// Shared by the deliveries of an event.
    pub(crate) body: Arc<RawValue>,
    pub(crate) delay: Duration,
}

/// The row of a delivery, if there is one.
pub(crate) async fn find(deps: &Deps, account: &AccountId, id: &DeliveryId) -> PortResult<Option<DeliveryRecord>> {
    deps.deliveries.find_delivery(account, id).await
}

/// Whether an event that is not found has been deleted. Otherwise it was never sealed, and `fanout` may still seal it.
pub(crate) fn is_forgotten(deps: &Deps, delivery: &Delivery) -> bool {
    deps.clock.now().since(delivery.id.occurred_at()) > deps.retention
}

/// The body of a delivery; `None` before its event is sealed and after it was deleted.
pub(crate) async fn body_of(deps: &Deps, delivery: &Delivery) -> PortResult<Option<Arc<RawValue>>> {
    deps.events.find_body(&delivery.account, &delivery.event).await?.map(body).transpose()
}

/// The body of a sealed event.
pub(crate) fn body(text: String) -> PortResult<Arc<RawValue>> {
    RawValue::from_string(text).map(Arc::from).map_err(|error| PortError::permanent("reading a body", error))
}

/// Lets a delivery wait for another attempt at `due_at`. Without a body there is nothing to send, and it is exhausted.
pub(crate) async fn reopen(deps: &Deps, record: DeliveryRecord, due_at: Timestamp) -> PortResult<Option<ToSend>> {
    let now = deps.clock.now();
    let Some(body) = body_of(deps, &record.delivery).await? else {
        if !record.state().is_final() && is_forgotten(deps, &record.delivery) {
            give_up(deps, &record, &record.expired(now)).await?;
        }
        return Ok(None);
    };
    // It is sent at our own pace, so at a destination with a rate limit it goes ahead of new deliveries.
    let held = Held::by_queue(due_at, now, deps.lease).in_line();
    let claimed = deps.deliveries.replace_delivery(&record, &record.held(held)).await?;
    let send = || ToSend { delivery: record.delivery, purpose: Purpose::Again, body, delay: due_at.since(now) };
    Ok(claimed.then(send))
}

/// Writes that a delivery is exhausted, and counts that.
pub(crate) async fn give_up(deps: &Deps, before: &DeliveryRecord, exhausted: &DeliveryRecord) -> PortResult<()> {
    let written = deps.deliveries.replace_delivery(before, exhausted).await?;
    deps.metrics.add(Count::DeliveriesExhausted, usize::from(written));
    Ok(())
}

/// The first row of a delivery that is owed but has none.
pub(crate) fn first_row(deps: &Deps, delivery: Delivery, held: Held) -> DeliveryRecord {
    DeliveryRecord::first(delivery, held, deps.clock.now().plus(deps.retention))
}

/// Gives a delivery that is owed but has no row its first one, from which it is attempted at `due_at`.
pub(crate) async fn give_row(
    deps: &Deps,
    delivery: Delivery,
    body: Arc<RawValue>,
    due_at: Timestamp,
    recovered_by_audit: bool,
) -> PortResult<Option<ToSend>> {
    let now = deps.clock.now();
    let row = first_row(deps, delivery.clone(), Held::by_queue(due_at, now, deps.lease));
    let created = deps.deliveries.create_delivery(&DeliveryRecord { recovered_by_audit, ..row }).await?;
    let send = || ToSend { delivery, purpose: Purpose::Again, body, delay: due_at.since(now) };
    Ok(created.then(send))
}

/// The result of claiming several items.
#[derive(Debug, Default, Clone, Copy)]
pub(crate) struct Claimed {
    /// How many were claimed. They are sent by this run, or when their leases expire.
    pub(crate) claimed: usize,
    /// How many failed with an error that may pass, or were skipped.
    pub(crate) left: usize,
    /// How many cannot be handled until somebody corrects a row.
    pub(crate) poisoned: usize,
}

impl Claimed {
    /// An error if trying again may help.
    pub(crate) fn checked(self) -> PortResult<Self> {
        match self.left {
            0 => Ok(self),
            left => Err(PortError::transient("sending again", format!("{left} of some deliveries were not claimed"))),
        }
    }
}

/// Claims each of `items` with `claim`, several at once, and then sends those that `pick` picks, even if others failed.
/// What is claimed but not sent, because of a crash or a failure in between, is looked at again at the time set by the
/// claim.
pub(crate) async fn claim_and_send<T, R, F>(
    share: Share<'_>,
    items: Vec<T>,
    name: impl Fn(&T) -> (AccountId, DeliveryId),
    claim: impl Fn(T) -> F,
    mut pick: impl FnMut(R) -> Option<ToSend>,
) -> Claimed
where
    F: Future<Output = PortResult<R>>,
{
    let failures = share.failures;
    let claims = items.into_iter().map(|item| {
        let (account, id) = name(&item);
        let claim = claim(item);
        async move {
            let destination = id.destination();
            if failures.given_up() || failures.leaves_alone(&account, Some(&destination)) {
                return Err(false);
            }
            match claim.await {
                Ok(found) => {
                    failures.worked(&account, Some(&destination));
                    Ok(found)
                }
                Err(error) => {
                    let row = Row { account: &account, destination: Some(&destination), what: "delivery", id: &id };
                    failures.failed(row, &error);
                    Err(matches!(error, PortError::Permanent { .. }))
                }
            }
        }
    });
    let claims: Vec<_> = stream::iter(claims).buffer_unordered(AT_ONCE).collect().await;
    let (mut result, mut claimed) = (Claimed::default(), Vec::new());
    for claim in claims {
        match claim {
            Ok(found) => claimed.extend(pick(found)),
            Err(true) => result.poisoned += 1,
            Err(false) => result.left += 1,
        }
    }
    result.claimed = claimed.len();
    // Each batch fits into one call, so if one fails in part, no other is affected.
    let sends = batches(&claimed)
        .into_iter()
        .map(|batch| async move { if failures.sent(send(share.deps, batch).await) { 0 } else { batch.len() } });
    let unsent: Vec<usize> = stream::iter(sends).buffer_unordered(SENDS_AT_ONCE).collect().await;
    result.left += unsent.into_iter().sum::<usize>();
    result
}

fn batches(mut left: &[ToSend]) -> Vec<&[ToSend]> {
    let mut batches = Vec::new();
    while !left.is_empty() {
        let (batch, further) = left.split_at(batch(left));
        batches.push(batch);
        left = further;
    }
    batches
}

/// How many of `left` fit into one call.
fn batch(left: &[ToSend]) -> usize {
    let mut bytes = 0;
    let fits = left.iter().take(BATCH).take_while(|to_send| {
        bytes += to_send.body.get().len();
        bytes <= BATCH_BYTES
    });
    fits.count().max(1)
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
