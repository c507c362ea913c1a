//! `condition`: a line with the condition of a subscription, and a line with the data of an event. Without the second line,
//! the condition is compared with every sample of the catalogue.

use domain::event::{Event, EventType, Scope, payload};
use domain::routing::subscription::deliveries;
use domain::routing::{Bucket, EventTypes, Filing, Mismatch, Pattern, Reach, Subscription, Work, listeners};
use domain::value::keys::check_keys;
use domain::value::{DestinationId, SubscriptionId, json};
use serde_json::value::RawValue;
use serde_json::{Value, json};

use crate::input::{line, now, text};

pub(crate) fn check(input: &[u8]) {
    let Some((condition, data)) = text(input).map(line) else { return };
    let Ok(condition) = json::read(condition) else { return };
    let pattern = match Pattern::parse(&condition) {
        Ok(pattern) => pattern,
        Err(error) => {
            assert!(condition.pointer(&error.pointer).is_some(), "{error} points nowhere in {condition}");
            assert!(error.to_string().chars().count() <= 5_000, "{error}");
            return;
        }
    };
    written(&pattern, &condition);
    let given = Some(data).filter(|data| !data.trim().is_empty() && check_keys(data).is_ok());
    match given.map(|data| (data, json::value(data))) {
        Some((text, Ok(data))) => compare(&pattern, &condition, text, &data),
        Some((_, Err(_))) => {}
        None => {
            for sample in EventType::all().flat_map(|event_type| event_type.samples()) {
                let data = serde_json::from_str(sample.data.get()).expect("a sample");
                compare(&pattern, &condition, sample.data.get(), &data);
            }
        }
    }
}

fn written(pattern: &Pattern, condition: &Value) {
    assert!(pattern.size() <= 2_048 && pattern.size() == condition.to_string().len());
    assert_eq!(&pattern.as_value(), condition);
    let again: Pattern = serde_json::from_value(json!(pattern)).expect("what was written is read");
    assert_eq!((&again, again.size()), (pattern, pattern.size()));
}

fn compare(pattern: &Pattern, condition: &Value, text: &str, data: &Value) {
    let matches = pattern.matches(data);
    match pattern.explain(data) {
        Some(Mismatch { pointer, detail }) => {
            assert!(!matches, "{detail}");
            assert!(condition.pointer(&pointer).is_some(), "{pointer} is nowhere in {condition}");
        }
        None => assert!(matches, "it does not match, and nothing says why"),
    }
    let work = Work::default();
    let within = pattern.matches_within(data, &work);
    assert!(work.is_over() || within == matches, "work changes the answer");
    through_the_index(pattern, text, data);
    never_refused_wrongly(pattern, condition, text, data);
}

/// Whether the index of a bucket finds the deliveries that comparing every subscription finds.
fn through_the_index(pattern: &Pattern, text: &str, data: &Value) {
    let Ok(raw) = RawValue::from_string(text.trim().to_owned()) else { return };
    let event = Event {
        id: "evt-1".parse().expect("an id"),
        event_type: "sync_run.completed".parse().expect("a type"),
        account: "acme".parse().expect("an account"),
        scope: "connection/xero/endpoint/invoices".parse().expect("a scope"),
        occurred_at: now(),
        data: raw,
        traceparent: None,
    };
    let others = [json!({"status": ["failed"]}), json!({"a": [1, null]}), json!({"a": {"b": ["x"]}}), Value::Null];
    let all: Vec<_> = [json!(pattern)].into_iter().chain(others).zip(1..).map(|(c, n)| subscription(c, n)).collect();
    let bucket = Bucket::of_event(event.event_type, &event.scope).remove(0);
    let mut filing = Filing::new(event.account.clone(), bucket);
    all.iter().for_each(|one| filing.add(one.settings.clone()));
    let work = Work::default();
    if let Ok(mut owed) = listeners::owed(&event, data, None, &[filing.done()], &work) {
        let mut expected = deliveries(&event, data, None, &all);
        owed.sort_by(|a, b| a.id.cmp(&b.id));
        expected.sort_by(|a, b| a.id.cmp(&b.id));
        assert_eq!(owed, expected);
    }
}

fn subscription(condition: Value, n: u8) -> Subscription {
    let settings = json!({
        "name": "s", "destination_id": DestinationId::from_entropy([n; 10]), "event_types": ["sync_run.completed"],
        "scope": "connection/xero/endpoint/invoices", "condition": condition
    });
    Subscription {
        id: SubscriptionId::from_entropy([n; 10]),
        account: "acme".parse().expect("an account"),
        settings: serde_json::from_value(settings).expect("settings"),
        created_at: now(),
        updated_at: now(),
        version: 1,
    }
}

/// A value is refused as impossible only if no data that conforms to the schemas has it.
fn never_refused_wrongly(pattern: &Pattern, condition: &Value, text: &str, data: &Value) {
    let types: EventTypes = serde_json::from_value(json!(["*"])).expect("types");
    let Err(refusal) = Reach::new(&types, &Scope::Everything, Some(pattern), None).check() else { return };
    let conforms = |one: EventType| types.accept(one) && payload::check(one, text).is_ok();
    let Some(pointer) = refusal.pointer.strip_prefix("/condition").filter(|_| EventType::all().any(conforms)) else {
        return;
    };
    if let Some(alone) = alone(condition, pointer)
        && let Ok(alone) = Pattern::parse(&alone)
    {
        assert!(!alone.matches(data), "{pointer} of {condition} is refused, and matches: {}", refusal.detail);
    }
}

/// The condition that asks for nothing but the value at `pointer`.
fn alone(condition: &Value, pointer: &str) -> Option<Value> {
    let value = condition.pointer(pointer)?;
    let mut names: Vec<String> = Vec::new();
    let (mut here, mut steps) = (condition, pointer.split('/').skip(1));
    while let Some(step) = steps.next() {
        let name = step.replace("~1", "/").replace("~0", "~");
        match here {
            Value::Object(fields) if name == "$or" => {
                here = fields.get("$or")?.get(steps.next()?.parse::<usize>().ok()?)?;
            }
            Value::Object(fields) => {
                here = fields.get(&name)?;
                names.push(name);
            }
            // The value is an item of the innermost list.
            _ => break,
        }
    }
    Some(names.into_iter().rev().fold(json!([value]), |below, name| json!({ name: below })))
}
