//! How long a loss may go unnoticed: after the horizon, a delivery that is owed and has no row is sent again.

use std::str::FromStr;
use std::time::Duration;

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
    /// The events that were sealed in a stretch of time are audited this long after its end.
    pub fn length(self) -> Duration {
        Duration::from_secs(self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_horizon_is_read_from_seconds() {
        assert_eq!("3600".parse(), Ok(Horizon::default()));
        for text in ["59", "86401", "", "1h", "-60"] {
            assert!(text.parse::<Horizon>().is_err(), "{text}");
        }
    }
}
