//! Matching an event again with today's subscriptions. Deliveries that they cause and that the event does not owe yet are
//! added to those that it owes.
//!
//! Each new delivery first gets a row, so that `redrive` sends it if its message is lost, because the audit will not visit
//! this event again. Only then is it added to the deliveries that the event owes, just as `fanout` seals an event after
//! sending.
//!
//! Invariant: a replay sends each delivery that is not owed yet once, from its own row, and only then adds it to those that
//! the event owes; a replay that is interrupted is finished by the next one (tests:
//! `what_todays_subscriptions_ask_for_and_was_not_owed_is_sent_once_and_owed_from_then_on`,
//! `a_replay_that_broke_off_is_finished_by_the_next_one`, the contract suite `owing_more`).
//!
//! Invariant: one request sends a bounded part, and the next one continues (tests:
//! `a_request_replays_a_part_and_says_what_is_left`).
//!
//! Invariant: a replay that would have to read more than one request may read is refused before anything is sent (tests:
//! `a_replay_that_would_read_too_much_is_refused_before_anything_is_sent`).

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use axum::Json as Answer;
use axum::extract::State;
use axum::response::Response;
use domain::delivery::{Delivery, DeliveryRecord, Held, OutgoingDelivery, Purpose};
use domain::event::Rejection;
use domain::routing::{Bucket, Filing, Hearing, Listeners, MOST_STEPS, Run, Work, listeners};
use domain::value::{AccountId, DeliveryId, EventId, json};
use futures_util::{StreamExt, TryStreamExt, stream};
use http::StatusCode;
use ports::{PortError, PortResult, SealedEvent, UnmatchedReason, read_units};
use serde::Serialize;
use serde_json::value::RawValue;
use utoipa::ToSchema;

use super::KEPT_CHANGING;
use crate::resources::ingest;
use crate::web::caller::Configurer;
use crate::web::conflict::{TRIES, gave_up};
use crate::web::named::{Kind, Named};
use crate::web::problem::{Code, Problem};
use crate::web::{Deps, choices, done, schemas};

/// How many ids of each kind of delivery are shown.
const SHOWN: usize = 100;
/// How many deliveries are sent before they are added to those that the event owes.
const TOGETHER: usize = 500;
/// The greatest number of new deliveries, and of bytes of their bodies, that one request sends. Further requests send the
/// rest.
const MOST: usize = 1_000;
const MOST_BYTES: usize = 64 * 1024 * 1024;
/// How many rows are written concurrently.
const AT_ONCE: usize = 20;
/// How many subscriptions are read at a time, and the greatest cost of that in read units, including what is read
/// afterwards: a row has 5 KiB, and is not read consistently.
const PART: usize = 100;
const PART_UNITS: usize = 70 + 10;

/// The result of a request to replay an event.
#[derive(Serialize, ToSchema)]
#[schema(as = Replay)]
struct ReplayView {
    #[schema(value_type = schemas::EventId)]
    event_id: EventId,
    /// The number of deliveries that are sent now and that the event did not owe before.
    new_count: usize,
    /// The first 100 of them at most.
    #[schema(value_type = Vec<schemas::DeliveryId>, max_items = 100)]
    new: Vec<DeliveryId>,
    /// The number of further new deliveries that were not sent, because one request sends at most 1,000, or 64 MiB. Repeat the
    /// request until this is 0; if it has an `Idempotency-Key`, use a new one each time.
    left_count: usize,
    /// The number of deliveries that today's subscriptions cause and that the event owed before; they are not sent again.
    already_owed_count: usize,
    /// The first 100 of them at most.
    #[schema(value_type = Vec<schemas::DeliveryId>, max_items = 100)]
    already_owed: Vec<DeliveryId>,
    /// Why today's subscriptions cause no delivery; `null` if they cause any.
    #[schema(required, value_type = Option<choices::Unmatched>)]
    unmatched: Option<&'static str>,
}

/// The deliveries that today's subscriptions cause.
struct Matched {
    body: Box<RawValue>,
    deliveries: Vec<Delivery>,
    unmatched: Option<UnmatchedReason>,
}

/// Replay an event
///
/// Matches an event again, with today's subscriptions and destinations. Deliveries that it does not owe yet are sent, and are owed
/// from now on. Deliveries that it already owes are not changed; use the resend of the delivery for those. If its run is still
/// remembered, the event is the same transition as when it arrived. One request sends at most 1,000 deliveries, or 64 MiB; repeat the
/// request while `left_count` is more than 0. After that, a repetition finds nothing new.
#[utoipa::path(
    post,
    path = "/v1/events/{id}/replay",
    operation_id = "replay_event",
    tag = "events",
    params(("id" = schemas::EventId, Path)),
    responses(
        (status = 202, description = "The deliveries that are sent now, and those that were owed before.", body = ReplayView),
        (status = 409, description = "`limit_reached`: its deliveries and the subscriptions that listen would cost more than 500 read units to read; replay \
            subscriptions instead.")
    )
)]
pub async fn replay(
    Configurer(account): Configurer,
    State(deps): State<Arc<Deps>>,
    Named(id): Named<EventId>,
) -> Result<Response, Problem> {
    let mut sent = Vec::new();
    let answer = send_new(&deps, &account, id, &mut sent).await;
    let answer = answer.map_err(|problem| if sent.is_empty() { problem } else { problem.after_changes() })?;
    Ok(done::nothing_if(sent.is_empty(), (StatusCode::ACCEPTED, Answer(answer))))
}

/// Sends the new deliveries, and adds each to `sent`.
async fn send_new(
    deps: &Deps,
    account: &AccountId,
    id: EventId,
    sent: &mut Vec<DeliveryId>,
) -> Result<ReplayView, Problem> {
    'again: for tried in 0..TRIES {
        let found = deps.events.find_event_with(account, &id, usize::MAX).await?;
        let found = found.filter(|(event, _)| event.expires_at > deps.clock.now());
        let (mut event, owed_count) = found.ok_or_else(EventId::not_found)?;
        let buckets = Bucket::of_event(event.event_type, &event.scope);
        let listeners = listeners_of(deps, account, &buckets).await?.filter(|_| event.owed.len() == owed_count);
        let Some(listeners) = listeners else {
            return Err(if tried == 0 { too_much() } else { gave_up(KEPT_CHANGING) });
        };
        let matched = matched(deps, &event, &listeners).await?;
        let owed: BTreeSet<_> = event.owed.iter().map(|delivery| delivery.id.clone()).collect();
        let (before, mut new): (Vec<_>, Vec<_>) = matched.deliveries.into_iter().partition(|d| owed.contains(&d.id));
        let most = (MOST_BYTES / matched.body.get().len().max(1)).clamp(1, MOST).saturating_sub(sent.len());
        let left = new.split_off(most.min(new.len()));
        for some in new.chunks(TOGETHER) {
            send(deps, &event, &matched.body, some).await?;
            if !deps.events.add_owed(&event, some, deps.clock.now()).await? {
                continue 'again;
            }
            event.owed.extend_from_slice(some);
            sent.extend(some.iter().map(|delivery| delivery.id.clone()));
        }
        let before: Vec<_> = before.into_iter().map(|d| d.id).filter(|id| !sent.contains(id)).collect();
        return Ok(ReplayView {
            event_id: id,
            new_count: sent.len(),
            new: sent.iter().take(SHOWN).cloned().collect(),
            left_count: left.len(),
            already_owed_count: before.len(),
            already_owed: before.into_iter().take(SHOWN).collect(),
            unmatched: matched.unmatched.map(UnmatchedReason::as_str),
        });
    }
    Err(gave_up(KEPT_CHANGING))
}

fn too_much() -> Problem {
    let detail = "its deliveries and the subscriptions that listen at its place are more than one request may read; replay single \
        subscriptions, which `POST /v1/subscriptions/{id}/replay` does";
    Problem::new(Code::LimitReached, detail)
}

/// The subscriptions in these buckets; `None` if they are more than the request may read.
async fn listeners_of(deps: &Deps, account: &AccountId, buckets: &[Bucket]) -> PortResult<Option<Vec<Listeners>>> {
    let mut listeners = Vec::with_capacity(buckets.len());
    for bucket in buckets {
        let (mut filing, mut after, mut is_more) = (Filing::new(account.clone(), bucket.clone()), None, true);
        while is_more {
            if read_units::left_for(PART_UNITS) == 0 {
                return Ok(None);
            }
            let part = deps.subscriptions.find_subscriptions(account, bucket, after.as_ref(), PART).await?;
            is_more = part.len() == PART;
            after = part.last().map(|last| last.id.clone());
            part.into_iter().for_each(|subscription| filing.add(subscription.settings));
        }
        listeners.push(filing.done());
    }
    Ok(Some(listeners))
}

/// Matches as `fanout` does, but remembers nothing.
async fn matched(deps: &Deps, sealed: &SealedEvent, listeners: &[Listeners]) -> Result<Matched, Problem> {
    let event = sealed.read()?;
    let body =
        RawValue::from_string(sealed.body.clone()).map_err(|error| PortError::permanent("reading a body", error))?;
    if !Hearing::of(&event, listeners).by_any {
        let unmatched = Some(UnmatchedReason::NoSubscription);
        return Ok(Matched { body, deliveries: Vec::new(), unmatched });
    }
    let data = json::value(event.data.get()).map_err(|error| PortError::permanent("reading an event's data", error))?;
    let transition = match Run::of_event(&event.id, &data) {
        None => None,
        Some(run) => {
            deps.transitions.find_runs(&event.account, event.event_type, &event.scope).await?.history.judge(&run)
        }
    };
    let deliveries = listeners::owed(&event, &data, transition, listeners, &Work::default());
    let deliveries = deliveries.map_err(|_| ingest::refused(&Rejection::costs_too_much(MOST_STEPS)))?;
    let unmatched = deliveries.is_empty().then_some(UnmatchedReason::ConditionsNotMet);
    Ok(Matched { body, deliveries, unmatched })
}

/// Gives each delivery a row and sends it. A delivery that already has a row comes from a replay that was interrupted;
/// `redrive` sends it.
async fn send(deps: &Deps, event: &SealedEvent, body: &RawValue, new: &[Delivery]) -> PortResult<()> {
    let now = deps.clock.now();
    let held = Held::by_queue(now, now, deps.lease);
    let rows = new.iter().cloned().map(|delivery| async move {
        let row = DeliveryRecord::first(delivery, held, event.expires_at);
        let created = deps.deliveries.create_delivery(&row).await?;
        Ok::<_, PortError>(created.then_some(row.delivery))
    });
    let claimed: Vec<_> = stream::iter(rows).buffered(AT_ONCE).try_collect().await?;
    let message = |delivery| OutgoingDelivery { delivery, purpose: Purpose::Again, body, delay: Duration::ZERO };
    let messages: Vec<_> = claimed.iter().flatten().map(message).collect();
    deps.delivery_queue.send_deliveries(&messages).await
}
