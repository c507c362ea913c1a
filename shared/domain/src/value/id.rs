//! Identifiers. A value of one of these types is well formed: it was either parsed or made here.
//!
//! The platform names accounts, and its producers name events; everything else has a prefixed id of ours. No id
//! contains a `.`, because the signed text of a request is `id.timestamp.body`.

use std::fmt;
use std::str::FromStr;

use data_encoding::BASE32HEX_NOPAD;
use serde::{Deserialize, Serialize};

use super::timestamp::Timestamp;

/// Why a text is not an id of this kind; `Display` says what to write instead.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum IdError {
    #[error("must have 1 to {limit} characters, has {length}")]
    Length { limit: usize, length: usize },
    #[error("character {found:?} is not allowed; use only A-Z, a-z, 0-9, `_` and `-`")]
    Character { found: char },
    #[error("must be `{prefix}` followed by {length} characters of 0-9 and a-v")]
    Form { prefix: &'static str, length: usize },
}

fn check_name(text: &str, limit: usize) -> Result<(), IdError> {
    if let Some(found) = text.chars().find(|c| !(c.is_ascii_alphanumeric() || matches!(c, '_' | '-'))) {
        return Err(IdError::Character { found });
    }
    if text.is_empty() || text.len() > limit {
        return Err(IdError::Length { limit, length: text.len() });
    }
    Ok(())
}

fn check_form(text: &str, prefix: &'static str, length: usize) -> Result<(), IdError> {
    let wrong = IdError::Form { prefix, length };
    let rest = text.strip_prefix(prefix).ok_or(wrong.clone())?;
    let base32 = |b: u8| b.is_ascii_digit() || (b'a'..=b'v').contains(&b);
    if rest.len() == length && rest.bytes().all(base32) { Ok(()) } else { Err(wrong) }
}

/// Lower-case base32hex. It sorts in the order of the bytes, and is safe in keys, URLs and headers.
pub(crate) fn base32(bytes: &[u8]) -> String {
    BASE32HEX_NOPAD.encode(bytes).to_ascii_lowercase()
}

/// A time as ten characters, which sort in the order of time.
fn time_text(unix_ms: u64) -> String {
    base32(&unix_ms.to_be_bytes()[2..])
}

/// The time that [`time_text`] wrote.
fn read_time(text: &str) -> Timestamp {
    let digit = |b: u8| u64::from(if b.is_ascii_digit() { b - b'0' } else { b - b'a' + 10 });
    // Ten characters of five bits each; the last two bits are unused.
    Timestamp::from_unix_ms(text.bytes().fold(0, |bits, b| bits << 5 | digit(b)) >> 2)
}

macro_rules! text_id {
    ($(#[$doc:meta])* $name:ident, |$text:ident| $check:expr) => {
        $(#[$doc])*
        #[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        #[serde(try_from = "String", into = "String")]
        pub struct $name(String);

        impl $name {
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }
        impl FromStr for $name {
            type Err = IdError;
            fn from_str($text: &str) -> Result<Self, IdError> {
                $check?;
                Ok(Self($text.to_owned()))
            }
        }
        impl TryFrom<String> for $name {
            type Error = IdError;
            fn try_from(text: String) -> Result<Self, IdError> {
                text.parse()
            }
        }
        impl From<$name> for String {
            fn from(id: $name) -> String {
                id.0
            }
        }
        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&self.0)
            }
        }
    };
}

macro_rules! prefixed_id {
    ($(#[$doc:meta])* $name:ident, $prefix:literal, $length:literal) => {
        text_id!($(#[$doc])* $name, |text| check_form(text, $prefix, $length));
        impl $name {
            /// The beginning of every id of this kind.
            pub const PREFIX: &'static str = $prefix;
        }
    };
}

macro_rules! random_id {
    ($(#[$doc:meta])* $name:ident, $prefix:literal) => {
        prefixed_id!($(#[$doc])* $name, $prefix, 16);
        impl $name {
            /// Makes an id of 80 random bits.
            pub fn from_entropy(entropy: [u8; 10]) -> Self {
                Self(format!("{}{}", $prefix, base32(&entropy)))
            }
        }
    };
}

/// Ids of things that are listed in the order in which they were made.
macro_rules! ordered_id {
    ($(#[$doc:meta])* $name:ident, $prefix:literal) => {
        random_id!($(#[$doc])* $name, $prefix);
        impl $name {
            /// Makes an id that sorts by the time at which it was made: 48 bits of time and 32 random bits.
            pub fn made_at(now: Timestamp, entropy: [u8; 4]) -> Self {
                let mut bytes = [0; 10];
                bytes[..6].copy_from_slice(&now.unix_ms().to_be_bytes()[2..]);
                bytes[6..].copy_from_slice(&entropy);
                Self::from_entropy(bytes)
            }
        }
    };
}

text_id!(
    /// One customer of the platform, under the platform's own id: 1 to 64 of `[A-Za-z0-9_-]`.
    AccountId, |text| check_name(text, 64)
);
text_id!(
    /// The producer's id of an event and its idempotency key within the account: 1 to 128 of `[A-Za-z0-9_-]`.
    EventId, |text| check_name(text, 128)
);
impl EventId {
    /// Makes an id for an event that came without one: `evt_` and 80 random bits.
    pub fn from_entropy(entropy: [u8; 10]) -> Self {
        Self(format!("evt_{}", base32(&entropy)))
    }
}

ordered_id!(
    /// A receiver: `dst_` and 80 bits.
    DestinationId, "dst_"
);
ordered_id!(
    /// A subscription: `sub_` and 80 bits.
    SubscriptionId, "sub_"
);
ordered_id!(
    /// An API key: `key_` and 80 bits. Not secret.
    KeyId, "key_"
);
random_id!(
    /// A job: `job_` and 80 random bits.
    JobId, "job_"
);
ordered_id!(
    /// A page session: `ses_` and 80 bits. Not secret.
    SessionId, "ses_"
);
prefixed_id!(
    /// One event owed to one destination and path. The id is derived, so it is the same each time. It also says where
    /// the row is: destination (16 characters), `occurred_at` in milliseconds (10), digest (24).
    DeliveryId, "dlv_", 50
);
prefixed_id!(
    /// An event that was rejected. The id is derived, so a message has the same id however often it is rejected. It
    /// also says when the message was sent: time in milliseconds (10 characters), digest (16).
    RejectedEventId, "rej_", 26
);

impl EventId {
    /// The id of a sample, which no producer pushed: `evt_sample_sync_run-completed_failed_1795426200000`.
    pub(crate) fn of_sample(event_type: &str, status: &str, unix_ms: u64) -> Self {
        let safe = |c: char| if c.is_ascii_alphanumeric() || c == '_' { c } else { '-' };
        Self(format!("evt_sample_{event_type}_{status}_{unix_ms}").chars().map(safe).collect())
    }

    /// The id of an event that this system makes itself: `evt_destination-failing_` and the digest of what it says.
    pub(crate) fn of_own(event_type: &str, digest: &[u8; 15]) -> Self {
        Self(format!("evt_{}_{}", event_type.replace('.', "-"), base32(digest)))
    }
}

impl DeliveryId {
    pub(crate) fn from_parts(destination: &DestinationId, occurred_ms: u64, digest: &[u8; 15]) -> Self {
        let destination = destination.as_str().trim_start_matches(DestinationId::PREFIX);
        let time = time_text(occurred_ms);
        Self(format!("{}{destination}{time}{}", Self::PREFIX, base32(digest)))
    }

    /// A bound for listing. The ids of the destination's deliveries sort after it if their event occurred at `time` or
    /// later, and before it otherwise.
    pub fn first_possible(destination: &DestinationId, time: Timestamp) -> String {
        let mut first = Self::from_parts(destination, time.unix_ms(), &[0; 15]).0;
        first.truncate(Self::PREFIX.len() + 26);
        first
    }

    /// When the event occurred, read from the id.
    pub fn occurred_at(&self) -> Timestamp {
        read_time(self.parts().1)
    }

    /// The parts by which deliveries of all destinations are sorted by time: time, then destination, then digest.
    pub fn by_time(&self) -> (&str, &str, &str) {
        let (destination, time, digest) = self.parts();
        (time, destination, digest)
    }

    fn parts(&self) -> (&str, &str, &str) {
        let (destination, rest) = self.0[Self::PREFIX.len()..].split_at(16);
        let (time, digest) = rest.split_at(10);
        (destination, time, digest)
    }

    /// The id of a test request, which is not a delivery. Its time is 1970, when no event can have occurred, so no
    /// delivery has this id.
    pub(crate) fn of_test(destination: &DestinationId, entropy: &[u8; 15]) -> Self {
        Self::from_parts(destination, 0, entropy)
    }

    /// The destination this delivery is for.
    pub fn destination(&self) -> DestinationId {
        DestinationId(format!("{}{}", DestinationId::PREFIX, self.parts().0))
    }
}

impl RejectedEventId {
    pub(crate) fn of(sent_at: Timestamp, digest: &[u8; 10]) -> Self {
        Self(format!("{}{}", Self::first_possible(sent_at), base32(digest)))
    }

    /// A bound for listing. The ids of messages sent at `time` or later sort after it, all others before it.
    pub fn first_possible(time: Timestamp) -> String {
        format!("{}{}", Self::PREFIX, time_text(time.unix_ms()))
    }

    /// When its message was sent, read from the id.
    pub fn sent_at(&self) -> Timestamp {
        read_time(&self.0[Self::PREFIX.len()..][..10])
    }
}

#[cfg(test)]
mod tests;
