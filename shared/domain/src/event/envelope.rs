//! The body that a destination receives. It is built once per event; every destination, attempt and resend gets the
//! same bytes.
//!
//! Invariant: a receiver gets the producer's own bytes of `data` (tests: `a_valid_event_keeps_the_bytes_of_its_data`,
//! `the_body_has_the_documented_fields_and_the_producers_bytes`, `a_message_carries_the_body_byte_for_byte`).

use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;
use sha2::{Digest, Sha256};

use super::event::Event;
use super::scope::{Name, Scope};

#[derive(Serialize)]
struct Body<'a> {
    id: &'a str,
    #[serde(rename = "type")]
    event_type: &'a str,
    timestamp: String,
    account: &'a str,
    scope: BodyScope<'a>,
    test: bool,
    data: &'a RawValue,
}

/// The scope as receivers see it. Parts that do not apply are left out.
#[derive(Default, Serialize)]
struct BodyScope<'a> {
    #[serde(skip_serializing_if = "Option::is_none")]
    connection: Option<&'a Name>,
    #[serde(skip_serializing_if = "Option::is_none")]
    endpoint: Option<&'a Name>,
    #[serde(skip_serializing_if = "Option::is_none")]
    insight: Option<&'a Name>,
}

impl<'a> From<&'a Scope> for BodyScope<'a> {
    fn from(scope: &'a Scope) -> Self {
        match scope {
            Scope::Everything => Self::default(),
            Scope::Connection(connection) => Self { connection: Some(connection), ..Self::default() },
            Scope::Endpoint { connection, endpoint } => {
                Self { connection: Some(connection), endpoint: Some(endpoint), insight: None }
            }
            Scope::Insight { connection, insight } => {
                Self { connection: Some(connection), endpoint: None, insight: Some(insight) }
            }
        }
    }
}

/// Builds the body: `{"id","type","timestamp","account","scope","test","data"}`, with the producer's bytes as `data`.
///
/// It can only fail to serialize, which does not happen with valid events.
pub fn build(event: &Event) -> Result<Box<RawValue>, serde_json::Error> {
    body(event, false)
}

/// Builds the body of a sample, which differs only in `test: true`.
pub fn build_test(event: &Event) -> Result<Box<RawValue>, serde_json::Error> {
    body(event, true)
}

fn body(event: &Event, test: bool) -> Result<Box<RawValue>, serde_json::Error> {
    serde_json::value::to_raw_value(&Body {
        id: event.id.as_str(),
        event_type: event.event_type.as_str(),
        timestamp: event.occurred_at.to_string(),
        account: event.account.as_str(),
        scope: (&event.scope).into(),
        test,
        data: &event.data,
    })
}

/// The producer's bytes of `data` in a body.
pub fn data_of(body: &str) -> Result<Box<RawValue>, serde_json::Error> {
    #[derive(Deserialize)]
    struct OnlyData {
        data: Box<RawValue>,
    }
    serde_json::from_str(body).map(|OnlyData { data }| data)
}

/// The SHA-256 of a body. Two events with the same id are the same event if their digests are equal.
pub fn content_digest(body: &str) -> [u8; 32] {
    Sha256::digest(body.as_bytes()).into()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::value::Timestamp;

    #[test]
    fn the_body_has_the_documented_fields_and_the_producers_bytes() {
        let event = Event {
            id: "evt-1".parse().expect("an id"),
            event_type: "sync_run.completed".parse().expect("a type"),
            account: "acme".parse().expect("an account"),
            scope: "connection/xero/endpoint/invoices".parse().expect("a scope"),
            occurred_at: Timestamp::from_unix_ms(1_795_426_200_000),
            data: RawValue::from_string(r#"{ "a":1.0, "b" : "\u00e9" }"#.to_owned()).expect("JSON"),
            traceparent: None,
        };
        let body = build(&event).expect("a body");
        assert_eq!(
            body.get(),
            concat!(
                r#"{"id":"evt-1","type":"sync_run.completed","timestamp":"2026-11-23T09:30:00.000Z","account":"acme","#,
                r#""scope":{"connection":"xero","endpoint":"invoices"},"test":false,"data":{ "a":1.0, "b" : "\u00e9" }}"#
            )
        );
        assert_ne!(content_digest(body.get()), content_digest("{}"));
        let test = build_test(&event).expect("a body");
        assert_eq!(test.get(), body.get().replace(r#""test":false"#, r#""test":true"#));
    }
}
