//! One event owed to one destination: the unit that is retried and accounted for.
//!
//! Invariant: a delivery has the same id every time, and another one when any part of it differs (tests:
//! `a_delivery_id_is_stable`, `every_part_of_a_delivery_changes_its_id`).

use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use crate::destination::DeliveryPath;
use crate::event::{Event, EventType, Scope};
use crate::value::{AccountId, DeliveryId, DestinationId, EventId, Timestamp, TraceParent, trace_parent};

/// An event owed to a destination.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Delivery {
    pub id: DeliveryId,
    pub account: AccountId,
    pub event: EventId,
    pub event_type: EventType,
    /// Where the event happened. Messages and rows from before deliveries had scopes lack it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub scope: Option<Scope>,
    pub destination: DestinationId,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub path: Option<DeliveryPath>,
    /// Where its event is in the producer's trace.
    #[serde(default, skip_serializing_if = "Option::is_none", deserialize_with = "trace_parent::if_readable")]
    pub traceparent: Option<TraceParent>,
}

impl Delivery {
    /// The delivery of `event` to `destination` at `path`. It has the same id every time.
    pub fn of_event(event: &Event, destination: DestinationId, path: Option<DeliveryPath>) -> Self {
        let id = derive_id(event, &destination, path.as_ref());
        let (account, event_type, scope) = (event.account.clone(), event.event_type, Some(event.scope.clone()));
        let (event, traceparent) = (event.id.clone(), event.traceparent);
        Self { id, account, event, event_type, scope, destination, path, traceparent }
    }

    /// A test request has the form of a delivery but is not one: it is not owed to anybody and not recorded. Its id depends
    /// on `entropy`, and no delivery has this id.
    pub fn of_test(event: &Event, destination: DestinationId, path: Option<DeliveryPath>, entropy: &[u8; 15]) -> Self {
        let id = DeliveryId::of_test(&destination, entropy);
        Self { id, ..Self::of_event(event, destination, path) }
    }

    /// Where the attempt that begins at `at` is in the trace: a span of its own, whose parent is the producer's. It follows
    /// from the delivery and the moment, so no row has to keep it.
    pub fn traceparent_at(&self, at: Timestamp) -> Option<TraceParent> {
        let text = [self.id.as_str(), "#", &at.unix_ms().to_string()].concat();
        let digest: [u8; 32] = Sha256::digest(text).into();
        let [a, b, c, d, e, f, g, h, ..] = digest;
        self.traceparent.map(|parent| parent.with_span([a, b, c, d, e, f, g, h]))
    }
}

fn derive_id(event: &Event, destination: &DestinationId, path: Option<&DeliveryPath>) -> DeliveryId {
    let mut digest = Sha256::new();
    // No part can contain a zero byte, so different lists of parts give different texts.
    for part in [event.account.as_str(), event.id.as_str(), destination.as_str(), path.map_or("", DeliveryPath::as_str)]
    {
        digest.update(part.as_bytes());
        digest.update([0]);
    }
    let digest: [u8; 32] = digest.finalize().into();
    let mut short = [0; 15];
    short.copy_from_slice(&digest[..15]);
    DeliveryId::from_parts(destination, event.occurred_at.unix_ms(), &short)
}

#[cfg(test)]
mod tests {
    use serde_json::value::RawValue;

    use super::*;
    use crate::value::Timestamp;

    fn event(id: &str, account: &str) -> Event {
        Event {
            id: id.parse().expect("an id"),
            event_type: "sync_run.completed".parse().expect("a type"),
            account: account.parse().expect("an account"),
            scope: "connection/xero/endpoint/invoices".parse().expect("a scope"),
            occurred_at: Timestamp::from_unix_ms(1_795_426_200_000),
            data: RawValue::from_string("{}".into()).expect("JSON"),
            traceparent: None,
        }
    }

    fn id(event: &Event, destination: u8, path: Option<&str>) -> DeliveryId {
        let path = path.map(|p| p.to_owned().try_into().expect("a path"));
        Delivery::of_event(event, DestinationId::from_entropy([destination; 10]), path).id
    }

    #[test]
    fn a_delivery_id_is_stable() {
        // Changing how ids are derived would send every delivery in flight a second time under another id.
        assert_eq!(
            id(&event("evt-1", "acme"), 1, None).as_str(),
            "dlv_040g2081040g208106h0ffd9o0ftd61ks0e34h860ongg4fnmb"
        );
    }

    #[test]
    fn every_part_of_a_delivery_changes_its_id() {
        let base = id(&event("evt-1", "acme"), 1, None);
        assert_eq!(base, id(&event("evt-1", "acme"), 1, None));
        for other in [
            id(&event("evt-2", "acme"), 1, None),
            id(&event("evt-1", "acmf"), 1, None),
            id(&event("evt-1", "acme"), 2, None),
            id(&event("evt-1", "acme"), 1, Some("/a")),
        ] {
            assert_ne!(base, other);
        }
    }

    #[test]
    fn the_id_of_a_test_is_new_each_time_and_no_deliverys() {
        let (event, destination) = (event("evt-1", "acme"), DestinationId::from_entropy([1; 10]));
        let test = |entropy| Delivery::of_test(&event, destination.clone(), None, &[entropy; 15]).id;
        assert_eq!(test(1).as_str().parse(), Ok(test(1)));
        assert_ne!(test(1), test(2));
        assert_eq!(test(1).destination(), destination);
        // The time is between destination and digest. For events of these years it uses its full width.
        let time = |id: &DeliveryId| id.as_str()[20..30].to_owned();
        assert_eq!(time(&test(1)), "0000000000");
        assert_ne!(time(&Delivery::of_event(&event, destination, None).id), "0000000000");
    }
}
