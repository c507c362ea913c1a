//! One message as it was received, and what became of it.

use std::time::Duration;

use aws_lambda_events::event::sqs::SqsMessage;
use domain::value::{TRACEPARENT, Timestamp, TraceParent};
use lambda_runtime::Error;
use runtime::batch::Record;

use crate::deps::Deps;

/// The time that must remain for giving records back and answering.
pub(crate) const SPARE: Duration = Duration::from_secs(5);

/// One message as it was received.
pub(crate) struct Received {
    pub(crate) body: String,
    /// The receipt handle, with which its message can be hidden.
    pub(crate) receipt: String,
    /// When the producer sent it. An event that waited in a queue is not refused for its age.
    pub(crate) sent_at: Timestamp,
    /// It may have been handled before, so its deliveries may have been sent.
    pub(crate) repeated: bool,
    /// Where its event is in the producer's trace. What is malformed counts as none.
    pub(crate) traceparent: Option<TraceParent>,
}

/// The result for one record.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Handled {
    Sealed,
    Duplicate,
    /// Its account was never registered: no row is written.
    Ignored,
    Rejected,
    /// It is wide and not sent completely. Its message is to come again after this time.
    NotYet(Duration),
}

pub(crate) fn received(deps: &Deps, record: SqsMessage) -> Result<Record<Received>, Error> {
    // A record without an id could not be reported as failed, so the whole batch fails.
    let id = record.message_id.filter(|id| !id.is_empty()).ok_or("a record came without a message id")?;
    let sent = record.attributes.get("SentTimestamp").and_then(|ms| ms.parse().ok()).map(Timestamp::from_unix_ms);
    let sent_at = sent.unwrap_or_else(|| deps.clock.now());
    let receives = record.attributes.get("ApproximateReceiveCount").and_then(|count| count.parse().ok());
    let receives = receives.unwrap_or(u32::MAX);
    let attribute = record.message_attributes.get(TRACEPARENT).and_then(|value| value.string_value.as_deref());
    let traceparent = attribute.and_then(|text| text.parse().ok());
    let (body, receipt) = (record.body.unwrap_or_default(), record.receipt_handle.unwrap_or_default());
    let content = Received { body, receipt: receipt.clone(), sent_at, repeated: receives != 1, traceparent };
    Ok(Record { id, receipt, receives, content })
}
