//! The event types that exist, and the filter a subscription keeps of them.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use super::scope::Scope;

/// What kind of fact an event states.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub enum EventType {
    SyncRunCompleted,
    InsightPopulationCompleted,
}

#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("unknown event type {found:?}; known are {}", EventType::ALL.map(|t| t.as_str()).join(", "))]
pub struct UnknownEventType {
    pub found: String,
}

impl EventType {
    pub const ALL: [EventType; 2] = [EventType::SyncRunCompleted, EventType::InsightPopulationCompleted];

    pub fn as_str(self) -> &'static str {
        match self {
            EventType::SyncRunCompleted => "sync_run.completed",
            EventType::InsightPopulationCompleted => "insight_population.completed",
        }
    }

    /// The form of scope that events of this type have.
    pub fn scope_form(self) -> &'static str {
        match self {
            EventType::SyncRunCompleted => "connection/<id>/endpoint/<id>",
            EventType::InsightPopulationCompleted => "connection/<id>/insight/<id>",
        }
    }

    /// Whether an event of this type can be about `scope`.
    pub fn happens_at(self, scope: &Scope) -> bool {
        match self {
            EventType::SyncRunCompleted => matches!(scope, Scope::Endpoint { .. }),
            EventType::InsightPopulationCompleted => matches!(scope, Scope::Insight { .. }),
        }
    }
}

impl FromStr for EventType {
    type Err = UnknownEventType;
    fn from_str(text: &str) -> Result<Self, UnknownEventType> {
        let unknown = || UnknownEventType { found: text.chars().take(100).collect() };
        Self::ALL.into_iter().find(|t| t.as_str() == text).ok_or_else(unknown)
    }
}

impl TryFrom<String> for EventType {
    type Error = UnknownEventType;
    fn try_from(text: String) -> Result<Self, UnknownEventType> {
        text.parse()
    }
}

impl From<EventType> for String {
    fn from(event_type: EventType) -> String {
        event_type.as_str().to_owned()
    }
}

impl fmt::Display for EventType {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// One entry of a subscription's `event_types`: a type, or `*` for all of them, also those added later.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub enum EventTypeFilter {
    Any,
    Only(EventType),
}

impl EventTypeFilter {
    pub fn accepts(self, event_type: EventType) -> bool {
        self == EventTypeFilter::Any || self == EventTypeFilter::Only(event_type)
    }
}

impl TryFrom<String> for EventTypeFilter {
    type Error = UnknownEventType;
    fn try_from(text: String) -> Result<Self, UnknownEventType> {
        if text == "*" { Ok(EventTypeFilter::Any) } else { text.parse().map(EventTypeFilter::Only) }
    }
}

impl From<EventTypeFilter> for String {
    fn from(filter: EventTypeFilter) -> String {
        filter.to_string()
    }
}

impl fmt::Display for EventTypeFilter {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            EventTypeFilter::Any => f.write_str("*"),
            EventTypeFilter::Only(event_type) => event_type.fmt(f),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_type_is_read_back_by_its_name() {
        for event_type in EventType::ALL {
            assert_eq!(event_type.as_str().parse(), Ok(event_type));
        }
    }

    #[test]
    fn an_unknown_type_is_answered_with_the_known_ones() {
        let error = "sync_run.started".parse::<EventType>().map_err(|e| e.to_string());
        let expected =
            r#"unknown event type "sync_run.started"; known are sync_run.completed, insight_population.completed"#;
        assert_eq!(error, Err(expected.to_owned()));
    }

    #[test]
    fn a_star_accepts_every_type_and_a_name_only_its_own() {
        for event_type in EventType::ALL {
            assert!(EventTypeFilter::Any.accepts(event_type));
            for other in EventType::ALL {
                assert_eq!(EventTypeFilter::Only(other).accepts(event_type), other == event_type);
            }
        }
    }
}
