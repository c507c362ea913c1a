//! `fanout` turns each event into the deliveries that it owes. It parses, matches, sends and then seals; it never calls
//! a receiver. [`domain`] describes the whole flow.
//!
//! **Send first, note, then seal**: a crash in between repeats deliveries under the same ids and never loses one. The
//! note lets the audit find every sealed event. Only a wide event is sealed first, and sent in ranges (the file `wide`).
//!
//! Invariant: a bad event is rejected alone; its neighbours are not affected (tests:
//! `a_malformed_event_is_rejected_alone`,
//! `each_bad_event_is_kept_with_its_reason_and_its_neighbours_are_delivered`).
//!
//! Invariant: a rejected event is noted for the operator before its message is acknowledged, and only once, however
//! often its message is handled; the notes cost accepted events nothing (tests:
//! `every_rejected_event_is_noted_with_its_reason_and_its_text`,
//! `a_rejected_event_is_acknowledged_once_it_is_noted_and_noted_once_however_often_it_comes`,
//! `an_accepted_event_costs_no_note`).
//!
//! Invariant: an event that is not wide is sealed only after everything it owes was sent (tests:
//! `an_event_whose_deliveries_were_not_all_sent_is_not_sealed_and_comes_again_under_the_same_ids`).
//!
//! Invariant: the same event again sends nothing (tests: `the_same_event_again_is_acknowledged_and_sends_nothing`,
//! `the_same_event_pushed_twice_is_delivered_once`).
//!
//! Invariant: other content under a used id is rejected, and the first content stands (tests:
//! `other_content_under_a_used_id_is_rejected`).
//!
//! Invariant: an event of an unregistered account costs no row of its own (tests:
//! `an_unregistered_account_costs_no_row_of_its_own_and_is_noted_once_an_hour`).
//!
//! Invariant: while its configuration is cached, an event costs one read, one message to the queue for up to ten
//! deliveries, and one write (tests: `a_second_event_of_the_same_kind_costs_one_read_and_one_row`, counted at the SDK's
//! clients `an_event_costs_one_read_one_message_to_the_queue_for_up_to_ten_deliveries_and_one_write`). Ten events of a batch
//! need no more calls than one (tests: `ten_events_that_owe_one_delivery_each_cost_three_calls`).
//!
//! Invariant: where a subscription asks for it, the next run is awaited before the event is sealed. Elsewhere this costs
//! nothing (tests: `the_next_run_is_awaited_where_somebody_asked_and_nowhere_else`).
//!
//! Invariant: runs are remembered only where somebody waits for a change (tests:
//! `a_condition_lets_through_what_it_names_and_the_rest_is_sealed_with_the_reason`).
//!
//! Invariant: a failure of ours gives back only its own record, and soon: [`batch`] says when (tests:
//! `a_failure_at_any_step_gives_back_only_its_own_record`,
//! `what_failed_comes_back_in_seconds_and_an_event_that_was_handled_is_not_hidden`).
//!
//! Invariant: an event that takes longer than the invocation is given back before the invocation ends, and its neighbours
//! get their own results (tests: `an_event_that_outlasts_the_invocation_is_given_back_before_it_ends`).

mod deps;
mod handling;
mod owed;
mod places;
mod received;
mod same;
mod seals;
mod seen_scopes;
mod unregistered;
mod wide;

use std::sync::Arc;

use aws_lambda_events::event::sqs::{BatchItemFailure, SqsBatchResponse, SqsEvent};
use domain::event::Event;
use domain::value::Timestamp;
use lambda_runtime::{Error, LambdaEvent};
use ports::{PortError, PortResult};
use runtime::batch;
use runtime::batch::{GiveBack, Verdict};
use runtime::metrics::{Count, Time};
use runtime::telemetry::ErrorChain;
use tracing::{info, warn};

pub use self::deps::Deps;
use self::handling::{Invocation, handle_event, reject};
use self::places::Places;
use self::received::{Handled, Received, SPARE, received};
use self::same::SameEvents;
pub use self::seals::Seals;
pub use self::seen_scopes::ScopeNotes;
pub use self::unregistered::UnregisteredEvents;
use self::wide::Turns;

/// How many records of a batch are handled at once; a batch has at most 10.
const AT_ONCE: usize = 10;

/// Handles one batch. The answer lists the records to be received again.
pub async fn handle(deps: Arc<Deps>, event: LambdaEvent<SqsEvent>) -> Result<SqsBatchResponse, Error> {
    let deadline = Timestamp::from_unix_ms(event.context.deadline);
    let lambdas = event.context.xray_trace_id;
    let records = event.payload.records.into_iter().map(|record| received(&deps, record));
    let records = records.collect::<Result<Vec<_>, _>>()?;
    let give_back = GiveBack { queue: Arc::clone(&deps.queue), entropy: Arc::clone(&deps.entropy) };
    let (same, turns, matching) = (SameEvents::default(), Turns::default(), Places::default());
    let invocation = Arc::new(Invocation { deadline, same, turns, matching });
    let (metrics, left) = (Arc::clone(&deps.metrics), deadline.since(deps.clock.now()));
    let work = batch::run(records, AT_ONCE, &give_back, lambdas.as_deref(), move |record| {
        let (deps, invocation) = (Arc::clone(&deps), Arc::clone(&invocation));
        async move {
            batch::log_trace(record.traceparent);
            let left = deadline.since(deps.clock.now()).saturating_sub(SPARE);
            let handled = tokio::time::timeout(left, handle_record(&deps, &invocation, &record)).await;
            let handled =
                handled.map_err(|error| PortError::transient("handling an event within the invocation", error))??;
            tell(&deps, handled);
            Ok::<_, PortError>(verdict(&deps, &record, handled).await)
        }
    });
    let again = metrics.of_invocation(left, work).await;
    let mut response = SqsBatchResponse::default();
    response.batch_item_failures = again.into_iter().map(failure).collect();
    Ok(response)
}

/// What happens to the message. If it cannot be hidden for a shorter time, the queue's visibility timeout applies.
async fn verdict(deps: &Deps, record: &Received, handled: Handled) -> Verdict {
    let Handled::NotYet(wait) = handled else { return Verdict::Acknowledge };
    if let Err(error) = deps.queue.postpone(&record.receipt, wait).await {
        warn!(error = %ErrorChain(&error), "a wide event could not be given back early");
    }
    Verdict::Keep
}

fn failure(id: String) -> BatchItemFailure {
    let mut failure = BatchItemFailure::default();
    failure.item_identifier = id;
    failure
}

/// Everything unusual is a log line; sealed events log nothing. What was sealed is counted where that is done.
fn tell(deps: &Deps, handled: Handled) {
    match handled {
        Handled::Sealed | Handled::Rejected | Handled::NotYet(_) => {}
        Handled::Ignored => deps.metrics.add(Count::EventsIgnored, 1),
        Handled::Duplicate => {
            deps.metrics.add(Count::EventsDuplicate, 1);
            info!(counted = "duplicate", "an event came again and was acknowledged");
        }
    }
}

async fn handle_record(deps: &Deps, invocation: &Invocation, record: &Received) -> PortResult<Handled> {
    if !record.repeated {
        deps.metrics.took(Time::EventQueueWait, deps.clock.now().since(record.sent_at));
    }
    let event = match Event::parse(&record.body, record.sent_at) {
        Ok(event) => Event { traceparent: record.traceparent, ..event },
        Err(rejection) => return reject(deps, record, &rejection).await,
    };
    let place = invocation.same.enter(&event).await?;
    let handled = handle_event(deps, invocation, record, &event).await?;
    if !matches!(handled, Handled::NotYet(_)) {
        place.done();
    }
    Ok(handled)
}
