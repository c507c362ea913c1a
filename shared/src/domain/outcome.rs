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

/// The most of an answer's headers that are shown.
const MAX_HEADERS: usize = 50;
/// The most of a header's name or value that is shown, in bytes.
const MAX_HEADER_BYTES: usize = 1024;

/// What a receiver answered, as far as it was read. Nothing of it is to be trusted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Answer {
    pub status: u16,
    /// At most 50, each name and value cut to 1 KiB.
    pub headers: Vec<(String, String)>,
    /// The beginning of the body.
    pub body: Vec<u8>,
    /// Whether more of the body followed, or may have, when it broke off.
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

    /// The body, when it is text in UTF-8; a character that the reading cut in two is left out.
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

/// One HTTP request as it went: how it ended, and the answer if there was one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Exchange {
    pub outcome: Outcome,
    pub answer: Option<Answer>,
}

#[cfg(test)]
mod tests {
    use super::*;

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
