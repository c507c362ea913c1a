//! The messages to people: what happened, and what they can do about it, in plain words and without anything that only
//! receivers may see.

use std::fmt::Write as _;

use super::{Expiring, host, why_exhausted};
use crate::delivery::DeliveryRecord;
use crate::destination::{ChangedTo, Destination, HealthChange};
use crate::value::{AccountId, DestinationId};

/// A message to people.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Alert {
    /// One line of at most 99 ASCII characters, as SNS requires.
    pub subject: String,
    pub text: String,
    /// The type that a subscriber can filter by.
    pub event_type: &'static str,
    pub account: AccountId,
    pub destination: DestinationId,
}

pub(super) const MAX_SUBJECT: usize = 99;

impl Alert {
    fn new(
        event_type: &'static str,
        what: &str,
        (account, destination): (&AccountId, &DestinationId),
        text: String,
    ) -> Self {
        let mut subject = format!("SyncHub: {what}: {destination} of account {account}");
        // Ids and our own words are ASCII.
        subject.truncate(MAX_SUBJECT);
        // A name may contain these two characters, and queues that subscribe would refuse them.
        let text = text.replace(['\u{FFFE}', '\u{FFFF}'], "\u{FFFD}");
        Self { subject, text, event_type, account: account.clone(), destination: destination.clone() }
    }
}

/// `Destination "Billing" (dst_…, at billing.example) of account acme`.
fn name(destination: &Destination) -> String {
    let (name, id, account) = (destination.settings.name.as_str(), &destination.id, &destination.account);
    format!("Destination \"{name}\" ({id}, at {}) of account {account}", host(destination).unwrap_or("no host"))
}

pub(super) fn changed(event_type: &'static str, destination: &Destination, change: &HealthChange) -> Alert {
    let (name, id) = (name(destination), &destination.id);
    let HealthChange { at, failing_since, failures, .. } = change;
    let (what, text) = match change.to {
        ChangedTo::Failing => (
            "destination failing",
            format!(
                "{name} has been failing since {failing_since}: {failures} attempts in a row failed.\n\n\
                 Nothing is lost. Its deliveries are set aside. One of them is tried from time to time, and all are sent once \
                 that succeeds. After 5 days of failing, it is disabled.\n\n\
                 To do: see what it answers (GET /v1/deliveries?destination_id={id}), and have the receiver fixed."
            ),
        ),
        ChangedTo::Recovered => (
            "destination recovered",
            format!(
                "{name} recovered at {at}; it had been failing since {failing_since}.\n\n\
                 The deliveries that were set aside for it are being sent, some of them each minute.\n\n\
                 To do: nothing."
            ),
        ),
        ChangedTo::Gone | ChangedTo::GivenUp => {
            let why = if change.to == ChangedTo::Gone {
                "it answered 410 Gone".to_owned()
            } else {
                format!("it had been failing since {failing_since}")
            };
            (
                "destination disabled",
                format!(
                    "{name} was disabled at {at}: {why}.\n\n\
                     Nothing is sent to it any more. Its deliveries are set aside until the stack's retention ends.\n\n\
                     To do: once the receiver is fixed, or the URL is changed (PATCH /v1/destinations/{id}), its owner resumes it: \
                     POST /v1/destinations/{id}/resume. If the receiver is gone for good, the owner deletes the subscriptions to \
                     it, and then the destination."
                ),
            )
        }
    };
    Alert::new(event_type, what, (&destination.account, id), text)
}

pub(super) fn expiring(event_type: &'static str, destination: &Destination, expiring: &Expiring) -> Alert {
    let (name, id, first_at) = (name(destination), &destination.id, expiring.first_at);
    let count = if expiring.more { format!("more than {}", expiring.count) } else { expiring.count.to_string() };
    let text = format!(
        "{name} has {count} parked deliveries that are about to expire with their events. The first of them expires at \
         {first_at}.\n\n\
         A delivery that is still parked when it expires is given up, and is not sent any more.\n\n\
         To do: have the receiver fixed, and resume the destination (POST /v1/destinations/{id}/resume). They are then sent at \
         once. To list them: GET /v1/deliveries?destination_id={id}&status=parked."
    );
    Alert::new(event_type, "deliveries about to expire", (&destination.account, id), text)
}

pub(super) fn exhausted(event_type: &'static str, record: &DeliveryRecord, destination: Option<&Destination>) -> Alert {
    let delivery = &record.delivery;
    let (account, id) = (&delivery.account, &delivery.destination);
    let name = destination.map_or_else(|| format!("Destination {id} of account {account}, which was deleted,"), name);
    let mut text = format!(
        "{name} did not get delivery {} of event {} ({}): it was given up after {} attempts: {}.",
        delivery.id,
        delivery.event,
        delivery.event_type,
        record.attempts.count(),
        why_exhausted(record),
    );
    if let Some(last) = record.attempts.last() {
        let status = last.outcome.status().map_or_else(String::new, |status| format!(" with status {status}"));
        // Writing to a String cannot fail.
        let _ = write!(text, " The last one, at {}, was {}{status}.", last.at, last.outcome.as_str());
    }
    let _ = write!(
        text,
        "\n\nIt is not sent again automatically. For an hour, there are no messages about other deliveries to this destination.\n\n\
         To do: have the receiver fixed. List what it did not get (GET /v1/deliveries?destination_id={id}&status=exhausted), and \
         send it again: one delivery (POST /v1/deliveries/{}/resend) or all of them (POST /v1/destinations/{id}/recover).",
        delivery.id,
    );
    Alert::new(event_type, "delivery given up", (account, id), text)
}
