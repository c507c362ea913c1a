//! How long a loss may go unnoticed. After the horizon, a delivery that is owed and has no row is sent again. After a
//! quarter of it, a delivery that was sent and has no outcome is sent again.

use std::str::FromStr;
use std::time::Duration;

use super::timestamp::Timestamp;

/// Whole seconds, from 60 to 86,400.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Horizon(u64);

#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("must be a whole number of seconds from 60 to 86400; {0:?} is not")]
pub struct HorizonError(String);

/// How long the note of a seal is kept if no audit removes it: a week.
pub const NOTES_KEPT: Duration = Duration::from_secs(7 * 86_400);

impl Default for Horizon {
    fn default() -> Self {
        Self(3_600)
    }
}

impl FromStr for Horizon {
    type Err = HorizonError;

    fn from_str(text: &str) -> Result<Self, HorizonError> {
        let seconds = text.parse().ok().filter(|seconds| (60..=86_400).contains(seconds));
        seconds.map(Self).ok_or_else(|| HorizonError(text.to_owned()))
    }
}

impl Horizon {
    /// How long after the end of a stretch of time the events that were sealed in it are audited.
    pub fn length(self) -> Duration {
        Duration::from_secs(self.0)
    }

    /// How long a delivery may be under way before it is sent again.
    pub fn lease(self) -> Duration {
        Duration::from_secs(self.0 / 4)
    }

    /// When a delivery that was due at `due_at` and is sent at `now` is looked at again: after the lease, or after as
    /// long as it has already been overdue if that is longer. This way a queue that is behind does not fill with
    /// copies.
    pub fn look_again(self, due_at: Timestamp, now: Timestamp) -> Timestamp {
        due_at.max(now).plus(self.lease().max(now.since(due_at)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(seconds: u64) -> Timestamp {
        Timestamp::from_unix_ms(seconds * 1_000)
    }

    #[test]
    fn a_horizon_is_read_from_seconds() {
        assert_eq!("3600".parse(), Ok(Horizon::default()));
        for text in ["59", "86401", "", "1h", "-60"] {
            assert!(text.parse::<Horizon>().is_err(), "{text}");
        }
    }

    #[test]
    fn what_was_sent_again_is_looked_at_after_ever_longer_waits() {
        let horizon = Horizon(3_600);
        assert_eq!(horizon.look_again(at(1_000), at(950)), at(1_900));
        assert_eq!(horizon.look_again(at(1_000), at(1_900)), at(2_800));
        assert_eq!(horizon.look_again(at(1_000), at(2_800)), at(4_600));
    }
}
