//! One event owed to one destination: the unit that is retried and accounted for.

use std::time::Duration;

use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;
use sha2::{Digest, Sha256};

use super::destination::DeliveryPath;
use super::event::Event;
use super::event_type::EventType;
use super::id::{AccountId, DeliveryId, DestinationId, EventId};
use super::outcome::Outcome;
use super::scope::Scope;
use super::timestamp::Timestamp;

/// What is owed to whom.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Delivery {
    pub id: DeliveryId,
    pub account: AccountId,
    pub event: EventId,
    pub event_type: EventType,
    /// Where the event happened; not in what was sent or recorded before scopes were kept here.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub scope: Option<Scope>,
    pub destination: DestinationId,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub path: Option<DeliveryPath>,
}

impl Delivery {
    /// The delivery of `event` to `destination` at `path`. Its id is the same every time.
    pub fn of_event(event: &Event, destination: DestinationId, path: Option<DeliveryPath>) -> Self {
        let id = derive_id(event, &destination, path.as_ref());
        let (account, event_type, scope) = (event.account.clone(), event.event_type, Some(event.scope.clone()));
        Self { id, account, event: event.id.clone(), event_type, scope, destination, path }
    }

    /// What a test sends is shaped like a delivery and is none: it is owed to nobody and recorded nowhere. Its id is new with
    /// every `entropy`, and no delivery's.
    pub fn of_test(event: &Event, destination: DestinationId, path: Option<DeliveryPath>, entropy: &[u8; 15]) -> Self {
        let id = DeliveryId::of_test(&destination, entropy);
        Self { id, ..Self::of_event(event, destination, path) }
    }
}

fn derive_id(event: &Event, destination: &DestinationId, path: Option<&DeliveryPath>) -> DeliveryId {
    let mut digest = Sha256::new();
    // None of the parts can hold a zero byte, so no two lists of parts look the same.
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

/// Why a delivery is sent through the queue.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Purpose {
    /// Its event was matched. Unless the queue repeats it, nothing can have been recorded yet.
    #[default]
    New,
    /// It may have been sent before, so its row is looked at first: it has come due, or its event was handled twice.
    Again,
    /// To find out whether its destination is back.
    Probe,
    /// Somebody asked for it, even if it was delivered before.
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
    /// The body as raw JSON: it costs no escaping, and arrives byte for byte.
    pub body: Box<RawValue>,
}

/// The same for writing: the body is shared by all deliveries of an event and never copied for each.
#[derive(Debug, Clone, Copy, Serialize)]
pub struct OutgoingDelivery<'a> {
    pub delivery: &'a Delivery,
    #[serde(skip_serializing_if = "Purpose::is_new")]
    pub purpose: Purpose,
    pub body: &'a RawValue,
    /// How long the queue holds it back, in whole seconds: at most 900.
    #[serde(skip)]
    pub delay: Duration,
}

/// One HTTP request made for a delivery.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Attempt {
    /// From 1.
    pub number: u32,
    pub at: Timestamp,
    pub took: Duration,
    pub outcome: Outcome,
    /// It was made to find out whether the destination is back, and does not count for the schedule.
    #[serde(default)]
    pub probe: bool,
}

/// Where a delivery stands once its row exists; before that it is pending.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "state", rename_all = "snake_case")]
pub enum DeliveryState {
    Delivered,
    Retrying {
        due_at: Timestamp,
    },
    /// Set aside because its destination is failing or disabled, until that is back.
    Parked,
    Exhausted,
    /// Its destination was deleted, or somebody cancelled it.
    Cancelled,
}

impl DeliveryState {
    pub fn as_str(self) -> &'static str {
        match self {
            DeliveryState::Delivered => "delivered",
            DeliveryState::Retrying { .. } => "retrying",
            DeliveryState::Parked => "parked",
            DeliveryState::Exhausted => "exhausted",
            DeliveryState::Cancelled => "cancelled",
        }
    }

    /// Whether nothing more will be attempted.
    pub fn is_final(self) -> bool {
        !matches!(self, DeliveryState::Retrying { .. } | DeliveryState::Parked)
    }
}

/// A delivery's row: what became of it so far.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DeliveryRecord {
    pub delivery: Delivery,
    pub state: DeliveryState,
    pub attempts: Vec<Attempt>,
    /// When `redrive` looks at it, unless something else is recorded before: when it is due, or when its message must have been
    /// lost. One that is retrying always has it.
    pub look_at: Option<Timestamp>,
    /// It waits for its turn at a destination with a rate limit.
    pub in_line: bool,
    /// The audit found that it was owed and had no row.
    pub recovered_by_audit: bool,
    /// When the row may be forgotten.
    pub expires_at: Timestamp,
}

impl DeliveryRecord {
    /// Whether this record may be written over `old`. What was delivered stays delivered, and learns of later attempts only; any
    /// other end gives way only to that; and of two records of attempts the one that knows more of them stands.
    pub fn supersedes(&self, old: &DeliveryRecord) -> bool {
        use DeliveryState::{Delivered, Parked, Retrying};
        match (self.state, old.state) {
            (Delivered, Delivered) => self.attempts.len() > old.attempts.len(),
            (_, Delivered) => false,
            (Delivered, _) => true,
            (_, old) if old.is_final() => false,
            (mine, _) if mine.is_final() => self.attempts.len() >= old.attempts.len(),
            // Setting aside takes no attempt.
            (Parked, Retrying { .. }) => self.attempts.len() >= old.attempts.len(),
            _ => self.attempts.len() > old.attempts.len(),
        }
    }

    /// Attempts that count for the schedule.
    pub fn scheduled_attempts(&self) -> usize {
        self.attempts.iter().filter(|attempt| !attempt.probe).count()
    }

    /// Whether a message of it is on its way: it was sent, and is looked at only when that must have been lost.
    pub fn is_under_way(&self, now: Timestamp) -> bool {
        let DeliveryState::Retrying { due_at } = self.state else { return false };
        self.look_at.is_some_and(|look_at| look_at > due_at && look_at > now)
    }

    /// Looked at again at `look_at`; it was sent meanwhile.
    pub fn leased(&self, look_at: Timestamp) -> Self {
        Self { look_at: Some(look_at), ..self.clone() }
    }

    /// Waiting again for an attempt at `due_at`, whatever it was; looked at again at `look_at`.
    pub fn reopened(&self, due_at: Timestamp, look_at: Timestamp) -> Self {
        Self { state: DeliveryState::Retrying { due_at }, look_at: Some(look_at), in_line: false, ..self.clone() }
    }

    /// Waiting for its turn at a destination with a rate limit.
    pub fn queued(&self, due_at: Timestamp, look_at: Timestamp) -> Self {
        Self { in_line: true, ..self.reopened(due_at, look_at) }
    }

    /// Ended without a further attempt; looked at once more where somebody is to be told.
    pub fn ended(&self, state: DeliveryState, look_at: Option<Timestamp>) -> Self {
        Self { state, look_at, in_line: false, ..self.clone() }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn event(id: &str, account: &str) -> Event {
        Event {
            id: id.parse().expect("an id"),
            event_type: "sync_run.completed".parse().expect("a type"),
            account: account.parse().expect("an account"),
            scope: "connection/xero/endpoint/invoices".parse().expect("a scope"),
            occurred_at: Timestamp::from_unix_ms(1_795_426_200_000),
            data: RawValue::from_string("{}".into()).expect("JSON"),
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
        // Between prefix, destination and digest lies the time, which an event of these years always fills.
        let time = |id: &DeliveryId| id.as_str()[20..30].to_owned();
        assert_eq!(time(&test(1)), "0000000000");
        assert_ne!(time(&Delivery::of_event(&event, destination, None).id), "0000000000");
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
}
