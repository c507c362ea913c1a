//! Events that can never be accepted, kept for the operator to find and correct.

use async_trait::async_trait;
use domain::event::{RejectedEvent, Resubmission};
use domain::value::RejectedEventId;

use super::{Order, PortResult, Span};

/// The notes of rejected events.
#[async_trait]
pub trait Rejections: Send + Sync {
    /// Records the event with the part of its text that is kept. An existing note with that id stays as it is.
    async fn note_rejection(&self, rejected: &RejectedEvent, body: &str) -> PortResult<()>;
    async fn find_rejection(&self, id: &RejectedEventId) -> PortResult<Option<RejectedEvent>>;
    /// The part of its text that was kept.
    async fn find_rejected_body(&self, id: &RejectedEventId) -> PortResult<Option<String>>;
    /// At most `limit` events after `after`, in this order, that were sent within the span. Fewer than `limit` mean the
    /// last page. Each day of the span may cost a query, so the span should be short.
    async fn list_rejections(
        &self,
        span: Span,
        order: Order,
        after: Option<&RejectedEventId>,
        limit: usize,
    ) -> PortResult<Vec<RejectedEvent>>;
    /// Records that the event was sent again; this replaces any earlier resubmission. Does nothing if there is no note
    /// of the event.
    async fn note_resubmission(&self, id: &RejectedEventId, resubmission: &Resubmission) -> PortResult<()>;
    /// Whether there was a note to delete.
    async fn delete_rejection(&self, id: &RejectedEventId) -> PortResult<bool>;
}
