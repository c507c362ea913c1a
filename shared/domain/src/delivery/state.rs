//! The states of a delivery, as the ledger, the API and the table name them. [`super::custody`] says more: who holds a
//! delivery.

use serde::{Deserialize, Serialize};

use crate::value::Timestamp;

/// The state of a delivery that has a row. Without a row it is pending.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "state", rename_all = "snake_case")]
pub enum DeliveryState {
    Delivered,
    Retrying {
        due_at: Timestamp,
    },
    /// Set aside because its destination is failing, held, paused or disabled.
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
