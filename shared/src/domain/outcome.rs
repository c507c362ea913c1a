//! What came of one HTTP request. Every one of these is the receiver's (or the owner's) doing and a normal value;
//! our own failures are errors and never an `Outcome`.

use std::net::IpAddr;
use std::time::Duration;

use serde::{Deserialize, Serialize};

/// How much of a refusal is kept with the latest attempt, in bytes: 16 KiB.
pub const EXCERPT_BYTES: usize = 16 * 1024;
/// How much of it is kept once there is a later attempt, so that the row of a long failure stays small.
pub const SHORT_EXCERPT_BYTES: usize = 512;

/// The beginning of an answer's body, where it is text: UTF-8 without control characters but tab and line ends. Empty where
/// it is not.
pub fn excerpt(body: &[u8]) -> String {
    let body = &body[..body.len().min(EXCERPT_BYTES)];
    let text = match std::str::from_utf8(body) {
        Ok(text) => text,
        // A character cut off at the end is not a mistake.
        Err(error) if error.error_len().is_none() => {
            std::str::from_utf8(&body[..error.valid_up_to()]).unwrap_or_default()
        }
        Err(_) => "",
    };
    let control = |c: char| c.is_control() && !matches!(c, '\t' | '\n' | '\r');
    if text.contains(control) { String::new() } else { text.to_owned() }
}

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

    pub fn as_str(&self) -> &'static str {
        match self {
            Outcome::Delivered { .. } => "delivered",
            Outcome::Refused { .. } => "refused",
            Outcome::TimedOut => "timed_out",
            Outcome::Unreachable { .. } => "unreachable",
            Outcome::Blocked { .. } => "blocked_address",
        }
    }

    /// The answer's status, where there was an answer.
    pub fn status(&self) -> Option<u16> {
        match self {
            Outcome::Delivered { status } | Outcome::Refused { status, .. } => Some(*status),
            _ => None,
        }
    }

    /// What went wrong, for people; `None` when nothing did.
    pub fn error(&self) -> Option<String> {
        match self {
            Outcome::Delivered { .. } => None,
            Outcome::Refused { status, .. } => Some(format!("answered {status}, which is not 2xx")),
            Outcome::TimedOut => Some("gave no complete answer within the time it had".to_owned()),
            Outcome::Unreachable { reason } => Some(reason.clone()),
            Outcome::Blocked { host, address: Some(address) } => {
                Some(format!("{host} leads to {address}, an address that is never called"))
            }
            Outcome::Blocked { host, address: None } => Some(format!("{host} is never called")),
        }
    }

    /// Keeps the beginning of the excerpt only, as for an attempt that another one followed.
    pub fn shorten(&mut self) {
        if let Outcome::Refused { excerpt, .. } = self {
            excerpt.truncate(excerpt.floor_char_boundary(SHORT_EXCERPT_BYTES));
        }
    }

    pub fn is_delivered(&self) -> bool {
        matches!(self, Outcome::Delivered { .. })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check_excerpt(body: &[u8], expected: &str) {
        assert_eq!(excerpt(body), expected);
    }

    #[test]
    fn an_excerpt_is_text_or_nothing() {
        check_excerpt(b"", "");
        check_excerpt("<p>\r\n\té \u{1F600}</p>".as_bytes(), "<p>\r\n\té \u{1F600}</p>");
        check_excerpt(&[0x1f, 0x8b, 8, 0], "");
        check_excerpt(b"a\0b", "");
        check_excerpt(b"a\x1b[31mb", "");
        check_excerpt(&[b'a', 0xff, b'b'], "");
        check_excerpt(&"xé".as_bytes()[..2], "x");
        assert_eq!(excerpt(&[b'x'; EXCERPT_BYTES + 1]).len(), EXCERPT_BYTES);
    }

    #[test]
    fn an_excerpt_is_shortened_between_characters() {
        let mut outcome = Outcome::from_answer(500, None, format!("x{}", "é".repeat(1_000)));
        outcome.shorten();
        assert_eq!(outcome, Outcome::from_answer(500, None, format!("x{}", "é".repeat(255))));
    }

    #[test]
    fn only_2xx_is_delivered() {
        for status in 100..600 {
            let outcome = Outcome::from_answer(status, None, String::new());
            assert_eq!(outcome.is_delivered(), (200..=299).contains(&status), "{status}");
        }
    }
}
