//! One request of the file, what a right receiver does with it, and why.

use domain::attempt::SigningSecret;
use domain::delivery::request::sign;
use domain::delivery::{Delivery, Probe};
use domain::destination::DestinationSettings;
use domain::event::{Event, envelope};
use domain::value::{DestinationId, Timestamp};
use serde::Serialize;
use sha2::{Digest, Sha256};

use super::NOW;
use super::sign::{Sign, secret};

/// What a right receiver does.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Expected {
    Accept,
    Refuse,
    /// The standard leaves it open.
    Either,
}

impl Expected {
    /// Whether it is right to accept the request, or to refuse it.
    pub fn allows(self, accepted: bool) -> bool {
        match self {
            Expected::Accept => accepted,
            Expected::Refuse => !accepted,
            Expected::Either => true,
        }
    }
}

/// A request, described so that it can be signed for any time.
#[derive(Debug, Clone)]
pub struct Case {
    pub name: &'static str,
    pub expected: Expected,
    /// Whether a receiver that accepts the request goes on to process its event.
    pub is_processed: bool,
    pub why: &'static str,
    /// The request of a proof that this is, if it is one: the good one, or a forged one.
    pub proof: Option<Proof>,
    pub delivery: Delivery,
    /// What was signed before anything was altered.
    pub original_body: String,
    /// In the order they are sent in. `webhook-timestamp` and `webhook-signature` are written by [`Case::request`], and
    /// left out if the case lacks them.
    pub headers: Vec<(String, String)>,
    /// As it is sent, but for `FILL`.
    pub body: String,
    /// How many letters `x` stand in the place of `FILL`.
    pub fill: Option<usize>,
    pub sign: Sign,
}

/// What stands in a body that is too long to be written down.
pub const FILL: &str = "FILL";

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Proof {
    Good,
    Forged(Probe),
}

/// A request as it goes over the wire.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Request {
    pub headers: Vec<(String, String)>,
    pub body: String,
}

/// The event of a case, valid and with an id of its own. `data` is `None` for what is sent most often.
fn event(name: &str, data: Option<&str>) -> Event {
    const DATA: &str = concat!(
        r#"{"run_id":"run-41907","connection":{"id":"xero","name":"Xero","service":"xero"},"#,
        r#""endpoint":{"id":"invoices","name":"Invoices","table":"xero_invoices"},"status":"succeeded","#,
        r#""trigger":"schedule","started_at":"2026-11-23T09:30:00Z","completed_at":"2026-11-23T09:30:42Z","#,
        r#""duration_ms":42000,"records":{"read":1287,"inserted":34,"updated":19,"deleted":2},"error":null,"#,
        r#""next_run_at":"2026-11-23T10:30:00Z"}"#
    );
    let text = format!(
        r#"{{"id":"evt-{}","type":"sync_run.completed","account":"acme","scope":"connection/xero/endpoint/invoices","occurred_at":"2026-11-23T09:30:42Z","data":{}}}"#,
        name.replace('_', "-"),
        data.unwrap_or(DATA)
    );
    Event::parse(&text, Timestamp::from_unix_ms(NOW * 1000)).unwrap_or_else(|rejection| panic!("{name}: {rejection:?}"))
}

/// The delivery of a case, with an id of its own that stays the same.
fn delivery(name: &str, event: &Event) -> Delivery {
    let digest: [u8; 32] = Sha256::digest(name.as_bytes()).into();
    let mut entropy = [0; 15];
    entropy.copy_from_slice(&digest[..15]);
    Delivery::of_test(event, DestinationId::from_entropy([7; 10]), None, &entropy)
}

/// The destination that all cases are for.
pub fn destination() -> DestinationSettings {
    serde_json::from_str(r#"{"name":"Conformance","url":"https://example.com/hooks"}"#).expect("settings")
}

impl Case {
    /// A delivery as it is sent, which a right receiver accepts. The methods below change it.
    pub fn delivery(name: &'static str, why: &'static str) -> Self {
        Self::of(name, why, &event(name, None), false)
    }

    /// A test of a destination as it is sent.
    pub fn test(name: &'static str, why: &'static str) -> Self {
        Self { is_processed: false, ..Self::of(name, why, &event(name, None), true) }
    }

    /// A delivery of an event with this `data`.
    pub fn of_data(name: &'static str, why: &'static str, data: &str) -> Self {
        Self::of(name, why, &event(name, Some(data)), false)
    }

    fn of(name: &'static str, why: &'static str, event: &Event, is_test: bool) -> Self {
        let body = if is_test { envelope::build_test(event) } else { envelope::build(event) };
        let body = body.expect("a body").get().to_owned();
        let now = Timestamp::from_unix_ms(NOW * 1000);
        let secrets: &[SigningSecret] = &[secret()];
        let delivery = delivery(name, event);
        let request = sign(&delivery, &destination(), &body, secrets, 1, now);
        let headers = request.headers.into_iter().map(|(name, value)| (name.into_owned(), value)).collect();
        Self {
            name,
            expected: Expected::Accept,
            is_processed: true,
            why,
            proof: None,
            delivery,
            original_body: body.clone(),
            headers,
            body,
            fill: None,
            sign: Sign::default(),
        }
    }

    pub fn refused(self) -> Self {
        Self { expected: Expected::Refuse, is_processed: false, ..self }
    }

    pub fn either(self) -> Self {
        Self { expected: Expected::Either, ..self }
    }

    pub fn not_processed(self) -> Self {
        Self { is_processed: false, ..self }
    }

    pub fn proof(self, proof: Proof) -> Self {
        Self { proof: Some(proof), ..self }
    }

    pub fn header(mut self, name: &str, value: &str) -> Self {
        match self.headers.iter_mut().find(|(n, _)| n == name) {
            Some(header) => value.clone_into(&mut header.1),
            None => self.headers.push((name.to_owned(), value.to_owned())),
        }
        self
    }

    pub fn in_capitals(mut self) -> Self {
        self.headers.iter_mut().for_each(|(name, _)| *name = name.to_ascii_uppercase());
        self
    }

    /// With a body whose `FILL` is this long.
    pub fn filled(self, letters: usize) -> Self {
        Self { fill: Some(letters), ..self }
    }

    pub fn without(mut self, name: &str) -> Self {
        self.headers.retain(|(n, _)| n != name);
        self
    }

    /// Signed so many seconds after the receiver's time.
    pub fn at(mut self, seconds: i64) -> Self {
        self.sign.at = seconds;
        self
    }

    pub fn timestamp(mut self, template: &'static str) -> Self {
        self.sign.timestamp = template.to_owned();
        self
    }

    pub fn signature(mut self, template: &'static str) -> Self {
        self.sign.signature = template.to_owned();
        self
    }

    pub fn signed_text(mut self, template: &str) -> Self {
        self.sign.text = template.to_owned();
        self
    }

    /// Sent with another body than was signed.
    pub fn altered(mut self, alter: impl FnOnce(&str) -> String) -> Self {
        let body = alter(&self.body);
        assert_ne!(body, self.body, "{}", self.name);
        self.sign.text = self.sign.text.replace("{body}", &self.body);
        self.body = body;
        self
    }

    /// Signed as it is sent, but with a body made of this one.
    pub fn with_body(mut self, change: impl FnOnce(&str) -> String) -> Self {
        self.body = change(&self.body);
        self
    }

    /// The request as it is sent to a receiver whose clock shows `now`, in Unix seconds.
    pub fn request(&self, now: u64) -> Request {
        let body = self.body.replace(FILL, &"x".repeat(self.fill.unwrap_or_default()));
        let has = |name: &str| self.headers.iter().any(|(n, _)| n.eq_ignore_ascii_case(name));
        let id = self.headers.iter().find(|(name, _)| name.eq_ignore_ascii_case("webhook-id"));
        let id = id.map_or("", |(_, value)| value);
        let (timestamp, signature) = self.sign.header_values(now, id, has("webhook-timestamp"), &body);
        let headers = self.headers.iter().map(|(name, value)| {
            let value = match name.to_ascii_lowercase().as_str() {
                "webhook-timestamp" => &timestamp,
                "webhook-signature" => &signature,
                _ => value,
            };
            (name.clone(), value.clone())
        });
        Request { headers: headers.collect(), body }
    }
}
