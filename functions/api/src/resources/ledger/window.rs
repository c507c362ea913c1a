//! The span of time that a request to the ledger asks about, and the place where a page of it ended.

use std::fmt;
use std::str::FromStr;

use domain::value::{DeliveryId, Timestamp};
use ports::{EventPlace, Span};

use crate::web::problem::Problem;
use crate::web::schemas::Moment;

const DAY_MS: u64 = 24 * 60 * 60 * 1000;
/// The longest span, in days.
const MOST_DAYS: u64 = 31;

/// The span that `from` and `to` name.
pub fn span(from: Option<Moment>, to: Option<Moment>, now: Timestamp) -> Result<Span, Problem> {
    let until = to.map_or(now, |Moment(to)| to);
    let since = from.map(|Moment(from)| from);
    let since = since.unwrap_or(Timestamp::from_unix_ms(until.unix_ms().saturating_sub(DAY_MS)));
    let left_out = if to.is_none() { " (it is now where left out)" } else { "" };
    if since >= until {
        return Err(Problem::parameter("to", format!("must be after `from`{left_out}")));
    }
    if until.unix_ms() - since.unix_ms() > MOST_DAYS * DAY_MS {
        let detail =
            format!("must be at most {MOST_DAYS} days after `from`{left_out}; ask for one part after the other");
        return Err(Problem::parameter("to", detail));
    }
    Ok(Span { since, until })
}

/// Where a page ended: at this event, or at this delivery of it. The span is kept because the default span moves.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Place {
    pub span: Span,
    pub event: EventPlace,
    pub delivery: Option<DeliveryId>,
}

/// `<from ms>.<to ms>.<event's ms>.<event's id>`, and `.<delivery's id>` if there is one. No id has a `.`.
impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{}.{}", self.span.since.unix_ms(), self.span.until.unix_ms(), self.event)?;
        self.delivery.iter().try_for_each(|id| write!(f, ".{id}"))
    }
}

/// The text is not a place in the ledger.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PlaceError;

impl FromStr for Place {
    type Err = PlaceError;

    fn from_str(text: &str) -> Result<Self, PlaceError> {
        let parts: Vec<&str> = text.split('.').collect();
        let (from, to, ms, id, delivery) = match parts[..] {
            [from, to, ms, id] => (from, to, ms, id, None),
            [from, to, ms, id, delivery] => (from, to, ms, id, Some(delivery)),
            _ => return Err(PlaceError),
        };
        let time = |ms: &str| ms.parse().map(Timestamp::from_unix_ms).map_err(|_| PlaceError);
        Ok(Self {
            span: Span { since: time(from)?, until: time(to)? },
            event: EventPlace { occurred_at: time(ms)?, id: id.parse().map_err(|_| PlaceError)? },
            delivery: delivery.map(|id| id.parse().map_err(|_| PlaceError)).transpose()?,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_place_is_read_as_it_was_written() {
        let at = Timestamp::from_unix_ms;
        let delivery: DeliveryId = format!("dlv_{}", "0".repeat(50)).parse().expect("an id");
        // An event may have an id in the form of a delivery's.
        for id in ["evt-1", delivery.as_str()] {
            for delivery in [None, Some(delivery.clone())] {
                let event = EventPlace { occurred_at: at(3), id: id.parse().expect("an id") };
                let place = Place { span: Span { since: at(1), until: at(9) }, event, delivery };
                assert_eq!(place.to_string().parse(), Ok(place));
            }
        }
        for wrong in ["", "1.2.3", "1.2.3.", "1.2.3.a.b", "x.2.3.a", "1.2.3.a.dlv_0", "1.2.3.a.dlv_0.x"] {
            assert_eq!(wrong.parse::<Place>(), Err(PlaceError), "{wrong}");
        }
    }
}
