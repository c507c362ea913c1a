//! Applies a condition to the samples of the catalogue, to show which of them would be sent.

use domain::event::{EventType, Scope};
use domain::routing::{AwaitedTransition, Pattern, Run};
use serde_json::Value;

/// Whether one sample would be sent.
#[derive(Debug, PartialEq, Eq)]
pub struct Verdict {
    pub event_type: &'static str,
    pub status: &'static str,
    /// `Ok` if it is sent, with what it further depends on, if anything; otherwise the reason why not.
    pub sent: Result<Option<&'static str>, String>,
}

/// The events that are wanted: those within a scope that match a pattern and are a transition.
pub struct Wanted {
    pub scope: Option<Scope>,
    pub pattern: Option<Pattern>,
    pub transition: Option<AwaitedTransition>,
}

/// Judges every sample of these types.
pub fn judge(wanted: &Wanted, types: &[EventType]) -> Vec<Verdict> {
    let samples = types.iter().flat_map(|event_type| event_type.samples().iter().map(|sample| (*event_type, sample)));
    let judged = samples.map(|(event_type, sample)| {
        let data: Value = serde_json::from_str(sample.data.get()).unwrap_or_default();
        Verdict { event_type: event_type.as_str(), status: &sample.status, sent: wanted.takes(event_type, &data) }
    });
    judged.collect()
}

impl Wanted {
    fn takes(&self, event_type: EventType, data: &Value) -> Result<Option<&'static str>, String> {
        if self.scope.as_ref().is_some_and(|scope| !event_type.happens_within(scope)) {
            return Err("it never happens at the place you chose".to_owned());
        }
        if let Some(mismatch) = self.pattern.as_ref().and_then(|pattern| pattern.explain(data)) {
            return Err(mismatch.detail);
        }
        let Some(transition) = self.transition else { return Ok(None) };
        // A run needs the id of its event, and a sample has none.
        let run = "evt-sample".parse().ok().and_then(|id| Run::of_event(&id, data));
        match run {
            None => Err("it neither failed nor succeeded, so nothing broke or recovered".to_owned()),
            Some(run) if transition.may_be(&run) && run.failed => Ok(Some("if the previous one succeeded")),
            Some(run) if transition.may_be(&run) => Ok(Some("if the previous one failed")),
            Some(Run { failed: true, .. }) => Err("it failed, so nothing recovered".to_owned()),
            Some(_) => Err("it succeeded, so nothing broke".to_owned()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::when::When;

    #[track_caller]
    fn check(when: When, event_type: &str, expected: &[&str]) {
        check_at("*", when, event_type, expected);
    }

    #[track_caller]
    fn check_at(scope: &str, when: When, event_type: &str, expected: &[&str]) {
        let event_type = event_type.parse().expect("a type");
        let pattern = when.condition().map(|condition| Pattern::parse(&condition).expect("a pattern"));
        let scope = Some(scope.parse().expect("a scope"));
        let judged = judge(&Wanted { scope, pattern, transition: when.transition() }, &[event_type]);
        let matching: Vec<_> = judged.iter().filter(|verdict| verdict.sent.is_ok()).map(|v| v.status).collect();
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
    fn a_change_is_what_failed_or_succeeded_and_nothing_between() {
        check(When::Broke, "sync_run.completed", &["failed"]);
        check(When::Recovered, "sync_run.completed", &["succeeded"]);
        check(When::Changed, "sync_run.completed", &["succeeded", "failed"]);
        check(When::Changed, "destination.failing", &[]);
    }

    #[test]
    fn what_never_happens_at_a_place_is_not_sent_there() {
        check_at("connection/xero/endpoint/invoices", When::All, "insight_population.completed", &[]);
        check_at("connection/xero", When::All, "insight_population.completed", &["succeeded", "failed", "partial"]);
        check_at("connection/xero", When::All, "destination.failing", &[]);
    }
}
