//! The usual conditions of a subscription, as the wizard offers them.

use domain::routing::AwaitedTransition;
use serde_json::{Value, json};

/// A choice of events by their outcome.
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
            When::Failures => "Runs and populations that failed, but not partial ones.",
            When::RowsChanged => "At least one record was inserted, updated, deleted or written.",
            When::Changed => "The first failure after a success, and the first success after a failure.",
            When::Broke => "The first failure after a success; not the failures that follow.",
            When::Recovered => "The first success after a failure.",
            When::Pattern => "A pattern for the event’s data, written as in Amazon EventBridge.",
        }
    }

    /// The condition on an event's `data`, if the choice implies one.
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

    pub fn transition(self) -> Option<AwaitedTransition> {
        match self {
            When::Changed => Some(AwaitedTransition::Changed),
            When::Broke => Some(AwaitedTransition::Broke),
            When::Recovered => Some(AwaitedTransition::Recovered),
            _ => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_choice_is_found_by_its_name_and_all_is_the_first() {
        for when in When::CHOICES {
            assert_eq!(When::of(when.name()), when);
        }
        assert_eq!(When::of("nonsense"), When::All);
    }
}
