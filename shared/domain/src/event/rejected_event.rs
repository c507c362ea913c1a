//! An event that could not be accepted, as the operator sees it: why it was rejected, whose it is, and whether it was
//! sent again. Its message is gone by then: this is all that is left of it.

use std::time::Duration;

use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use super::rejection::{Rejection, RejectionCode};
use crate::value::{AccountId, EventId, RejectedEventId, Timestamp};

/// How long a rejected event is kept.
pub const KEPT: Duration = Duration::from_secs(14 * 86_400);
/// The greatest age of a listed event, counted from when it was sent: it may have waited in the events' queue for 14
/// days before it was rejected.
pub const REACH: Duration = Duration::from_secs(28 * 86_400);
/// How much of the text is kept, in bytes: more than an event may have, less than a row may have.
pub const KEPT_BYTES: usize = 300 * 1024;
/// How much of the reason is kept, in bytes.
const REASON_BYTES: usize = 1_000;

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RejectedEvent {
    pub id: RejectedEventId,
    pub code: RejectionCode,
    /// A JSON pointer to what has to be corrected; empty if there is no single place.
    pub pointer: String,
    pub detail: String,
    /// The account that it names, if that can be read. Nobody has checked that the account exists.
    pub account: Option<AccountId>,
    pub rejected_at: Timestamp,
    /// The size of the whole text in bytes, of which [`KEPT_BYTES`] are kept.
    pub body_bytes: usize,
    pub resubmission: Option<Resubmission>,
    /// When the row may be deleted.
    pub expires_at: Timestamp,
}

/// Notes that a rejected event was sent again, corrected or unchanged.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Resubmission {
    pub at: Timestamp,
    pub account: AccountId,
    pub event_id: EventId,
}

impl RejectedEvent {
    /// The note of a message with this text that was sent at `sent_at` and rejected at `now`. It has the same id each
    /// time the message is rejected.
    pub fn new(text: &str, sent_at: Timestamp, rejection: &Rejection, now: Timestamp) -> Self {
        Self {
            id: RejectedEventId::of(sent_at, &digest(text, rejection.code)),
            code: rejection.code,
            pointer: rejection.pointer.clone(),
            detail: beginning(&rejection.detail, REASON_BYTES).to_owned(),
            account: claimed_account(text),
            rejected_at: now,
            body_bytes: text.len(),
            resubmission: None,
            expires_at: now.plus(KEPT),
        }
    }

    /// The part of its text that is kept.
    pub fn kept(text: &str) -> &str {
        beginning(text, KEPT_BYTES)
    }

    /// Whether only the beginning of its text is kept.
    pub fn is_truncated(&self) -> bool {
        self.body_bytes > KEPT_BYTES
    }
}

fn beginning(text: &str, bytes: usize) -> &str {
    &text[..text.floor_char_boundary(bytes)]
}

fn digest(text: &str, code: RejectionCode) -> [u8; 10] {
    let whole: [u8; 32] =
        Sha256::new().chain_update(code.as_str()).chain_update("#").chain_update(text).finalize().into();
    let mut short = [0; 10];
    short.copy_from_slice(&whole[..10]);
    short
}

fn claimed_account(text: &str) -> Option<AccountId> {
    #[derive(Deserialize)]
    struct Claimed {
        account: AccountId,
    }
    // In place of an object, serde would also accept an array of its values.
    let object = Some(text).filter(|text| text.trim_start().starts_with('{'))?;
    serde_json::from_str::<Claimed>(object).ok().map(|claimed| claimed.account)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::event::event::Event;

    fn at(ms: u64) -> Timestamp {
        Timestamp::from_unix_ms(1_795_426_200_000 + ms)
    }

    fn rejected(text: &str, sent_at: Timestamp, now: Timestamp) -> RejectedEvent {
        let rejection = Event::parse(text, now).expect_err("a rejection");
        RejectedEvent::new(text, sent_at, &rejection, now)
    }

    #[test]
    fn the_same_message_has_the_same_id_however_late_it_is_rejected_and_another_one_another() {
        let first = rejected(r#"{"id":"a.b"}"#, at(0), at(5));
        assert_eq!(rejected(r#"{"id":"a.b"}"#, at(0), at(900_000)).id, first.id);
        assert_ne!(rejected(r#"{"id":"a.c"}"#, at(0), at(5)).id, first.id);
        assert_ne!(rejected(r#"{"id":"a.b"}"#, at(1), at(5)).id, first.id);
        let reused = Rejection::id_reused(&"evt-1".parse().expect("an id"));
        assert_ne!(RejectedEvent::new(r#"{"id":"a.b"}"#, at(0), &reused, at(5)).id, first.id);
        assert_eq!((first.id.sent_at(), first.expires_at), (at(0), at(5).plus(KEPT)));
    }

    #[track_caller]
    fn check_account(text: &str, expected: Option<&str>) {
        let account = rejected(text, at(0), at(0)).account;
        assert_eq!(account.as_ref().map(AccountId::as_str), expected, "{text}");
    }

    #[test]
    fn the_account_is_read_where_it_can_be() {
        check_account(r#"{"id":7,"account":"acme","data":[]}"#, Some("acme"));
        check_account(r#" {"account":"acme"}"#, Some("acme"));
        check_account(r#"{"account":"a.b"}"#, None);
        check_account(r#"{"account":7}"#, None);
        check_account(r#"{"id":"evt-1"}"#, None);
        check_account(r#"{"account":"acme""#, None);
        check_account(r#"["acme"]"#, None);
        check_account("", None);
    }

    #[test]
    fn what_is_kept_is_bounded_and_says_when_it_is_not_all() {
        let long = "é".repeat(KEPT_BYTES);
        assert_eq!(RejectedEvent::kept(&long).len(), KEPT_BYTES);
        assert_eq!(RejectedEvent::kept(&format!("x{long}")).len(), KEPT_BYTES - 1);
        let whole = "x".repeat(KEPT_BYTES);
        assert_eq!(RejectedEvent::kept(&whole), whole);
        assert!(!rejected(&whole, at(0), at(0)).is_truncated());
        assert!(rejected(&format!("x{whole}"), at(0), at(0)).is_truncated());
        let unknown = rejected(&format!(r#"{{"{}":1}}"#, "x".repeat(5_000)), at(0), at(0));
        assert_eq!(unknown.pointer, "");
        assert!(unknown.detail.contains("unknown field `xxx") && unknown.detail.len() < 1_000, "{}", unknown.detail);
    }
}
