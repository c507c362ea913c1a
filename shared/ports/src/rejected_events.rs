//! Events that can never be accepted: the queue they are put on, and the notes by which the operator finds and mends them.
//!
//! The notes are no ledger. They are written before the queue has the message, and are forgotten when it forgets it.

use async_trait::async_trait;
use domain::event::{RejectedEvent, Rejection, Resubmission};
use domain::value::RejectedEventId;

use super::{PortResult, Span};

/// Where events go that can never be accepted: the events' dead-letter queue.
#[async_trait]
pub trait RejectedEvents: Send + Sync {
    async fn reject_event(&self, body: &str, rejection: &Rejection) -> PortResult<()>;
}

/// The notes of rejected events.
#[async_trait]
pub trait Rejections: Send + Sync {
    /// Notes the event with what is kept of its text. A note of that id stands as it is.
    async fn note_rejection(&self, rejected: &RejectedEvent, body: &str) -> PortResult<()>;
    async fn find_rejection(&self, id: &RejectedEventId) -> PortResult<Option<RejectedEvent>>;
    /// What is kept of its text.
    async fn find_rejected_body(&self, id: &RejectedEventId) -> PortResult<Option<String>>;
    /// At most `limit` of those that were sent within the span, the one sent last first, that come after `after` in this
    /// order. Fewer than `limit` are the last. Each day of the span may cost a query, so it is to be a short one.
    async fn list_rejections(
        &self,
        span: Span,
        after: Option<&RejectedEventId>,
        limit: usize,
    ) -> PortResult<Vec<RejectedEvent>>;
    /// Notes that it was sent anew, in place of an earlier time; nothing where there is no note of it.
    async fn note_resubmission(&self, id: &RejectedEventId, resubmission: &Resubmission) -> PortResult<()>;
    /// Whether there was one to delete.
    async fn delete_rejection(&self, id: &RejectedEventId) -> PortResult<bool>;
}
