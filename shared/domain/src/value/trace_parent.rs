//! A position in a distributed trace, in the form of the header `traceparent` of W3C Trace Context
//! (<https://www.w3.org/TR/trace-context/>). It is carried along; no span is recorded or exported here.
//!
//! Invariant: what is not a valid `traceparent` is ignored, and never refuses what it came with (tests:
//! `a_traceparent_is_read_as_the_standard_says`, `an_event_with_a_malformed_traceparent_is_delivered_without_one`,
//! `a_posted_event_keeps_the_traceparent_of_its_request_and_a_malformed_one_is_ignored`).

use std::borrow::Cow;
use std::fmt;
use std::str::FromStr;

use data_encoding::HEXLOWER;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// The name of the header, and of the attribute of a message.
pub const TRACEPARENT: &str = "traceparent";

/// The length of the version that is written, and the least of any later one.
const LENGTH: usize = 55;
/// The flags that are defined: sampled (1) and random trace id (2). The others must be zero in what is sent on.
const FLAGS: u8 = 0b11;

/// A trace and a span of it. Neither id is zero.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct TraceParent {
    trace: [u8; 16],
    span: [u8; 8],
    flags: u8,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("must be a W3C traceparent, such as 00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01")]
pub struct TraceParentError;

impl TraceParent {
    /// The id of the trace, as 32 hexadecimal digits.
    pub fn trace_id(&self) -> String {
        HEXLOWER.encode(&self.trace)
    }

    /// Another span of the same trace, with the same flags. A span id of zeros is not allowed, and becomes 1.
    #[must_use]
    pub fn with_span(self, span: [u8; 8]) -> Self {
        let span = if span == [0; 8] { 1_u64.to_be_bytes() } else { span };
        Self { span, ..self }
    }
}

/// Reads a stored value. What a later release wrote in another form counts as none, so that its row or message is read.
///
/// # Errors
/// If it is no text.
pub fn if_readable<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<TraceParent>, D::Error> {
    let text = Option::<Cow<'de, str>>::deserialize(deserializer)?;
    Ok(text.and_then(|text| text.parse().ok()))
}

/// Reads version 00, and of later versions the part that they share with it. Everything else is malformed: the version
/// ff, an id of zeros, upper case, another length.
impl FromStr for TraceParent {
    type Err = TraceParentError;

    fn from_str(text: &str) -> Result<Self, TraceParentError> {
        read(text.as_bytes()).ok_or(TraceParentError)
    }
}

fn read(text: &[u8]) -> Option<TraceParent> {
    let (known, rest) = text.split_at_checked(LENGTH)?;
    let [version, trace, span, flags] = known.split(|byte| *byte == b'-').collect::<Vec<_>>().try_into().ok()?;
    let ends = match bytes(version)? {
        [0] => rest.is_empty(),
        [0xff] => false,
        [_] => matches!(rest, [] | [b'-', ..]),
    };
    let (trace, span, [flags]) = (bytes(trace)?, bytes(span)?, bytes(flags)?);
    let is_valid = ends && trace != [0; 16] && span != [0; 8];
    is_valid.then_some(TraceParent { trace, span, flags: flags & FLAGS })
}

/// Exactly this many bytes, from hexadecimal digits in lower case.
fn bytes<const N: usize>(digits: &[u8]) -> Option<[u8; N]> {
    HEXLOWER.decode(digits).ok()?.try_into().ok()
}

/// Version 00, whichever was read.
impl fmt::Display for TraceParent {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "00-{}-{}-{:02x}", HEXLOWER.encode(&self.trace), HEXLOWER.encode(&self.span), self.flags)
    }
}

impl Serialize for TraceParent {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SAMPLE: &str = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";

    #[track_caller]
    fn check(text: &str, expected: Option<&str>) {
        let read = text.parse::<TraceParent>().ok().map(|read| read.to_string());
        assert_eq!(read.as_deref(), expected, "{text}");
    }

    #[test]
    fn a_traceparent_is_read_as_the_standard_says() {
        let with = |from: &str, to: &str| SAMPLE.replace(from, to);
        check(SAMPLE, Some(SAMPLE));
        for flags in ["-00", "-02", "-03"] {
            check(&with("-01", flags), Some(&with("-01", flags)));
        }
        // Flags that are not defined are not sent on.
        check(&with("-01", "-fd"), Some(SAMPLE));
        // Of a later version, what it shares with this one is read.
        check(&with("00-4", "cc-4"), Some(SAMPLE));
        check(&format!("{}-what-the-future-will-be-like", with("00-4", "01-4")), Some(SAMPLE));
        check(&format!("{}.what-the-future-will-not-be", with("00-4", "01-4")), None);
        check(&format!("{SAMPLE}-more"), None);
        check(&with("00-4", "ff-4"), None);
        check(&with("4bf92f3577b34da6a3ce929d0e0e4736", &"0".repeat(32)), None);
        check(&with("00f067aa0ba902b7", &"0".repeat(16)), None);
        check(&with("4bf9", "4BF9"), None);
        check(&with("4bf9", "4bg9"), None);
        check(&with("36-00", "3600-"), None);
        check(&with("-01", "-0"), None);
        check(&with("00-4", "0-4"), None);
        check(&with("00-4", "é-4"), None);
        check(&format!(" {SAMPLE}"), None);
        check(&format!("{SAMPLE},{SAMPLE}"), None);
        check("", None);
    }

    #[test]
    fn another_span_stays_in_the_trace_and_keeps_its_flags() {
        let parent: TraceParent = SAMPLE.parse().expect("one");
        let child = parent.with_span([7; 8]);
        assert_eq!(child.to_string(), "00-4bf92f3577b34da6a3ce929d0e0e4736-0707070707070707-01");
        assert_eq!(child.trace_id(), "4bf92f3577b34da6a3ce929d0e0e4736");
        assert!(parent.with_span([0; 8]).to_string().parse::<TraceParent>().is_ok());
    }
}
