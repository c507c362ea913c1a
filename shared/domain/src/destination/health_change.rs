//! A change of a destination's health, as it is reported to others.

use serde::{Deserialize, Serialize};

use crate::value::Timestamp;

/// A change that is reported to people and other systems.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct HealthChange {
    pub to: ChangedTo,
    pub at: Timestamp,
    /// When it began to fail.
    pub failing_since: Timestamp,
    /// How many attempts in a row had failed, if this is when it began to fail.
    #[serde(default)]
    pub failures: u32,
    /// Whether a delivery of an operational event caused it; such a change is reported to people only.
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
