//! The settings that the owner of a destination decides.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::custom_headers::CustomHeaders;
use super::url::DestinationUrl;
use crate::attempt::RetryChoice;
use crate::value::{Description, Label};

/// The settings that the owner of a destination decides. They have the same fields wherever they are written.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct DestinationSettings {
    /// Unique in its account.
    pub name: Label,
    pub url: DestinationUrl,
    #[serde(default)]
    pub description: Description,
    /// Sent with every request.
    #[serde(default)]
    pub headers: CustomHeaders,
    /// While this is true, nothing is sent and deliveries are parked.
    #[serde(default)]
    pub paused: bool,
    #[serde(default)]
    pub timeout_seconds: TimeoutSeconds,
    #[serde(default)]
    pub rate_limit: Option<RateLimit>,
    #[serde(default)]
    pub retry_policy: RetryChoice,
}

/// How long one attempt may take, in whole seconds: 1 to 30, by default 15.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "u64", into = "u64")]
pub struct TimeoutSeconds(u64);

#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("must be a whole number of seconds from 1 to 30")]
pub struct TimeoutError;

impl Default for TimeoutSeconds {
    fn default() -> Self {
        Self(15)
    }
}

impl TryFrom<u64> for TimeoutSeconds {
    type Error = TimeoutError;
    fn try_from(seconds: u64) -> Result<Self, TimeoutError> {
        if (1..=30).contains(&seconds) { Ok(Self(seconds)) } else { Err(TimeoutError) }
    }
}

impl From<TimeoutSeconds> for u64 {
    fn from(timeout: TimeoutSeconds) -> u64 {
        timeout.0
    }
}

impl From<TimeoutSeconds> for Duration {
    fn from(timeout: TimeoutSeconds) -> Duration {
        Duration::from_secs(timeout.0)
    }
}

/// The greatest number of deliveries per second: 1 to 1,000.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "u64", into = "u64")]
pub struct RateLimit(u64);

#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("must be a whole number of deliveries a second from 1 to 1000, or null for no limit")]
pub struct RateLimitError;

impl TryFrom<u64> for RateLimit {
    type Error = RateLimitError;
    fn try_from(rate: u64) -> Result<Self, RateLimitError> {
        if (1..=1_000).contains(&rate) { Ok(Self(rate)) } else { Err(RateLimitError) }
    }
}

impl From<RateLimit> for u64 {
    fn from(rate: RateLimit) -> u64 {
        rate.0
    }
}
