//! Looks after destinations that are not simply healthy: reports changes, sends probes, and drains what was parked.
//!
//! Each step is claimed by a change of the destination's health, so that of two concurrent runs only one takes it.

use std::time::Duration;

use domain::delivery::{DeliveryState, Purpose};
use domain::destination::{Destination, Health, HealthState, Pace};
use domain::value::{DeliveryId, Timestamp};
use ports::PortResult;
use runtime::telemetry::ErrorChain;
use tracing::warn;

use crate::deps::Deps;
use crate::send::{ToSend, body_of, claim_and_send, find, reopen, send};
use crate::tell;

/// How many destinations are looked at in one run, at most.
const AT_MOST: usize = 1_000;
/// How many of the oldest parked deliveries are used for probes; each probe takes the next one.
const PROBED: usize = 10;
/// How often a change is tried if others keep being faster.
const TRIES: u32 = 20;
/// How many are claimed before they are sent.
const TOGETHER: usize = 50;

pub(crate) async fn run(deps: &Deps, deadline: Timestamp) -> PortResult<()> {
    let mut failure = None;
    for (account, id) in deps.waiting.watched_destinations(deps.clock.now(), AT_MOST).await? {
        if !deps.has_time(deadline) {
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
    let drains = destination.health.drain.is_some_and(|drain| drain.next_at <= now);
    match destination.health.state {
        HealthState::Failing { next_probe_at, half_open: false, .. } if next_probe_at <= now => {
            probe(deps, &destination).await
        }
        HealthState::Failing { half_open: true, .. } if drains => probe(deps, &destination).await,
        HealthState::Healthy if drains => drain(deps, &destination, deadline).await,
        _ => Ok(()),
    }
}

/// Makes a change, unless somebody else has made one in the meantime; then there is no result, and the next run looks
/// again.
async fn change(deps: &Deps, known: &Destination, health: Option<Health>) -> PortResult<Option<Destination>> {
    let Some(health) = health else { return Ok(None) };
    let changed = deps.destinations.update_health(known, &health).await?;
    Ok(changed.then(|| known.with_health(health)))
}

/// Reports changes that have not been reported. A change is reported before that is stored, so it may be reported twice
/// but never not at all. What cannot be reported is left to the next run, and does not hold up anything else.
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

/// Sends one of the parked deliveries to find out whether the destination works again. Without any, the next delivery
/// will show it.
async fn probe(deps: &Deps, destination: &Destination) -> PortResult<()> {
    let (now, health) = (deps.clock.now(), &destination.health);
    let HealthState::Failing { probes, half_open, .. } = health.state else { return Ok(()) };
    let candidate = candidate(deps, destination, probes).await?;
    let next = match (&candidate, half_open) {
        (Some(_), _) => health.probed(now),
        (None, true) => health.drained(now, true),
        (None, false) => health.half_opened(now),
    };
    match (change(deps, destination, next).await?, candidate) {
        (Some(_), Some(to_send)) => send(deps, &[to_send]).await,
        _ => Ok(()),
    }
}

/// The delivery to probe with: each of the oldest in turn, so that none is tried much more often than the others.
async fn candidate(deps: &Deps, destination: &Destination, probes: u32) -> PortResult<Option<ToSend>> {
    let parked = deps.waiting.parked_deliveries(&destination.account, &destination.id, PROBED).await?;
    let first = usize::try_from(probes).unwrap_or_default().checked_rem(parked.len()).unwrap_or_default();
    for id in parked.iter().cycle().skip(first).take(parked.len()) {
        let Some(record) = find(deps, &destination.account, id).await? else { continue };
        if record.state == DeliveryState::Parked
            && let Some(body) = body_of(deps, &record.delivery).await?
        {
            let (delivery, purpose) = (record.delivery, Purpose::Probe);
            return Ok(Some(ToSend { delivery, purpose, body, delay: Duration::ZERO }));
        }
    }
    Ok(None)
}

/// Sends a part of the parked deliveries, spread over the time until the next part.
async fn drain(deps: &Deps, destination: &Destination, deadline: Timestamp) -> PortResult<()> {
    let portion = destination.drain_portion();
    let parked = deps.waiting.parked_deliveries(&destination.account, &destination.id, portion).await?;
    let begin = deps.clock.now();
    if change(deps, destination, destination.health.drained(begin, parked.is_empty())).await?.is_none() {
        return Ok(());
    }
    if destination.settings.rate_limit.is_some()
        && destination.health.drain.is_some_and(|drain| drain.since == drain.next_at)
    {
        forget_line(deps, destination).await?;
    }
    let every = domain::destination::health::DRAIN_EVERY.div_f64(f64::from(u32::try_from(portion).unwrap_or(u32::MAX)));
    let due: Vec<_> = (0u32..).zip(parked).map(|(n, id)| (id, begin.plus(every.saturating_mul(n)))).collect();
    for together in due.chunks(TOGETHER) {
        if !deps.has_time(deadline) {
            break;
        }
        let claim = |(id, due_at): (DeliveryId, Timestamp)| unpark(deps, destination, id, due_at);
        claim_and_send(deps, together.to_vec(), claim).await?;
    }
    Ok(())
}

/// Clears the line. Deliveries that waited in it before the destination went down were parked, and are sent again at
/// the pace of the drain, so nobody waits for them.
async fn forget_line(deps: &Deps, destination: &Destination) -> PortResult<()> {
    let (account, id) = (&destination.account, &destination.id);
    let mut known = Pace::default();
    for _ in 0..TRIES {
        let after = Pace { line_until: 0, ..known };
        match deps.paces.store_pace(account, id, known, after).await? {
            Some(stored) => known = stored,
            None => break,
        }
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
    reopen(deps, record, due_at).await
}
