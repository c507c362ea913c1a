//! The event types, as the catalogue has them, and the filter for them in a subscription.
//!
//! Invariant: the filter `*` accepts every type that producers publish and no other; all other types are subscribed to by
//! name (tests: `a_star_accepts_every_type_that_producers_publish_and_a_name_only_its_own`).

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;

use super::catalogue::{Entry, Sample, entries};
use super::scope::Scope;

/// The type of an event, as the index of an entry in the catalogue.
///
/// The name is stored in rows, so a type that has been used must stay in the catalogue. Without its file, those rows
/// could not be read.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct EventType(usize);

#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("unknown event type {found:?}; known are {}", EventType::all().map(EventType::as_str).collect::<Vec<_>>().join(", "))]
pub struct UnknownEventType {
    pub found: String,
}

/// The type has no sample of this status.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("unknown status {found:?} of {event_type}; known are {}", event_type.statuses().collect::<Vec<_>>().join(", "))]
pub struct UnknownStatus {
    pub event_type: EventType,
    pub found: String,
}

/// The beginning of a text that was not understood, to be shown in an error.
fn shown(text: &str) -> String {
    text.chars().take(100).collect()
}

impl EventType {
    /// Every type, sorted by name.
    pub fn all() -> impl Iterator<Item = EventType> {
        (0..entries().len()).map(EventType)
    }

    fn entry(self) -> &'static Entry {
        &entries()[self.0]
    }

    pub fn as_str(self) -> &'static str {
        &self.entry().name
    }

    pub fn title(self) -> &'static str {
        &self.entry().title
    }

    /// What several such events are called: `sync runs`.
    pub fn plural(self) -> &'static str {
        &self.entry().plural
    }

    pub fn description(self) -> &'static str {
        &self.entry().description
    }

    /// Whether it is about this system itself and not about data.
    pub fn is_operational(self) -> bool {
        self.entry().operational
    }

    /// The type of events whose absence it reports.
    pub fn absence_of(self) -> Option<EventType> {
        self.entry().absence_of.as_deref()?.parse().ok()
    }

    /// The type that reports the absence of this one.
    pub fn absence(self) -> Option<EventType> {
        Self::all().find(|event_type| event_type.absence_of() == Some(self))
    }

    /// Whether only this system makes such events: producers do not publish them, and `*` does not include them.
    pub fn is_own(self) -> bool {
        self.is_operational() || self.absence_of().is_some()
    }

    /// The JSON Schema (2020-12) of an event's `data`.
    pub fn schema(self) -> &'static RawValue {
        &self.entry().schema
    }

    /// A sample for each status, the most common one first.
    pub fn samples(self) -> &'static [Sample] {
        &self.entry().samples
    }

    pub fn statuses(self) -> impl Iterator<Item = &'static str> {
        self.samples().iter().map(|sample| sample.status.as_str())
    }

    /// The sample of this status; the most common one if none is given.
    pub fn sample(self, status: Option<&str>) -> Result<&'static Sample, UnknownStatus> {
        let wanted = |sample: &&Sample| status.is_none_or(|status| sample.status == status);
        let unknown = || UnknownStatus { event_type: self, found: shown(status.unwrap_or_default()) };
        self.samples().iter().find(wanted).ok_or_else(unknown)
    }

    /// The form of the scope of this type's events.
    pub fn scope_form(self) -> &'static str {
        self.entry().scope.form()
    }

    /// Whether an event of this type can be about `scope`.
    pub fn happens_at(self, scope: &Scope) -> bool {
        self.entry().scope.is_of(scope)
    }

    /// Whether an event of this type can be about `scope` or a place in it, so that a subscription there can receive
    /// it.
    pub fn happens_within(self, scope: &Scope) -> bool {
        self.entry().scope.is_within(scope)
    }
}

impl FromStr for EventType {
    type Err = UnknownEventType;
    fn from_str(text: &str) -> Result<Self, UnknownEventType> {
        Self::all().find(|t| t.as_str() == text).ok_or_else(|| UnknownEventType { found: shown(text) })
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

impl fmt::Debug for EventType {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(self.as_str(), f)
    }
}

impl fmt::Display for EventType {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// One entry of a subscription's `event_types`: a type, or `*` for all types that producers publish, including future
/// ones.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub enum EventTypeFilter {
    Any,
    Only(EventType),
}

impl EventTypeFilter {
    pub fn accepts(self, event_type: EventType) -> bool {
        match self {
            EventTypeFilter::Any => !event_type.is_own(),
            EventTypeFilter::Only(only) => only == event_type,
        }
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

    #[track_caller]
    fn check_within(event_type: &str, scope: &str, expected: bool) {
        let (event_type, scope): (EventType, Scope) =
            (event_type.parse().expect("a type"), scope.parse().expect("a scope"));
        assert_eq!(event_type.happens_within(&scope), expected, "{event_type} within {scope}");
    }

    #[test]
    fn a_subscription_hears_a_type_where_it_happens_and_at_wider_places() {
        for scope in ["*", "connection/xero", "connection/xero/endpoint/invoices"] {
            check_within("sync_run.completed", scope, true);
        }
        check_within("sync_run.completed", "connection/xero/insight/cash-flow", false);
        check_within("insight_population.completed", "connection/xero/insight/cash-flow", true);
        check_within("insight_population.completed", "connection/xero/endpoint/invoices", false);
        check_within("destination.failing", "*", true);
        check_within("destination.failing", "connection/xero", false);
    }

    #[test]
    fn every_type_is_read_back_by_its_name() {
        for event_type in EventType::all() {
            assert_eq!(event_type.as_str().parse(), Ok(event_type));
        }
    }

    #[test]
    fn an_unknown_type_is_answered_with_the_known_ones() {
        let error = "sync_run.started".parse::<EventType>().expect_err("an unknown type").to_string();
        assert!(error.starts_with(r#"unknown event type "sync_run.started"; known are "#), "{error}");
        assert!(EventType::all().all(|known| error.contains(known.as_str())), "{error}");
    }

    #[test]
    fn the_absence_of_a_run_has_a_type_of_its_own() {
        let [completed, missed] = ["sync_run.completed", "sync_run.missed"].map(|name| name.parse().expect("a type"));
        assert_eq!((EventType::absence(completed), EventType::absence_of(missed)), (Some(missed), Some(completed)));
        assert_eq!((EventType::absence(missed), EventType::absence_of(completed)), (None, None));
        for event_type in EventType::all() {
            assert_eq!(event_type.absence_of().is_some(), event_type.entry().absence_of.is_some(), "{event_type}");
        }
    }

    #[test]
    fn a_star_accepts_every_type_that_producers_publish_and_a_name_only_its_own() {
        for event_type in EventType::all() {
            assert_eq!(EventTypeFilter::Any.accepts(event_type), !event_type.is_own(), "{event_type}");
            for other in EventType::all() {
                assert_eq!(EventTypeFilter::Only(other).accepts(event_type), other == event_type);
            }
        }
    }

    #[track_caller]
    fn check_sample(event_type: &str, status: Option<&str>, expected: Result<&str, &str>) {
        let event_type: EventType = event_type.parse().expect("a type");
        let got = event_type.sample(status).map(|sample| sample.status.as_str()).map_err(|error| error.to_string());
        assert_eq!(got, expected.map_err(str::to_owned), "{status:?}");
    }

    #[test]
    fn a_sample_is_found_by_its_status_and_the_usual_one_without() {
        check_sample("sync_run.completed", Some("partial"), Ok("partial"));
        check_sample("sync_run.completed", None, Ok("succeeded"));
        let unknown = r#"unknown status "done" of sync_run.completed; known are succeeded, failed, partial"#;
        check_sample("sync_run.completed", Some("done"), Err(unknown));
    }
}
