//! A delivery's row: what became of it so far, and which of two such records stands.

use serde::{Deserialize, Serialize};

use super::delivery::Delivery;
use crate::attempt::Attempt;
use crate::value::Timestamp;

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
