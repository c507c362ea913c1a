//! How long a message of a delivery may be under way before it counts as lost and another one is sent.

use std::str::FromStr;
use std::time::Duration;

use crate::value::Timestamp;

/// Whole seconds, from 15 to 21,600.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct MessageLease(u64);

#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("must be a whole number of seconds from 15 to 21600; {0:?} is not")]
pub struct MessageLeaseError(String);

impl Default for MessageLease {
    fn default() -> Self {
        Self(900)
    }
}

impl FromStr for MessageLease {
    type Err = MessageLeaseError;

    fn from_str(text: &str) -> Result<Self, MessageLeaseError> {
        let seconds = text.parse().ok().filter(|seconds| (15..=21_600).contains(seconds));
        seconds.map(Self).ok_or_else(|| MessageLeaseError(text.to_owned()))
    }
}

impl MessageLease {
    pub fn length(self) -> Duration {
        Duration::from_secs(self.0)
    }

    /// When a message counts as lost that is sent at `now` for a delivery that was due at `due_at`: after the lease. If the
    /// delivery has been overdue for longer than the lease, that time is used instead, so that a queue that is behind does
    /// not fill with copies.
    pub fn lost_after(self, due_at: Timestamp, now: Timestamp) -> Timestamp {
        due_at.max(now).plus(self.length().max(now.since(due_at)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_lease_is_read_from_seconds() {
        assert_eq!("900".parse(), Ok(MessageLease::default()));
        for text in ["14", "21601", "", "15m", "-15"] {
            assert!(text.parse::<MessageLease>().is_err(), "{text}");
        }
    }

    #[test]
    fn a_message_is_lost_after_the_lease_or_after_as_long_as_the_delivery_was_overdue() {
        let at = |seconds: u64| Timestamp::from_unix_ms(seconds * 1_000);
        let lease = MessageLease(900);
        for (due_at, now, lost_after) in [(10_000, 10_000, 10_900), (10_050, 10_000, 10_950), (7_000, 10_000, 13_000)] {
            assert_eq!(lease.lost_after(at(due_at), at(now)), at(lost_after));
        }
    }
}
