//! One message as it was received, and the errors of handling it.

use std::sync::Arc;
use std::time::Duration;

use aws_lambda_events::event::sqs::SqsMessage;
use domain::destination::Destination;
use domain::value::Timestamp;
use lambda_runtime::Error;
use ports::PortError;
use runtime::batch::Record;

use crate::gates::Gates;

/// One message as it was received.
pub(crate) struct Received {
    pub(crate) body: String,
    pub(crate) receipt: String,
    /// How often it was received, including this time. If it was received before, it may have been handled, so the row is
    /// read first.
    pub(crate) receives: u32,
    /// When it was sent, if the queue says so.
    pub(crate) sent_at: Option<Timestamp>,
    /// When the invocation ends.
    pub(crate) deadline: Timestamp,
    pub(crate) gates: Arc<Gates>,
}

/// The time that must remain for recording and answering after the longest attempt: a call to AWS takes 4.5 s at most.
const SPARE: Duration = Duration::from_secs(5);

impl Received {
    /// Whether an attempt that begins at `at` ends, and can be recorded, within the invocation.
    pub(crate) fn has_time_for(&self, destination: &Destination, at: Timestamp) -> bool {
        self.deadline.since(at) >= Duration::from(destination.settings.timeout_seconds) + SPARE
    }
}

/// A failure of ours; the message is received again.
#[derive(Debug, thiserror::Error)]
pub(crate) enum DeliverError {
    #[error("the delivery message cannot be read")]
    Unreadable(#[source] serde_json::Error),
    #[error(transparent)]
    Port(#[from] PortError),
}

/// The message, with the id by which it can be reported as failed.
pub(crate) fn received(record: SqsMessage, deadline: Timestamp, gates: &Arc<Gates>) -> Result<Record<Received>, Error> {
    // A record without an id could not be reported as failed, so the whole batch fails.
    let id = record.message_id.filter(|id| !id.is_empty()).ok_or("a record came without a message id")?;
    let receives = record.attributes.get("ApproximateReceiveCount").and_then(|count| count.parse().ok());
    let receives = receives.unwrap_or(u32::MAX);
    let sent_at = record.attributes.get("SentTimestamp").and_then(|ms| ms.parse().ok()).map(Timestamp::from_unix_ms);
    let (body, receipt) = (record.body.unwrap_or_default(), record.receipt_handle.unwrap_or_default());
    let content = Received { body, receipt: receipt.clone(), receives, sent_at, deadline, gates: Arc::clone(gates) };
    Ok(Record { id, receipt, receives, content })
}
