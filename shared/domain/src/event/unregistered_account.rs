//! Accounts that events named and nobody registered. Most customers use no webhooks, so their events are ignored; but a
//! producer that misspells an account should be found out. What is noted is a sample: of some hundred accounts, hourly.

use std::str::FromStr;
use std::time::Duration;

use crate::value::{AccountId, EventId, Timestamp};

/// How many accounts are noted. More can be, if many containers begin at one moment.
pub const MOST_NOTED: usize = 200;
/// How long a note is kept after the last event that it knows of.
pub const NOTE_KEPT: Duration = Duration::from_secs(30 * 86_400);

/// What is known of an account that is not registered.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct UnregisteredAccount {
    pub account: AccountId,
    /// When the first and the last event that is known of came.
    pub first_at: Timestamp,
    pub last_at: Timestamp,
    pub last_event: EventId,
    /// How many events came at least.
    pub events: u64,
    pub expires_at: Timestamp,
}

/// What becomes of events of accounts that are not registered.
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
