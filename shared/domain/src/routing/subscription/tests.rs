//! Which subscription wants which event, where it is filed, and what an event owes.

use proptest::prelude::*;
use serde_json::json;
use serde_json::value::RawValue;

use super::*;

fn types(names: &[&str]) -> EventTypes {
    let types: Vec<_> = names.iter().map(|t| (*t).to_owned().try_into().expect("a filter")).collect();
    types.try_into().expect("a list")
}

fn subscription(n: u8, event_types: &[&str], scope: &str, path: Option<&str>) -> Subscription {
    Subscription {
        id: SubscriptionId::from_entropy([n; 10]),
        account: "acme".parse().expect("an account"),
        settings: SubscriptionSettings {
            name: "all".to_owned().try_into().expect("a name"),
            destination_id: DestinationId::from_entropy([n / 10; 10]),
            event_types: types(event_types),
            scope: scope.parse().expect("a scope"),
            condition: None,
            transition: None,
            path: path.map(|p| p.to_owned().try_into().expect("a path")),
            grace: Grace::default(),
            enabled: true,
        },
        created_at: Timestamp::from_unix_ms(0),
        updated_at: Timestamp::from_unix_ms(0),
        version: 1,
    }
}

fn event(event_type: &str, scope: &str) -> Event {
    Event {
        id: "evt-1".parse().expect("an id"),
        event_type: event_type.parse().expect("a type"),
        account: "acme".parse().expect("an account"),
        scope: scope.parse().expect("a scope"),
        occurred_at: Timestamp::from_unix_ms(1),
        data: RawValue::from_string("{}".into()).expect("JSON"),
        traceparent: None,
    }
}

#[track_caller]
fn check(event_types: &[&str], scope: &str, expected: bool) {
    let event = event("sync_run.completed", "connection/xero/endpoint/invoices");
    let got = subscription(1, event_types, scope, None).listens(event.event_type, &event.scope);
    assert_eq!(got, expected, "{event_types:?} at {scope}");
}

#[test]
fn a_subscription_matches_its_types_at_its_place_and_below() {
    check(&["*"], "*", true);
    check(&["sync_run.completed"], "connection/xero", true);
    check(&["insight_population.completed", "sync_run.completed"], "connection/xero/endpoint/invoices", true);
    check(&["insight_population.completed"], "*", false);
    check(&["*"], "connection/xer", false);
    check(&["*"], "connection/xero/endpoint/invoice", false);
    check(&["*"], "connection/xero/insight/invoices", false);
}

#[test]
fn two_subscriptions_to_one_place_owe_one_delivery() {
    let event = event("sync_run.completed", "connection/xero/endpoint/invoices");
    let all = [
        subscription(10, &["*"], "*", None),
        subscription(11, &["sync_run.completed"], "connection/xero", None),
        subscription(12, &["*"], "*", Some("/a")),
        subscription(20, &["*"], "*", None),
        subscription(30, &["insight_population.completed"], "*", None),
    ];
    let ids: std::collections::BTreeSet<_> =
        deliveries(&event, &json!({}), None, &all).into_iter().map(|d| d.id).collect();
    assert_eq!(ids.len(), 3);
}

#[track_caller]
fn check_demands(
    change: impl FnOnce(&mut SubscriptionSettings),
    transition: Option<Transition>,
    expected: Result<(), Miss>,
) {
    let mut one = subscription(1, &["sync_run.completed"], "connection/xero", None);
    change(&mut one.settings);
    let (event, data) = (event("sync_run.completed", "connection/xero/endpoint/invoices"), json!({"status": "failed"}));
    let (event_type, scope, work) = (event.event_type, &event.scope, Work::default());
    let candidate = Candidate { event_type, scope, data: &data, transition, work: &work };
    assert_eq!(one.check(candidate), expected);
    assert_eq!(deliveries(&event, &data, transition, &[one]).len(), usize::from(expected.is_ok()));
}

#[test]
fn the_first_demand_that_is_not_met_is_the_reason() {
    let pattern = |value: Value| Some(Pattern::parse(&value).expect("a pattern"));
    check_demands(|_| {}, None, Ok(()));
    check_demands(|s| s.enabled = false, None, Err(Miss::Disabled));
    check_demands(|s| s.event_types = types(&["insight_population.completed"]), None, Err(Miss::EventType));
    check_demands(|s| s.scope = "connection/hubspot".parse().expect("a scope"), None, Err(Miss::Scope));
    check_demands(|s| s.condition = pattern(json!({"status": ["failed"]})), None, Ok(()));
    let condition = pattern(json!({"status": ["succeeded"]}));
    let mismatch = condition.as_ref().and_then(|c| c.explain(&json!({"status": "failed"}))).expect("a mismatch");
    check_demands(|s| s.condition = condition, None, Err(Miss::Condition(mismatch)));
    let wants_broke = |s: &mut SubscriptionSettings| s.transition = Some(AwaitedTransition::Broke);
    check_demands(wants_broke, Some(Transition::Broke), Ok(()));
    let missed = |was| Err(Miss::Transition { wanted: AwaitedTransition::Broke, was });
    check_demands(wants_broke, None, missed(None));
    check_demands(wants_broke, Some(Transition::Recovered), missed(Some(Transition::Recovered)));
    let wants_either = |s: &mut SubscriptionSettings| s.transition = Some(AwaitedTransition::Changed);
    check_demands(wants_either, Some(Transition::Broke), Ok(()));
    check_demands(wants_either, Some(Transition::Recovered), Ok(()));
    check_demands(wants_either, None, Err(Miss::Transition { wanted: AwaitedTransition::Changed, was: None }));
}

#[test]
fn an_event_about_a_destination_never_goes_to_that_destination() {
    let to = |n, event_type: &str| subscription(n, &[event_type], "*", None);
    for event_type in EventType::all().filter(|t| t.is_operational()) {
        let name = event_type.as_str();
        let all = [to(10, name), to(11, name), to(20, name), to(30, "*")];
        let about = |n: u8| json!({"destination": {"id": DestinationId::from_entropy([n; 10])}});
        let told = |data: &Value| {
            let told = deliveries(&event(name, "*"), data, None, &all).into_iter().map(|d| d.destination);
            told.collect::<Vec<_>>()
        };
        assert_eq!(told(&about(1)), [DestinationId::from_entropy([2; 10])], "{name}");
        assert_eq!(told(&about(2)), [DestinationId::from_entropy([1; 10])], "{name}");
        assert_eq!(told(&about(3)).len(), 2, "{name}");
    }
    // Producers may write anything into their data.
    let (event, data) = (
        event("sync_run.completed", "connection/a/endpoint/b"),
        json!({"destination": {"id": to(10, "*").settings.destination_id}}),
    );
    assert_eq!(deliveries(&event, &data, None, &[to(10, "*")]).len(), 1);
}

#[test]
fn a_missed_run_goes_to_those_who_waited_as_long_as_it_tells() {
    let waits = |n, seconds: u64| {
        let mut one = subscription(n, &["sync_run.missed"], "*", None);
        one.settings.grace = seconds.try_into().expect("a grace");
        one
    };
    let event = event("sync_run.missed", "connection/a/endpoint/b");
    let told = deliveries(&event, &json!({"grace_seconds": 900}), None, &[waits(10, 900), waits(20, 60)]);
    assert_eq!(told.into_iter().map(|d| d.destination).collect::<Vec<_>>(), [DestinationId::from_entropy([1; 10])]);
}

#[test]
fn event_types_are_listed_once_and_at_least_one() {
    assert_eq!(types(&["*", "sync_run.completed", "*"]).0.len(), 2);
    assert_eq!(EventTypes::try_from(vec![]), Err(EventTypesError));
}

#[test]
fn another_accounts_subscription_never_matches() {
    let mut other = subscription(1, &["*"], "*", None);
    other.account = "other".parse().expect("an account");
    assert!(deliveries(&event("sync_run.completed", "connection/a/endpoint/b"), &json!({}), None, &[other]).is_empty());
}

fn any_place() -> impl Strategy<Value = (String, String)> {
    prop_oneof![
        ("[ab]", "[ab]").prop_map(|(c, e)| ("sync_run.completed".into(), format!("connection/{c}/endpoint/{e}"))),
        ("[ab]", "[ab]")
            .prop_map(|(c, i)| ("insight_population.completed".into(), format!("connection/{c}/insight/{i}"))),
        ("[ab]", "[ab]").prop_map(|(c, e)| ("sync_run.missed".into(), format!("connection/{c}/endpoint/{e}"))),
        Just(("destination.failing".into(), "*".into())),
    ]
}

#[test]
fn what_a_star_stands_for_is_filed_under_it_alone() {
    let filed = |types: &[&str]| -> Vec<String> {
        let buckets = subscription(1, types, "*", None).buckets();
        buckets.into_iter().map(|bucket| bucket.event_type.to_string()).collect()
    };
    assert_eq!(filed(&["*", "sync_run.completed", "insight_population.completed"]), ["*"]);
    // `*` does not stand for these.
    assert_eq!(filed(&["destination.failing", "*"]), ["destination.failing", "*"]);
    assert_eq!(filed(&["*", "sync_run.completed", "sync_run.missed"]), ["*", "sync_run.missed", "sync_run.completed"]);
}

fn any_subscription() -> impl Strategy<Value = Subscription> {
    let types = ["*", "sync_run.completed", "sync_run.missed", "insight_population.completed", "destination.failing"];
    let types = proptest::sample::select(types.to_vec());
    let scope = prop_oneof![
        Just("*".to_owned()),
        "[ab]".prop_map(|c| format!("connection/{c}")),
        any_place().prop_map(|(_, scope)| scope),
    ];
    (proptest::collection::vec(types, 1..4), scope).prop_map(|(types, scope)| subscription(1, &types, &scope, None))
}

proptest! {
    #[test]
    fn a_subscription_matches_exactly_when_it_is_filed_where_the_event_looks(
        subscription in any_subscription(), (event_type, scope) in any_place()
    ) {
        let event = event(&event_type, &scope);
        let looked_at = Bucket::of_event(event.event_type, &event.scope);
        let filed = subscription.buckets().iter().any(|bucket| looked_at.contains(bucket));
        // It receives them, or reports of their absence.
        let absence = event.event_type.absence().is_some_and(|absence| subscription.listens(absence, &event.scope));
        prop_assert_eq!(subscription.listens(event.event_type, &event.scope) || absence, filed);
    }
}
