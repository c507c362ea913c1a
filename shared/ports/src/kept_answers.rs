//! Answers to requests that came with a key (`Idempotency-Key`): whoever sends the same request again under the same key
//! gets the answer that was given.

use async_trait::async_trait;
use domain::value::{AccountId, Timestamp};

use super::PortResult;

/// The key of a request, as it is told from all others.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct RequestKey {
    /// Whose things the request is about; `None` if it is about no account's.
    pub account: Option<AccountId>,
    /// Tells the caller and the key apart from others: letters and digits.
    pub name: String,
}

/// A request that is being carried out.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KeyedRequest {
    /// The digest of what is asked for.
    pub digest: [u8; 32],
    /// Who carries it out.
    pub holder: [u8; 16],
    /// When it has ended at the latest. If no answer is kept by then, it may be carried out again.
    pub until: Timestamp,
    /// Until when key and answer are kept, in whole seconds.
    pub expires_at: Timestamp,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub enum BegunRequest {
    /// It is to be carried out, by this holder alone.
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
    /// Keeps the answer, in which there may be secrets. Does nothing if another holder has begun the request since.
    async fn keep_answer(&self, key: &RequestKey, holder: [u8; 16], answer: &[u8]) -> PortResult<()>;
    /// Forgets the request, so that it can be carried out again. Does nothing if another holder has begun it since.
    async fn forget_request(&self, key: &RequestKey, holder: [u8; 16]) -> PortResult<()>;
}
