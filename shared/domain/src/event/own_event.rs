//! An event that this system makes itself, about a destination, a delivery, or a run that did not come. It is
//! processed like a producer's event.
//!
//! The same fact always makes the same event, byte for byte, so that an event that is sent twice is delivered once. The
//! parts that it takes from a producer's event keep the producer's bytes.

use serde_json::json;
use sha2::{Digest, Sha256};

use super::scope::Scope;
use crate::value::{AccountId, EventId, Timestamp};

/// An event that this system makes itself.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OwnEvent {
    pub event_type: &'static str,
    pub account: AccountId,
    pub scope: Scope,
    pub occurred_at: Timestamp,
    /// The text of a JSON object.
    pub data: String,
}

impl OwnEvent {
    /// Derived from everything in the event, so different events have different ids.
    pub fn id(&self) -> EventId {
        let occurred_at = self.occurred_at.unix_ms().to_string();
        let mut digest = Sha256::new();
        // No part can contain a zero byte, so different lists of parts give different texts.
        for part in [self.account.as_str(), self.event_type, &occurred_at, &self.data] {
            digest.update(part.as_bytes());
            digest.update([0]);
        }
        let digest: [u8; 32] = digest.finalize().into();
        let mut short = [0; 15];
        short.copy_from_slice(&digest[..15]);
        EventId::of_own(self.event_type, &short)
    }

    /// The text, as a producer would push it.
    pub fn text(&self) -> String {
        let Self { event_type, account, scope, occurred_at, data } = self;
        let id = self.id();
        let [account, id, occurred_at, scope, event_type] =
            [json!(account), json!(id), json!(occurred_at), json!(scope), json!(event_type)];
        format!(
            r#"{{"account":{account},"data":{data},"id":{id},"occurred_at":{occurred_at},"scope":{scope},"type":{event_type}}}"#
        )
        // JSON may contain these two characters unescaped, and the queue refuses them.
        .replace('\u{FFFE}', "\\ufffe")
        .replace('\u{FFFF}', "\\uffff")
    }
}
