//! One attempt, as it is recorded.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::outcome::Outcome;
use crate::value::Timestamp;

/// One HTTP request made for a delivery.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Attempt {
    /// From 1.
    pub number: u32,
    pub at: Timestamp,
    pub took: Duration,
    pub outcome: Outcome,
    /// The attempt was a probe: it was made to find out whether the destination works again, and does not count for the
    /// schedule.
    #[serde(default)]
    pub probe: bool,
}
