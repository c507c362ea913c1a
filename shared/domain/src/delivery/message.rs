//! A delivery on its way through the queue.

use std::time::Duration;

use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;

use super::delivery::Delivery;

/// Why a delivery is sent through the queue.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Purpose {
    /// Its event was matched. Unless the queue repeats the message, nothing has been recorded yet.
    #[default]
    New,
    /// It may have been sent before, so its row is read first: it has become due, or its event was handled twice.
    Again,
    /// It finds out whether its destination works again.
    Probe,
    /// Somebody asked for it. It is sent even if it was delivered before.
    Resend,
}

impl Purpose {
    fn is_new(&self) -> bool {
        *self == Purpose::New
    }
}

/// A delivery on its way through the queue, with the body to send.
#[derive(Debug, Clone, Deserialize)]
pub struct DeliveryMessage {
    pub delivery: Delivery,
    #[serde(default)]
    pub purpose: Purpose,
    /// The body as raw JSON, which needs no escaping and arrives byte for byte.
    pub body: Box<RawValue>,
}

/// The same message for writing. All deliveries of an event share the body, so that it is never copied.
#[derive(Debug, Clone, Copy, Serialize)]
pub struct OutgoingDelivery<'a> {
    pub delivery: &'a Delivery,
    #[serde(skip_serializing_if = "Purpose::is_new")]
    pub purpose: Purpose,
    pub body: &'a RawValue,
    /// How long the queue delays the message, in whole seconds: at most 900.
    #[serde(skip)]
    pub delay: Duration,
}

impl OutgoingDelivery<'_> {
    /// The message group. A fair queue prefers groups with fewer messages in flight. New deliveries have their account as
    /// group, however many destinations it has. Deliveries that are sent again have their destination as group, so that a
    /// destination that fails or hangs delays only itself, and not its account.
    pub fn group(&self) -> &str {
        match self.purpose {
            Purpose::New => self.delivery.account.as_str(),
            Purpose::Again | Purpose::Probe | Purpose::Resend => self.delivery.destination.as_str(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::event::Event;
    use crate::value::{DestinationId, Timestamp};

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

    #[test]
    fn a_message_carries_the_body_byte_for_byte() {
        let event = event("evt-1", "acme");
        let delivery = Delivery::of_event(&event, DestinationId::from_entropy([1; 10]), None);
        let body = RawValue::from_string("{ \"a\" : \"\\u00e9\u{e9}\" }".into()).expect("JSON");
        let text = serde_json::to_string(&OutgoingDelivery {
            delivery: &delivery,
            purpose: Purpose::New,
            body: &body,
            delay: Duration::ZERO,
        })
        .expect("JSON");
        let read: DeliveryMessage = serde_json::from_str(&text).expect("a message");
        assert_eq!((read.body.get(), read.delivery, read.purpose), (body.get(), delivery, Purpose::New));
        assert!(!text.contains("purpose"), "a new delivery says nothing of its purpose: {text}");
    }

    #[test]
    fn a_message_sent_before_scopes_were_kept_is_still_read() {
        let event = event("evt-1", "acme");
        let delivery = Delivery::of_event(&event, DestinationId::from_entropy([1; 10]), None);
        let mut before = serde_json::json!({"delivery": delivery, "body": {}});
        assert_eq!(before["delivery"]["scope"], "connection/xero/endpoint/invoices");
        before["delivery"].as_object_mut().expect("an object").remove("scope");
        let read: DeliveryMessage = serde_json::from_str(&before.to_string()).expect("a message");
        assert_eq!(read.delivery, Delivery { scope: None, ..delivery });
    }
    #[test]
    fn a_message_carries_the_traceparent_of_its_event_and_one_without_is_as_before() {
        let text = |event: &Event| {
            let delivery = Delivery::of_event(event, DestinationId::from_entropy([1; 10]), None);
            serde_json::json!({"delivery": delivery, "body": {}})
        };
        let without = text(&event("evt-1", "acme"));
        assert_eq!(without["delivery"].get("traceparent"), None);
        let parent = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-00";
        let mut with = text(&Event { traceparent: parent.parse().ok(), ..event("evt-1", "acme") });
        assert_eq!(
            (&with["delivery"]["id"], &with["delivery"]["traceparent"]),
            (&without["delivery"]["id"], &parent.into())
        );
        let read =
            |text: &serde_json::Value| serde_json::from_str::<DeliveryMessage>(&text.to_string()).expect("a message");
        assert_eq!(read(&with).delivery.traceparent, parent.parse().ok());
        assert_eq!(read(&without).delivery.traceparent, None);
        // Nothing of it is worth failing a delivery.
        with["delivery"]["traceparent"] = "of a later release".into();
        assert_eq!(read(&with).delivery.traceparent, None);
    }
}
