//! A day in UTC, for facts whose time of day should not be kept. It is never read from a clock here.

use std::fmt;
use std::time::Duration;

use serde::{Deserialize, Deserializer, Serialize, Serializer, de};

use super::timestamp::{Timestamp, TimestampError};

const DAY_MS: u64 = 86_400_000;

/// Whole days since 1970-01-01.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Day(u64);

impl Day {
    /// The day that `moment` is in.
    pub fn of(moment: Timestamp) -> Self {
        Self(moment.unix_ms() / DAY_MS)
    }

    /// The day before. The first day is its own day before.
    pub fn before(self) -> Self {
        Self(self.0.saturating_sub(1))
    }

    /// The day after.
    pub fn after(self) -> Self {
        Self(self.0.saturating_add(1))
    }

    fn parse(text: &str) -> Result<Self, TimestampError> {
        Timestamp::parse(&format!("{text}T00:00:00Z")).map(Self::of)
    }

    fn midnight(self) -> Timestamp {
        Timestamp::from_unix_ms(0).plus(Duration::from_millis(self.0 * DAY_MS))
    }
}

impl fmt::Display for Day {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.midnight().to_string().split('T').next().unwrap_or_default())
    }
}

impl Serialize for Day {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Day {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = std::borrow::Cow::<'de, str>::deserialize(deserializer)?;
        Self::parse(&text).map_err(de::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(moment: &str, expected: &str) {
        let day = Day::of(Timestamp::parse(moment).expect("a time"));
        assert_eq!(day.to_string(), expected);
        assert_eq!(Day::parse(expected), Ok(day));
    }

    #[test]
    fn a_moment_is_in_the_day_that_utc_has_then() {
        check("1970-01-01T00:00:00Z", "1970-01-01");
        check("2026-11-23T23:59:59.999Z", "2026-11-23");
        check("2026-11-24T01:00:00+02:00", "2026-11-23");
        check("2028-02-29T12:00:00Z", "2028-02-29");
        let march = Day::parse("2028-03-01").expect("a day");
        assert_eq!((march.before().to_string(), Day(0).before()), ("2028-02-29".to_owned(), Day(0)));
        assert!(Day::parse("2027-02-29").is_err());
    }
}
