//! The outcome of one HTTP request. Each outcome is caused by the receiver or by the owner of the destination, and is a
//! normal value. Our own failures are errors and never an `Outcome`.

use std::net::IpAddr;
use std::time::Duration;

use serde::{Deserialize, Serialize};

/// How much of an answer is kept with the latest attempt if it was refused, in bytes: 16 KiB.
pub const EXCERPT_BYTES: usize = 16 * 1024;
/// The longest wait a receiver can ask for with `Retry-After`: 24 hours.
pub const MAX_RETRY_AFTER: Duration = Duration::from_secs(86_400);
/// How much of the answer is kept once there is a later attempt, in bytes, so that the row of a long failure stays
/// small.
pub const SHORT_EXCERPT_BYTES: usize = 512;

/// The beginning of an answer's body if the body is text: UTF-8 with no control characters other than tabs and line
/// ends. Empty otherwise.
pub fn excerpt(body: &[u8]) -> String {
    let body = &body[..body.len().min(EXCERPT_BYTES)];
    let text = match std::str::from_utf8(body) {
        Ok(text) => text,
        // A character that is cut off at the end is not an error.
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
    /// No connection could be made, it broke, or it did not speak HTTP.
    Unreachable { reason: String },
    /// This system never calls the address, for example because it is private.
    Blocked { host: String, address: Option<IpAddr> },
}

impl Outcome {
    /// The outcome of an answer, by its status; `retry_after` and `excerpt` matter only if the status is not 2xx.
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

    /// The status of the answer, if there was one.
    pub fn status(&self) -> Option<u16> {
        match self {
            Outcome::Delivered { status } | Outcome::Refused { status, .. } => Some(*status),
            _ => None,
        }
    }

    /// How long the receiver asked us to wait; at most a day of it is respected.
    pub fn retry_after(&self) -> Duration {
        match self {
            Outcome::Refused { retry_after, .. } => retry_after.unwrap_or_default().min(MAX_RETRY_AFTER),
            _ => Duration::ZERO,
        }
    }

    /// What went wrong, for people to read; `None` if nothing did.
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

    /// Shortens the excerpt, as is done once another attempt follows.
    pub fn shorten(&mut self) {
        if let Outcome::Refused { excerpt, .. } = self {
            excerpt.truncate(excerpt.floor_char_boundary(SHORT_EXCERPT_BYTES));
        }
    }

    pub fn is_delivered(&self) -> bool {
        matches!(self, Outcome::Delivered { .. })
    }
}

/// How many of an answer's headers are shown.
const MAX_HEADERS: usize = 50;
/// How much of a header's name or value is shown, in bytes.
const MAX_HEADER_BYTES: usize = 1024;

/// The answer of a receiver, as far as it was read. None of it can be trusted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Answer {
    pub status: u16,
    /// At most 50, each name and value cut to 1 KiB.
    pub headers: Vec<(String, String)>,
    /// The beginning of the body.
    pub body: Vec<u8>,
    /// Whether the body was longer, or may have been when the connection broke.
    pub truncated: bool,
}

impl Answer {
    pub fn new<'a>(
        status: u16,
        headers: impl Iterator<Item = (&'a str, &'a [u8])>,
        body: Vec<u8>,
        truncated: bool,
    ) -> Self {
        let cut = |bytes: &[u8]| String::from_utf8_lossy(&bytes[..bytes.len().min(MAX_HEADER_BYTES)]).into_owned();
        let headers = headers.take(MAX_HEADERS).map(|(name, value)| (cut(name.as_bytes()), cut(value))).collect();
        Self { status, headers, body, truncated }
    }

    /// The body if it is UTF-8 text, without a last character that reading cut in two.
    pub fn text(&self) -> Option<&str> {
        match std::str::from_utf8(&self.body) {
            Ok(text) => Some(text),
            Err(error) if self.truncated && error.error_len().is_none() => {
                std::str::from_utf8(&self.body[..error.valid_up_to()]).ok()
            }
            Err(_) => None,
        }
    }
}

/// What happened to one HTTP request: its outcome, and the answer if there was one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Exchange {
    pub outcome: Outcome,
    pub answer: Option<Answer>,
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

    #[track_caller]
    fn check_text(body: &[u8], truncated: bool, expected: Option<&str>) {
        assert_eq!(Answer::new(200, std::iter::empty(), body.to_vec(), truncated).text(), expected, "{body:?}");
    }

    #[test]
    fn only_text_is_shown_and_no_half_character() {
        check_text(b"", false, Some(""));
        check_text("Zoë".as_bytes(), false, Some("Zoë"));
        check_text(&"Zoë".as_bytes()[..3], true, Some("Zo"));
        check_text(&"Zoë".as_bytes()[..3], false, None);
        check_text(b"\xff\xfe", true, None);
        check_text(b"a\xffb", false, None);
    }

    #[test]
    fn of_many_or_long_headers_only_so_much_is_kept() {
        let long = vec![b'x'; 5_000];
        let answer = Answer::new(200, (0..60).map(|_| ("x-long", long.as_slice())), Vec::new(), false);
        assert_eq!(answer.headers.len(), 50);
        assert!(answer.headers.iter().all(|(name, value)| name == "x-long" && value.len() == 1024));
        let odd = Answer::new(200, [("x-odd", &b"a\xff"[..])].into_iter(), Vec::new(), false);
        assert_eq!(odd.headers, [("x-odd".to_owned(), "a\u{fffd}".to_owned())]);
    }

    #[test]
    fn only_2xx_is_delivered() {
        for status in 100..600 {
            let outcome = Outcome::from_answer(status, None, String::new());
            assert_eq!(outcome.is_delivered(), (200..=299).contains(&status), "{status}");
        }
    }
}
