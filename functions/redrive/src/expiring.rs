//! Looks, four times a day, for parked deliveries that are about to expire with their events. A day before, the owner of
//! their destination and the operator are told; at the end each is given up, and told like every other that was.
//!
//! When a delivery expires follows from its id and from how long events of its time are kept, so the list of what is parked is
//! enough. An event that came late is kept longer than that says: its deliveries are given up when it really ends.
//!
//! How long events of a time are kept is what was set when they were sealed, or what is set now if that is less: a row keeps
//! the end that it was written with. The index of events tells it, once for each page of the list.
//!
//! Invariant: nothing that is parked is forgotten in silence (tests:
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
use crate::send::find;
use crate::share::Share;
use crate::tell;

/// How long before their end owners are told, at least.
const BEFORE: Duration = Duration::from_secs(86_400);
/// How many are listed at once.
const PAGE: usize = 500;
/// How many are given up at once.
const AT_ONCE: usize = 20;
/// How many are counted that are about to expire.
const COUNTED: usize = 10_000;
/// How many of them are named.
const NAMED: usize = 10;
/// How many events are looked at to see how long those of a time are kept. Some may have been sealed late.
const SAMPLED: usize = 10;
/// When it is tried again after there was no time for all, or nobody could be told.
const AGAIN: Duration = Duration::from_secs(60);

/// Looks, if it is time. The result is the destination as it then is, or none if others change it at the same time.
pub(crate) async fn look(share: Share<'_>, destination: Destination) -> PortResult<Option<Destination>> {
    let (deps, now) = (share.deps, share.deps.clock.now());
    let Some(known) = destination.health.expiry.filter(|expiry| expiry.look_at <= now) else {
        return Ok(Some(destination));
    };
    let ends_by = now.plus(EXPIRY_EVERY);
    let (after, until) = (known.told_until.max(ends_by), ends_by.plus(BEFORE + EXPIRY_EVERY));
    let mut soon = Soon { after, until, first_at: None, ids: Vec::new() };
    let complete = go_through(share, &destination, ends_by, &mut soon).await?;
    // Here nothing is parked for a reason. A drain sends what could not be read while the others were sent, and with its
    // end there is nothing left to look for.
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
    /// When the first of them does.
    first_at: Option<Timestamp>,
    ids: Vec<DeliveryId>,
}

/// Gives up what ends by `ends_by`, and collects what does soon after; answers whether there was time for all.
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

/// How long what occurred then, or soon after, is kept at least.
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
    deps.deliveries.replace_delivery(&record, &given_up).await.map(drop)
}

/// Tells of what expires soon; answers whether that is finished. `at` is the same however often this is tried.
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
