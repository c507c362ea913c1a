//! Requests with an idempotency key, and their answers, in memory.

use async_trait::async_trait;
use domain::value::Timestamp;
use ports::{BegunRequest, KeptAnswers, KeyedRequest, PortResult, RequestKey};

use super::MemoryStore;

#[async_trait]
impl KeptAnswers for MemoryStore {
    async fn begin_request(
        &self,
        key: &RequestKey,
        request: &KeyedRequest,
        now: Timestamp,
    ) -> PortResult<BegunRequest> {
        let mut rows = self.call("begin_request")?;
        match rows.keyed_requests.get(key).filter(|(before, _)| before.expires_at > now) {
            Some((before, _)) if before.digest != request.digest => return Ok(BegunRequest::Reused),
            Some((_, Some(answer))) => return Ok(BegunRequest::Answered(answer.clone())),
            Some((before, None)) if before.until > now => return Ok(BegunRequest::UnderWay),
            _ => {}
        }
        rows.keyed_requests.insert(key.clone(), (request.clone(), None));
        Ok(BegunRequest::Begun)
    }

    async fn keep_answer(&self, key: &RequestKey, holder: [u8; 16], answer: &[u8]) -> PortResult<()> {
        let mut rows = self.call("keep_answer")?;
        if let Some((_, kept)) = rows.keyed_requests.get_mut(key).filter(|(request, _)| request.holder == holder) {
            *kept = Some(answer.to_vec());
        }
        Ok(())
    }

    async fn forget_request(&self, key: &RequestKey, holder: [u8; 16]) -> PortResult<()> {
        let mut rows = self.call("forget_request")?;
        rows.keyed_requests.retain(|other, (request, _)| other != key || request.holder != holder);
        Ok(())
    }
}
