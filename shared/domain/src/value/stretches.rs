//! Stretches of time by which sealed events are noted for the audit and for roll-ups: ten minutes each, or a sixth of the
//! horizon if that is shorter. A note contains its stretches, so notes stay valid when the length changes.

use std::time::Duration;

use super::horizon::Horizon;
use super::timestamp::Timestamp;

/// The length of a stretch, unless the horizon asks for a shorter one.
const LENGTH: Duration = Duration::from_secs(600);

/// A stretch of time: from `since` to just before `until`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Span {
    pub since: Timestamp,
    pub until: Timestamp,
}

impl Span {
    pub fn contains(&self, moment: Timestamp) -> bool {
        (self.since..self.until).contains(&moment)
    }
}

/// Time divided into stretches of equal length, counted from 1970.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Stretches {
    ms: u64,
}

impl Horizon {
    pub fn stretches(self) -> Stretches {
        let length = LENGTH.min(self.length() / 6);
        Stretches { ms: u64::try_from(length.as_millis()).unwrap_or(u64::MAX) }
    }
}

impl Stretches {
    pub fn length(self) -> Duration {
        Duration::from_millis(self.ms)
    }

    /// The stretch of a moment.
    pub fn of(self, moment: Timestamp) -> Span {
        let since = moment.unix_ms() / self.ms * self.ms;
        Span { since: Timestamp::from_unix_ms(since), until: Timestamp::from_unix_ms(since.saturating_add(self.ms)) }
    }

    /// The end of the last stretch that ended at least `wait` ago.
    pub fn ended(self, now: Timestamp, wait: Duration) -> Timestamp {
        self.of(now.minus(wait)).since
    }

    /// How long after the end of a stretch its roll-ups are computed: a tenth of its length. Successful deliveries are
    /// recorded by then.
    pub fn settle(self) -> Duration {
        self.length() / 10
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(ms: u64) -> Timestamp {
        Timestamp::from_unix_ms(ms)
    }

    fn stretches(seconds: &str) -> Stretches {
        seconds.parse::<Horizon>().expect("a horizon").stretches()
    }

    #[test]
    fn a_stretch_has_ten_minutes_unless_the_horizon_is_shorter_than_an_hour() {
        for (horizon, ms) in [("60", 10_000), ("1000", 166_666), ("3600", 600_000), ("86400", 600_000)] {
            assert_eq!(stretches(horizon).length(), Duration::from_millis(ms), "{horizon}");
        }
        let stretch = stretches("3600").of(at(1_199_999));
        assert_eq!(stretch, Span { since: at(600_000), until: at(1_200_000) });
        assert!(stretch.contains(at(600_000)) && !stretch.contains(at(1_200_000)));
    }

    #[test]
    fn a_stretch_has_ended_once_its_last_moment_lies_back_far_enough() {
        for horizon in ["60", "1000", "3600"] {
            let (stretches, wait) = (stretches(horizon), Duration::from_secs(77));
            let until = stretches.of(at(1_795_426_200_123)).until;
            let ripe = until.plus(wait);
            assert_eq!(stretches.ended(ripe, wait), until, "{horizon}");
            assert_eq!(stretches.ended(ripe.minus(Duration::from_millis(1)), wait).plus(stretches.length()), until);
        }
        assert_eq!(stretches("60").ended(at(5), Duration::from_secs(1)), at(0));
    }
}
