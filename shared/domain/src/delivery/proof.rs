//! Finds out whether a receiver verifies signatures: the good request of a test, three forged requests that a correct
//! receiver refuses, and what its answers show. It sends nothing. The requests are signed by the same function as
//! every delivery.
//!
//! Invariant: a receiver is proven only if it refuses each forged request, and each of these is wrong in one thing only
//! (tests: `each_forged_request_is_wrong_in_one_thing_only`, against receivers built on a public library, and ones that
//! leave a check out, `tests/e2e/test_payload.rs`).

use std::time::Duration;

use super::delivery::Delivery;
use super::request::{SignedRequest, sign};
use crate::attempt::signature::signed_text;
use crate::attempt::{Outcome, SigningSecret};
use crate::destination::DestinationSettings;
use crate::value::Timestamp;

/// The age of the request with the old timestamp, in seconds: six minutes. Standard Webhooks tolerates five.
pub const OLD_SECONDS: u64 = 360;

/// A request of a test, with the text that was signed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Trial {
    pub request: SignedRequest,
    pub signed_text: String,
}

/// A request that a correct receiver refuses, named after what is wrong with it. Everything else in it is right.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Probe {
    WrongSignature,
    OldTimestamp,
    AlteredBody,
}

impl Probe {
    /// In the order in which they are answered.
    pub const ALL: [Probe; 3] = [Probe::WrongSignature, Probe::OldTimestamp, Probe::AlteredBody];

    pub fn as_str(self) -> &'static str {
        match self {
            Probe::WrongSignature => "wrong_signature",
            Probe::OldTimestamp => "old_timestamp",
            Probe::AlteredBody => "altered_body",
        }
    }
}

/// What is sent as a test, and with which secrets.
#[derive(Debug, Clone, Copy)]
pub struct Sample<'a> {
    pub destination: &'a DestinationSettings,
    pub secrets: &'a [SigningSecret],
    pub body: &'a str,
}

impl Sample<'_> {
    /// The request as a real delivery would be sent at `now`.
    pub fn good(&self, delivery: &Delivery, now: Timestamp) -> Trial {
        self.signed(delivery, self.secrets, now)
    }

    /// The same request, forged. `stranger` is a secret that the destination does not have.
    pub fn forged(&self, probe: Probe, delivery: &Delivery, stranger: SigningSecret, now: Timestamp) -> Trial {
        match probe {
            Probe::WrongSignature => self.signed(delivery, &[stranger], now),
            Probe::OldTimestamp => {
                let then = Timestamp::from_unix_ms(now.unix_ms().saturating_sub(OLD_SECONDS * 1000));
                self.signed(delivery, self.secrets, then)
            }
            Probe::AlteredBody => {
                let mut trial = self.good(delivery, now);
                trial.request.body = altered(self.body);
                trial
            }
        }
    }

    fn signed(&self, delivery: &Delivery, secrets: &[SigningSecret], at: Timestamp) -> Trial {
        let signed_text = signed_text(delivery.id.as_str(), at.unix_seconds(), self.body);
        Trial { request: sign(delivery, self.destination, self.body, secrets, 1, at), signed_text }
    }
}

/// The body with another last digit in its last number. Its length and form stay the same, so that only the signature
/// shows the change. A body without a number gets white space instead, which changes nothing but its bytes.
fn altered(body: &str) -> String {
    let (mut quoted, mut escaped, mut last) = (false, false, None);
    for (at, byte) in body.bytes().enumerate() {
        match byte {
            _ if escaped => escaped = false,
            b'\\' => escaped = true,
            b'"' => quoted = !quoted,
            b'0'..=b'9' if !quoted => last = Some((at, byte)),
            _ => {}
        }
    }
    match last {
        // Never 0: a number may not begin with 0 if other digits follow.
        Some((at, digit)) => {
            let other = if digit == b'9' { '8' } else { char::from(digit + 1) };
            format!("{}{other}{}", &body[..at], &body[at + 1..])
        }
        None => format!("{body} "),
    }
}

/// The result of a forged request, and what to correct.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Judgement {
    pub passed: bool,
    pub detail: String,
}

/// Why a forged request was not sent.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum NotRun {
    /// The good request was not accepted, so a refusal would prove nothing.
    GoodNotAccepted,
    NoTimeLeft,
}

impl Judgement {
    /// A refusal is any 4xx except those that say "not now", which a good request would have got as well.
    pub fn of(probe: Probe, outcome: &Outcome) -> Self {
        let failed = |detail: String| Self { passed: false, detail };
        match outcome {
            Outcome::Delivered { status } => failed(format!("answered {status}: {}", accepted(probe))),
            Outcome::Refused { status: status @ (408 | 429), .. } => {
                failed(format!("answered {status}, which says nothing about the signature; try again later"))
            }
            Outcome::Refused { status: status @ 400..500, .. } => {
                Self { passed: true, detail: format!("answered {status}: refused, as it should be") }
            }
            Outcome::Refused { status, .. } => failed(format!(
                "answered {status}, which is not a refusal; answer 401 when a request does not verify, and make sure that \
                 verification never ends in an error"
            )),
            Outcome::TimedOut => {
                failed("did not answer in time; answer 401 at once when a request does not verify".into())
            }
            Outcome::Unreachable { reason } if outcome.is_foreign() => {
                failed(format!("{reason}; answer 401 when a request does not verify"))
            }
            Outcome::Unreachable { reason } => {
                failed(format!("gave no answer ({reason}); answer 401 when a request does not verify"))
            }
            Outcome::Blocked { host, .. } => failed(format!("was not called: {host} led to a forbidden address")),
        }
    }

    pub fn not_run(reason: NotRun) -> Self {
        let detail = match reason {
            NotRun::GoodNotAccepted => "not run: the good request was not accepted, so a refusal would show nothing",
            NotRun::NoTimeLeft => "not run: no time was left; let the receiver answer sooner and test again",
        };
        Self { passed: false, detail: detail.to_owned() }
    }
}

/// What is wrong in a receiver that accepts this forged request.
fn accepted(probe: Probe) -> &'static str {
    match probe {
        Probe::WrongSignature => {
            "it accepted a request that was signed with another secret. Compute the HMAC-SHA256 of \
             `webhook-id.webhook-timestamp.body` with this destination's secret, compare it in constant time with each \
             `v1,` entry of `webhook-signature`, and answer 401 when none is equal"
        }
        Probe::OldTimestamp => {
            "it accepted a request that was six minutes old, so whoever has recorded one can send it again. Answer 401 when \
             `webhook-timestamp` is more than five minutes off"
        }
        Probe::AlteredBody => {
            "it accepted a body that was altered after it was signed. Compute the signature over the bytes of the body as \
             they arrived, before parsing them, and answer 401 when it differs"
        }
    }
}

/// Whether the receiver is proven to verify, given which probes it passed; and a sentence about it.
pub fn conclude(good: &Outcome, passed: &[(Probe, bool)]) -> (bool, String) {
    let failing: Vec<_> = passed.iter().filter(|(_, passed)| !passed).map(|(probe, _)| probe.as_str()).collect();
    match good.is_delivered() {
        true if failing.is_empty() => {
            (true, "it accepts the good request and refuses all three forged ones".to_owned())
        }
        true => (false, format!("not proven: see {}", failing.join(", "))),
        false => (false, "not proven: the good request was not accepted; fix that first".to_owned()),
    }
}

/// What the outcome of the good request means, and what to do. `given` is the timeout it had.
pub fn advise(outcome: &Outcome, given: Duration) -> String {
    match outcome {
        Outcome::Delivered { status } => format!("answered {status}: deliveries are accepted here"),
        Outcome::Refused { status, .. } => format!("answered {status}: {}", refused(*status)),
        Outcome::TimedOut => format!(
            "gave no complete answer within {} s; let it answer first and work afterwards, or give the destination a longer \
             `timeout_seconds` (30 at most; a test waits for 24 s at most)",
            given.as_secs()
        ),
        Outcome::Unreachable { reason } if outcome.is_foreign() => {
            format!(
                "{reason}; check the URL's scheme and port: something other than the receiver seems to answer there"
            )
        }
        Outcome::Unreachable { reason } => {
            format!(
                "could not be reached ({reason}); check the URL's host and port, its certificate, and whether the receiver runs"
            )
        }
        Outcome::Blocked { host, address } => {
            let address = address.map(|address| format!(" ({address})")).unwrap_or_default();
            format!("was not called: {host}{address} is never called; give the destination a public `https` address")
        }
    }
}

fn refused(status: u16) -> &'static str {
    match status {
        300..400 => "a redirect, which is never followed; give the destination the URL that it leads to",
        401 | 403 => {
            "not accepted; check that the receiver has this destination's current secret, that it verifies the bytes of the \
             body as they arrived, and that its clock is right"
        }
        404 | 405 => "nothing accepts a POST there; check the destination's URL and the path",
        410 => "the receiver says that it is gone for good; give the destination another URL",
        408 | 429 => "the receiver has no time for it now; try again later",
        400..500 => {
            "the receiver does not accept the request; its answer may say why, and it has to accept events it does not know"
        }
        _ => "the receiver failed; look for this `webhook-id` in its log",
    }
}

#[cfg(test)]
mod tests;
