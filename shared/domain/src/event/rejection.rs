//! Why an event was refused, in words that help its producer to correct it.

use std::fmt;

use serde::{Deserialize, Serialize};

use super::payload;
use crate::value::{AccountId, EventId};

/// Why an event was refused: a stable code, and a sentence that names the field and what to correct.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Rejection {
    pub code: RejectionCode,
    /// A JSON pointer to what has to be corrected; empty for the whole event.
    pub pointer: String,
    pub detail: String,
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
    pub(super) fn new(code: RejectionCode, detail: impl Into<String>) -> Self {
        Self { code, pointer: String::new(), detail: detail.into() }
    }

    /// `field` is a dotted path.
    pub(super) fn at(code: RejectionCode, field: &str, reason: impl fmt::Display) -> Self {
        Self { code, pointer: format!("/{}", field.replace('.', "/")), detail: format!("{field}: {reason}") }
    }

    /// Points at the first fault, and reports all.
    pub(super) fn of_data(faults: Vec<payload::Fault>) -> Self {
        let detail =
            faults.iter().map(|fault| format!("{}: {}", fault.path, fault.reason)).collect::<Vec<_>>().join("; ");
        let pointer = faults.into_iter().next().map(|fault| fault.pointer).unwrap_or_default();
        Self { code: RejectionCode::InvalidEvent, pointer, detail }
    }

    /// The detail without the field, for answers in which the pointer names the field.
    pub fn reason(&self) -> &str {
        let reason = self.detail.split_once(": ").map(|(_, reason)| reason);
        reason.filter(|_| !self.pointer.is_empty()).unwrap_or(&self.detail)
    }

    /// The same id was used before with other content; the first event is kept.
    pub fn id_reused(id: &EventId) -> Self {
        let reason = format!(
            "{id:?} was used before in this account for an event with other content; give each event its own id",
            id = id.as_str()
        );
        Self::at(RejectionCode::IdReused, "id", reason)
    }

    /// Nobody registered its account, and this stack rejects such events.
    pub fn unknown_account(account: &AccountId) -> Self {
        let reason = format!("{account:?} is not registered", account = account.as_str());
        Self::at(RejectionCode::UnknownAccount, "account", reason)
    }
}
