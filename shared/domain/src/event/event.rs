//! An event as a producer pushed it: one fact about one account. Apart from the catalogue's samples, parsing is the
//! only way to get one.

use serde::Deserialize;
use serde_json::value::RawValue;

use super::event_type::{EventType, UnknownStatus};
use super::payload;
use super::rejection::{Rejection, RejectionCode};
use super::scope::Scope;
use crate::value::keys::check_keys;
use crate::value::{AccountId, EventId, Place, Timestamp, TraceParent, json};

/// The largest event accepted, in bytes of the whole text.
pub const MAX_EVENT_BYTES: usize = 256 * 1024;
/// How long ago an event may have occurred, in seconds: 30 days.
pub const MAX_AGE_SECONDS: u64 = 30 * 86_400;
/// How far in the future an event may be, in seconds: an hour, because producers' clocks may be fast.
pub const MAX_AHEAD_SECONDS: u64 = 3_600;

/// A valid event. `data` is the text the producer sent, byte for byte.
#[derive(Debug, Clone)]
pub struct Event {
    pub id: EventId,
    pub event_type: EventType,
    pub account: AccountId,
    pub scope: Scope,
    pub occurred_at: Timestamp,
    pub data: Box<RawValue>,
    /// Where the event is in its producer's trace. It came beside the text, and is no part of the content.
    pub traceparent: Option<TraceParent>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Wire<'a> {
    id: EventId,
    #[serde(rename = "type")]
    event_type: String,
    account: AccountId,
    scope: Scope,
    occurred_at: Timestamp,
    #[serde(borrow)]
    data: &'a RawValue,
}

impl Event {
    /// Reads an event from the text of a queue message that was sent at `now`.
    pub fn parse(text: &str, now: Timestamp) -> Result<Event, Rejection> {
        if text.len() > MAX_EVENT_BYTES {
            let detail =
                format!("the event has {} bytes; at most {MAX_EVENT_BYTES} (256 KiB) are accepted", text.len());
            return Err(Rejection::new(RejectionCode::EventTooLarge, detail));
        }
        let wire = read_wire(text)?;
        let event_type: EventType = (wire.event_type.parse())
            .map_err(|e| Rejection::at(RejectionCode::UnknownEventType, Place::of("type"), e))?;
        check_occurred_at(wire.occurred_at, now)?;
        if !event_type.happens_at(&wire.scope) {
            let reason = format!("{event_type} events have the scope {}, not {}", event_type.scope_form(), wire.scope);
            return Err(Rejection::at(RejectionCode::InvalidEvent, Place::of("scope"), reason));
        }
        payload::check(event_type, wire.data.get()).map_err(Rejection::of_data)?;
        Ok(Event {
            id: wire.id,
            event_type,
            account: wire.account,
            scope: wire.scope,
            occurred_at: wire.occurred_at,
            data: wire.data.to_owned(),
            traceparent: None,
        })
    }

    /// The catalogue's sample of this type and status (the most common status if none is given), as if it had occurred
    /// in `account` at `now`. The times inside `data` are those of the catalogue.
    pub fn sample(
        event_type: EventType,
        status: Option<&str>,
        account: AccountId,
        now: Timestamp,
    ) -> Result<Event, UnknownStatus> {
        let sample = event_type.sample(status)?;
        Ok(Event {
            id: EventId::of_sample(event_type.as_str(), &sample.status, now.unix_ms()),
            event_type,
            account,
            scope: sample.scope.clone(),
            occurred_at: now,
            data: sample.data.clone(),
            traceparent: None,
        })
    }
}

fn read_wire(text: &str) -> Result<Wire<'_>, Rejection> {
    // In place of an object, serde would also accept an array of its values.
    let other = match text.trim_start().bytes().next() {
        Some(b'[') => Some("an array"),
        Some(b'"') => Some("a string: it is encoded as JSON once, not twice"),
        _ => None,
    };
    if let Some(other) = other {
        let reason = format!("the event must be a JSON object, not {other}");
        return Err(Rejection::new(RejectionCode::InvalidEvent, reason));
    }
    check_keys(text).map_err(|error| Rejection::at(RejectionCode::InvalidEvent, error.place().clone(), error))?;
    let mut deserializer = serde_json::Deserializer::from_str(text);
    let wire = serde_path_to_error::deserialize::<_, Wire<'_>>(&mut deserializer).map_err(|error| {
        let (place, inner) = (Place::from(error.path()), error.inner());
        if inner.is_data() {
            Rejection::at(RejectionCode::InvalidEvent, place, json::reason(inner))
        } else {
            Rejection::new(RejectionCode::MalformedJson, format!("the event is not valid JSON: {inner}"))
        }
    })?;
    let trailing =
        |error| Rejection::new(RejectionCode::MalformedJson, format!("the event is not valid JSON: {error}"));
    deserializer.end().map_err(trailing)?;
    Ok(wire)
}

fn check_occurred_at(occurred_at: Timestamp, now: Timestamp) -> Result<(), Rejection> {
    let out_of_range = |what: &str| {
        let reason = format!("{occurred_at} is {what} the event was sent, at {now}");
        Err(Rejection::at(RejectionCode::OccurredAtOutOfRange, Place::of("occurred_at"), reason))
    };
    if now.since(occurred_at).as_secs() > MAX_AGE_SECONDS {
        return out_of_range("more than 30 days before");
    }
    if occurred_at.since(now).as_secs() > MAX_AHEAD_SECONDS {
        return out_of_range("more than an hour after");
    }
    Ok(())
}

#[cfg(test)]
mod tests;
