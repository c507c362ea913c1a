//! `deliver`: makes one attempt for each delivery message and records what came of it. It decides nothing about who is
//! owed what; that is `fanout`'s. The flow is told in [`shared`].
//!
//! **A message is acknowledged only when the delivery's row says the end, or that it is parked** because its destination is
//! disabled. Until then it waits in the queue, hidden for as long as the retry policy says, and its attempt number comes from
//! the row, never from the queue's receive count.

use std::sync::Arc;
use std::time::Duration;

use aws_lambda_events::event::sqs::{BatchItemFailure, SqsBatchResponse, SqsEvent, SqsMessage};
use lambda_runtime::{Error, LambdaEvent};
use shared::batch::{self, Verdict};
use shared::domain::delivery::{Attempt, Delivery, DeliveryMessage, DeliveryRecord, DeliveryState};
use shared::domain::destination::Destination;
use shared::domain::outcome::Outcome;
use shared::domain::retry::{Jitter, NextStep, RetryPolicy};
use shared::domain::signature::sign;
use shared::domain::timestamp::Timestamp;
use shared::ports::{
    Clock, Deliveries, DeliveryQueue, Entropy, EntropyExt, FindAccount, FindDestination, HttpSender, PortError,
    PortResult, Recorded, Vault,
};
use tracing::{Span, info};

/// Attempts of one batch made at once; a batch has at most 10, so none waits for another.
const AT_ONCE: usize = 10;
/// What is left for recording and answering after the longest attempt.
const SPARE: Duration = Duration::from_secs(2);
/// Two messages of one delivery, or a clock that is off, may come this much before a retry is due.
const EARLY: Duration = Duration::from_millis(500);

pub struct Deps {
    pub accounts: Arc<dyn FindAccount>,
    pub destinations: Arc<dyn FindDestination>,
    pub deliveries: Arc<dyn Deliveries>,
    pub vault: Arc<dyn Vault>,
    pub queue: Arc<dyn DeliveryQueue>,
    pub sender: Arc<dyn HttpSender>,
    pub clock: Arc<dyn Clock>,
    pub entropy: Arc<dyn Entropy>,
    pub retries: RetryPolicy,
    /// How long a delivery's row is kept.
    pub retention: Duration,
}

/// One message as it was received.
struct Received {
    body: String,
    receipt: String,
    /// It may have been handled before: the row is looked at first.
    repeated: bool,
    /// When the invocation ends.
    deadline: Timestamp,
}

/// Why a record failed through our own fault; the message is received again.
#[derive(Debug, thiserror::Error)]
enum DeliverError {
    #[error("the delivery message cannot be read")]
    Unreadable(#[source] serde_json::Error),
    #[error(transparent)]
    Port(#[from] PortError),
}

/// Handles one batch; the answer lists the records to be received again.
pub async fn handle(deps: Arc<Deps>, event: LambdaEvent<SqsEvent>) -> Result<SqsBatchResponse, Error> {
    let deadline = Timestamp::from_unix_ms(event.context.deadline);
    let records = event.payload.records.into_iter().map(|record| received(record, deadline));
    let records = records.collect::<Result<Vec<_>, _>>()?;
    let again = batch::run(records, AT_ONCE, move |record| {
        let deps = Arc::clone(&deps);
        async move { handle_record(&deps, record).await }
    })
    .await;
    let mut response = SqsBatchResponse::default();
    response.batch_item_failures = again.into_iter().map(failure).collect();
    Ok(response)
}

fn received(record: SqsMessage, deadline: Timestamp) -> Result<(String, Received), Error> {
    // A record without an id could not be reported as failed; so the whole batch is.
    let id = record.message_id.filter(|id| !id.is_empty()).ok_or("a record came without a message id")?;
    let repeated = record.attributes.get("ApproximateReceiveCount").map(String::as_str) != Some("1");
    let (body, receipt) = (record.body.unwrap_or_default(), record.receipt_handle.unwrap_or_default());
    Ok((id, Received { body, receipt, repeated, deadline }))
}

fn failure(id: String) -> BatchItemFailure {
    let mut failure = BatchItemFailure::default();
    failure.item_identifier = id;
    failure
}

async fn handle_record(deps: &Deps, record: Received) -> Result<Verdict, DeliverError> {
    let message: DeliveryMessage = serde_json::from_str(&record.body).map_err(DeliverError::Unreadable)?;
    let delivery = &message.delivery;
    Span::current().record("delivery.id", delivery.id.as_str());
    let before = if record.repeated { find(deps, delivery).await? } else { None };
    let attempts = match before {
        Some(before) => match before.state {
            state if state.is_final() => return Ok(Verdict::Acknowledge),
            DeliveryState::Retrying { due_at } if due_at.since(deps.clock.now()) > EARLY => {
                return keep(deps, &record, due_at.since(deps.clock.now())).await;
            }
            _ => before.attempts,
        },
        None => Vec::new(),
    };
    if deps.accounts.find_account(&delivery.account).await?.is_none() {
        // A row written now would outlive the account, whose rows are being deleted.
        info!(counted = "ignored", "a delivery of an account that is gone or being deleted was acknowledged");
        return Ok(Verdict::Acknowledge);
    }
    let found = deps.destinations.find_destination(&delivery.account, &delivery.destination).await?;
    let Some(destination) = found else {
        return set_aside(deps, &record, delivery, DeliveryState::Cancelled, attempts).await;
    };
    if !destination.settings.enabled {
        return set_aside(deps, &record, delivery, DeliveryState::Parked, attempts).await;
    }
    let longest = Duration::from(destination.settings.timeout_seconds) + SPARE;
    if record.deadline.since(deps.clock.now()) < longest {
        return keep(deps, &record, Duration::ZERO).await;
    }
    deliver(deps, &record, &message, &destination, attempts).await
}

async fn find(deps: &Deps, delivery: &Delivery) -> PortResult<Option<DeliveryRecord>> {
    deps.deliveries.find_delivery(&delivery.account, &delivery.id).await
}

/// Makes the attempt, records it, and decides what becomes of the message.
async fn deliver(
    deps: &Deps,
    record: &Received,
    message: &DeliveryMessage,
    destination: &Destination,
    mut attempts: Vec<Attempt>,
) -> Result<Verdict, DeliverError> {
    let number = u32::try_from(attempts.len()).unwrap_or(u32::MAX).saturating_add(1);
    let attempt = attempt(deps, message, destination, number).await?;
    let jitter = Jitter::from_entropy(u32::from_be_bytes(deps.entropy.bytes()?));
    let retries = destination.settings.retry_policy.policy(&deps.retries);
    let next = retries.next_step(number, &attempt.outcome, jitter);
    let ended = attempt.at.plus(attempt.took);
    let delivered = attempt.outcome.is_delivered();
    attempts.iter_mut().for_each(|earlier| earlier.outcome.shorten());
    attempts.push(attempt);
    let (state, wait) = match next {
        NextStep::Delivered => (DeliveryState::Delivered, None),
        NextStep::Exhausted => (DeliveryState::Exhausted, None),
        NextStep::RetryIn(wait) => (DeliveryState::Retrying { due_at: ended.plus(wait) }, Some(wait)),
    };
    let recorded = write(deps, &message.delivery, state, attempts).await?;
    match (recorded, wait) {
        (Recorded::Recorded, None) => Ok(Verdict::Acknowledge),
        // Only a delivered row stands against `delivered`.
        (Recorded::Superseded, None) if delivered => Ok(Verdict::Acknowledge),
        (Recorded::Recorded, Some(wait)) => keep(deps, record, wait).await,
        // Another message of this delivery was quicker. Its row decides, when this one is received again.
        (Recorded::Superseded, _) => keep(deps, record, Duration::ZERO).await,
    }
}

async fn attempt(
    deps: &Deps,
    message: &DeliveryMessage,
    destination: &Destination,
    number: u32,
) -> PortResult<Attempt> {
    let at = deps.clock.now();
    let mut secrets = Vec::with_capacity(destination.secrets.len());
    for secret in destination.live_secrets(at) {
        secrets.push(deps.vault.open(&destination.account, &destination.id, &secret.sealed).await?);
    }
    let request = sign(&message.delivery, &destination.settings, message.body.get(), &secrets, number, at);
    let outcome = deps.sender.send(&request).await?;
    let took = deps.clock.now().since(at);
    if !outcome.is_delivered() {
        log_failure(&message.delivery, number, took, &outcome);
    }
    Ok(Attempt { number, at, took, outcome })
}

fn log_failure(delivery: &Delivery, number: u32, took: Duration, outcome: &Outcome) {
    info!(
        "account.id" = %delivery.account,
        "event.id" = %delivery.event,
        "destination.id" = %delivery.destination,
        "delivery.id" = %delivery.id,
        attempt = number,
        duration_ms = took.as_millis(),
        status = outcome.status(),
        outcome = outcome.as_str(),
        "an attempt did not deliver"
    );
}

/// Records that no attempt is made now: the destination is deleted or disabled.
async fn set_aside(
    deps: &Deps,
    record: &Received,
    delivery: &Delivery,
    state: DeliveryState,
    attempts: Vec<Attempt>,
) -> Result<Verdict, DeliverError> {
    match write(deps, delivery, state, attempts).await? {
        Recorded::Recorded => Ok(Verdict::Acknowledge),
        Recorded::Superseded => keep(deps, record, Duration::ZERO).await,
    }
}

async fn write(deps: &Deps, delivery: &Delivery, state: DeliveryState, attempts: Vec<Attempt>) -> PortResult<Recorded> {
    let expires_at = deps.clock.now().plus(deps.retention);
    let record = DeliveryRecord { delivery: delivery.clone(), state, attempts, expires_at };
    deps.deliveries.record_delivery(&record).await
}

/// Leaves the message in the queue, to be received again after `wait`. (The seam for the due index: a long wait is one
/// more place a retry can wait in.)
async fn keep(deps: &Deps, record: &Received, wait: Duration) -> Result<Verdict, DeliverError> {
    deps.queue.postpone(&record.receipt, wait).await?;
    Ok(Verdict::Keep)
}
