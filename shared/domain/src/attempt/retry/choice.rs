//! The schedule that the owner of a destination chooses: `"standard"`, `"short"`, `"none"`, or a list of waits. This
//! file only selects the [`RetryPolicy`]; the policy decides what follows an attempt.
//!
//! Invariant: a destination's own retry policy decides how often a delivery is attempted (tests:
//! `none_is_exhausted_after_one_attempt_whatever_the_receiver_asks_for`, `short_is_exhausted_after_five_attempts`,
//! `an_own_list_is_used_to_its_end`, `standard_is_the_schedule_of_the_stack`).

use std::borrow::Cow;
use std::fmt;
use std::time::Duration;

use serde::de::{self, SeqAccess, Unexpected, Visitor};
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use super::{MAX_WAIT, RetryPolicy};

/// How many waits an owner's list can have. There is one attempt more than there are waits.
pub const MAX_OWN_WAITS: usize = 20;
/// The greatest sum of an owner's waits, before jitter, in seconds: 13 days.
const MAX_SUM_SECONDS: u64 = 13 * 86_400;

static SHORT: RetryPolicy = RetryPolicy {
    waits: Cow::Borrowed(&[
        Duration::from_secs(5),
        Duration::from_secs(30),
        Duration::from_secs(120),
        Duration::from_secs(420),
    ]),
};
static NONE: RetryPolicy = RetryPolicy { waits: Cow::Borrowed(&[]) };

/// The setting `retry_policy` of a destination.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub enum RetryChoice {
    /// The stack's schedule.
    #[default]
    Standard,
    /// 5 attempts over about 10 minutes.
    Short,
    /// One attempt.
    None,
    Own(OwnWaits),
}

/// An owner's waits before attempts 2, 3, …: 1 to [`MAX_OWN_WAITS`] waits, together at most 13 days.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OwnWaits(RetryPolicy);

/// One wait in whole seconds, from 1 to [`MAX_WAIT`].
struct Wait(u64);

#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
enum RetryChoiceError {
    #[error("must be {Choices}")]
    Name,
    #[error("must have 1 to {MAX_OWN_WAITS} waits; use `none` for a single attempt")]
    Count,
    #[error("the waits add up to {found} seconds; the most is {} (13 days)", MAX_SUM_SECONDS)]
    Sum { found: u64 },
}

impl RetryChoice {
    /// The policy that this choice stands for; `standard` is that of the stack.
    pub fn policy<'a>(&'a self, standard: &'a RetryPolicy) -> &'a RetryPolicy {
        match self {
            RetryChoice::Standard => standard,
            RetryChoice::Short => &SHORT,
            RetryChoice::None => &NONE,
            RetryChoice::Own(OwnWaits(policy)) => policy,
        }
    }
}

impl OwnWaits {
    fn new(waits: Vec<Wait>) -> Result<Self, RetryChoiceError> {
        if !(1..=MAX_OWN_WAITS).contains(&waits.len()) {
            return Err(RetryChoiceError::Count);
        }
        let sum = waits.iter().map(|wait| wait.0).sum();
        if sum > MAX_SUM_SECONDS {
            return Err(RetryChoiceError::Sum { found: sum });
        }
        Ok(Self(RetryPolicy { waits: waits.into_iter().map(|wait| Duration::from_secs(wait.0)).collect() }))
    }
}

impl Serialize for RetryChoice {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self {
            RetryChoice::Standard => serializer.serialize_str("standard"),
            RetryChoice::Short => serializer.serialize_str("short"),
            RetryChoice::None => serializer.serialize_str("none"),
            RetryChoice::Own(OwnWaits(policy)) => serializer.collect_seq(policy.waits.iter().map(Duration::as_secs)),
        }
    }
}

impl<'de> Deserialize<'de> for RetryChoice {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(Choices)
    }
}

/// Reads a choice, and lists what can be chosen.
struct Choices;

impl fmt::Display for Choices {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "`standard`, `short`, `none`, or a list of 1 to {MAX_OWN_WAITS} waits in whole seconds")
    }
}

impl<'de> Visitor<'de> for Choices {
    type Value = RetryChoice;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }

    fn visit_str<E: de::Error>(self, name: &str) -> Result<RetryChoice, E> {
        match name {
            "standard" => Ok(RetryChoice::Standard),
            "short" => Ok(RetryChoice::Short),
            "none" => Ok(RetryChoice::None),
            _ => Err(E::custom(RetryChoiceError::Name)),
        }
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<RetryChoice, A::Error> {
        let mut waits = Vec::new();
        while let Some(wait) = list.next_element()? {
            if waits.len() == MAX_OWN_WAITS {
                return Err(de::Error::custom(RetryChoiceError::Count));
            }
            waits.push(wait);
        }
        OwnWaits::new(waits).map(RetryChoice::Own).map_err(de::Error::custom)
    }
}

impl<'de> Deserialize<'de> for Wait {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_u64(Seconds)
    }
}

/// Reads a wait.
struct Seconds;

impl Visitor<'_> for Seconds {
    type Value = Wait;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "a whole number of seconds from 1 to {} (7 days)", MAX_WAIT.as_secs())
    }

    fn visit_u64<E: de::Error>(self, seconds: u64) -> Result<Wait, E> {
        if (1..=MAX_WAIT.as_secs()).contains(&seconds) {
            Ok(Wait(seconds))
        } else {
            Err(E::invalid_value(Unexpected::Unsigned(seconds), &self))
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::{Value, json};

    use super::super::{Jitter, NextStep};
    use super::*;
    use crate::attempt::outcome::{MAX_RETRY_AFTER, Outcome};

    fn read(setting: Value) -> RetryChoice {
        serde_json::from_value(setting).expect("a setting")
    }

    /// The waits after each failed attempt, up to the last one.
    fn waits(choice: &RetryChoice, outcome: &Outcome) -> Vec<u64> {
        let standard: RetryPolicy = "7,8".parse().expect("a schedule");
        let step = |attempt| choice.policy(&standard).next_step(attempt, outcome, Jitter::NONE);
        let mut waits = Vec::new();
        for attempt in 1.. {
            match step(attempt) {
                NextStep::RetryIn(wait) => waits.push(wait.as_secs()),
                end => {
                    assert_eq!((end, step(u32::MAX)), (NextStep::Exhausted, NextStep::Exhausted));
                    break;
                }
            }
        }
        waits
    }

    #[track_caller]
    fn check(setting: Value, expected: &[u64]) {
        let choice = read(setting.clone());
        assert_eq!(waits(&choice, &Outcome::TimedOut), expected);
        assert_eq!(serde_json::to_value(&choice).expect("JSON"), setting, "it is written as it was read");
        let standard = RetryPolicy::default();
        let delivered = Outcome::Delivered { status: 200 };
        assert_eq!(choice.policy(&standard).next_step(1, &delivered, Jitter::NONE), NextStep::Delivered);
    }

    #[track_caller]
    fn check_refused(setting: Value, expected: &str) {
        let error = serde_json::from_value::<RetryChoice>(setting).expect_err("refused").to_string();
        assert!(error.contains(expected), "{error}");
    }

    #[test]
    fn a_name_or_an_own_list_says_which_waits_there_are() {
        check(json!("standard"), &[7, 8]);
        check(json!("short"), &[5, 30, 120, 420]);
        check(json!("none"), &[]);
        check(json!([10, 60, 3_600]), &[10, 60, 3_600]);
        check(json!([1]), &[1]);
        check(json!([604_800, 518_400]), &[604_800, 518_400]);
        check(json!(vec![1; 20]), &[1; 20]);
        assert_eq!(RetryChoice::default(), RetryChoice::Standard);
    }

    #[test]
    fn anything_else_is_refused_with_what_would_do() {
        let choices = "`standard`, `short`, `none`, or a list of 1 to 20 waits in whole seconds";
        for setting in [json!("Standard"), json!(""), json!("5,300"), json!(5), json!(true), json!(null), json!({})] {
            check_refused(setting, choices);
        }
        check_refused(json!([]), "must have 1 to 20 waits; use `none` for a single attempt");
        check_refused(json!(vec![1; 21]), "must have 1 to 20 waits");
        for wait in [json!(0), json!(-1), json!(604_801), json!(u64::MAX), json!(1.5), json!("5"), json!(null)] {
            check_refused(json!([5, wait]), "a whole number of seconds from 1 to 604800 (7 days)");
        }
        check_refused(json!([604_800, 518_401]), "the waits add up to 1123201 seconds; the most is 1123200");
        check_refused(json!(vec![604_800; 20]), "13 days");
    }

    #[test]
    fn retry_after_lengthens_a_wait_to_a_day_at_most_and_makes_none() {
        let outcome = |after| Outcome::Refused { status: 429, retry_after: Some(after), excerpt: String::new() };
        for (setting, expected) in
            [(json!("none"), vec![]), (json!("short"), vec![90, 90, 120, 420]), (json!([10, 3_600]), vec![90, 3_600])]
        {
            assert_eq!(waits(&read(setting), &outcome(Duration::from_secs(90))), expected);
        }
        let most = MAX_RETRY_AFTER.as_secs();
        assert_eq!(waits(&read(json!([10, 604_800])), &outcome(Duration::MAX)), [most, 604_800]);
    }

    proptest! {
        #[test]
        fn a_list_is_accepted_when_its_waits_come_to_13_days_at_most(list in prop::collection::vec(1u64..=604_800, 1..=20)) {
            let read: Result<RetryChoice, _> = serde_json::from_value(json!(list));
            prop_assert_eq!(read.is_ok(), list.iter().sum::<u64>() <= 1_123_200);
            if let Ok(choice) = read {
                prop_assert_eq!(waits(&choice, &Outcome::TimedOut), list);
            }
        }
    }
}
