//! One attempt: signs with the current time, sends, and returns the outcome. It records nothing.
//!
//! Invariant: every live secret signs, and none that has ended (tests:
//! `every_live_secret_signs_and_an_ended_one_does_not`).
//!
//! Invariant: the recorded duration of an attempt is that of its request, without opening the secrets (tests:
//! `opening_the_secrets_is_no_part_of_how_long_an_attempt_took`).

use std::time::Duration;

use domain::attempt::{Attempt, Outcome};
use domain::delivery::request::sign;
use domain::delivery::{Delivery, DeliveryMessage, DeliveryRecord, Purpose};
use domain::destination::Destination;
use domain::value::Timestamp;
use ports::PortResult;
use runtime::metrics::Time;
use tracing::info;

use crate::deps::Deps;
use crate::received::Received;

/// Makes the attempt; none if the time left is too short for it.
pub(crate) async fn attempt(
    deps: &Deps,
    record: &Received,
    message: &DeliveryMessage,
    destination: &Destination,
    before: Option<&DeliveryRecord>,
) -> PortResult<Option<Attempt>> {
    let number = before.map_or(0, |before| before.attempts.count()).saturating_add(1);
    let mut opened = Vec::with_capacity(destination.secrets.len());
    for secret in destination.live_secrets(deps.clock.now()) {
        opened.push((secret, deps.vault.open(&destination.account, &destination.id, &secret.sealed).await?));
    }
    // Waiting for a turn and opening the secrets may have taken seconds. This time does not count as the receiver's.
    let at = deps.clock.now();
    if !record.has_time_for(destination, at) {
        return Ok(None);
    }
    let live = opened.into_iter().filter(|(secret, _)| secret.expires_at.is_none_or(|end| end > at));
    let secrets: Vec<_> = live.map(|(_, opened)| opened).collect();
    let request = sign(&message.delivery, &destination.settings, message.body.get(), &secrets, number, at);
    let outcome = deps.sender.send(&request).await?;
    let took = deps.clock.now().since(at);
    deps.metrics.took(Time::AttemptLatency, took);
    if number == 1 {
        deps.metrics.took(Time::EventLag, at.since(message.delivery.id.occurred_at()));
    }
    if !outcome.is_delivered() {
        log_failure(&message.delivery, number, at, took, &outcome);
    }
    Ok(Some(Attempt { number, at, took, outcome, probe: message.purpose == Purpose::Probe }))
}

fn log_failure(delivery: &Delivery, number: u32, at: Timestamp, took: Duration, outcome: &Outcome) {
    info!(
        "account.id" = %delivery.account,
        "event.id" = %delivery.event,
        "destination.id" = %delivery.destination,
        "delivery.id" = %delivery.id,
        attempt = number,
        duration_ms = took.as_millis(),
        status = outcome.status(),
        outcome = outcome.as_str(),
        traceparent = delivery.traceparent_at(at).map(tracing::field::display),
        "an attempt did not deliver"
    );
}
