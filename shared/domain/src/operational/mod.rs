//! What this system reports about itself: the health of destinations, and deliveries that were given up. Systems get it
//! as an event of the catalogue's operational types, to which other destinations can subscribe; people get it as an
//! [`Alert`].
//!
//! Only texts are made here: `redrive` sends them. The same fact always makes the same event, byte for byte, so that an
//! event that is sent twice is delivered once. Nothing in them is secret: of a URL they contain only the host.
//!
//! Invariant: each report of this system is a valid event of the catalogue, has the same bytes every time, and contains
//! nothing secret (tests: `every_event_is_one_of_the_catalogue_and_valid`,
//! `what_happened_once_is_the_same_event_and_every_part_makes_it_another`, `nothing_secret_is_told_to_anybody`).
//!
//! Invariant: operational events cause no further events: what one of them causes is reported to people only (tests:
//! `what_an_operational_event_brought_about_is_told_to_people_only`,
//! `a_delivery_of_an_operational_event_that_was_given_up_begets_no_event`).

mod alert;

use serde_json::{Value, json};

pub use self::alert::Alert;
use crate::delivery::{DeliveryRecord, Exhaustion};
use crate::destination::{ChangedTo, Destination, HealthChange};
use crate::event::{EventType, OwnEvent, Scope};
use crate::value::{DeliveryId, DestinationId, Timestamp};

/// The event and the alert about one fact.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Notice {
    /// None if an operational event caused it: operational events cause no further events.
    pub event: Option<OwnEvent>,
    pub alert: Alert,
}

/// Whether an event with this `data` is about `destination`.
pub fn is_about(event_type: EventType, data: &Value, destination: &DestinationId) -> bool {
    event_type.is_operational() && data["destination"]["id"] == destination.as_str()
}

/// The notice of a change of a destination's health.
pub fn changed(destination: &Destination, change: &HealthChange) -> Notice {
    let (event_type, status, reason) = match change.to {
        ChangedTo::Failing => {
            ("destination.failing", "failing", format!("{} attempts in a row failed", change.failures))
        }
        ChangedTo::Recovered => ("destination.recovered", "recovered", "an attempt was delivered again".to_owned()),
        ChangedTo::Gone => ("destination.disabled", "gone", "it answered 410 Gone".to_owned()),
        ChangedTo::GivenUp => ("destination.disabled", "failing", "it has been failing for 5 days".to_owned()),
    };
    let mut data = json!({
        "destination": { "id": destination.id, "name": destination.settings.name, "host": host(destination) },
        "status": status, "failing_since": change.failing_since, "reason": reason
    });
    if change.to == ChangedTo::Failing {
        data["failures"] = json!(change.failures);
    } else {
        data["failing_for_ms"] = json!(whole_ms(change));
    }
    let account = destination.account.clone();
    let event =
        OwnEvent { event_type, account, scope: Scope::Everything, occurred_at: change.at, data: data.to_string() };
    Notice { alert: alert::changed(event_type, destination, change), event: (!change.by_operational).then_some(event) }
}

fn whole_ms(change: &HealthChange) -> u64 {
    change.at.unix_ms().saturating_sub(change.failing_since.unix_ms())
}

/// The host of its URL, without path and query, which may contain a secret.
fn host(destination: &Destination) -> Option<&str> {
    destination.settings.url.as_url().host_str()
}

/// Parked deliveries of a destination that are about to expire.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Expiring {
    pub at: Timestamp,
    /// When the first of them expires.
    pub first_at: Timestamp,
    pub count: usize,
    /// Whether there are more than were counted.
    pub more: bool,
    /// The ids of the first ones.
    pub named: Vec<DeliveryId>,
    /// Whether all of them are deliveries of operational events.
    pub operational: bool,
}

/// The notice that parked deliveries are about to expire.
pub fn expiring(destination: &Destination, expiring: &Expiring) -> Notice {
    let event_type = "delivery.expiring";
    let data = json!({
        "destination": { "id": destination.id, "name": destination.settings.name, "host": host(destination) },
        "status": "expiring", "count": expiring.count, "more": expiring.more,
        "first_expires_at": expiring.first_at, "deliveries": expiring.named,
        "reason": "they are parked, and their events are soon not kept any more"
    });
    let account = destination.account.clone();
    let event =
        OwnEvent { event_type, account, scope: Scope::Everything, occurred_at: expiring.at, data: data.to_string() };
    Notice {
        alert: alert::expiring(event_type, destination, expiring),
        event: (!expiring.operational).then_some(event),
    }
}

/// The notice that a delivery was given up. `destination` is none if it was deleted.
pub fn exhausted(record: &DeliveryRecord, destination: Option<&Destination>) -> Notice {
    let delivery = &record.delivery;
    let last = record.attempts.last().map(|attempt| {
        json!({ "at": attempt.at, "outcome": attempt.outcome.as_str(), "status_code": attempt.outcome.status() })
    });
    let data = json!({
        "delivery": { "id": delivery.id, "path": delivery.path },
        "event": { "id": delivery.event, "type": delivery.event_type, "scope": delivery.scope },
        "destination": {
            "id": delivery.destination, "name": destination.map(|d| &d.settings.name), "host": destination.and_then(host)
        },
        "status": "exhausted", "attempts": record.attempts.count(), "last_attempt": last, "reason": why_exhausted(record)
    });
    let event_type = "delivery.exhausted";
    let account = delivery.account.clone();
    let event = OwnEvent {
        event_type,
        account,
        scope: Scope::Everything,
        occurred_at: exhausted_at(record),
        data: data.to_string(),
    };
    let alert = alert::exhausted(event_type, record, destination);
    Notice { alert, event: (!delivery.event_type.is_operational()).then_some(event) }
}

fn why_exhausted(record: &DeliveryRecord) -> &'static str {
    match record.exhaustion() {
        Some(Exhaustion::Expired { .. }) => "its event was not kept any more, so there was nothing left to send",
        _ => "the last attempt of its schedule failed",
    }
}

/// When it was given up: when its last attempt ended, or when it was found that its event had expired.
fn exhausted_at(record: &DeliveryRecord) -> Timestamp {
    if let Some(Exhaustion::Expired { at }) = record.exhaustion() {
        return at;
    }
    let ended = record.attempts.last().map(|attempt| attempt.at.plus(attempt.took));
    ended.unwrap_or_else(|| record.delivery.id.occurred_at())
}

#[cfg(test)]
mod tests;
