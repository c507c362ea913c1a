//! The span of time of a request to the ledger, and the place where a page ended.

use std::fmt;
use std::str::FromStr;

use domain::value::Timestamp;
use ports::{EventPlace, Span};

use crate::web::problem::Problem;
use crate::web::schemas::Moment;

const DAY_MS: u64 = 24 * 60 * 60 * 1000;
/// The longest span, in days.
const MOST_DAYS: u64 = 31;

/// The span that `since` and `until` name.
pub fn span(since: Option<Moment>, until: Option<Moment>, now: Timestamp) -> Result<Span, Problem> {
    let left_out = if until.is_none() { " (the default is now)" } else { "" };
    let until = until.map_or(now, |Moment(until)| until);
    let day_before = Timestamp::from_unix_ms(until.unix_ms().saturating_sub(DAY_MS));
    let since = since.map_or(day_before, |Moment(since)| since);
    if since >= until {
        return Err(Problem::parameter("until", format!("must be after `since`{left_out}")));
    }
    if until.unix_ms() - since.unix_ms() > MOST_DAYS * DAY_MS {
        let detail =
            format!("must be at most {MOST_DAYS} days after `since`{left_out}; request one part after the other");
        return Err(Problem::parameter("until", detail));
    }
    Ok(Span { since, until })
}

/// Where a page ended: after this event, or within its owed deliveries. The span is stored because the default span moves.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Place {
    pub span: Span,
    pub event: EventPlace,
    pub within: Option<Within>,
}

/// A place within the owed deliveries of an event.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Within {
    /// The row of owed deliveries, and how many deliveries of that row have been passed.
    pub row: usize,
    pub passed_in_row: usize,
    /// How many have been passed in all rows, and how many there are according to the index.
    pub passed: usize,
    pub listed: usize,
}

/// `<since ms>.<until ms>.<event's ms>.<event's id>`, and `.<row>.<passed in row>.<passed>.<listed>` within an event. No id
/// has a `.`.
impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{}.{}", self.span.since.unix_ms(), self.span.until.unix_ms(), self.event)?;
        let Some(Within { row, passed_in_row, passed, listed }) = self.within else { return Ok(()) };
        write!(f, ".{row}.{passed_in_row}.{passed}.{listed}")
    }
}

/// The text is not a place in the ledger.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PlaceError;

impl FromStr for Place {
    type Err = PlaceError;

    fn from_str(text: &str) -> Result<Self, PlaceError> {
        let parts: Vec<&str> = text.split('.').collect();
        // A forged cursor must not contain a number so large that adding to it overflows.
        let number = |text: &str| text.parse::<u32>().ok().and_then(|n| usize::try_from(n).ok()).ok_or(PlaceError);
        let (from, to, ms, id, within) = match parts[..] {
            [from, to, ms, id] => (from, to, ms, id, None),
            [from, to, ms, id, row, passed_in_row, passed, listed] => {
                let (row, passed_in_row) = (number(row)?, number(passed_in_row)?);
                let within = Within { row, passed_in_row, passed: number(passed)?, listed: number(listed)? };
                (from, to, ms, id, Some(within))
            }
            _ => return Err(PlaceError),
        };
        let time = |ms: &str| ms.parse().map(Timestamp::from_unix_ms).map_err(|_| PlaceError);
        Ok(Self {
            span: Span { since: time(from)?, until: time(to)? },
            event: EventPlace { occurred_at: time(ms)?, id: id.parse().map_err(|_| PlaceError)? },
            within,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_place_is_read_as_it_was_written() {
        let at = Timestamp::from_unix_ms;
        // An event may have an id that looks like a number.
        for id in ["evt-1", "7"] {
            for within in [None, Some(Within { row: 1, passed_in_row: 2, passed: 3, listed: 4 })] {
                let event = EventPlace { occurred_at: at(3), id: id.parse().expect("an id") };
                let place = Place { span: Span { since: at(1), until: at(9) }, event, within };
                assert_eq!(place.to_string().parse(), Ok(place));
            }
        }
        for wrong in ["", "1.2.3", "1.2.3.", "1.2.3.a.b", "x.2.3.a", "1.2.3.a.0.0.0", "1.2.3.a.0.0.0.-1"] {
            assert_eq!(wrong.parse::<Place>(), Err(PlaceError), "{wrong}");
        }
    }
}
