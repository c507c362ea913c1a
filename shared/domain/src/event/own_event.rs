//! An event that this system makes itself: of a destination, of a delivery, of a run that did not come. It goes the way of a producer's.
//!
//! What happened once makes the same event every time, byte for byte, so that one sent twice is delivered once.

use serde_json::{Value, json};
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
    pub data: Value,
}

impl OwnEvent {
    /// Derived from all that the event says, so that no two different ones share it.
    pub fn id(&self) -> EventId {
        let (occurred_at, data) = (self.occurred_at.unix_ms().to_string(), self.data.to_string());
        let mut digest = Sha256::new();
        // None of the parts can hold a zero byte, so no two lists of parts look the same.
        for part in [self.account.as_str(), self.event_type, &occurred_at, &data] {
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
        json!({
            "id": id, "type": event_type, "account": account, "scope": scope, "occurred_at": occurred_at, "data": data
        })
        .to_string()
        // The two characters that JSON may have in clear and the queue refuses.
        .replace('\u{FFFE}', "\\ufffe")
        .replace('\u{FFFF}', "\\uffff")
    }
}
