//! `fanout`: turns each event into the deliveries it owes. It parses, matches, sends, and then seals; it never talks to a
//! receiver. The flow is told in [`shared`].
//!
//! **Send first, then seal**: a crash in between repeats deliveries under the same ids, and never loses one.

mod scopes;

use std::sync::Arc;
use std::time::Duration;

use aws_lambda_events::event::sqs::{BatchItemFailure, SqsBatchResponse, SqsEvent};
use lambda_runtime::{Error, LambdaEvent};
use shared::batch::{self, Verdict};
use shared::domain::delivery::Delivery;
use shared::domain::envelope;
use shared::domain::event::{Event, Rejection};
use shared::domain::subscription::{Bucket, deliveries};
use shared::domain::timestamp::Timestamp;
use shared::ports::{
    Clock, DeliveryQueue, Events, FindAccount, FindSubscriptions, PortError, PortResult, RejectedEvents, Sealed,
    SealedEvent, UnmatchedReason,
};
use tracing::{info, warn};

pub use self::scopes::ScopeNotes;

/// Records of one batch handled at once; a batch has at most 10.
const AT_ONCE: usize = 10;

pub struct Deps {
    pub accounts: Arc<dyn FindAccount>,
    pub subscriptions: Arc<dyn FindSubscriptions>,
    pub events: Arc<dyn Events>,
    pub deliveries: Arc<dyn DeliveryQueue>,
    pub rejected: Arc<dyn RejectedEvents>,
    pub scopes: ScopeNotes,
    pub clock: Arc<dyn Clock>,
    /// How long a sealed event is kept.
    pub retention: Duration,
}

/// What became of one record.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Handled {
    Sealed,
    Duplicate,
    /// Its account was never registered: no row, no cost.
    Ignored,
    Rejected,
}

/// Handles one batch; the answer lists the records to be received again.
pub async fn handle(deps: Arc<Deps>, event: LambdaEvent<SqsEvent>) -> Result<SqsBatchResponse, Error> {
    let mut records = Vec::new();
    for record in event.payload.records {
        // A record without an id could not be reported as failed; so the whole batch is.
        let id = record.message_id.filter(|id| !id.is_empty()).ok_or("a record came without a message id")?;
        let sent = record.attributes.get("SentTimestamp").and_then(|ms| ms.parse().ok()).map(Timestamp::from_unix_ms);
        records.push((id, (record.body.unwrap_or_default(), sent)));
    }
    let again = batch::run(records, AT_ONCE, move |(body, sent)| {
        let deps = Arc::clone(&deps);
        async move {
            let handled = handle_record(&deps, &body, sent).await?;
            log(handled);
            Ok::<_, PortError>(Verdict::Acknowledge)
        }
    })
    .await;
    let mut response = SqsBatchResponse::default();
    response.batch_item_failures = again.into_iter().map(failure).collect();
    Ok(response)
}

fn failure(id: String) -> BatchItemFailure {
    let mut failure = BatchItemFailure::default();
    failure.item_identifier = id;
    failure
}

/// What did not go the usual way is counted by a log line that a metric filter can find; sealed events are silent.
fn log(handled: Handled) {
    match handled {
        Handled::Sealed | Handled::Rejected => {}
        Handled::Duplicate => info!(counted = "duplicate", "an event came again and was acknowledged"),
        Handled::Ignored => info!(counted = "ignored", "an event of an unregistered account was acknowledged"),
    }
}

/// `sent` is when the producer sent it: an event that waited in a queue is not refused for its age.
async fn handle_record(deps: &Deps, text: &str, sent: Option<Timestamp>) -> PortResult<Handled> {
    let event = match Event::parse(text, sent.unwrap_or_else(|| deps.clock.now())) {
        Ok(event) => event,
        Err(rejection) => return reject(deps, text, &rejection).await,
    };
    if deps.accounts.find_account(&event.account).await?.is_none() {
        return Ok(Handled::Ignored);
    }
    let body = envelope::build(&event).map_err(|error| PortError::permanent("building the body", error))?;
    let digest = envelope::content_digest(body.get());
    if let Some(before) = deps.events.find_event(&event.account, &event.id).await? {
        return again(deps, text, &event, before.digest == digest).await;
    }
    let buckets = Bucket::of_event(event.event_type, &event.scope);
    let subscriptions = deps.subscriptions.find_subscriptions(&event.account, &buckets).await?;
    let owed = deliveries(&event, &subscriptions);
    deps.deliveries.send_deliveries(&owed, &body).await?;
    match deps.events.seal_event(&seal(deps, &event, body.get(), digest, owed)).await? {
        Sealed::Sealed => {
            deps.scopes.note(&event, deps.clock.now()).await;
            Ok(Handled::Sealed)
        }
        Sealed::Before { digest: before } => again(deps, text, &event, before == digest).await,
    }
}

/// An event whose id was sealed before: the same one is acknowledged, another one under its id refused.
async fn again(deps: &Deps, text: &str, event: &Event, same: bool) -> PortResult<Handled> {
    if same { Ok(Handled::Duplicate) } else { reject(deps, text, &Rejection::id_reused(&event.id)).await }
}

async fn reject(deps: &Deps, text: &str, rejection: &Rejection) -> PortResult<Handled> {
    deps.rejected.reject_event(text, rejection).await?;
    let code = rejection.code.as_str();
    warn!(counted = "rejected", error_code = code, error_detail = %rejection.detail, "an event was rejected");
    Ok(Handled::Rejected)
}

fn seal(deps: &Deps, event: &Event, body: &str, digest: [u8; 32], owed: Vec<Delivery>) -> SealedEvent {
    let now = deps.clock.now();
    SealedEvent {
        account: event.account.clone(),
        id: event.id.clone(),
        event_type: event.event_type,
        scope: event.scope.clone(),
        occurred_at: event.occurred_at,
        sealed_at: now,
        digest,
        body: body.to_owned(),
        unmatched: owed.is_empty().then_some(UnmatchedReason::NoSubscription),
        owed,
        expires_at: now.plus(deps.retention),
    }
}
