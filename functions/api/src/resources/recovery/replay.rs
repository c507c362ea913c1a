//! Matching an event again with today's subscriptions. Deliveries that they ask for and that the event does not owe yet
//! are added to what it owes.
//!
//! Each new delivery first gets a row, so that `redrive` sends it if its message is lost: the audit will not visit this
//! event again. Only then is it added to what the event owes, just as `fanout` seals an event after sending.
//!
//! Invariant: a replay sends what is not owed yet, once, from a row each, and only then adds it to what the event owes; a
//! replay that breaks off is finished by the next one (tests:
//! `what_todays_subscriptions_ask_for_and_was_not_owed_is_sent_once_and_owed_from_then_on`,
//! `a_replay_that_broke_off_is_finished_by_the_next_one`, the contract suite `owing_more`).

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use axum::Json as Answer;
use axum::extract::State;
use axum::response::{IntoResponse, Response};
use domain::delivery::{Delivery, DeliveryRecord, Held, OutgoingDelivery, Purpose};
use domain::routing::subscription::deliveries;
use domain::routing::{Bucket, Run};
use domain::value::{DeliveryId, EventId, json};
use futures_util::{StreamExt, TryStreamExt, stream};
use http::StatusCode;
use ports::{PortError, PortResult, SealedEvent, UnmatchedReason};
use serde::Serialize;
use serde_json::value::RawValue;
use utoipa::ToSchema;

use super::KEPT_CHANGING;
use crate::web::caller::Configurer;
use crate::web::conflict::{TRIES, gave_up};
use crate::web::named::{Kind, Named};
use crate::web::problem::Problem;
use crate::web::{Deps, choices, schemas};

/// How many ids of each kind of delivery are shown.
const SHOWN: usize = 100;
/// How many deliveries are sent before they are added to what the event owes.
const TOGETHER: usize = 500;
/// How many rows are written concurrently.
const AT_ONCE: usize = 20;

/// What became of a request to replay an event.
#[derive(Serialize, ToSchema)]
#[schema(as = Replay)]
struct ReplayView {
    #[schema(value_type = schemas::EventId)]
    event_id: EventId,
    /// How many deliveries are sent now that the event did not owe before.
    new_count: usize,
    /// The first 100 of them at most.
    #[schema(value_type = Vec<schemas::DeliveryId>, max_items = 100)]
    new: Vec<DeliveryId>,
    /// How many that today's subscriptions ask for it owed already: nothing is done about those.
    already_owed_count: usize,
    /// The first 100 of them at most.
    #[schema(value_type = Vec<schemas::DeliveryId>, max_items = 100)]
    already_owed: Vec<DeliveryId>,
    /// Why today's subscriptions ask for nothing; `null` where they do.
    #[schema(required, value_type = Option<choices::Unmatched>)]
    unmatched: Option<&'static str>,
}

/// What today's subscriptions ask for.
struct Matched {
    body: Box<RawValue>,
    deliveries: Vec<Delivery>,
    unmatched: Option<UnmatchedReason>,
}

/// Replay an event
///
/// Matches it again, with today's subscriptions and destinations. What they ask for and it does not owe yet is sent, and owed
/// from now on; what it owes already is left as it is: send that again by itself. Whether it broke or recovered something is
/// judged as it was when it came, where its run is still remembered. Asked twice, the second time there is nothing new.
#[utoipa::path(
    post,
    path = "/v1/events/{id}/replay",
    operation_id = "replay_event",
    tag = "events",
    params(("id" = schemas::EventId, Path)),
    responses((status = 202, description = "What is sent now, and what was owed already.", body = ReplayView))
)]
pub async fn replay(
    Configurer(account): Configurer,
    State(deps): State<Arc<Deps>>,
    Named(id): Named<EventId>,
) -> Result<Response, Problem> {
    let mut sent = Vec::new();
    'again: for _ in 0..TRIES {
        let found = deps.events.find_event(&account, &id).await?;
        let found = found.filter(|event| event.expires_at > deps.clock.now());
        let mut event = found.ok_or_else(EventId::not_found)?;
        let matched = matched(&deps, &event).await?;
        let owed: BTreeSet<_> = event.owed.iter().map(|delivery| delivery.id.clone()).collect();
        let (before, new): (Vec<_>, Vec<_>) = matched.deliveries.into_iter().partition(|d| owed.contains(&d.id));
        for some in new.chunks(TOGETHER) {
            send(&deps, &event, &matched.body, some).await?;
            if !deps.events.add_owed(&event, some).await? {
                continue 'again;
            }
            event.owed.extend_from_slice(some);
            sent.extend(some.iter().map(|delivery| delivery.id.clone()));
        }
        let before: Vec<_> = before.into_iter().map(|d| d.id).filter(|id| !sent.contains(id)).collect();
        let answer = ReplayView {
            event_id: id,
            new_count: sent.len(),
            new: sent.into_iter().take(SHOWN).collect(),
            already_owed_count: before.len(),
            already_owed: before.into_iter().take(SHOWN).collect(),
            unmatched: matched.unmatched.map(UnmatchedReason::as_str),
        };
        return Ok((StatusCode::ACCEPTED, Answer(answer)).into_response());
    }
    Err(gave_up(KEPT_CHANGING))
}

/// Matches as `fanout` does, but remembers nothing.
async fn matched(deps: &Deps, sealed: &SealedEvent) -> PortResult<Matched> {
    let event = sealed.read()?;
    let body =
        RawValue::from_string(sealed.body.clone()).map_err(|error| PortError::permanent("reading a body", error))?;
    let buckets = Bucket::of_event(event.event_type, &event.scope);
    let mut listening = deps.subscriptions.find_subscriptions(&event.account, &buckets).await?;
    listening.retain(|subscription| subscription.listens(event.event_type, &event.scope));
    if listening.is_empty() {
        return Ok(Matched { body, deliveries: Vec::new(), unmatched: Some(UnmatchedReason::NoSubscription) });
    }
    let data = json::value(event.data.get()).map_err(|error| PortError::permanent("reading an event's data", error))?;
    let transition = match Run::of_event(&event.id, &data) {
        None => None,
        Some(run) => {
            deps.transitions.find_runs(&event.account, event.event_type, &event.scope).await?.history.judge(&run)
        }
    };
    let deliveries = deliveries(&event, &data, transition, &listening);
    let unmatched = deliveries.is_empty().then_some(UnmatchedReason::ConditionsNotMet);
    Ok(Matched { body, deliveries, unmatched })
}

/// Gives each delivery a row and sends it. One that already has a row comes from a replay that broke off; `redrive`
/// sends it.
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
