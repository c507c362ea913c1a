//! Accounts that events named and nobody registered. Most customers use no webhooks, so their events are ignored. But a
//! misspelled account should be noticed, so a sample of these accounts is noted: about two hundred at most, hourly.

use std::str::FromStr;
use std::time::Duration;

use crate::value::{AccountId, EventId, Timestamp};

/// How many accounts are noted. There can be more if many containers start at the same moment.
pub const MOST_NOTED: usize = 200;
/// How long a note is kept after the last event in it.
pub const NOTE_KEPT: Duration = Duration::from_secs(30 * 86_400);

/// What is known about an account that is not registered.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct UnregisteredAccount {
    pub account: AccountId,
    /// When the first and the last known event came.
    pub first_at: Timestamp,
    pub last_at: Timestamp,
    pub last_event: EventId,
    /// How many events came, at least.
    pub events: u64,
    pub expires_at: Timestamp,
}

/// What happens to events of accounts that are not registered.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Unregistered {
    #[default]
    Ignore,
    Reject,
}

#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("must be ignore or reject; {0:?} is not")]
pub struct UnregisteredError(String);

impl FromStr for Unregistered {
    type Err = UnregisteredError;

    fn from_str(text: &str) -> Result<Self, UnregisteredError> {
        match text {
            "ignore" => Ok(Self::Ignore),
            "reject" => Ok(Self::Reject),
            other => Err(UnregisteredError(other.to_owned())),
        }
    }
}
