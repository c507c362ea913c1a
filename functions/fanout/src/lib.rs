//! `fanout` turns each event into the deliveries that it owes. It parses, matches, sends and then seals; it never calls
//! a receiver. [`domain`] describes the whole flow.
//!
//! **Send first, note, then seal**: a crash in between repeats deliveries under the same ids and never loses one. The
//! note lets the audit find every sealed event.
//!
//! Invariant: a bad event is rejected alone; its neighbours are not affected (tests:
//! `a_malformed_event_is_rejected_alone`,
//! `each_bad_event_is_dead_lettered_with_its_reason_and_its_neighbours_are_delivered`).
//!
//! Invariant: a rejected event is noted for the operator before it is dead-lettered, and only once, however often its
//! message is handled; the notes cost accepted events nothing (tests:
//! `every_rejected_event_is_noted_with_its_reason_and_its_text`,
//! `what_raises_the_alarm_is_noted_before_and_once_however_often_it_comes`, `an_accepted_event_costs_no_note`).
//!
//! Invariant: an event is sealed only after everything it owes was sent (tests:
//! `an_event_whose_deliveries_were_not_all_sent_is_not_sealed_and_comes_again_under_the_same_ids`).
//!
//! Invariant: the same event again sends nothing (tests: `the_same_event_again_is_acknowledged_and_sends_nothing`,
//! `the_same_event_pushed_twice_is_delivered_once`).
//!
//! Invariant: other content under a used id is rejected, and the first content stands (tests:
//! `other_content_under_a_used_id_is_rejected`).
//!
//! Invariant: an event of an unregistered account costs no row (tests: `an_unregistered_account_costs_no_row`).
//!
//! Invariant: while its configuration is cached, an event costs one read, one message to the queue for up to ten
//! deliveries, and one write (tests: `a_second_event_of_the_same_kind_costs_one_read_and_one_row`, counted at the SDK's
//! clients `an_event_costs_one_read_one_message_to_the_queue_for_up_to_ten_deliveries_and_one_write`).
//!
//! Invariant: the next run is awaited where somebody asked for it, before the event is sealed, and costs nothing
//! elsewhere (tests: `the_next_run_is_awaited_where_somebody_asked_and_nowhere_else`).
//!
//! Invariant: runs are remembered only where somebody waits for a change (tests:
//! `a_condition_lets_through_what_it_names_and_the_rest_is_sealed_with_the_reason`).
//!
//! Invariant: a failure of ours gives back only its own record, and soon: [`batch`] says when (tests:
//! `a_failure_at_any_step_gives_back_only_its_own_record`,
//! `what_failed_comes_back_in_seconds_and_an_event_that_was_handled_is_not_hidden`).
//!
//! Invariant: an event that takes longer than the invocation has is given back before that ends, and its neighbours are
//! answered for (tests: `an_event_that_outlasts_the_invocation_is_given_back_before_it_ends`).

mod deps;
mod owed;
mod same;
mod seals;
mod seen_scopes;

use std::sync::Arc;
use std::time::Duration;

use aws_lambda_events::event::sqs::{BatchItemFailure, SqsBatchResponse, SqsEvent, SqsMessage};
use domain::delivery::{OutgoingDelivery, Purpose};
use domain::event::{Event, RejectedEvent, Rejection, envelope};
use domain::value::Timestamp;
use lambda_runtime::{Error, LambdaEvent};
use ports::{PortError, PortResult, Sealed, SealedEvent};
use runtime::batch;
use runtime::batch::{GiveBack, Record, Verdict};
use tracing::{info, warn};

pub use self::deps::Deps;
use self::owed::{Owed, owed};
use self::same::SameEvents;
pub use self::seals::Seals;
pub use self::seen_scopes::ScopeNotes;

/// How many records of a batch are handled at once; a batch has at most 10.
const AT_ONCE: usize = 10;
/// The time that must remain for giving records back and answering.
const SPARE: Duration = Duration::from_secs(5);

/// One message as it was received.
struct Received {
    body: String,
    /// When the producer sent it. An event that waited in a queue is not refused for its age.
    sent_at: Timestamp,
    /// It may have been handled before, so its deliveries may have been sent.
    repeated: bool,
}

/// The result for one record.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Handled {
    Sealed,
    Duplicate,
    /// Its account was never registered: no row is written.
    Ignored,
    Rejected,
}

/// Handles one batch. The answer lists the records to be received again.
pub async fn handle(deps: Arc<Deps>, event: LambdaEvent<SqsEvent>) -> Result<SqsBatchResponse, Error> {
    let deadline = Timestamp::from_unix_ms(event.context.deadline);
    let records = event.payload.records.into_iter().map(|record| received(&deps, record));
    let records = records.collect::<Result<Vec<_>, _>>()?;
    let give_back = GiveBack { queue: Arc::clone(&deps.queue), entropy: Arc::clone(&deps.entropy) };
    let same = Arc::new(SameEvents::default());
    let again = batch::run(records, AT_ONCE, &give_back, move |record| {
        let (deps, same) = (Arc::clone(&deps), Arc::clone(&same));
        async move {
            let left = deadline.since(deps.clock.now()).saturating_sub(SPARE);
            let handled = tokio::time::timeout(left, handle_record(&deps, &same, &record)).await;
            log(handled.map_err(|error| PortError::transient("handling an event within the invocation", error))??);
            Ok::<_, PortError>(Verdict::Acknowledge)
        }
    })
    .await;
    let mut response = SqsBatchResponse::default();
    response.batch_item_failures = again.into_iter().map(failure).collect();
    Ok(response)
}

fn received(deps: &Deps, record: SqsMessage) -> Result<Record<Received>, Error> {
    // A record without an id could not be reported as failed, so the whole batch fails.
    let id = record.message_id.filter(|id| !id.is_empty()).ok_or("a record came without a message id")?;
    let sent = record.attributes.get("SentTimestamp").and_then(|ms| ms.parse().ok()).map(Timestamp::from_unix_ms);
    let sent_at = sent.unwrap_or_else(|| deps.clock.now());
    let receives = record.attributes.get("ApproximateReceiveCount").and_then(|count| count.parse().ok());
    let receives = receives.unwrap_or(u32::MAX);
    let content = Received { body: record.body.unwrap_or_default(), sent_at, repeated: receives != 1 };
    Ok(Record { id, receipt: record.receipt_handle.unwrap_or_default(), receives, content })
}

fn failure(id: String) -> BatchItemFailure {
    let mut failure = BatchItemFailure::default();
    failure.item_identifier = id;
    failure
}

/// Everything unusual is counted by a log line that a metric filter finds; sealed events log nothing.
fn log(handled: Handled) {
    match handled {
        Handled::Sealed | Handled::Rejected => {}
        Handled::Duplicate => info!(counted = "duplicate", "an event came again and was acknowledged"),
        Handled::Ignored => info!(counted = "ignored", "an event of an unregistered account was acknowledged"),
    }
}

async fn handle_record(deps: &Deps, same: &SameEvents, record: &Received) -> PortResult<Handled> {
    let event = match Event::parse(&record.body, record.sent_at) {
        Ok(event) => event,
        Err(rejection) => return reject(deps, record, &rejection).await,
    };
    let place = same.enter(&event).await?;
    let handled = handle_event(deps, record, event).await?;
    place.done();
    Ok(handled)
}

async fn handle_event(deps: &Deps, record: &Received, event: Event) -> PortResult<Handled> {
    if deps.accounts.find_account(&event.account).await?.is_none() {
        return Ok(Handled::Ignored);
    }
    let body = envelope::build(&event).map_err(|error| PortError::permanent("building the body", error))?;
    let digest = envelope::content_digest(body.get());
    if let Some(before) = deps.events.find_event(&event.account, &event.id).await? {
        return again(deps, record, &event, before.digest == digest).await;
    }
    let owed = owed(deps, &event).await?;
    let purpose = if record.repeated { Purpose::Again } else { Purpose::New };
    let message = |delivery| OutgoingDelivery { delivery, purpose, body: &body, delay: Duration::ZERO };
    deps.deliveries.send_deliveries(&owed.deliveries.iter().map(message).collect::<Vec<_>>()).await?;
    let sealed = seal(deps, &event, body.get(), digest, owed);
    if !sealed.owed.is_empty() {
        deps.seals.note(&sealed).await?;
    }
    match deps.events.seal_event(&sealed).await? {
        Sealed::Sealed => {
            deps.scopes.note(&event, deps.clock.now()).await;
            Ok(Handled::Sealed)
        }
        Sealed::Before { digest: before } => again(deps, record, &event, before == digest).await,
    }
}

/// Handles an event whose id was sealed before: the same event is acknowledged, another event with this id is rejected.
async fn again(deps: &Deps, record: &Received, event: &Event, same: bool) -> PortResult<Handled> {
    if same { Ok(Handled::Duplicate) } else { reject(deps, record, &Rejection::id_reused(&event.id)).await }
}

/// Notes the event before the queue has it, so that whatever raises the alarm is in the operator's list.
async fn reject(deps: &Deps, record: &Received, rejection: &Rejection) -> PortResult<Handled> {
    let noted = RejectedEvent::new(&record.body, record.sent_at, rejection, deps.clock.now());
    deps.rejections.note_rejection(&noted, RejectedEvent::kept(&record.body)).await?;
    deps.rejected.reject_event(&record.body, rejection).await?;
    let (id, code) = (noted.id.as_str(), rejection.code.as_str());
    warn!(
        counted = "rejected",
        "rejected_event.id" = id,
        error_code = code,
        error_detail = %rejection.detail,
        "an event was rejected"
    );
    Ok(Handled::Rejected)
}

fn seal(deps: &Deps, event: &Event, body: &str, digest: [u8; 32], owed: Owed) -> SealedEvent {
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
        unmatched: owed.unmatched,
        owed: owed.deliveries,
        expires_at: now.plus(deps.retention),
    }
}
