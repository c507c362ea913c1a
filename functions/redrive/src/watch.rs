//! Looks at the destinations that are not simply healthy: tells how they do, sends probes, and drains what was set aside.
//!
//! Each step is claimed by a change of the destination's health first, so that of two runs at once only one takes it.

use std::time::Duration;

use shared::domain::delivery::{DeliveryState, Purpose};
use shared::domain::destination::Destination;
use shared::domain::health::{Health, HealthState};
use shared::domain::id::DeliveryId;
use shared::domain::timestamp::Timestamp;
use shared::ports::PortResult;
use shared::telemetry::ErrorChain;
use tracing::warn;

use crate::send::{ToSend, body_of, claim_and_send, find};
use crate::{Deps, has_time, tell};

/// Most destinations looked at in one run.
const AT_MOST: usize = 1_000;
/// The oldest deliveries that were set aside, of which each probe takes the next one.
const PROBED: usize = 10;
/// How many are claimed before they are sent.
const TOGETHER: usize = 50;

pub(crate) async fn run(deps: &Deps, deadline: Timestamp) -> PortResult<()> {
    let mut failure = None;
    for (account, id) in deps.waiting.watched_destinations(deps.clock.now(), AT_MOST).await? {
        if !has_time(deps, deadline) {
            break;
        }
        let looked = match deps.destinations.find_destination_anew(&account, &id).await {
            Ok(Some(destination)) => look(deps, destination, deadline).await,
            Ok(None) => Ok(()),
            Err(error) => Err(error),
        };
        if let Err(error) = looked {
            warn!("destination.id" = %id, error = %ErrorChain(&error), "a destination could not be looked at");
            failure = Some(error);
        }
    }
    failure.map_or(Ok(()), Err)
}

async fn look(deps: &Deps, destination: Destination, deadline: Timestamp) -> PortResult<()> {
    let Some(destination) = told(deps, destination).await? else { return Ok(()) };
    if !destination.settings.enabled {
        return Ok(());
    }
    let now = deps.clock.now();
    match (destination.health.state, destination.health.drain) {
        (HealthState::Failing { next_probe_at, probes, .. }, _) if next_probe_at <= now => {
            probe(deps, &destination, probes).await
        }
        (HealthState::Healthy, Some(next)) if next.next_at <= now => drain(deps, &destination, deadline).await,
        _ => Ok(()),
    }
}

/// Makes a change, unless somebody else has made one meanwhile; then there is no answer, and the next run looks again.
async fn change(deps: &Deps, known: &Destination, health: Option<Health>) -> PortResult<Option<Destination>> {
    let Some(health) = health else { return Ok(None) };
    let changed = deps.destinations.update_health(known, &health).await?;
    Ok(changed.then(|| known.with_health(health)))
}

/// Tells what nobody has been told of yet. It is told before that is written down: twice rather than never. What cannot be told
/// is told by the next run, and keeps nothing else from being done.
async fn told(deps: &Deps, destination: Destination) -> PortResult<Option<Destination>> {
    let untold = destination.health.untold.clone();
    if untold.is_empty() {
        return Ok(Some(destination));
    }
    let mut count = 0;
    for happened in &untold {
        if !tell::changed(deps, &destination, happened).await {
            break;
        }
        count += 1;
    }
    if count == 0 {
        return Ok(Some(destination));
    }
    change(deps, &destination, Some(destination.health.told(count))).await
}

/// Sends one of the deliveries that were set aside, to find out whether the destination is back.
async fn probe(deps: &Deps, destination: &Destination, probes: u32) -> PortResult<()> {
    let parked = deps.waiting.parked_deliveries(&destination.account, &destination.id, PROBED).await?;
    if change(deps, destination, destination.health.probed(deps.clock.now())).await?.is_none() {
        return Ok(());
    }
    // In turn, so that none of them is tried much more often than the others.
    let first = usize::try_from(probes).unwrap_or_default().checked_rem(parked.len()).unwrap_or_default();
    for id in parked.iter().cycle().skip(first).take(parked.len()) {
        let Some(record) = find(deps, &destination.account, id).await? else { continue };
        if record.state != DeliveryState::Parked {
            continue;
        }
        let Some(body) = body_of(deps, &record.delivery).await? else { continue };
        let (delivery, purpose) = (record.delivery, Purpose::Probe);
        let claim = |()| async {
            Ok(Some(ToSend { delivery: delivery.clone(), purpose, body: body.clone(), delay: Duration::ZERO }))
        };
        return claim_and_send(deps, vec![()], claim).await.map(drop);
    }
    Ok(())
}

/// Sends a part of what was set aside, spread over the time until the next part.
async fn drain(deps: &Deps, destination: &Destination, deadline: Timestamp) -> PortResult<()> {
    let portion = destination.drain_portion();
    let parked = deps.waiting.parked_deliveries(&destination.account, &destination.id, portion).await?;
    let begin = deps.clock.now();
    if change(deps, destination, destination.health.drained(begin, parked.is_empty())).await?.is_none() {
        return Ok(());
    }
    let every = shared::domain::health::DRAIN_EVERY.div_f64(f64::from(u32::try_from(portion).unwrap_or(u32::MAX)));
    let due: Vec<_> = (0u32..).zip(parked).map(|(n, id)| (id, begin.plus(every.saturating_mul(n)))).collect();
    for together in due.chunks(TOGETHER) {
        if !has_time(deps, deadline) {
            break;
        }
        let claim = |(id, due_at): (DeliveryId, Timestamp)| unpark(deps, destination, id, due_at);
        claim_and_send(deps, together.to_vec(), claim).await?;
    }
    Ok(())
}

async fn unpark(
    deps: &Deps,
    destination: &Destination,
    id: DeliveryId,
    due_at: Timestamp,
) -> PortResult<Option<ToSend>> {
    let Some(record) = find(deps, &destination.account, &id).await? else { return Ok(None) };
    if record.state != DeliveryState::Parked {
        return Ok(None);
    }
    let now = deps.clock.now();
    let Some(body) = body_of(deps, &record.delivery).await? else {
        deps.deliveries.replace_delivery(&record, &record.ended(DeliveryState::Exhausted, Some(now))).await?;
        return Ok(None);
    };
    let reopened = record.reopened(due_at, deps.horizon.look_again(due_at, now));
    let claimed = deps.deliveries.replace_delivery(&record, &reopened).await?;
    let send = || ToSend { delivery: record.delivery, purpose: Purpose::Again, body, delay: due_at.since(now) };
    Ok(claimed.then(send))
}
