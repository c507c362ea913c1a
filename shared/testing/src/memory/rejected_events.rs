//! Notes of rejected events in memory.

use async_trait::async_trait;
use domain::event::{RejectedEvent, Resubmission};
use domain::value::RejectedEventId;
use ports::{Order, PortResult, Rejections, Span};

use super::{MemoryStore, page};

#[async_trait]
impl Rejections for MemoryStore {
    async fn note_rejection(&self, rejected: &RejectedEvent, body: &str) -> PortResult<()> {
        let mut rows = self.call("note_rejection")?;
        rows.rejections.entry(rejected.id.clone()).or_insert_with(|| (rejected.clone(), body.to_owned()));
        Ok(())
    }

    async fn find_rejection(&self, id: &RejectedEventId) -> PortResult<Option<RejectedEvent>> {
        Ok(self.call("find_rejection")?.rejections.get(id).map(|(rejected, _)| rejected.clone()))
    }

    async fn find_rejected_body(&self, id: &RejectedEventId) -> PortResult<Option<String>> {
        Ok(self.call("find_rejected_body")?.rejections.get(id).map(|(_, body)| body.clone()))
    }

    async fn list_rejections(
        &self,
        span: Span,
        order: Order,
        after: Option<&RejectedEventId>,
        limit: usize,
    ) -> PortResult<Vec<RejectedEvent>> {
        let rows = self.call("list_rejections")?;
        let all = rows.rejections.values().map(|(rejected, _)| rejected);
        let within = all.filter(|rejected| (span.since..span.until).contains(&rejected.id.sent_at()));
        Ok(page(within, |rejected| &rejected.id, order, after, limit))
    }

    async fn note_resubmission(&self, id: &RejectedEventId, resubmission: &Resubmission) -> PortResult<()> {
        let mut rows = self.call("note_resubmission")?;
        if let Some((rejected, _)) = rows.rejections.get_mut(id) {
            rejected.resubmission = Some(resubmission.clone());
        }
        Ok(())
    }

    async fn delete_rejection(&self, id: &RejectedEventId) -> PortResult<bool> {
        Ok(self.call("delete_rejection")?.rejections.remove(id).is_some())
    }
}
