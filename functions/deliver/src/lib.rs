//! `deliver` makes one attempt for each delivery message and records its outcome. `fanout` decides who is owed what.
//! [`domain`] describes the whole flow.
//!
//! **A message is acknowledged only when the delivery's row says where it waits or how it ended.** A short wait is
//! spent in the queue, a longer one in the table, from which `redrive` sends the delivery when it is due. Deliveries to
//! a destination that is down or paused are parked in the table. The number of an attempt comes from the row, never
//! from the queue's receive count.
//!
//! Invariant: a message is acknowledged only when the delivery's row says where it waits or how it ended (tests:
//! `twice_500_then_200_is_one_delivery_in_three_attempts`,
//! `a_second_message_of_a_delivery_never_takes_back_what_the_first_recorded`).
//!
//! Invariant: a first attempt that delivers costs one write and, while its destination is cached, nothing else of the
//! table (tests: `a_healthy_first_attempt_costs_one_write`, counted at the SDK's clients
//! `a_healthy_delivery_costs_one_write_and_its_destination_is_read_once_in_seconds`). Attempts of a batch that end at about
//! the same time are written with one call (tests: the same, and
//! `attempts_that_end_at_about_the_same_time_are_recorded_together_and_a_slow_one_holds_up_none`).
//!
//! Invariant: nothing is sent to a paused destination, and nothing it is owed is lost: it is parked (tests:
//! `what_a_paused_destination_is_owed_is_parked_and_not_attempted`).
//!
//! Invariant: the attempt number comes from the row, never from the queue's receive count (tests:
//! `the_attempt_number_comes_from_the_row_and_not_from_the_receive_count`).
//!
//! Invariant: a record that hangs, fails or panics does not affect its neighbours (tests:
//! `one_that_never_answers_is_retried_and_delays_none_of_its_neighbours`,
//! `a_panic_or_a_failure_of_ours_gives_back_only_its_own_record`).
//!
//! Invariant: a record that failed or panicked through a fault of ours is received again soon: [`batch`] says when (tests:
//! `what_failed_or_panicked_comes_back_in_seconds_and_what_was_delivered_is_not_hidden`).
//!
//! Invariant: no attempt is started that could outlast the invocation: the destination's `timeout_seconds` and 5 s must
//! be left (tests: `no_attempt_is_started_that_could_outlast_the_invocation`).

mod attempt;
mod container;
mod deps;
mod gates;
mod health;
mod received;
mod record;
mod turns;

use std::sync::Arc;
use std::time::Duration;

use aws_lambda_events::event::sqs::{BatchItemFailure, SqsBatchResponse, SqsEvent};
use domain::attempt::{Attempt, Jitter, NextStep};
use domain::delivery::{Delivery, DeliveryMessage, DeliveryRecord, End, Exhaustion, Held, Purpose};
use domain::destination::pace::PATIENCE;
use domain::destination::{Admission, Destination, Failure};
use domain::value::Timestamp;
use lambda_runtime::{Error, LambdaEvent};
use ports::{EntropyExt, PortResult};
use runtime::batch;
use runtime::batch::{GiveBack, Verdict};
use runtime::metrics::Time;
use runtime::telemetry::ErrorChain;
use tracing::{Span, warn};

pub use self::container::{Rows, Turns};
pub use self::deps::Deps;
use self::received::{DeliverError, Received, received};
use self::record::{gone, ignored, keep, park, release, wait_in_line};
use self::turns::When;

/// How many records of a batch are handled at once. A batch has at most 10, so none waits for another destination.
const AT_ONCE: usize = 10;
/// A message may come this long before its retry is due, because there are two messages of the delivery or clocks differ.
const EARLY: Duration = Duration::from_millis(500);
/// Deliveries of events older than this may have been recorded, whatever the queue says about the message.
const FRESH: Duration = Duration::from_secs(3_600);

/// Handles one batch. The answer lists the records to be received again.
pub async fn handle(deps: Arc<Deps>, event: LambdaEvent<SqsEvent>) -> Result<SqsBatchResponse, Error> {
    let deadline = Timestamp::from_unix_ms(event.context.deadline);
    let lambdas = event.context.xray_trace_id;
    let gates = Arc::default();
    let records = event.payload.records.into_iter().map(|record| received(record, deadline, &gates));
    let records = records.collect::<Result<Vec<_>, _>>()?;
    let give_back = GiveBack { queue: deps.queue.clone(), entropy: Arc::clone(&deps.entropy) };
    let (metrics, left) = (Arc::clone(&deps.metrics), deadline.since(deps.clock.now()));
    let work = batch::run(records, AT_ONCE, &give_back, lambdas.as_deref(), move |record| {
        let deps = Arc::clone(&deps);
        async move { handle_record(&deps, record).await }
    });
    let again = metrics.of_invocation(left, work).await;
    let mut response = SqsBatchResponse::default();
    response.batch_item_failures = again.into_iter().map(given_back).collect();
    Ok(response)
}

fn given_back(id: String) -> BatchItemFailure {
    let mut failure = BatchItemFailure::default();
    failure.item_identifier = id;
    failure
}

async fn handle_record(deps: &Deps, record: Received) -> Result<Verdict, DeliverError> {
    let message: DeliveryMessage = serde_json::from_str(&record.body).map_err(DeliverError::Unreadable)?;
    let delivery = &message.delivery;
    Span::current().record("delivery.id", delivery.id.as_str());
    batch::log_trace(delivery.traceparent);
    // What is sent again may have been sent with a delay.
    if let Some(sent_at) = record.sent_at.filter(|_| record.receives == 1 && message.purpose == Purpose::New) {
        deps.metrics.took(Time::DeliveryQueueWait, deps.clock.now().since(sent_at));
    }
    // The receive count of a message that was redriven from a dead-letter queue starts anew, but the age of its event shows
    // that it may have been handled before.
    let old = deps.clock.now().since(delivery.id.occurred_at()) > FRESH;
    let looked_up = record.receives != 1 || message.purpose != Purpose::New || old;
    let before = if looked_up { find(deps, delivery).await? } else { None };
    if let Some(before) = &before
        && let Some(verdict) = not_now(deps, &record, &message, before).await?
    {
        return Ok(verdict);
    }
    let trusted = deps.rows.last_succeeded(&delivery.destination);
    let _place = record.gates.enter(&delivery.destination, trusted).await;
    let found = deps.destinations.find_destination(&delivery.account, &delivery.destination).await?;
    let Some(destination) = found else { return gone(deps, &record, delivery, before).await };
    match (destination.admission(deps.clock.now()), message.purpose) {
        (Admission::Everything, _) | (Admission::Probes, Purpose::Probe) => {}
        (Admission::Closed, _) => return Ok(ignored()),
        _ => return park(deps, &record, &destination, delivery, before).await,
    }
    let limit = destination.settings.rate_limit;
    let patience = if limit.is_some() { PATIENCE } else { Duration::ZERO };
    if !record.has_time_for(&destination, deps.clock.now().plus(patience)) {
        return keep(deps, &record, Duration::ZERO).await;
    }
    if let Some(limit) = limit {
        // What `redrive` sends at its own pace goes before new deliveries.
        let from_line =
            message.purpose == Purpose::Probe || before.as_ref().is_some_and(|before| before.held.is_in_line());
        match turns::turn(deps, &destination, limit, from_line).await? {
            When::After(wait) => tokio::time::sleep(wait).await,
            When::At(due_at) => return wait_in_line(deps, &record, delivery, before, due_at).await,
        }
    }
    deliver(deps, &record, &message, &destination, before).await
}

async fn find(deps: &Deps, delivery: &Delivery) -> PortResult<Option<DeliveryRecord>> {
    deps.deliveries.find_delivery(&delivery.account, &delivery.id).await
}

/// The verdict on a message whose delivery's row says that nothing should be attempted now; none if it should.
async fn not_now(
    deps: &Deps,
    record: &Received,
    message: &DeliveryMessage,
    before: &DeliveryRecord,
) -> Result<Option<Verdict>, DeliverError> {
    match before.held {
        Held::Ended { how: End::Delivered, .. } if message.purpose == Purpose::Resend => Ok(None),
        Held::Ended { how: End::Delivered, .. } if message.purpose == Purpose::Probe => {
            // The probe was delivered, but the process may have ended before it reported that.
            let (account, id) = (&message.delivery.account, &message.delivery.destination);
            if let Some(destination) = deps.destinations.find_destination(account, id).await? {
                tell_success(deps, &destination, &message.delivery).await?;
            }
            Ok(Some(Verdict::Acknowledge))
        }
        Held::Ended { .. } => Ok(Some(Verdict::Acknowledge)),
        Held::ByDestination => Ok(None),
        Held::ByQueue { due_at, .. } | Held::ByTable { due_at, .. } => {
            let wait = due_at.since(deps.clock.now());
            match before.held {
                _ if wait <= EARLY => Ok(None),
                // This may be the message by which the queue holds it.
                Held::ByQueue { .. } => keep(deps, record, wait).await.map(Some),
                _ => Ok(Some(Verdict::Acknowledge)),
            }
        }
    }
}

/// Makes the attempt, records it, reports the result to the breaker, and decides what happens to the message.
async fn deliver(
    deps: &Deps,
    record: &Received,
    message: &DeliveryMessage,
    destination: &Destination,
    before: Option<DeliveryRecord>,
) -> Result<Verdict, DeliverError> {
    let attempt = attempt::attempt(deps, record, message, destination, before.as_ref()).await?;
    let Some(attempt) = attempt else { return keep(deps, record, Duration::ZERO).await };
    let failed = (!attempt.outcome.is_delivered()).then(|| failure(deps, destination, &message.delivery, &attempt));
    let then = next(deps, record, message, destination, before.as_ref(), &attempt, failed)?;
    let after = record::attempted(deps, &message.delivery, before, attempt, then).await?;
    // The breaker is told only after the attempt is recorded, so that a slow or failed report does not affect the delivery.
    let Some(failed) = failed else {
        tell_success(deps, destination, &message.delivery).await?;
        return Ok(Verdict::Acknowledge);
    };
    let told = tell_failure(deps, destination, failed).await;
    match after.held {
        // Nobody would look at what is parked for a destination that takes everything.
        Held::ByDestination if takes_everything(deps, &told) => keep(deps, record, Duration::ZERO).await,
        held if held == then => release(deps, record, held).await,
        // Another message of this delivery was faster. Its row decides when this message is received again.
        held if !held.state().is_final() && !failed.probe => keep(deps, record, Duration::ZERO).await,
        _ => Ok(Verdict::Acknowledge),
    }
}

/// Whether everything is sent to it, and nothing looks for deliveries that are parked for it.
fn takes_everything(deps: &Deps, destination: &Destination) -> bool {
    destination.admission(deps.clock.now()) == Admission::Everything && destination.health.drain.is_none()
}

/// Who holds the delivery after the attempt, if nobody else has recorded one in the meantime.
fn next(
    deps: &Deps,
    record: &Received,
    message: &DeliveryMessage,
    destination: &Destination,
    before: Option<&DeliveryRecord>,
    attempt: &Attempt,
    failed: Option<Failure>,
) -> PortResult<Held> {
    let ended = attempt.at.plus(attempt.took);
    // The state of the destination after this failure, as far as this container knows. If the destination is only held, the
    // delivery still waits as long as its schedule says.
    let health = failed.and_then(|failure| destination.health.failed(failure));
    let open = health.as_ref().unwrap_or(&destination.health).admission();
    let scheduled = before.map_or(0, |before| before.attempts.scheduled()).saturating_add(u32::from(!attempt.probe));
    let jitter = Jitter::from_entropy(u32::from_be_bytes(deps.entropy.bytes()?));
    let retries = destination.settings.retry_policy.policy(&deps.retries);
    Ok(match retries.next_step(scheduled, &attempt.outcome, jitter) {
        NextStep::Delivered => Held::ended(End::Delivered),
        NextStep::Exhausted => {
            // This is reported, unless the delivery was itself one of an operational event.
            let tell_at = (!message.delivery.event_type.is_operational()).then_some(ended);
            Held::Ended { how: End::Exhausted(Exhaustion::Schedule), tell_at }
        }
        NextStep::RetryIn(_) if open != Admission::Everything => Held::ByDestination,
        NextStep::RetryIn(wait) => record::place(deps, record, ended.plus(wait), ended),
    })
}

async fn tell_success(deps: &Deps, destination: &Destination, delivery: &Delivery) -> PortResult<()> {
    deps.rows.succeeded(&destination.id);
    let (now, operational) = (deps.clock.now(), delivery.event_type.is_operational());
    health::note(deps, destination, |health| health.succeeded(now, operational)).await.map(drop)
}

/// The failed attempt as far as the destination's health is concerned.
fn failure(deps: &Deps, destination: &Destination, delivery: &Delivery, attempt: &Attempt) -> Failure {
    Failure {
        at: attempt.at.plus(attempt.took),
        gone: attempt.outcome.status() == Some(410),
        probe: attempt.probe,
        retry_after: attempt.outcome.retry_after(),
        asks_to_wait: attempt.outcome.asks_to_wait(),
        seen_in_a_row: deps.rows.failed(&destination.id),
        operational: delivery.event_type.is_operational(),
    }
}

/// The destination after the failure. If the failure cannot be noted, the record does not fail: the next failure will be
/// noted.
async fn tell_failure(deps: &Deps, destination: &Destination, failure: Failure) -> Destination {
    match health::note(deps, destination, |health| health.failed(failure)).await {
        Ok(after) => {
            health::log_change(destination, &after);
            after
        }
        Err(error) => {
            warn!("destination.id" = %destination.id, error = %ErrorChain(&error), "a failure could not be noted");
            destination.clone()
        }
    }
}
