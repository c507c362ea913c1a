//! A change of a destination's health, as it is told to others.

use serde::{Deserialize, Serialize};

use crate::value::Timestamp;

/// A change that people and other systems are told of.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct HealthChange {
    pub to: ChangedTo,
    pub at: Timestamp,
    /// Since when it had been failing.
    pub failing_since: Timestamp,
    /// How many attempts in a row had failed, where it began to fail.
    #[serde(default)]
    pub failures: u32,
    /// Whether a delivery of an operational event brought it about; such a change is told to people only.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub by_operational: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ChangedTo {
    Failing,
    Recovered,
    Gone,
    GivenUp,
}
