//! The usual conditions, as choices in words, and what a condition makes of the catalogue's samples.

use serde_json::{Value, json};
use shared::domain::event_type::EventType;
use shared::domain::pattern::Pattern;

/// Which of the events.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum When {
    All,
    Failures,
    RowsChanged,
    Changed,
    Broke,
    Recovered,
    Pattern,
}

impl When {
    pub const CHOICES: [When; 7] =
        [When::All, When::Failures, When::RowsChanged, When::Changed, When::Broke, When::Recovered, When::Pattern];

    pub fn of(name: &str) -> Self {
        Self::CHOICES.into_iter().find(|when| when.name() == name).unwrap_or(When::All)
    }

    pub fn name(self) -> &'static str {
        match self {
            When::All => "all",
            When::Failures => "failures",
            When::RowsChanged => "rows",
            When::Changed => "changed",
            When::Broke => "broke",
            When::Recovered => "recovered",
            When::Pattern => "pattern",
        }
    }

    pub fn title(self) -> &'static str {
        match self {
            When::All => "All of them",
            When::Failures => "Only failures",
            When::RowsChanged => "Only when rows changed",
            When::Changed => "Only when it broke or recovered",
            When::Broke => "Only when it broke",
            When::Recovered => "Only when it recovered",
            When::Pattern => "My own pattern",
        }
    }

    pub fn description(self) -> &'static str {
        match self {
            When::All => "Whatever the outcome.",
            When::Failures => "Runs and populations that failed. Partial ones are not among them.",
            When::RowsChanged => "At least one record was inserted, updated, deleted or written.",
            When::Changed => "The first failure after a success, and the first success after a failure.",
            When::Broke => "The first failure after a success; not the failures that follow.",
            When::Recovered => "The first success after a failure.",
            When::Pattern => "An event pattern, as Amazon EventBridge knows them, over the event’s data.",
        }
    }

    /// What an event's `data` must look like, where the choice alone says it.
    pub fn condition(self) -> Option<Value> {
        let some = |field: &str| json!({ "records": { field: [{ "numeric": [">", 0] }] } });
        match self {
            When::Failures => Some(json!({ "status": ["failed"] })),
            When::RowsChanged => {
                let any = ["inserted", "updated", "deleted", "written"].map(some);
                Some(json!({ "$or": any }))
            }
            When::All | When::Changed | When::Broke | When::Recovered | When::Pattern => None,
        }
    }

    pub fn transition(self) -> Option<&'static str> {
        match self {
            When::Changed => Some("changed"),
            When::Broke => Some("broke"),
            When::Recovered => Some("recovered"),
            _ => None,
        }
    }
}

/// What becomes of one sample under a condition.
#[derive(Debug, PartialEq, Eq)]
pub struct Verdict {
    pub event_type: &'static str,
    pub status: &'static str,
    /// Why it does not match; nothing when it does.
    pub mismatch: Option<String>,
}

/// Every sample of these types, and what the condition makes of it.
pub fn judge(condition: Option<&Value>, types: &[EventType]) -> Vec<Verdict> {
    let pattern = condition.and_then(|condition| Pattern::parse(condition).ok());
    let samples =
        types.iter().flat_map(|event_type| event_type.samples().iter().map(move |sample| (event_type, sample)));
    let judged = samples.map(|(event_type, sample)| {
        let data: Value = serde_json::from_str(sample.data.get()).unwrap_or_default();
        let mismatch = pattern.as_ref().and_then(|pattern| pattern.explain(&data)).map(|mismatch| mismatch.detail);
        Verdict { event_type: event_type.as_str(), status: &sample.status, mismatch }
    });
    judged.collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(when: When, event_type: &str, expected: &[&str]) {
        let event_type = event_type.parse().expect("a type");
        let condition = when.condition().expect("a condition");
        Pattern::parse(&condition).expect("a pattern");
        let judged = judge(Some(&condition), &[event_type]);
        let matching: Vec<_> = judged.iter().filter(|v| v.mismatch.is_none()).map(|v| v.status).collect();
        assert_eq!(matching, expected, "{when:?}");
    }

    #[test]
    fn every_usual_condition_lets_through_the_samples_it_says() {
        check(When::Failures, "sync_run.completed", &["failed"]);
        check(When::Failures, "insight_population.completed", &["failed"]);
        check(When::RowsChanged, "sync_run.completed", &["succeeded", "partial"]);
        check(When::RowsChanged, "insight_population.completed", &["succeeded", "partial"]);
    }

    #[test]
    fn a_choice_is_found_by_its_name_and_all_is_the_first() {
        for when in When::CHOICES {
            assert_eq!(When::of(when.name()), when);
        }
        assert_eq!(When::of("nonsense"), When::All);
    }
}
