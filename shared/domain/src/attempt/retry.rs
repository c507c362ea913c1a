//! When to try again, and when to stop. The rule is a total function of the attempt, its outcome and a given jitter.
//! The owner of a destination chooses its policy ([`RetryChoice`]).

mod choice;

use std::borrow::Cow;
use std::str::FromStr;
use std::time::Duration;

pub use choice::{MAX_OWN_WAITS, OwnWaits, RetryChoice};

use super::outcome::Outcome;

/// The waits between attempts. The default is the schedule Standard Webhooks recommends: 10 attempts over about 75 hours.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RetryPolicy {
    waits: Cow<'static, [Duration]>,
}

const MAX_WAITS: usize = 19;
/// The longest wait of any schedule: 7 days.
pub const MAX_WAIT: Duration = Duration::from_secs(7 * 86_400);

/// A number in -1.0 ..= 1.0, drawn by the caller. It lengthens or shortens a wait by up to 20 %.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Jitter(f64);

impl Jitter {
    pub const NONE: Jitter = Jitter(0.0);

    /// Spreads 32 random bits evenly over the range.
    pub fn from_entropy(bits: u32) -> Self {
        Self(f64::from(bits) / f64::from(u32::MAX) * 2.0 - 1.0)
    }
}

/// What happens to a delivery after an attempt.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum NextStep {
    Delivered,
    /// Attempt it again after this duration. The caller decides where the delivery waits: in the queue or in the table.
    RetryIn(Duration),
    /// The schedule has run out.
    Exhausted,
}

#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("must be 1 to {MAX_WAITS} whole numbers of seconds between 1 and {}, separated by commas; {found:?} is not", MAX_WAIT.as_secs())]
pub struct RetryPolicyError {
    found: String,
}

impl Default for RetryPolicy {
    fn default() -> Self {
        let waits = [5, 300, 1_800, 7_200, 18_000, 36_000, 50_400, 72_000, 86_400];
        Self { waits: waits.into_iter().map(Duration::from_secs).collect() }
    }
}

impl RetryPolicy {
    /// `attempt` is the number of the attempt that had this outcome, from 1.
    pub fn next_step(&self, attempt: u32, outcome: &Outcome, jitter: Jitter) -> NextStep {
        if outcome.is_delivered() {
            return NextStep::Delivered;
        }
        let retry_after = outcome.retry_after();
        let index = usize::try_from(attempt.saturating_sub(1)).unwrap_or(usize::MAX);
        match self.waits.get(index) {
            Some(wait) => NextStep::RetryIn(wait.mul_f64(1.0 + 0.2 * jitter.0).max(retry_after)),
            None => NextStep::Exhausted,
        }
    }
}

impl FromStr for RetryPolicy {
    type Err = RetryPolicyError;

    /// Reads the waits before attempts 2, 3, … as whole seconds: `5,300,1800`.
    fn from_str(text: &str) -> Result<Self, RetryPolicyError> {
        let wrong = || RetryPolicyError { found: text.to_owned() };
        let wait = |part: &str| part.trim().parse().ok().map(Duration::from_secs);
        let waits: Option<Vec<_>> = text.split(',').map(wait).collect();
        let waits = waits.ok_or_else(wrong)?;
        let allowed = |wait: &Duration| (Duration::from_secs(1)..=MAX_WAIT).contains(wait);
        if (1..=MAX_WAITS).contains(&waits.len()) && waits.iter().all(allowed) {
            Ok(Self { waits: waits.into() })
        } else {
            Err(wrong())
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn refused(status: u16, retry_after: Option<u64>) -> Outcome {
        Outcome::Refused { status, retry_after: retry_after.map(Duration::from_secs), excerpt: String::new() }
    }

    #[track_caller]
    fn check(attempt: u32, outcome: Outcome, expected: NextStep) {
        assert_eq!(RetryPolicy::default().next_step(attempt, &outcome, Jitter::NONE), expected);
    }

    fn after(seconds: u64) -> NextStep {
        NextStep::RetryIn(Duration::from_secs(seconds))
    }

    #[test]
    fn the_default_schedule_has_ten_attempts() {
        for (attempt, wait) in (1..).zip([5, 300, 1_800, 7_200, 18_000, 36_000, 50_400, 72_000, 86_400]) {
            check(attempt, Outcome::TimedOut, after(wait));
        }
        check(10, Outcome::TimedOut, NextStep::Exhausted);
        check(u32::MAX, Outcome::TimedOut, NextStep::Exhausted);
        check(0, Outcome::TimedOut, after(5));
    }

    #[test]
    fn success_ends_it_at_any_attempt() {
        check(1, Outcome::Delivered { status: 204 }, NextStep::Delivered);
        check(10, Outcome::Delivered { status: 200 }, NextStep::Delivered);
    }

    #[test]
    fn retry_after_only_lengthens_and_at_most_to_a_day() {
        check(1, refused(429, Some(60)), after(60));
        check(2, refused(503, Some(60)), after(300));
        check(1, refused(503, Some(10_000_000)), after(86_400));
        check(10, refused(429, Some(60)), NextStep::Exhausted);
    }

    #[test]
    fn a_schedule_is_read_from_seconds() {
        let policy: RetryPolicy = "1, 2,3".parse().expect("a schedule");
        assert_eq!(policy.next_step(3, &Outcome::TimedOut, Jitter::NONE), after(3));
        assert_eq!(policy.next_step(4, &Outcome::TimedOut, Jitter::NONE), NextStep::Exhausted);
        for text in ["", "0", "5,", "-1", "1.5", "604801", &["1"; 20].join(",")] {
            assert!(text.parse::<RetryPolicy>().is_err(), "{text}");
        }
    }

    proptest! {
        #[test]
        fn a_wait_stays_within_a_fifth_of_the_schedule(attempt in 1u32..=9, bits: u32) {
            let policy = RetryPolicy::default();
            let NextStep::RetryIn(planned) = policy.next_step(attempt, &Outcome::TimedOut, Jitter::NONE) else { panic!("no retry") };
            let NextStep::RetryIn(wait) = policy.next_step(attempt, &Outcome::TimedOut, Jitter::from_entropy(bits)) else { panic!("no retry") };
            prop_assert!(wait >= planned.mul_f64(0.799) && wait <= planned.mul_f64(1.201), "{wait:?} for {planned:?}");
        }
    }
}
