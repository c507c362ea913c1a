//! Whether any event can come to a subscription, according to the catalogue: the scopes of the types that it lists, and what
//! their schemas say about the values that its condition accepts. A setting that can never match is refused. A setting that
//! depends on the producer gets a remark, because `data` may have fields that no schema describes.
//!
//! This is checked only when a subscription is set. Stored subscriptions are read and matched in any case.
//!
//! Invariant: a condition that an event of a listed type can meet is not refused (tests:
//! `what_a_sample_has_is_neither_refused_nor_remarked_on`).

use std::collections::BTreeMap;
use std::sync::LazyLock;

use serde_json::Value;

use super::pattern::{Pattern, Verdict};
use super::subscription::{EventTypes, SubscriptionSettings};
use super::transition::{AwaitedTransition, Run};
use crate::event::{EventType, EventTypeFilter, Scope};

/// A remark on a setting.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Remark {
    /// A JSON pointer into the subscription.
    pub pointer: String,
    /// What is wrong or remarkable, and what to do.
    pub detail: String,
}

impl Remark {
    fn new(pointer: impl Into<String>, detail: impl Into<String>) -> Self {
        Self { pointer: pointer.into(), detail: detail.into() }
    }
}

/// The catalogue's schemas, read when a condition is first looked at.
static SCHEMAS: LazyLock<BTreeMap<EventType, Value>> = LazyLock::new(|| {
    let schema = |one: EventType| Some((one, serde_json::from_str(one.schema().get()).ok()?));
    EventType::all().filter_map(schema).collect()
});

/// The settings that decide which events can come.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Reach<'s> {
    event_types: &'s EventTypes,
    scope: &'s Scope,
    condition: Option<&'s Pattern>,
    transition: Option<AwaitedTransition>,
}

impl SubscriptionSettings {
    pub fn reach(&self) -> Reach<'_> {
        Reach::new(&self.event_types, &self.scope, self.condition.as_ref(), self.transition)
    }
}

impl<'s> Reach<'s> {
    pub fn new(
        event_types: &'s EventTypes,
        scope: &'s Scope,
        condition: Option<&'s Pattern>,
        transition: Option<AwaitedTransition>,
    ) -> Self {
        Self { event_types, scope, condition, transition }
    }

    /// Why a setting can never match, or else the remarks on the settings.
    pub fn check(&self) -> Result<Vec<Remark>, Remark> {
        let listed: Vec<EventType> = EventType::all().filter(|one| self.event_types.accept(*one)).collect();
        let coming: Vec<_> = listed.iter().copied().filter(|one| one.happens_within(self.scope)).collect();
        if coming.is_empty() {
            return Err(Remark::new("/scope", nowhere(&listed, self.scope)));
        }
        if self.transition.is_some_and(|wanted| !coming.iter().any(|one| may_be(*one, wanted))) {
            let detail = format!(
                "can never match: no event of the type {} reports a run that fails or succeeds",
                or(coming.iter())
            );
            return Err(Remark::new("/transition", detail));
        }
        let mut remarks = self.passed_over();
        remarks.extend(self.condition.map_or(Ok(Vec::new()), |condition| in_condition(condition, &coming))?);
        Ok(remarks)
    }

    /// Remarks on the listed types of which no event comes.
    fn passed_over(&self) -> Vec<Remark> {
        let filters: Vec<EventTypeFilter> = self.event_types.clone().into();
        let remark = |(index, filter): (usize, &EventTypeFilter)| match filter {
            EventTypeFilter::Only(one) if !one.happens_within(self.scope) => {
                Some(Remark::new(format!("/event_types/{index}"), nowhere(&[*one], self.scope)))
            }
            _ => None,
        };
        filters.iter().enumerate().filter_map(remark).collect()
    }
}

fn nowhere(types: &[EventType], scope: &Scope) -> String {
    let forms = types.iter().map(|one| format!("{one} has the scope `{}`", one.scope_form()));
    let forms = forms.collect::<Vec<_>>().join(", ");
    format!("no event comes from {scope}: {forms}. Use such a scope or a wider one; `*` covers everything")
}

/// Whether an event of this type can be the transition that is waited for.
fn may_be(event_type: EventType, wanted: AwaitedTransition) -> bool {
    let Ok(id) = "evt-sample".parse() else { return true };
    event_type.samples().iter().any(|sample| {
        let data: Value = serde_json::from_str(sample.data.get()).unwrap_or_default();
        Run::of_event(&id, &data).is_some_and(|run| wanted.may_be(&run))
    })
}

/// What the schemas of these types say about a condition. There is no remark on a value that one of them allows.
fn in_condition(condition: &Pattern, types: &[EventType]) -> Result<Vec<Remark>, Remark> {
    let mut values: BTreeMap<String, Vec<(EventType, Verdict)>> = BTreeMap::new();
    for one in types {
        let verdicts = SCHEMAS.get(one).map(|schema| condition.verdicts(schema));
        for (pointer, verdict) in verdicts.into_iter().flatten() {
            values.entry(pointer).or_default().push((*one, verdict));
        }
    }
    values.retain(|_, verdicts| {
        verdicts.len() == types.len() && verdicts.iter().all(|(_, verdict)| *verdict != Verdict::Possible)
    });
    let mut remarks = BTreeMap::new();
    for (pointer, verdicts) in values {
        match undescribed(&verdicts) {
            Some(remark) => remarks.insert(remark.pointer.clone(), remark),
            None => return Err(Remark::new(format!("/condition{pointer}"), never(&verdicts))),
        };
    }
    Ok(remarks.into_values().collect())
}

/// The remark on a field that some of the types do not describe.
fn undescribed(verdicts: &[(EventType, Verdict)]) -> Option<Remark> {
    let mut types = Vec::new();
    let mut found = None;
    for (one, verdict) in verdicts {
        if let Verdict::Undescribed { pointer, field, near } = verdict {
            types.push(one);
            found = found.or(Some((pointer, field, near)));
        }
    }
    let (pointer, field, near) = found?;
    let near = near.as_ref().map(|near| format!("; did you mean `{near}`?")).unwrap_or_default();
    let detail = format!(
        "the schema of {} describes no field `{field}`: this matches only if your producer sends it{near}",
        or(types.into_iter())
    );
    Some(Remark::new(format!("/condition{pointer}"), detail))
}

/// Why a condition can never match: what the field can be instead.
fn never(verdicts: &[(EventType, Verdict)]) -> String {
    let (mut fields, mut all) = ("", Vec::new());
    for (_, verdict) in verdicts {
        if let Verdict::Impossible { field, is } = verdict {
            fields = field;
            all.extend(is.iter().filter(|one| !all.contains(one)).collect::<Vec<_>>());
        }
    }
    format!("can never match: `{fields}` is {}", or(all.into_iter()))
}

/// `a, b or c`.
fn or(all: impl Iterator<Item = impl ToString>) -> String {
    let mut all: Vec<_> = all.map(|one| one.to_string()).collect();
    match (all.pop(), all.as_slice()) {
        (None, _) => String::new(),
        (Some(last), []) => last,
        (Some(last), others) => format!("{} or {last}", others.join(", ")),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn check(types: &[&str], scope: &str, condition: Value, transition: Option<&str>) -> Result<Vec<Remark>, Remark> {
        let settings = json!({
            "name": "s", "destination_id": "dst_img480bv82vq4si5", "event_types": types, "scope": scope,
            "condition": condition, "transition": transition,
        });
        let settings: SubscriptionSettings = serde_json::from_value(settings).expect("settings");
        settings.reach().check()
    }

    #[track_caller]
    fn check_condition(types: &[&str], condition: Value, expected: Result<&[(&str, &str)], (&str, &str)>) {
        let found = check(types, "*", condition.clone(), None);
        let pair = |remark: Remark| (remark.pointer, remark.detail);
        let found = found.map(|all| all.into_iter().map(pair).collect::<Vec<_>>()).map_err(pair);
        let owned = |(pointer, detail): (&str, &str)| (pointer.to_owned(), detail.to_owned());
        let expected = expected.map(|all| all.iter().copied().map(owned).collect()).map_err(owned);
        assert_eq!(found, expected, "{condition}");
    }

    const STATUS: &str = r#"can never match: `status` is "succeeded", "failed" or "partial""#;

    #[test]
    fn a_value_that_no_listed_type_has_is_refused_with_those_that_there_are() {
        let never = Err(("/condition/status/0", STATUS));
        check_condition(&["sync_run.completed"], json!({"status": ["fail"]}), never);
        check_condition(&["*"], json!({"status": ["fail"]}), never);
        check_condition(
            &["sync_run.completed"],
            json!({"status": ["failed", "fail"]}),
            Err(("/condition/status/1", STATUS)),
        );
        let both = r#"can never match: `status` is "succeeded", "failed", "partial" or "missed""#;
        let types = ["sync_run.completed", "sync_run.missed"];
        check_condition(&types, json!({"status": ["fail"]}), Err(("/condition/status/0", both)));
        check_condition(&types, json!({"status": ["missed", "failed"]}), Ok(&[]));
        let number = Err(("/condition/duration_ms/0", "can never match: `duration_ms` is an integer"));
        check_condition(&["*"], json!({"duration_ms": ["42"]}), number);
    }

    #[test]
    fn a_field_that_no_listed_type_describes_is_remarked_on() {
        let of = "the schema of sync_run.completed describes no field";
        let more = "this matches only if your producer sends it";
        let near = format!("{of} `statuss`: {more}; did you mean `status`?");
        check_condition(
            &["sync_run.completed"],
            json!({"statuss": ["failed", "x"]}),
            Ok(&[("/condition/statuss", &near)]),
        );
        let none = format!("{of} `records.tax`: {more}");
        let pattern = json!({"records": {"tax": [1], "read": [1]}});
        check_condition(&["sync_run.completed"], pattern, Ok(&[("/condition/records/tax", &none)]));
        // A field that one of several types describes gets no remark.
        check_condition(&["*"], json!({"records": {"read": [1], "written": [1]}}), Ok(&[]));
        // A type that describes the field differently does not decide for a type that does not describe it.
        let types = ["sync_run.completed", "delivery.expiring"];
        let other =
            "the schema of delivery.expiring describes no field `trigger`: this matches only if your producer sends it";
        check_condition(&types, json!({"trigger": ["timer"]}), Ok(&[("/condition/trigger", other)]));
    }

    #[track_caller]
    fn check_place(types: &[&str], scope: &str, transition: Option<&str>, expected: Result<&[&str], &str>) {
        let found = check(types, scope, Value::Null, transition);
        let found = found.map(|all| all.into_iter().map(|remark| remark.pointer).collect::<Vec<_>>());
        let expected = expected.map(|all| all.iter().map(|at| (*at).to_owned()).collect::<Vec<_>>());
        assert_eq!(found.map_err(|remark| remark.pointer), expected.map_err(str::to_owned), "{types:?} at {scope}");
    }

    #[test]
    fn a_place_where_nothing_of_the_listed_types_happens_is_refused() {
        const TABLE: &str = "connection/xero/endpoint/invoices";
        const INSIGHT: &str = "connection/xero/insight/cash-flow";
        for scope in ["connection/xero", TABLE, INSIGHT] {
            check_place(&["destination.failing", "delivery.exhausted"], scope, None, Err("/scope"));
            check_place(&["*"], scope, None, Ok(&[]));
        }
        check_place(&["sync_run.completed"], INSIGHT, None, Err("/scope"));
        check_place(&["sync_run.missed"], INSIGHT, None, Err("/scope"));
        check_place(&["insight_population.completed"], TABLE, None, Err("/scope"));
        check_place(&["sync_run.completed", "insight_population.completed"], TABLE, None, Ok(&["/event_types/1"]));
        check_place(&["*", "destination.failing"], "connection/xero", None, Ok(&["/event_types/1"]));
        check_place(&["destination.failing"], "*", None, Ok(&[]));
        let refused = check(&["destination.failing"], "connection/xero", Value::Null, None).expect_err("refused");
        let detail = "no event comes from connection/xero: destination.failing has the scope `*`. Use such a scope or a wider \
                      one; `*` covers everything";
        assert_eq!(refused.detail, detail);
    }

    #[test]
    fn a_change_that_no_listed_type_can_be_is_refused() {
        for transition in ["broke", "recovered", "changed"] {
            check_place(&["sync_run.missed", "destination.failing"], "*", Some(transition), Err("/transition"));
            check_place(&["*"], "*", Some(transition), Ok(&[]));
            check_place(&["sync_run.completed", "destination.failing"], "*", Some(transition), Ok(&[]));
        }
    }

    /// The conditions that ask for exactly what is there.
    fn asking_for(data: &Value) -> Value {
        match data {
            Value::Object(fields) => fields.iter().map(|(name, value)| (name.clone(), asking_for(value))).collect(),
            Value::Array(items) => items.iter().map(|item| asking_for(item)[0].clone()).collect(),
            scalar => json!([scalar]),
        }
    }

    #[test]
    fn what_a_sample_has_is_neither_refused_nor_remarked_on() {
        for event_type in EventType::all() {
            for sample in event_type.samples() {
                let data: Value = serde_json::from_str(sample.data.get()).expect("JSON");
                // One by one: a condition has 2,048 bytes at most.
                for (name, part) in asking_for(&data).as_object().expect("an object") {
                    let part = json!({ name: part });
                    let found = check(&[event_type.as_str()], &sample.scope.to_string(), part.clone(), None);
                    assert_eq!(found, Ok(Vec::new()), "{event_type}: {part}");
                    assert!(Pattern::parse(&part).expect("a pattern").matches(&data), "{part}");
                }
            }
        }
    }
}
