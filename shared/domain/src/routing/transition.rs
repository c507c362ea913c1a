//! When the runs at one place begin to fail, and when they succeed again. A run is compared with the newest run known
//! before it. The result is remembered, so that an event that comes twice gets the same result twice.
//!
//! Invariant: a subscription that waits for a change hears of it once, however often and in whatever order the events
//! arrive, and after a crash as well (tests:
//! `who_waits_for_a_change_hears_of_it_once_in_whatever_order_and_however_often_events_arrive`,
//! `a_change_that_was_judged_and_not_sealed_is_judged_the_same_again`,
//! `told_transitions_alternate_however_events_arrive`).

use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::value::{EventId, Timestamp};

/// A change between two runs of a place.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Transition {
    /// The run failed after one that succeeded.
    Broke,
    /// The run succeeded after one that failed.
    Recovered,
}

impl Transition {
    pub fn as_str(self) -> &'static str {
        match self {
            Transition::Broke => "broke",
            Transition::Recovered => "recovered",
        }
    }
}

/// The transition that a subscription can wait for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum AwaitedTransition {
    Broke,
    Recovered,
    /// Either of them.
    Changed,
}

impl AwaitedTransition {
    pub fn as_str(self) -> &'static str {
        match self {
            AwaitedTransition::Broke => "broke",
            AwaitedTransition::Recovered => "recovered",
            AwaitedTransition::Changed => "changed",
        }
    }

    /// Whether `transition` is what the subscription waits for.
    pub fn is(self, transition: Option<Transition>) -> bool {
        match self {
            AwaitedTransition::Broke => transition == Some(Transition::Broke),
            AwaitedTransition::Recovered => transition == Some(Transition::Recovered),
            AwaitedTransition::Changed => transition.is_some(),
        }
    }

    /// Whether `run` would be what the subscription waits for if the run before it had ended the other way.
    pub fn may_be(self, run: &Run) -> bool {
        self.is(Some(if run.failed { Transition::Broke } else { Transition::Recovered }))
    }
}

/// A completed run, as far as transitions are concerned.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Run {
    pub event: EventId,
    pub completed_at: Timestamp,
    pub failed: bool,
}

impl Run {
    /// The run that an event's `data` reports. A run that was `partial` counts neither as a failure nor as a success,
    /// and is left out here.
    pub fn of_event(event: &EventId, data: &Value) -> Option<Run> {
        let failed = match data.get("status")?.as_str()? {
            "failed" => true,
            "succeeded" => false,
            _ => return None,
        };
        let completed_at = Timestamp::parse(data.get("completed_at")?.as_str()?).ok()?;
        Some(Run { event: event.clone(), completed_at, failed })
    }
}

/// A run and its transition, if it was one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Judged {
    pub run: Run,
    pub transition: Option<Transition>,
}

/// How many runs of a place are remembered. If an event comes again after this many newer ones, its run counts as late.
pub const REMEMBERED: usize = 32;

/// The latest runs at one place, in the order of their completion.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct History {
    pub runs: Vec<Judged>,
}

impl History {
    /// The result of this event's run, if it is remembered.
    pub fn find(&self, event: &EventId) -> Option<&Judged> {
        self.runs.iter().find(|judged| judged.run.event == *event)
    }

    /// Whether `run` is a transition, given this history. A run that was completed no later than the newest known run
    /// is late. It is never a transition, because what followed it has been reported already. So transitions alternate,
    /// however events arrive.
    pub fn judge(&self, run: &Run) -> Option<Transition> {
        if let Some(before) = self.find(&run.event) {
            return before.transition;
        }
        let newest = &self.runs.last()?.run;
        match (newest.failed, run.failed) {
            _ if run.completed_at <= newest.completed_at => None,
            (false, true) => Some(Transition::Broke),
            (true, false) => Some(Transition::Recovered),
            _ => None,
        }
    }

    /// This history with `run` in it.
    pub fn with(&self, run: Run) -> History {
        let transition = self.judge(&run);
        let mut runs = self.runs.clone();
        if self.find(&run.event).is_none() {
            let place = runs.partition_point(|known| known.run.completed_at <= run.completed_at);
            // Of two runs completed at the same time, the one that came first stays the newest.
            let tied =
                runs.get(place.saturating_sub(1)).is_some_and(|known| known.run.completed_at == run.completed_at);
            runs.insert(if tied { place - 1 } else { place }, Judged { run, transition });
        }
        let surplus = runs.len().saturating_sub(REMEMBERED);
        runs.drain(..surplus);
        History { runs }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::json;

    use super::*;

    fn run(text: &str) -> Run {
        // `f3` failed at 3; `s4b` succeeded at 4, event b.
        let (kind, rest) = text.split_at(1);
        let at = rest.trim_end_matches(|c: char| c.is_alphabetic());
        let id = format!("evt-{text}");
        Run {
            event: id.parse().expect("an id"),
            completed_at: Timestamp::from_unix_ms(at.parse().expect("a time")),
            failed: kind == "f",
        }
    }

    #[track_caller]
    fn check(arrivals: &str, expected: &str) {
        let mut history = History::default();
        let mut told = Vec::new();
        for text in arrivals.split(' ') {
            let run = run(text);
            told.push(history.judge(&run).map_or("-", Transition::as_str));
            history = history.with(run);
        }
        assert_eq!(told.join(" "), expected, "{arrivals}");
    }

    #[test]
    fn a_change_is_told_once_and_the_first_run_is_none() {
        check("f1", "-");
        check("s1 s2 s3", "- - -");
        check("s1 f2 f3 s4 s5 f6", "- broke - recovered - broke");
    }

    #[test]
    fn an_event_that_comes_twice_is_judged_the_same_whatever_came_between() {
        check("s1 f2 f2 f3 f2 s4 f2 s4", "- broke broke - broke recovered broke recovered");
    }

    #[test]
    fn a_late_run_is_no_transition_and_changes_none() {
        check("s1 f3 s2 f4", "- broke - -");
        check("s1 s3 f2 f4", "- - - broke");
        check("f3 s1 s4", "- - recovered");
        check("s1 f2a f2b s2c s3", "- broke - - recovered");
    }

    #[test]
    fn only_runs_that_failed_or_succeeded_count() {
        let id: EventId = "evt".parse().expect("an id");
        let data = |status: &str| json!({"status": status, "completed_at": "2026-11-23T09:00:00Z"});
        assert_eq!(Run::of_event(&id, &data("failed")).map(|run| run.failed), Some(true));
        assert_eq!(Run::of_event(&id, &data("succeeded")).map(|run| run.failed), Some(false));
        assert_eq!(Run::of_event(&id, &data("partial")), None);
        assert_eq!(Run::of_event(&id, &json!({})), None);
    }

    proptest! {
        #[test]
        fn told_transitions_alternate_however_events_arrive(runs in proptest::collection::vec((0u8..40, any::<bool>()), 1..60)) {
            let mut history = History::default();
            let mut last = None;
            for (n, (at, failed)) in runs.into_iter().enumerate() {
                let kind = if failed { "f" } else { "s" };
                let mut run = run(&format!("{kind}{at}"));
                run.event = format!("evt-{n}").parse().expect("an id");
                let told = history.judge(&run);
                prop_assert!(told.is_none() || told != last, "{told:?} twice in a row");
                last = told.or(last);
                history = history.with(run);
                prop_assert!(history.runs.len() <= REMEMBERED);
                prop_assert!(history.runs.is_sorted_by_key(|judged| judged.run.completed_at));
            }
        }
    }
}
