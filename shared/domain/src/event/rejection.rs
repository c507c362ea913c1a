//! Why an event was refused, in words that help its producer to correct it.
//!
//! Invariant: a rejection repeats no value of the event, and of its keys only short parts (tests:
//! `a_refusal_repeats_nothing_that_was_sent`, in the log `a_rejected_payload_is_in_no_log_line`).

use std::fmt;

use serde::{Deserialize, Serialize};

use super::fault::Fault;
use crate::value::place::told;
use crate::value::{AccountId, EventId, Place, bounded, without_secrets};

/// Why an event was refused: a stable code, and a sentence that names the field and what to correct.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Rejection {
    pub code: RejectionCode,
    /// A JSON pointer to what has to be corrected; empty for the whole event.
    pub pointer: String,
    pub detail: String,
    /// Where in `detail` the reason begins. The field comes before it.
    reason_at: usize,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum RejectionCode {
    MalformedJson,
    InvalidEvent,
    UnknownEventType,
    EventTooLarge,
    OccurredAtOutOfRange,
    IdReused,
    UnknownAccount,
}

impl RejectionCode {
    pub const ALL: [Self; 7] = [
        Self::MalformedJson,
        Self::InvalidEvent,
        Self::UnknownEventType,
        Self::EventTooLarge,
        Self::OccurredAtOutOfRange,
        Self::IdReused,
        Self::UnknownAccount,
    ];

    pub fn as_str(self) -> &'static str {
        match self {
            RejectionCode::MalformedJson => "malformed_json",
            RejectionCode::InvalidEvent => "invalid_event",
            RejectionCode::UnknownEventType => "unknown_event_type",
            RejectionCode::EventTooLarge => "event_too_large",
            RejectionCode::OccurredAtOutOfRange => "occurred_at_out_of_range",
            RejectionCode::IdReused => "id_reused",
            RejectionCode::UnknownAccount => "unknown_account",
        }
    }
}

impl Rejection {
    pub(super) fn new(code: RejectionCode, reason: impl fmt::Display) -> Self {
        Self::of(code, Fault::new(Place::default(), reason), &[])
    }

    /// The field at `place` is wrong.
    pub(super) fn at(code: RejectionCode, place: Place, reason: impl fmt::Display) -> Self {
        Self::of(code, Fault::new(place, reason), &[])
    }

    /// Points at the first fault, and reports all.
    pub(super) fn of_data(faults: Vec<Fault>) -> Self {
        let mut faults = faults.into_iter();
        let first = faults.next().unwrap_or_else(|| Fault::new(Place::default(), "is wrong"));
        Self::of(RejectionCode::InvalidEvent, first, faults.as_slice())
    }

    fn of(code: RejectionCode, first: Fault, others: &[Fault]) -> Self {
        let field = match told(&first.place) {
            whole if whole.is_empty() => whole,
            field => without_secrets(&format!("{field}: ")).into_owned(),
        };
        let others = others.iter().map(|fault| format!("; {}: {}", told(&fault.place), fault.reason));
        let reasons = others.fold(first.reason, |told, other| told + &other);
        let pointer = without_secrets(&first.place.pointer()).into_owned();
        let detail = format!("{field}{}", bounded(without_secrets(&reasons).into_owned()));
        Self { code, pointer, detail, reason_at: field.len() }
    }

    /// The detail without the field, for answers in which the pointer names the field.
    pub fn reason(&self) -> &str {
        self.detail.get(self.reason_at..).unwrap_or(&self.detail)
    }

    /// The same id was used before with other content; the first event is kept.
    pub fn id_reused(id: &EventId) -> Self {
        let reason = format!(
            "{id:?} was used before in this account for an event with other content; give each event its own id",
            id = id.as_str()
        );
        Self::at(RejectionCode::IdReused, Place::of("id"), reason)
    }

    /// Comparing it with the conditions of its account's subscriptions takes too long.
    pub fn costs_too_much(most: usize) -> Self {
        let reason = format!(
            "`data` is so large, and the conditions of the account's subscriptions test so many values, that comparing \
             them takes more than {most} steps; send shorter lists and texts, or test fewer values in conditions"
        );
        Self::at(RejectionCode::EventTooLarge, Place::of("data"), reason)
    }

    /// Nobody registered its account, and this stack rejects such events.
    pub fn unknown_account(account: &AccountId) -> Self {
        let reason = format!("{account:?} is not registered", account = account.as_str());
        Self::at(RejectionCode::UnknownAccount, Place::of("account"), reason)
    }
}
