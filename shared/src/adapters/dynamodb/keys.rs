//! Every key string of the table. One table, `pk` and `sk`:
//!
//! | row | `pk` | `sk` |
//! |---|---|---|
//! | account | `A#<account>` | `ACCOUNT` |
//! | API key | `A#<account>` | `KEY#<id>` |
//! | destination | `A#<account>` | `DST#<id>` |
//! | subscription | `A#<account>` | `SUB#<id>` |
//! | the name of a destination or subscription | `A#<account>` | `NAME#DST#<name>`, `NAME#SUB#<name>` |
//! | runs remembered for transitions | `T#<account>` | `<type>#<scope>` |
//! | subscription, filed | `B#<account>#<type or *>#<scope>` | `SUB#<id>` |
//! | sealed event | `E#<account>#<event>` | `EVENT` |
//! | what else it owes | `E#<account>#<event>` | `OWED#<n>` |
//! | delivery | `D#<account>#<destination>` | `DLV#<id>` (sorted by when the event occurred) |
//! | data key | `DATA_KEY#<id>` | `DATA_KEY` |
//! | the data key in use | `DATA_KEY` | `CURRENT` |
//!
//! None of the parts can contain `#` but a name, which is always the last one. No row takes a write per delivery but the delivery's own.

use crate::domain::event_type::EventType;
use crate::domain::id::{AccountId, DeliveryId, DestinationId, EventId, KeyId, SubscriptionId};
use crate::domain::label::Label;
use crate::domain::scope::Scope;
use crate::domain::subscription::Bucket;

/// A primary key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Key {
    pub(super) pk: String,
    pub(super) sk: String,
}

fn key(pk: String, sk: impl Into<String>) -> Key {
    Key { pk, sk: sk.into() }
}

pub(super) const DESTINATIONS: &str = "DST#";
pub(super) const SUBSCRIPTIONS: &str = "SUB#";
pub(super) const OWED: &str = "OWED#";

/// The partition of everything an account configures.
pub(super) fn account_pk(account: &AccountId) -> String {
    format!("A#{account}")
}

pub(super) fn account(account: &AccountId) -> Key {
    key(account_pk(account), "ACCOUNT")
}

pub(super) fn api_key(account: &AccountId, id: &KeyId) -> Key {
    key(account_pk(account), format!("KEY#{id}"))
}

pub(super) fn destination(account: &AccountId, id: &DestinationId) -> Key {
    key(account_pk(account), format!("{DESTINATIONS}{id}"))
}

pub(super) fn subscription(account: &AccountId, id: &SubscriptionId) -> Key {
    key(account_pk(account), format!("{SUBSCRIPTIONS}{id}"))
}

pub(super) fn destination_name(account: &AccountId, name: &Label) -> Key {
    key(account_pk(account), format!("NAME#{DESTINATIONS}{}", name.as_str()))
}

pub(super) fn subscription_name(account: &AccountId, name: &Label) -> Key {
    key(account_pk(account), format!("NAME#{SUBSCRIPTIONS}{}", name.as_str()))
}

pub(super) fn runs(account: &AccountId, event_type: EventType, place: &Scope) -> Key {
    key(format!("T#{account}"), format!("{event_type}#{place}"))
}

pub(super) fn bucket_pk(account: &AccountId, bucket: &Bucket) -> String {
    format!("B#{account}#{bucket}")
}

pub(super) fn filed_subscription(account: &AccountId, bucket: &Bucket, id: &SubscriptionId) -> Key {
    key(bucket_pk(account, bucket), format!("{SUBSCRIPTIONS}{id}"))
}

pub(super) fn event_pk(account: &AccountId, id: &EventId) -> String {
    format!("E#{account}#{id}")
}

pub(super) fn event(account: &AccountId, id: &EventId) -> Key {
    key(event_pk(account, id), "EVENT")
}

pub(super) fn owed(account: &AccountId, id: &EventId, n: usize) -> Key {
    key(event_pk(account, id), format!("{OWED}{n:05}"))
}

pub(super) fn delivery(account: &AccountId, id: &DeliveryId) -> Key {
    key(format!("D#{account}#{}", id.destination()), format!("DLV#{id}"))
}

pub(super) fn data_key(id: &str) -> Key {
    key(format!("DATA_KEY#{id}"), "DATA_KEY")
}

pub(super) fn current_data_key() -> Key {
    key("DATA_KEY".to_owned(), "CURRENT")
}
