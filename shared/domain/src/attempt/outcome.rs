//! The outcome of one HTTP request. Each outcome is caused by the receiver or by the owner of the destination, and is a
//! normal value. Our own failures are errors and never an `Outcome`.
//!
//! Invariant: an outcome is bounded in bytes, whatever a receiver, a resolver or a TLS library says. Its texts are cut when
//! it is made, when it is written and when it is read (tests: `what_others_say_is_cut_however_an_outcome_comes_about`,
//! `a_row_of_the_longest_schedule_stays_small_whatever_receivers_say`).

use std::net::IpAddr;
use std::time::Duration;

use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// How much of the answer of a receiver that refused is kept with the latest attempt, in bytes: 16 KiB.
pub const EXCERPT_BYTES: usize = 16 * 1024;
/// The longest wait a receiver can ask for with `Retry-After`: 24 hours.
pub const MAX_RETRY_AFTER: Duration = Duration::from_secs(86_400);
/// How much of the answer is kept once there is a later attempt, in bytes, so that the row of a long failure stays
/// small.
pub const SHORT_EXCERPT_BYTES: usize = 512;
/// How much is kept of the reason why there was no answer, or of the name of a blocked host, in bytes.
pub const REASON_BYTES: usize = 512;
/// The end of a text that was cut.
const CUT: &str = " … (cut)";
/// The beginning of the reason if something answered in another protocol.
const ANSWERED_WITHOUT: &str = "answered, but not with ";

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

/// A foreign text in at most [`REASON_BYTES`]. If it was cut, its end says so.
fn reason(text: &str) -> String {
    if text.len() <= REASON_BYTES {
        return text.to_owned();
    }
    format!("{}{CUT}", &text[..text.floor_char_boundary(REASON_BYTES - CUT.len())])
}

/// Writes and reads foreign texts and numbers within their bounds, even if they did not come from a constructor, for
/// example because the row was written before there were bounds.
mod bounded {
    use super::*;

    pub(super) fn write_reason<S: Serializer>(text: &str, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&reason(text))
    }

    pub(super) fn read_reason<'de, D: Deserializer<'de>>(deserializer: D) -> Result<String, D::Error> {
        Ok(reason(&String::deserialize(deserializer)?))
    }

    pub(super) fn write_excerpt<S: Serializer>(text: &str, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&text[..text.floor_char_boundary(EXCERPT_BYTES)])
    }

    pub(super) fn read_excerpt<'de, D: Deserializer<'de>>(deserializer: D) -> Result<String, D::Error> {
        let mut text = String::deserialize(deserializer)?;
        text.truncate(text.floor_char_boundary(EXCERPT_BYTES));
        Ok(text)
    }

    pub(super) fn write_wait<S: Serializer>(wait: &Option<Duration>, serializer: S) -> Result<S::Ok, S::Error> {
        wait.map(|wait| wait.min(MAX_RETRY_AFTER)).serialize(serializer)
    }

    pub(super) fn read_wait<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<Duration>, D::Error> {
        let wait: Option<Duration> = Option::deserialize(deserializer)?;
        Ok(wait.map(|wait| wait.min(MAX_RETRY_AFTER)))
    }
}

/// How an attempt ended. Make it with the constructors, which bound everything that comes from others.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum Outcome {
    /// Answered 2xx.
    Delivered { status: u16 },
    /// Answered anything else; redirects are not followed.
    Refused {
        status: u16,
        /// At most [`MAX_RETRY_AFTER`].
        #[serde(default, serialize_with = "bounded::write_wait", deserialize_with = "bounded::read_wait")]
        retry_after: Option<Duration>,
        /// At most [`EXCERPT_BYTES`].
        #[serde(serialize_with = "bounded::write_excerpt", deserialize_with = "bounded::read_excerpt")]
        excerpt: String,
    },
    /// No complete answer within the attempt's timeout.
    TimedOut,
    /// No connection could be made, it broke, or what answered did not speak HTTP.
    Unreachable {
        /// At most [`REASON_BYTES`].
        #[serde(serialize_with = "bounded::write_reason", deserialize_with = "bounded::read_reason")]
        reason: String,
    },
    /// This system never calls the address, for example because it is private.
    Blocked {
        /// At most [`REASON_BYTES`].
        #[serde(serialize_with = "bounded::write_reason", deserialize_with = "bounded::read_reason")]
        host: String,
        address: Option<IpAddr>,
    },
}

impl Outcome {
    /// The outcome of an answer, by its status; `retry_after` and `excerpt` matter only if the status is not 2xx.
    pub fn from_answer(status: u16, retry_after: Option<Duration>, mut excerpt: String) -> Self {
        if (200..300).contains(&status) {
            return Outcome::Delivered { status };
        }
        excerpt.truncate(excerpt.floor_char_boundary(EXCERPT_BYTES));
        Outcome::Refused { status, retry_after: retry_after.map(|wait| wait.min(MAX_RETRY_AFTER)), excerpt }
    }

    pub fn unreachable(why: &str) -> Self {
        Outcome::Unreachable { reason: reason(why) }
    }

    /// Something answered, but not in this protocol; `said` is what it said.
    pub fn answered_without(protocol: &str, said: &str) -> Self {
        Self::unreachable(&format!("{ANSWERED_WITHOUT}{protocol}: {said}"))
    }

    pub fn blocked(host: &str, address: Option<IpAddr>) -> Self {
        Outcome::Blocked { host: reason(host), address }
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

    /// How long the receiver asked us to wait, but at most a day.
    pub fn retry_after(&self) -> Duration {
        match self {
            Outcome::Refused { retry_after, .. } => retry_after.unwrap_or_default().min(MAX_RETRY_AFTER),
            _ => Duration::ZERO,
        }
    }

    /// Whether the receiver is there and asked to be left alone for a while: 429 or 503 with `Retry-After`.
    pub fn asks_to_wait(&self) -> bool {
        matches!(self, Outcome::Refused { status: 429 | 503, retry_after: Some(wait), .. } if !wait.is_zero())
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

    /// Shortens the excerpt. This is done when there is a later attempt.
    pub fn shorten(&mut self) {
        if let Outcome::Refused { excerpt, .. } = self {
            excerpt.truncate(excerpt.floor_char_boundary(SHORT_EXCERPT_BYTES));
        }
    }

    /// Whether something answered that does not speak HTTP.
    pub fn is_foreign(&self) -> bool {
        matches!(self, Outcome::Unreachable { reason } if reason.starts_with(ANSWERED_WITHOUT))
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

    /// The body if it is UTF-8 text. A last character that was cut in two is left out.
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

    /// The same outcome, which exceeds its bounds, made in each possible way.
    fn ways(outcome: Outcome) -> [Outcome; 3] {
        let made = match outcome.clone() {
            Outcome::Refused { status, retry_after, excerpt } => Outcome::from_answer(status, retry_after, excerpt),
            Outcome::Unreachable { reason } => Outcome::unreachable(&reason),
            Outcome::Blocked { host, address } => Outcome::blocked(&host, address),
            other => other,
        };
        let written = serde_json::to_value(&outcome).expect("JSON");
        // As in rows that were written before there were bounds.
        let unbounded = match &outcome {
            Outcome::Refused { status, retry_after, excerpt } => serde_json::json!({
                "kind": "refused", "status": status, "retry_after": retry_after, "excerpt": excerpt
            }),
            Outcome::Unreachable { reason } => serde_json::json!({ "kind": "unreachable", "reason": reason }),
            Outcome::Blocked { host, .. } => serde_json::json!({ "kind": "blocked", "host": host, "address": null }),
            _ => written.clone(),
        };
        let read = |value| serde_json::from_value(value).expect("an outcome");
        [made, read(written), read(unbounded)]
    }

    #[test]
    fn what_others_say_is_cut_however_an_outcome_comes_about() {
        // Each character has three bytes, so no bound is at the end of a character.
        for text in ["\u{20ac}".repeat(40_000), format!("x{}", "\u{20ac}".repeat(40_000)), "\0".repeat(70_000)] {
            for outcome in ways(Outcome::Unreachable { reason: text.clone() }) {
                let Outcome::Unreachable { reason } = outcome else { panic!("another outcome") };
                assert!(reason.len() <= REASON_BYTES && reason.len() > REASON_BYTES - 4, "{}", reason.len());
                assert!(text.starts_with(reason.strip_suffix(" … (cut)").expect("it says so")));
            }
            for outcome in ways(Outcome::Blocked { host: text.clone(), address: None }) {
                let Outcome::Blocked { host, .. } = outcome else { panic!("another outcome") };
                assert!(host.len() <= REASON_BYTES && host.ends_with(" … (cut)"), "{}", host.len());
            }
            let wait = Some(Duration::MAX);
            for outcome in ways(Outcome::Refused { status: 500, retry_after: wait, excerpt: text.clone() }) {
                let Outcome::Refused { retry_after, excerpt, .. } = outcome else { panic!("another outcome") };
                assert!(excerpt.len() <= EXCERPT_BYTES && text.starts_with(&excerpt), "{}", excerpt.len());
                assert_eq!(retry_after, Some(MAX_RETRY_AFTER));
            }
        }
        let said = Outcome::answered_without("HTTP", &"x".repeat(1_000)).error().expect("an error");
        assert!(said.len() <= REASON_BYTES && said.starts_with("answered, but not with HTTP: xxx"));
        // A text within the bounds stays as it is.
        let whole = "x".repeat(REASON_BYTES);
        for outcome in ways(Outcome::Unreachable { reason: whole.clone() }) {
            assert_eq!(outcome, Outcome::unreachable(&whole));
            assert_eq!(outcome.error(), Some(whole.clone()));
        }
    }

    #[test]
    fn a_row_without_a_wait_is_read() {
        let read: Outcome =
            serde_json::from_str(r#"{"kind":"refused","status":500,"excerpt":""}"#).expect("an outcome");
        assert_eq!(read, Outcome::from_answer(500, None, String::new()));
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
