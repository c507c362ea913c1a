//! What came of one HTTP request. Every one of these is the receiver's (or the owner's) doing and a normal value;
//! our own failures are errors and never an `Outcome`.

use std::net::IpAddr;
use std::time::Duration;

use serde::{Deserialize, Serialize};

/// How an attempt ended.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum Outcome {
    /// Answered 2xx.
    Delivered { status: u16 },
    /// Answered anything else; redirects are not followed.
    Refused { status: u16, retry_after: Option<Duration>, excerpt: String },
    /// No complete answer within the attempt's timeout.
    TimedOut,
    /// No connection, a broken one, or no HTTP on it.
    Unreachable { reason: String },
    /// The address is one this system never calls (design: a private or otherwise non-global one).
    Blocked { host: String, address: Option<IpAddr> },
}

impl Outcome {
    /// Sorts an answer by its status; `retry_after` and `excerpt` only matter where it is not 2xx.
    pub fn from_answer(status: u16, retry_after: Option<Duration>, excerpt: String) -> Self {
        if (200..300).contains(&status) {
            Outcome::Delivered { status }
        } else {
            Outcome::Refused { status, retry_after, excerpt }
        }
    }

    pub fn is_delivered(&self) -> bool {
        matches!(self, Outcome::Delivered { .. })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_2xx_is_delivered() {
        for status in 100..600 {
            let outcome = Outcome::from_answer(status, None, String::new());
            assert_eq!(outcome.is_delivered(), (200..=299).contains(&status), "{status}");
        }
    }
}
