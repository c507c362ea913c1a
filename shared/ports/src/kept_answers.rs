//! Answers to requests with an `Idempotency-Key`. If the same request comes again with the same key, it gets the stored
//! answer.

use async_trait::async_trait;
use domain::value::{AccountId, Timestamp};

use super::PortResult;

/// The key of a request, distinct from the keys of other accounts and callers.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct RequestKey {
    /// The account that the request is about; `None` if it is about no account.
    pub account: Option<AccountId>,
    /// Identifies the caller and the key: letters and digits.
    pub name: String,
}

/// A request that is being carried out.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KeyedRequest {
    /// The digest of the request.
    pub digest: [u8; 32],
    /// Who carries it out.
    pub holder: [u8; 16],
    /// When it has ended at the latest. If no answer is stored by then, it may be carried out again.
    pub until: Timestamp,
    /// When key and answer expire, in whole seconds.
    pub expires_at: Timestamp,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub enum BegunRequest {
    /// This holder must carry it out, and nobody else does.
    Begun,
    /// It was carried out before, and this was the answer.
    Answered(Vec<u8>),
    /// Somebody is carrying it out.
    UnderWay,
    /// The key was used for another request.
    Reused,
}

#[async_trait]
pub trait KeptAnswers: Send + Sync {
    async fn begin_request(&self, key: &RequestKey, request: &KeyedRequest, now: Timestamp)
    -> PortResult<BegunRequest>;
    /// Stores the answer, which may contain secrets. Does nothing if another holder has begun the request since.
    async fn keep_answer(&self, key: &RequestKey, holder: [u8; 16], answer: &[u8]) -> PortResult<()>;
    /// Forgets the request, so that it can be carried out again. Does nothing if another holder has begun it since.
    async fn forget_request(&self, key: &RequestKey, holder: [u8; 16]) -> PortResult<()>;
}
