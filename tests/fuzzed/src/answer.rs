//! `answer`: what a receiver answers: a line with `Retry-After`, a line with the status, and the body.

use std::time::Duration;

use domain::attempt::outcome::{EXCERPT_BYTES, MAX_RETRY_AFTER, excerpt};
use domain::attempt::{Answer, Jitter, NextStep, Outcome, RetryPolicy, retry_after};
use serde_json::json;

use crate::input::now;

/// What the header may ask for at most: 24 hours; the schedule's own last wait is 24 hours and a fifth.
const LONGEST: Duration = Duration::from_secs(86_400 * 6 / 5);

pub(crate) fn check(input: &[u8]) {
    let mut parts = input.splitn(3, |byte| *byte == b'\n');
    let (header, status, body) =
        (parts.next().unwrap_or_default(), parts.next().unwrap_or_default(), parts.next().unwrap_or_default());
    let wait = str::from_utf8(header).ok().and_then(|text| retry_after(text, now()));
    if let (Some(wait), Ok(text)) = (wait, str::from_utf8(header)) {
        let text = text.trim();
        let is_number = text.bytes().all(|byte| byte.is_ascii_digit());
        assert!(is_number || text.contains(':'), "{text} is {wait:?}");
        assert!(!is_number || text.parse().map_or(wait.as_secs() == u64::MAX, |n: u64| wait.as_secs() == n));
    }
    let status = str::from_utf8(status).ok().and_then(|text| text.trim().parse::<u16>().ok()).unwrap_or(503);
    let outcome = Outcome::from_answer(status, wait, excerpt(body));
    assert_eq!(outcome.is_delivered(), (200..300).contains(&status));
    assert!(outcome.retry_after() <= MAX_RETRY_AFTER);
    for jitter in [0, u32::MAX] {
        match RetryPolicy::default().next_step(1, &outcome, Jitter::from_entropy(jitter)) {
            NextStep::RetryIn(wait) => assert!((outcome.retry_after()..=LONGEST).contains(&wait), "{wait:?}"),
            step => assert_eq!(step == NextStep::Delivered, outcome.is_delivered()),
        }
    }
    let again: Outcome = serde_json::from_value(json!(outcome)).expect("what was written is read");
    assert_eq!(again, outcome);
    if let Outcome::Refused { excerpt, .. } = &outcome {
        assert!(excerpt.len() <= EXCERPT_BYTES && body.starts_with(excerpt.as_bytes()));
        assert!(!excerpt.contains(|c: char| c.is_control() && !matches!(c, '\t' | '\n' | '\r')));
    }
    let mut short = outcome.clone();
    short.shorten();
    assert_eq!((short.as_str(), short.status()), (outcome.as_str(), outcome.status()));
    let answer = Answer::new(status, std::iter::repeat_n(("x-a", body), 60), body.to_vec(), status.is_multiple_of(2));
    // A byte that is no text takes three bytes as a replacement character.
    assert!(answer.headers.len() == 50 && answer.headers.iter().all(|(_, value)| value.len() <= 3 * 1_024));
    assert!(answer.text().is_none_or(|text| body.starts_with(text.as_bytes())));
    let foreign = Outcome::answered_without("HTTP", &body.escape_ascii().to_string());
    assert!(foreign.is_foreign() && foreign.error().is_some_and(|error| error.len() <= 512));
}
