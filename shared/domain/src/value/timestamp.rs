//! A moment in UTC with millisecond precision, written as RFC 3339. It is never read from a clock here.

use std::fmt;
use std::time::Duration;

use serde::{Deserialize, Deserializer, Serialize, Serializer, de};
use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;

/// Milliseconds since 1970-01-01T00:00:00Z. Earlier times do not occur in this system and are refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Timestamp(u64);

/// The last millisecond of the year 9999, which is the last that RFC 3339 can write.
const LAST_MS: u64 = 253_402_300_799_999;

#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("must be an RFC 3339 time of 1970 or later, such as 2026-11-23T09:30:00Z")]
pub struct TimestampError;

impl Timestamp {
    pub fn from_unix_ms(ms: u64) -> Self {
        Self(ms.min(LAST_MS))
    }

    pub fn unix_ms(self) -> u64 {
        self.0
    }

    /// Whole seconds since 1970, as used by signatures and expiry times.
    pub fn unix_seconds(self) -> u64 {
        self.0 / 1000
    }

    pub fn plus(self, wait: Duration) -> Self {
        Self::from_unix_ms(self.0.saturating_add(u64::try_from(wait.as_millis()).unwrap_or(u64::MAX)))
    }

    pub fn minus(self, by: Duration) -> Self {
        Self(self.0.saturating_sub(u64::try_from(by.as_millis()).unwrap_or(u64::MAX)))
    }

    /// The time from `earlier` to this moment; zero if `earlier` is later.
    pub fn since(self, earlier: Self) -> Duration {
        Duration::from_millis(self.0.saturating_sub(earlier.0))
    }

    pub fn parse(text: &str) -> Result<Self, TimestampError> {
        let parsed = OffsetDateTime::parse(text, &Rfc3339).map_err(|_| TimestampError)?;
        let ms = parsed.unix_timestamp_nanos().div_euclid(1_000_000);
        u64::try_from(ms).map(Self::from_unix_ms).map_err(|_| TimestampError)
    }
}

impl fmt::Display for Timestamp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let moment =
            OffsetDateTime::from_unix_timestamp_nanos(i128::from(self.0) * 1_000_000).map_err(|_| fmt::Error)?;
        let (date, time) = (moment.date(), moment.time());
        let (hour, minute, second, ms) = time.as_hms_milli();
        write!(f, "{date}T{hour:02}:{minute:02}:{second:02}.{ms:03}Z")
    }
}

impl Serialize for Timestamp {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Timestamp {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = std::borrow::Cow::<'de, str>::deserialize(deserializer)?;
        Self::parse(&text).map_err(de::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(text: &str, expected: Option<&str>) {
        assert_eq!(Timestamp::parse(text).ok().map(|t| t.to_string()).as_deref(), expected, "{text}");
    }

    #[test]
    fn times_are_read_in_any_offset_and_written_in_utc() {
        check("2026-11-23T09:30:00Z", Some("2026-11-23T09:30:00.000Z"));
        check("2026-11-23T09:30:00.123456+02:00", Some("2026-11-23T07:30:00.123Z"));
        check("1969-12-31T23:59:59Z", None);
        check("1969-12-31T23:59:59.9999Z", None);
        check("2026-11-23", None);
        check("yesterday", None);
    }

    #[test]
    fn a_difference_never_goes_below_zero() {
        let (a, b) = (Timestamp::from_unix_ms(5), Timestamp::from_unix_ms(9));
        assert_eq!(a.since(b), Duration::ZERO);
        assert_eq!(b.since(a), Duration::from_millis(4));
    }
}
