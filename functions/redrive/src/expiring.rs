//! Looks, four times a day, for parked deliveries that are about to expire with their events. A day before, it tells
//! the owner of their destination and the operator. At the end it gives each one up, which is reported as for every
//! other delivery that is given up.
//!
//! The time at which a delivery expires follows from its id and from how long events of its time are kept, so the list
//! of parked deliveries is enough. An event that came late is kept longer than that: its deliveries are given up when
//! it really expires.
//!
//! How long events are kept is the setting at the time when they were sealed, because a row keeps the end that it was
//! written with, or the present setting if that is shorter. It is read from the index of events, once for each page of
//! the list.
//!
//! Invariant: no parked delivery is lost silently (tests:
//! `a_day_before_what_is_parked_expires_its_owner_and_people_are_told_once`,
//! `what_is_parked_is_given_up_before_its_event_is_forgotten_and_that_is_told`,
//! `what_came_late_is_kept_as_long_as_its_event`, `what_was_parked_before_more_was_kept_is_told_and_given_up_in_time`,
//! `what_was_parked_after_less_was_kept_is_told_and_given_up_in_time`, `what_is_parked_for_no_reason_is_sent_again`,
//! `what_cannot_be_read_while_its_destination_is_probed_is_sent_once_it_is_mended`,
//! `of_a_healthy_destination_with_nothing_parked_the_search_ends`).

use std::time::Duration;

use domain::delivery::{DeliveryRecord, Held};
use domain::destination::health::{EXPIRY_EVERY, Expiry};
use domain::destination::{Admission, Destination, Health};
use domain::operational::Expiring;
use domain::value::{AccountId, DeliveryId, Timestamp};
use futures_util::{StreamExt, stream};
use ports::{Order, PortResult, Span};

use crate::deps::Deps;
use crate::failures::Row;
use crate::send::{self, find};
use crate::share::Share;
use crate::tell;

/// How long before the end owners are told, at least.
const BEFORE: Duration = Duration::from_secs(86_400);
/// How many are listed at once.
const PAGE: usize = 500;
/// How many are given up at once.
const AT_ONCE: usize = 20;
/// The count of deliveries that are about to expire stops here.
const COUNTED: usize = 10_000;
/// How many of them are named in the report.
const NAMED: usize = 10;
/// How many events are looked at to find out how long events of a time are kept. Some may have been sealed late.
const SAMPLED: usize = 10;
/// When to try again if there was no time for all, or nobody could be told.
const AGAIN: Duration = Duration::from_secs(60);

/// Looks, if it is time for that. Returns the destination as it is then; `None` if others change it at the same time.
pub(crate) async fn look(share: Share<'_>, destination: Destination) -> PortResult<Option<Destination>> {
    let (deps, now) = (share.deps, share.deps.clock.now());
    let Some(known) = destination.health.expiry.filter(|expiry| expiry.look_at <= now) else {
        return Ok(Some(destination));
    };
    let ends_by = now.plus(EXPIRY_EVERY);
    let (after, until) = (known.told_until.max(ends_by), ends_by.plus(BEFORE + EXPIRY_EVERY));
    let mut soon = Soon { after, until, first_at: None, ids: Vec::new() };
    let complete = go_through(share, &destination, ends_by, &mut soon).await?;
    // If the destination accepts everything and is not being drained, nothing should be parked any more. What is still
    // parked could not be read while the rest was sent. A drain sends it, and when that ends there is nothing left to
    // look for.
    let drains = destination.admission(now) == Admission::Everything && destination.health.drain.is_none();
    let told = complete && tell(deps, &destination, &soon, known.look_at).await?;
    let expiry = if told {
        Expiry { look_at: now.plus(EXPIRY_EVERY), told_until: soon.until }
    } else {
        Expiry { look_at: now.plus(AGAIN), ..known }
    };
    let health = destination.health.looked_for_expiry(Some(expiry));
    let health = if drains { Health { expiry: health.expiry, ..destination.health.resumed(now) } } else { health };
    let changed = deps.destinations.update_health(&destination, &health).await?;
    Ok(changed.then(|| destination.with_health(health)))
}

/// What expires after `after` and not later than `until`.
struct Soon {
    after: Timestamp,
    until: Timestamp,
    /// When the first of them expires.
    first_at: Option<Timestamp>,
    ids: Vec<DeliveryId>,
}

/// Gives up what ends by `ends_by`, and collects what ends soon after; returns whether there was time for all.
async fn go_through(
    share: Share<'_>,
    destination: &Destination,
    ends_by: Timestamp,
    soon: &mut Soon,
) -> PortResult<bool> {
    let (deps, account) = (share.deps, &destination.account);
    let mut after: Option<DeliveryId> = None;
    loop {
        let page = deps.waiting.parked_deliveries(account, &destination.id, after.as_ref(), PAGE).await?;
        let (Some(first), Some(last)) = (page.first(), page.last()) else { return Ok(true) };
        let kept = kept(deps, account, first.occurred_at()).await?.min(kept(deps, account, last.occurred_at()).await?);
        let end = |id: &DeliveryId| id.occurred_at().plus(kept);
        let (over, open) = page.split_at(page.partition_point(|id| end(id) <= ends_by));
        for together in over.chunks(AT_ONCE) {
            if !share.goes_on() {
                return Ok(false);
            }
            let given_up = together.iter().map(|id| async move {
                if let Err(error) = give_up(deps, destination, id, ends_by).await {
                    let row = Row { account, destination: Some(&destination.id), what: "delivery", id };
                    share.failures.failed(row, &error);
                }
            });
            stream::iter(given_up).buffer_unordered(AT_ONCE).collect::<()>().await;
        }
        let told: Vec<_> = open.iter().filter(|id| end(id) > soon.after && end(id) <= soon.until).cloned().collect();
        soon.first_at = soon.first_at.or(told.first().map(end));
        soon.ids.extend(told);
        if end(last) > soon.until || page.len() < PAGE || soon.ids.len() >= COUNTED {
            return Ok(true);
        }
        after = Some(last.clone());
        if !share.goes_on() {
            return Ok(false);
        }
    }
}

/// The minimum time for which events that occurred then, or soon after, are kept.
async fn kept(deps: &Deps, account: &AccountId, since: Timestamp) -> PortResult<Duration> {
    let span = Span { since, until: deps.clock.now().max(since).plus(BEFORE) };
    let events = deps.event_list.list_events(account, span, Order::OldestFirst, None, SAMPLED).await?;
    let kept = events.iter().map(|event| event.expires_at.since(event.sealed_at)).min();
    Ok(kept.map_or(deps.retention, |kept| kept.min(deps.retention)))
}

/// Gives up one delivery, unless it and its event are kept longer than `ends_by`.
async fn give_up(deps: &Deps, destination: &Destination, id: &DeliveryId, ends_by: Timestamp) -> PortResult<()> {
    let Some(record) = find(deps, &destination.account, id).await? else { return Ok(()) };
    if record.held != Held::ByDestination {
        return Ok(());
    }
    let event = deps.events.find_event(&destination.account, &record.delivery.event).await?;
    if event.is_some_and(|event| event.expires_at.min(record.expires_at) > ends_by) {
        return Ok(());
    }
    let now = deps.clock.now();
    let expires_at = record.expires_at.max(now.plus(deps.retention));
    let given_up = DeliveryRecord { expires_at, ..record.expired(now) };
    send::give_up(deps, &record, &given_up).await
}

/// Reports what expires soon; returns whether that is finished. `at` stays the same when this is repeated.
async fn tell(deps: &Deps, destination: &Destination, soon: &Soon, at: Timestamp) -> PortResult<bool> {
    let named: Vec<DeliveryId> = soon.ids.iter().take(NAMED).cloned().collect();
    let Some(first_at) = soon.first_at else { return Ok(true) };
    let standings = named.iter().map(|id| find(deps, &destination.account, id));
    let records = futures_util::future::try_join_all(standings).await?;
    let operational = records.into_iter().flatten().all(|record| record.delivery.event_type.is_operational());
    let expiring = Expiring {
        at,
        first_at,
        count: soon.ids.len().min(COUNTED),
        more: soon.ids.len() >= COUNTED,
        named,
        operational,
    };
    Ok(tell::expiring(deps, destination, &expiring).await)
}
