//! Looks after destinations that are not simply healthy: reports changes, sends probes, and drains what was parked.
//!
//! All reports and probes of a run come before its drains, which may take long.
//!
//! Invariant: no drain holds up a probe (tests: `probes_of_all_destinations_go_before_drains`).
//!
//! Each step is claimed by a change of the destination's health, so that of two concurrent runs only one takes it.

use std::collections::VecDeque;
use std::time::Duration;

use domain::delivery::{Held, Purpose};
use domain::destination::health::DRAIN_EVERY;
use domain::destination::{Destination, Health, HealthState};
use domain::value::{AccountId, DeliveryId, DestinationId, Timestamp};
use futures_util::{StreamExt, stream};
use ports::{PortError, PortResult, Watched};
use tracing::info;

use crate::deps::Deps;
use crate::expiring;
use crate::failures::Row;
use crate::send::{ToSend, body_of, claim_and_send, find, reopen, send};
use crate::share::{Part, Share, Went};
use crate::tell;
use crate::unit::{Division, Kept, Left};

/// How many destinations are listed at once.
const PAGE: usize = 100;
/// How many are looked at at once.
const AT_ONCE: usize = 5;
/// How many that have to be drained are kept.
const DRAINS: usize = 10_000;
/// How many of them are worth an instance.
const DRAINS_A_PART: usize = 10;
/// How long one destination is drained before it is the next one's turn.
const DRAIN_AT_MOST: Duration = Duration::from_secs(2);
/// How many of the oldest parked deliveries are used for probes; each probe takes the next one.
const PROBED: usize = 10;
/// How many are claimed before they are sent.
const TOGETHER: usize = 50;

/// How far this run is.
pub(crate) struct Watch {
    until: Timestamp,
    division: Division,
    after: Option<Watched>,
    /// What is drained, after all reports and probes.
    drains: VecDeque<Watched>,
    last: bool,
}

impl Watch {
    pub(crate) fn of(division: Division, now: Timestamp) -> Self {
        Self { until: now, division, after: None, drains: VecDeque::new(), last: false }
    }
}

impl Part for Watch {
    async fn turn(&mut self, share: Share<'_>) -> PortResult<Went> {
        while !self.last {
            if !share.goes_on() {
                return Ok(Went::OutOfTime);
            }
            let page = share.deps.waiting.watched_destinations(self.until, self.after.as_ref(), PAGE).await?;
            let (last, listed) = (page.len() < PAGE, page.last().cloned());
            let mine: Vec<_> = page.into_iter().filter(|one| self.division.has(one.id.as_str())).collect();
            for together in mine.chunks(AT_ONCE) {
                if !share.goes_on() {
                    return Ok(Went::OutOfTime);
                }
                let looks = together.iter().map(|one| async move {
                    noted(share, &one.account, &one.id, look_at(share, one).await) == Some(true)
                });
                let drains: Vec<bool> = stream::iter(looks).buffered(AT_ONCE).collect().await;
                let drains = together.iter().zip(drains).filter(|(_, drains)| *drains).map(|(one, _)| one.clone());
                // The next run finds further ones.
                self.drains.extend(drains.take(DRAINS.saturating_sub(self.drains.len())));
                self.after = together.last().cloned();
            }
            self.last = last;
            self.after = listed.or(self.after.take());
        }
        while let Some(one) = self.drains.pop_front() {
            if !share.goes_on() {
                self.drains.push_front(one);
                return Ok(Went::OutOfTime);
            }
            let drained = drain_anew(share.slice(DRAIN_AT_MOST), &one).await;
            noted(share, &one.account, &one.id, drained);
        }
        Ok(Went::ToTheEnd)
    }

    /// How many destinations wait is known once all are listed.
    fn left(&self, _now: Timestamp) -> Vec<Left> {
        let oldest = self.drains.front().or(self.after.as_ref().filter(|_| !self.last));
        let since = oldest.map_or(self.until, |one| one.look_at);
        let parts = if self.last { self.drains.len().div_ceil(DRAINS_A_PART) } else { usize::MAX };
        let left = Left { shard: 0, since, parts: u16::try_from(parts).unwrap_or(u16::MAX) };
        (left.parts > 0).then_some(left).into_iter().collect()
    }

    fn keep(&mut self, kept: &Kept) {
        self.division = kept.values().next().copied().unwrap_or(self.division);
        self.drains.retain(|one| self.division.has(one.id.as_str()));
    }
}

/// Notes what became of a destination.
fn noted<T>(share: Share<'_>, account: &AccountId, id: &DestinationId, result: PortResult<T>) -> Option<T> {
    match result {
        Ok(done) => {
            share.failures.worked(account, Some(id));
            Some(done)
        }
        Err(error) => {
            share.failures.failed(Row { account, destination: Some(id), what: "destination", id }, &error);
            None
        }
    }
}

/// Reports and probes a destination; answers whether it has to be drained.
async fn look_at(share: Share<'_>, one: &Watched) -> PortResult<bool> {
    let deps = share.deps;
    let found = deps.destinations.find_destination_anew(&one.account, &one.id).await?;
    let Some(destination) = found else {
        // A failure was noted while it was being deleted.
        return deps.destinations.forget_health(&one.account, &one.id).await.map(|()| false);
    };
    let Some(destination) = told(deps, destination).await? else { return Ok(false) };
    let Some(destination) = expiring::look(share.slice(DRAIN_AT_MOST), destination).await? else { return Ok(false) };
    if destination.settings.paused {
        // It was paused after its health was stored. Until it is resumed, it is only looked for what is about to expire.
        let now = deps.clock.now();
        let quiet = destination.look_at().is_none_or(|at| at > now).then(|| destination.health.confirmed());
        return change(deps, &destination, quiet).await.map(|_| false);
    }
    let now = deps.clock.now();
    let drains = destination.health.drain.is_some_and(|drain| drain.next_at <= now);
    match destination.health.state {
        HealthState::Failing { next_probe_at, half_open: false, .. } if next_probe_at <= now => {
            probe(share, &destination).await?;
        }
        HealthState::Failing { half_open: true, .. } if drains => probe(share, &destination).await?,
        HealthState::Healthy => return Ok(drains),
        _ => {}
    }
    Ok(false)
}

/// Drains a destination that had to be drained when it was looked at.
async fn drain_anew(share: Share<'_>, one: &Watched) -> PortResult<()> {
    let found = share.deps.destinations.find_destination_anew(&one.account, &one.id).await?;
    let now = share.deps.clock.now();
    let drains = |destination: &Destination| {
        let due = destination.health.drain.is_some_and(|drain| drain.next_at <= now);
        due && !destination.settings.paused && matches!(destination.health.state, HealthState::Healthy)
    };
    match found.filter(drains) {
        Some(destination) => drain(share, &destination).await,
        None => Ok(()),
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
async fn probe(share: Share<'_>, destination: &Destination) -> PortResult<()> {
    let deps = share.deps;
    let (now, health) = (deps.clock.now(), &destination.health);
    let HealthState::Failing { probes, half_open, .. } = health.state else { return Ok(()) };
    let (candidate, passed_over) = candidate(share, destination, probes).await?;
    let next = match (&candidate, half_open) {
        (Some(_), _) => health.probed(now),
        (None, true) => health.drained(now, true),
        (None, false) => health.half_opened(now),
    };
    // What was passed over is still parked when somebody has mended it.
    let next = next.map(|next| if passed_over { next.with_expiry_watched(health, now) } else { next });
    match (change(deps, destination, next).await?, candidate) {
        (Some(_), Some(to_send)) => send(deps, &[to_send]).await,
        _ => Ok(()),
    }
}

/// The delivery to probe with: each of the oldest in turn, so that none is tried much more often than the others. One
/// that cannot be read is passed over; also answers whether there was such a one.
async fn candidate(share: Share<'_>, destination: &Destination, probes: u32) -> PortResult<(Option<ToSend>, bool)> {
    let mut passed_over = false;
    let (deps, account) = (share.deps, &destination.account);
    let parked = deps.waiting.parked_deliveries(account, &destination.id, None, PROBED).await?;
    let first = usize::try_from(probes).unwrap_or_default().checked_rem(parked.len()).unwrap_or_default();
    for id in parked.iter().cycle().skip(first).take(parked.len()) {
        match probe_with(deps, account, id).await {
            Ok(Some(to_send)) => return Ok((Some(to_send), passed_over)),
            Ok(None) => {}
            Err(failed @ PortError::Transient { .. }) => return Err(failed),
            Err(error) => {
                passed_over = true;
                share
                    .failures
                    .failed(Row { account, destination: Some(&destination.id), what: "delivery", id }, &error);
            }
        }
    }
    Ok((None, passed_over))
}

async fn probe_with(deps: &Deps, account: &AccountId, id: &DeliveryId) -> PortResult<Option<ToSend>> {
    let Some(record) = find(deps, account, id).await? else { return Ok(None) };
    if record.held != Held::ByDestination {
        return Ok(None);
    }
    let Some(body) = body_of(deps, &record.delivery).await? else { return Ok(None) };
    Ok(Some(ToSend { delivery: record.delivery, purpose: Purpose::Probe, body, delay: Duration::ZERO }))
}

/// Sends a part of the parked deliveries, spread over the time until the next part. One that cannot be handled is passed
/// over, and stays parked.
async fn drain(share: Share<'_>, destination: &Destination) -> PortResult<()> {
    let (deps, account, portion) = (share.deps, &destination.account, destination.drain_portion());
    let mut page = deps.waiting.parked_deliveries(account, &destination.id, None, portion).await?;
    let begin = deps.clock.now();
    if destination.health.drain.is_some_and(|drain| drain.since == drain.next_at) {
        info!(
            "account.id" = %account, "destination.id" = %destination.id, at_most_a_minute = portion,
            "a destination is being drained"
        );
    }
    let Some(drained) = change(deps, destination, destination.health.drained(begin, page.is_empty())).await? else {
        return Ok(());
    };
    if destination.settings.rate_limit.is_some()
        && destination.health.drain.is_some_and(|drain| drain.since == drain.next_at)
    {
        forget_line(deps, destination).await?;
    }
    let every = DRAIN_EVERY.div_f64(f64::from(u32::try_from(portion).unwrap_or(u32::MAX)));
    let (mut sent, mut all_poisoned) = (0, !page.is_empty());
    loop {
        let last = page.len() < portion;
        let mut left = page.as_slice();
        while !left.is_empty() && sent < portion {
            if !share.goes_on() {
                // The rest is due when what was sent has been delivered at this pace.
                let next_at = begin.plus(every.saturating_mul(u32::try_from(sent).unwrap_or(u32::MAX)));
                return change(deps, &drained, drained.health.drained_until(next_at)).await.map(drop);
            }
            let (together, further) = left.split_at(left.len().min(TOGETHER).min(portion - sent));
            let first = u32::try_from(sent).unwrap_or(u32::MAX);
            let due_at = |n| begin.plus(every.saturating_mul(n));
            let due: Vec<_> = together.iter().cloned().zip((first..).map(due_at)).collect();
            let name = |(id, _): &(DeliveryId, Timestamp)| (account.clone(), id.clone());
            let claim = |(id, due_at)| unpark(deps, destination, id, due_at);
            let claimed = claim_and_send(share, due, name, claim, std::convert::identity).await;
            sent += together.len() - claimed.poisoned;
            all_poisoned &= claimed.poisoned == together.len();
            left = further;
        }
        if last || sent >= portion {
            break;
        }
        page = deps.waiting.parked_deliveries(account, &destination.id, page.last(), portion).await?;
    }
    if all_poisoned {
        // Nothing can be drained, so that a recovery need not wait for it. It is looked for again, in case somebody mends it.
        let ended = drained.health.drained(begin, true);
        change(deps, &drained, ended.map(|ended| ended.with_expiry_watched(&drained.health, begin))).await?;
    }
    Ok(())
}

/// Clears the lines. Deliveries that waited in it before the destination went down were parked, and are sent again at
/// the pace of the drain, so nobody waits for them.
async fn forget_line(deps: &Deps, destination: &Destination) -> PortResult<()> {
    deps.paces.clear_lines(&destination.account, &destination.id).await
}

async fn unpark(
    deps: &Deps,
    destination: &Destination,
    id: DeliveryId,
    due_at: Timestamp,
) -> PortResult<Option<ToSend>> {
    let Some(record) = find(deps, &destination.account, &id).await? else { return Ok(None) };
    if record.held != Held::ByDestination {
        return Ok(None);
    }
    reopen(deps, record, due_at).await
}
