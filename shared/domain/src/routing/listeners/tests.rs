//! Many subscriptions at once: the result is the same as for one by one, and the cost is bounded.

use std::collections::BTreeSet;

use proptest::prelude::*;
use serde_json::json;
use serde_json::value::RawValue;

use super::*;
use crate::event::Scope;
use crate::routing::subscription::{Subscription, deliveries};
use crate::value::{SubscriptionId, Timestamp};

fn subscription(n: u16, change: impl FnOnce(&mut SubscriptionSettings)) -> Subscription {
    let [a, b] = n.to_be_bytes();
    let settings = json!({
        "name": format!("subscription {n}"), "destination_id": DestinationId::from_entropy([0, 0, 0, 0, 0, 0, 0, 0, a, b]),
        "event_types": ["sync_run.completed"], "scope": "*"
    });
    let mut settings = serde_json::from_value(settings).expect("settings");
    change(&mut settings);
    Subscription {
        id: SubscriptionId::from_entropy([0, 0, 0, 0, 0, 0, 0, 0, a, b]),
        account: "acme".parse().expect("an account"),
        settings,
        created_at: Timestamp::from_unix_ms(0),
        updated_at: Timestamp::from_unix_ms(0),
        version: 1,
    }
}

fn with_condition(n: u16, condition: &Value) -> Subscription {
    subscription(n, |settings| settings.condition = Some(Pattern::parse(condition).expect("a pattern")))
}

fn event() -> Event {
    Event {
        id: "evt-1".parse().expect("an id"),
        event_type: "sync_run.completed".parse().expect("a type"),
        account: "acme".parse().expect("an account"),
        scope: "connection/xero/endpoint/invoices".parse().expect("a scope"),
        occurred_at: Timestamp::from_unix_ms(1),
        data: RawValue::from_string("{}".into()).expect("JSON"),
        traceparent: None,
    }
}

/// What is filed in each bucket that the event looks into.
fn filed(event: &Event, all: &[Subscription]) -> Vec<Listeners> {
    let buckets = Bucket::of_event(event.event_type, &event.scope).into_iter();
    let filed = buckets.map(|bucket| {
        let mut filing = Filing::new(event.account.clone(), bucket.clone());
        all.iter().filter(|one| one.buckets().contains(&bucket)).for_each(|one| filing.add(one.settings.clone()));
        filing.done()
    });
    filed.collect()
}

/// The steps that matching takes, and what is owed.
fn matched(data: &Value, all: &[Subscription]) -> (usize, usize) {
    let (event, work) = (event(), Work::default());
    let owed = owed(&event, data, None, &filed(&event, all), &work).expect("not too costly");
    (work.spent(), owed.len())
}

#[test]
fn conditions_that_do_not_match_cost_nothing_however_many_there_are() {
    let data = json!({"status": "failed", "connection": {"id": "xero-7"}, "tables": [{"name": "a"}, {"name": "b"}]});
    // All want the same status, and differ in another field.
    let one = |n: u16| match n % 3 {
        0 => with_condition(n, &json!({"status": ["failed"], "connection": {"id": [format!("other-{n}"), n]}})),
        1 => with_condition(n, &json!({"tables": {"name": [format!("t{n}")]}, "status": [{"prefix": "f"}]})),
        _ => with_condition(n, &json!({"status": ["failed"], "missing": {"deep": [n]}})),
    };
    let [few, many] = [10, 10_000].map(|count| matched(&data, &(0..count).map(one).collect::<Vec<_>>()));
    assert_eq!((few.1, many.1), (0, 0));
    assert!(many.0 <= 2 * few.0, "{} steps among 10, {} among 10,000", few.0, many.0);
}

#[test]
fn an_event_that_costs_too_much_to_match_is_told() {
    let prefixes: Vec<_> = (0..100).map(|n| json!({"prefix": format!("p{n}")})).collect();
    let all: Vec<_> = (0..100).map(|n| with_condition(n, &json!({"tables": prefixes}))).collect();
    let data = |tables: usize| json!({"tables": vec!["q"; tables]});
    let event = event();
    let at_once = |tables: usize| owed(&event, &data(tables), None, &filed(&event, &all), &Work::default());
    assert_eq!(at_once(100), Ok(Vec::new()));
    assert_eq!(at_once(1_000), Err(TooCostly));
}

#[test]
fn what_has_to_be_known_before_is_told() {
    let event = event();
    let types = |names: &[&str]| {
        let types: Vec<EventTypeFilter> = names.iter().map(|t| (*t).to_owned().try_into().expect("a type")).collect();
        types.try_into().expect("a list")
    };
    let hearing = |all: &[Subscription]| Hearing::of(&event, &filed(&event, all));
    assert_eq!(hearing(&[]), Hearing::default());
    assert_eq!(hearing(&[subscription(1, |s| s.enabled = false)]), Hearing::default());
    assert_eq!(hearing(&[subscription(1, |_| {})]), Hearing { by_any: true, ..Hearing::default() });
    let for_transitions = subscription(1, |s| s.transition = Some(AwaitedTransition::Broke));
    let heard = Hearing { by_any: true, for_transitions: true, ..Hearing::default() };
    assert_eq!(hearing(&[for_transitions]), heard);
    let for_data = with_condition(1, &json!({"status": ["failed"]}));
    assert_eq!(hearing(&[for_data]), Hearing { by_any: true, for_data: true, ..Hearing::default() });
    let own = |name: &str| {
        let of_type = EventTypeFilter::Only(name.parse().expect("a type"));
        let mut filing = Filing::new(event.account.clone(), Bucket { event_type: of_type, scope: Scope::Everything });
        filing.add(subscription(1, |s| s.event_types = types(&[name])).settings);
        filing.done().tests_data
    };
    assert!(own("sync_run.missed") && own("destination.failing") && !own("sync_run.completed"));
    let waits = |n, seconds: u64| {
        subscription(n, |s| {
            s.event_types = types(&["sync_run.missed"]);
            s.grace = seconds.try_into().expect("a grace");
        })
    };
    let shortest_grace = Some(60.try_into().expect("a grace"));
    assert_eq!(hearing(&[waits(1, 900), waits(2, 60)]), Hearing { shortest_grace, ..Hearing::default() });
}

fn any_condition() -> impl Strategy<Value = Value> {
    let values = prop::sample::select(vec![
        json!([1]),
        json!([1.0, "a"]),
        json!(["b", null, true]),
        json!([{"exists": false}]),
        json!([{"exists": false}, 2]),
        json!([{"anything-but": ["a"]}]),
        json!([{"prefix": "a"}, true]),
        json!([{"numeric": [">=", 0, "<", 2]}]),
    ]);
    values.prop_flat_map(|values| "[ab]".prop_map(move |name| json!({name: values.clone()}))).prop_recursive(
        3,
        12,
        2,
        |inner| {
            prop_oneof![
                (inner.clone(), "[ab]").prop_map(|(inner, name)| json!({name: inner})),
                (inner.clone(), inner.clone()).prop_map(|(a, b)| json!({"a": a, "b": b})),
                (inner.clone(), inner.clone()).prop_map(|(a, b)| json!({"$or": [a, b]})),
                (inner.clone(), inner.clone(), inner).prop_map(|(a, b, c)| json!({"b": a, "$or": [b, c]})),
            ]
        },
    )
}

fn any_data() -> impl Strategy<Value = Value> {
    let leaf =
        prop::sample::select(vec![json!(1), json!(1.0), json!(2), json!("a"), json!("b"), json!(null), json!(true)]);
    leaf.prop_recursive(4, 24, 3, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..4).prop_map(Value::from),
            prop::collection::btree_map("[ab]", inner, 0..3)
                .prop_map(|fields| Value::Object(fields.into_iter().collect())),
        ]
    })
}

proptest! {
    #[test]
    fn listeners_are_found_as_if_each_were_tested(
        conditions in prop::collection::vec(any_condition(), 0..8), a in any_data(), b in any_data(), broke in any::<bool>(),
        conditional in prop::bool::weighted(0.8)
    ) {
        let conditions = conditions.iter().filter_map(|condition| Pattern::parse(condition).ok());
        let all: Vec<_> = (0..).zip(conditions).map(|(n, condition)| {
            subscription(n, |settings| {
                settings.condition = conditional.then_some(condition);
                settings.transition = (n % 3 == 0).then_some(AwaitedTransition::Broke);
                settings.enabled = n % 5 != 4;
            })
        }).collect();
        let (event, data) = (event(), json!({"a": a, "b": b}));
        let transition = broke.then_some(Transition::Broke);
        let one_by_one: BTreeSet<_> = deliveries(&event, &data, transition, &all).into_iter().map(|d| d.id).collect();
        let filed = filed(&event, &all);
        let data = if Hearing::of(&event, &filed).for_data { data } else { Value::Null };
        let found = owed(&event, &data, transition, &filed, &Work::default()).expect("not too costly");
        prop_assert_eq!(found.into_iter().map(|delivery| delivery.id).collect::<BTreeSet<_>>(), one_by_one);
    }
}
