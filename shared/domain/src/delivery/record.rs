//! A delivery's row: what happened to it so far, and which of two such records wins.
//!
//! Invariant: what was delivered stays delivered (tests: the contract suite `deliveries`,
//! `what_was_delivered_is_sent_again_and_stays_delivered`).

use serde::{Deserialize, Serialize};

use super::delivery::Delivery;
use crate::attempt::Attempt;
use crate::value::Timestamp;

/// The state of a delivery that has a row. Without a row it is pending.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "state", rename_all = "snake_case")]
pub enum DeliveryState {
    Delivered,
    Retrying {
        due_at: Timestamp,
    },
    /// Set aside because its destination is failing, paused or disabled.
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

    /// Whether no further attempt will be made.
    pub fn is_final(self) -> bool {
        !matches!(self, DeliveryState::Retrying { .. } | DeliveryState::Parked)
    }
}

/// A delivery's row: what happened to it so far.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DeliveryRecord {
    pub delivery: Delivery,
    pub state: DeliveryState,
    pub attempts: Vec<Attempt>,
    /// When `redrive` looks at it, unless something else is recorded before: when it is due, or when its message must
    /// have been lost. A delivery that is retrying always has this.
    pub look_at: Option<Timestamp>,
    /// It waits for its turn at a destination with a rate limit.
    pub in_line: bool,
    /// The audit found that it was owed and had no row.
    pub recovered_by_audit: bool,
    /// When the row may be deleted.
    pub expires_at: Timestamp,
}

impl DeliveryRecord {
    /// Whether this record may replace `old`. A delivered record stays delivered, and only learns of later attempts.
    /// Any other end is replaced only by a delivered record. Otherwise the record with more attempts wins.
    pub fn supersedes(&self, old: &DeliveryRecord) -> bool {
        use DeliveryState::{Delivered, Parked, Retrying};
        match (self.state, old.state) {
            (Delivered, Delivered) => self.attempts.len() > old.attempts.len(),
            (_, Delivered) => false,
            (Delivered, _) => true,
            (_, old) if old.is_final() => false,
            (mine, _) if mine.is_final() => self.attempts.len() >= old.attempts.len(),
            // Parking makes no attempt.
            (Parked, Retrying { .. }) => self.attempts.len() >= old.attempts.len(),
            _ => self.attempts.len() > old.attempts.len(),
        }
    }

    /// How many attempts count for the schedule.
    pub fn scheduled_attempts(&self) -> usize {
        self.attempts.iter().filter(|attempt| !attempt.probe).count()
    }

    /// Whether a message for it is under way: it was sent, and `redrive` looks at it only when that message must have
    /// been lost.
    pub fn is_under_way(&self, now: Timestamp) -> bool {
        let DeliveryState::Retrying { due_at } = self.state else { return false };
        self.look_at.is_some_and(|look_at| look_at > due_at && look_at > now)
    }

    /// The record of a delivery that was just sent, to be looked at again at `look_at`.
    pub fn leased(&self, look_at: Timestamp) -> Self {
        Self { look_at: Some(look_at), ..self.clone() }
    }

    /// The record of a delivery that waits for an attempt at `due_at`, whatever its state was; it is looked at again at
    /// `look_at`.
    pub fn reopened(&self, due_at: Timestamp, look_at: Timestamp) -> Self {
        Self { state: DeliveryState::Retrying { due_at }, look_at: Some(look_at), in_line: false, ..self.clone() }
    }

    /// The record of a delivery that waits for its turn at a destination with a rate limit.
    pub fn queued(&self, due_at: Timestamp, look_at: Timestamp) -> Self {
        Self { in_line: true, ..self.reopened(due_at, look_at) }
    }

    /// The record of a delivery that ended in `state` without another attempt. It has `look_at` if somebody has to be
    /// told.
    pub fn ended(&self, state: DeliveryState, look_at: Option<Timestamp>) -> Self {
        Self { state, look_at, in_line: false, ..self.clone() }
    }
}
