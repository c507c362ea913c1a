//! What the dry run of an event answers: deliveries, reasons, and nothing remembered.

use std::time::Duration;

use domain::event::{Event, EventType};
use domain::routing::{History, Run};
use ports::{Clock, Transitions};
use serde_json::{Value, json};
use testing::account;

use crate::world::{As, World, check_problem, world};

const MATCH: &str = "/v1/subscriptions/match";

fn sample(status: &str) -> Value {
    json!({"sample": {"event_type": "sync_run.completed", "status": status}})
}

/// The event that `sample` stands for, as a producer would push it.
fn event() -> Value {
    let event_type: EventType = "sync_run.completed".parse().expect("a type");
    let sample = event_type.sample(Some("failed")).expect("a sample");
    let data: Value = serde_json::from_str(sample.data.get()).expect("JSON");
    json!({"event": {"type": event_type, "scope": sample.scope, "data": data}})
}

async fn subscribe(world: &World, account: &'static str, name: &str, destination: &Value, more: Value) -> Value {
    let mut body = json!({
        "name": name, "destination_id": destination["id"], "event_types": ["sync_run.completed"], "scope": "*"
    });
    let (body_fields, more) = (body.as_object_mut().expect("an object"), more.as_object().expect("an object"));
    body_fields.extend(more.clone());
    let (status, created) = world.post(account, "/v1/subscriptions", body).await;
    assert_eq!(status, 201, "{created}");
    created["id"].clone()
}

async fn asked(world: &World, body: Value) -> Value {
    let (status, answer) = world.post("acme", MATCH, body).await;
    assert_eq!(status, 200, "{answer}");
    answer
}

/// The reasons by name; `null` for those that match.
fn reasons(answer: &Value) -> Value {
    let rows = answer["data"].as_array().expect("a list").iter();
    let row = |row: &Value| {
        assert_eq!(row["matches"], json!(row["reason"].is_null()), "{row}");
        let reason = &row["reason"];
        let told = if reason.is_null() { Value::Null } else { json!([reason["code"], reason["pointer"]]) };
        (row["name"].as_str().expect("a name").to_owned(), told)
    };
    rows.map(row).collect::<serde_json::Map<_, _>>().into()
}

#[tokio::test]
async fn each_subscription_matches_or_says_why_not() {
    let world = world().await;
    let destination = world.destination("acme").await;
    for (name, more) in [
        ("all", json!({})),
        ("type", json!({"event_types": ["insight_population.completed"]})),
        ("place", json!({"scope": "connection/hubspot"})),
        ("condition", json!({"condition": {"status": ["succeeded"]}})),
        ("off", json!({"enabled": false, "scope": "connection/hubspot"})),
    ] {
        subscribe(&world, "acme", name, &destination, more).await;
    }
    let expected = json!({
        "all": null, "type": ["event_type", "/event_types"], "place": ["scope", "/scope"],
        "condition": ["condition", "/condition/status"], "off": ["disabled", "/enabled"]
    });
    for question in [sample("failed"), event()] {
        let answer = asked(&world, question).await;
        assert_eq!(reasons(&answer), expected);
        assert_eq!(answer["event"]["event_type"], "sync_run.completed");
        assert_eq!((&answer["has_more"], &answer["next_cursor"]), (&json!(false), &Value::Null));
        let rows = answer["data"].as_array().expect("a list");
        let detail =
            |name: &str| rows.iter().find(|row| row["name"] == name).expect("a row")["reason"]["detail"].clone();
        assert_eq!(detail("condition"), r#"`status` is "failed"; wanted: "succeeded""#);
        assert_eq!(detail("type"), "it wants insight_population.completed; the event is sync_run.completed");
    }
    let elsewhere = json!({"sample": {"event_type": "sync_run.completed", "scope": "connection/hubspot/endpoint/x"}});
    let answer = asked(&world, elsewhere).await;
    assert_eq!(
        (&reasons(&answer)["place"], &answer["event"]["scope"]),
        (&Value::Null, &json!("connection/hubspot/endpoint/x"))
    );
}

#[tokio::test]
async fn what_is_about_a_destination_is_not_told_to_it() {
    let world = world().await;
    let (mine, other) = (world.destination("acme").await, world.destination("acme").await);
    let disabled = json!({"event_types": ["destination.disabled"]});
    subscribe(&world, "acme", "mine", &mine, disabled.clone()).await;
    let told = subscribe(&world, "acme", "other", &other, disabled).await;
    subscribe(&world, "acme", "all", &other, json!({"event_types": ["*"]})).await;
    let event_type: EventType = "destination.disabled".parse().expect("a type");
    let mut data: Value = serde_json::from_str(event_type.sample(None).expect("a sample").data.get()).expect("JSON");
    data["destination"]["id"] = mine["id"].clone();
    let answer = asked(&world, json!({"event": {"type": event_type, "scope": "*", "data": data}})).await;
    let expected =
        json!({"mine": ["destination", "/destination_id"], "other": null, "all": ["event_type", "/event_types"]});
    assert_eq!(reasons(&answer), expected);
    assert_eq!(answer["deliveries"].as_array().expect("a list").len(), 1);
    assert_eq!(answer["deliveries"][0]["subscription_ids"], json!([told]));
}

#[tokio::test]
async fn the_deliveries_are_those_of_the_matching_subscriptions_and_a_paused_destination_parks_its() {
    let world = world().await;
    let (first, second) = (world.destination("acme").await, world.destination("acme").await);
    let twice = json!({"event_types": ["sync_run.completed", "*"]});
    let a = subscribe(&world, "acme", "a", &first, twice).await;
    let b = subscribe(&world, "acme", "b", &first, json!({"condition": {"status": ["failed"]}})).await;
    let c = subscribe(&world, "acme", "c", &first, json!({"path": "/sync"})).await;
    let d = subscribe(&world, "acme", "d", &second, json!({})).await;
    subscribe(&world, "acme", "no", &second, json!({"path": "/no", "condition": {"status": ["partial"]}})).await;
    let other = world.destination("rival").await;
    subscribe(&world, "rival", "foreign", &other, json!({})).await;
    let pause = format!("/v1/destinations/{}", second["id"].as_str().expect("an id"));
    let paused = world.call(As::Account("acme"), "PATCH", &pause, Some(r#"{"paused": true}"#)).await;
    assert_eq!(paused.0, 200);
    let answer = asked(&world, sample("failed")).await;
    let mut told: Vec<_> = answer["deliveries"].as_array().expect("a list").clone();
    told.sort_by_key(|delivery| delivery.to_string());
    let mut expected = vec![
        json!({"destination_id": first["id"], "path": null, "url": "https://example.com/", "parked": false,
            "subscription_ids": if a.as_str() > b.as_str() { json!([a, b]) } else { json!([b, a]) }}),
        json!({"destination_id": first["id"], "path": "/sync", "url": "https://example.com/sync", "parked": false,
            "subscription_ids": [c]}),
        json!({"destination_id": second["id"], "path": null, "url": "https://example.com/", "parked": true,
            "subscription_ids": [d]}),
    ];
    expected.sort_by_key(Value::to_string);
    assert_eq!(told, expected);
    assert_eq!(reasons(&answer).get("foreign"), None);
}

#[tokio::test]
async fn the_pages_go_through_all_subscriptions_and_each_has_what_its_own_ask_for() {
    let world = world().await;
    let destination = world.destination("acme").await;
    for name in ["a", "b", "c"] {
        subscribe(&world, "acme", name, &destination, json!({})).await;
    }
    let (mut seen, mut query) = (Vec::new(), "?limit=1".to_owned());
    loop {
        let (status, answer) = world.post("acme", &format!("{MATCH}{query}"), sample("failed")).await;
        assert_eq!(status, 200, "{answer}");
        let ids = answer["data"].as_array().expect("a list").iter().map(|row| row["subscription_id"].clone());
        assert_eq!(answer["deliveries"][0]["subscription_ids"], Value::from_iter(ids));
        seen.extend(answer["data"].as_array().expect("a list").iter().map(|row| row["name"].clone()));
        let Some(cursor) = answer["next_cursor"].as_str() else { break };
        query = format!("?limit=1&cursor={cursor}");
    }
    seen.sort_by_key(Value::to_string);
    assert_eq!(json!(seen), json!(["a", "b", "c"]));
    let wrong = world.post("acme", &format!("{MATCH}?limit=0"), sample("failed")).await;
    assert_eq!((wrong.0, &wrong.1["code"]), (400, &json!("invalid_parameter")));
}

#[tokio::test]
async fn a_transition_is_judged_by_the_known_runs_and_nothing_is_remembered() {
    let world = world().await;
    let destination = world.destination("acme").await;
    subscribe(&world, "acme", "broke", &destination, json!({"transition": "broke"})).await;
    let waits = json!({"broke": ["transition", "/transition"]});
    assert_eq!(reasons(&asked(&world, sample("failed")).await), waits);
    let acme = account("acme");
    let sample_event = |status| {
        let event_type = "sync_run.completed".parse().expect("a type");
        Event::sample(event_type, Some(status), acme.clone(), world.clock.now()).expect("a sample")
    };
    let before = sample_event("succeeded");
    let data = serde_json::from_str(before.data.get()).expect("JSON");
    let run = Run::of_event(&before.id, &data).expect("a run");
    let history = History::default().with(run);
    let (kind, scope, now) = (before.event_type, &before.scope, world.clock.now());
    assert!(world.store.store_runs(&acme, kind, scope, &Default::default(), &history, now).await.expect("stored"));
    world.store.take_calls();
    world.clock.advance(Duration::from_secs(3_600));
    let answer = asked(&world, sample("failed")).await;
    assert_eq!((&answer["event"]["transition"], reasons(&answer)), (&json!("broke"), json!({"broke": null})));
    let again = asked(&world, sample("failed")).await;
    assert_eq!(again, answer, "a dry run is not remembered");
    assert_eq!(reasons(&asked(&world, sample("succeeded")).await), waits);
    assert!(!world.store.take_calls().contains(&"store_runs"));
    let mut late = event();
    late["event"]["data"]["completed_at"] = json!("2016-11-23T09:29:00Z");
    assert_eq!(asked(&world, late).await["event"]["transition"], Value::Null, "an event is judged by its own times");
}

#[tokio::test]
async fn an_event_is_refused_for_what_a_pushed_one_is_refused_for() {
    let world = world().await;
    let changed = |field: &str, value: Value| {
        let mut question = event();
        *question.pointer_mut(field).expect("a field") = value;
        question
    };
    for (question, pointer) in [
        (json!({}), ""),
        (json!({"event": null}), ""),
        (json!({"event": event()["event"], "sample": sample("failed")["sample"]}), ""),
        (json!({"event": {}, "extra": 1}), "/extra"),
        (json!({"event": {}}), "/event"),
        (json!({"event": {"id": "x"}}), "/event/id"),
        (changed("/event/type", json!("sync_run.exploded")), "/event/type"),
        (changed("/event/type", json!(7)), "/event/type"),
        (changed("/event/scope", json!("connection/xero")), "/event/scope"),
        (changed("/event/scope", json!("xero")), "/event/scope"),
        (changed("/event/data", json!([])), "/event/data"),
        (changed("/event/data/status", json!("done")), "/event/data/status"),
        (changed("/event/data/records/read", json!("1")), "/event/data/records/read"),
        (json!({"sample": {}}), "/sample"),
        (json!({"sample": {"event_type": "sync_run.exploded"}}), "/sample/event_type"),
        (json!({"sample": {"event_type": "sync_run.completed", "status": "done"}}), "/sample/status"),
        (json!({"sample": {"event_type": "sync_run.completed", "scope": "*"}}), "/sample/scope"),
        (json!({"sample": {"event_type": "sync_run.completed", "scope": "xero"}}), "/sample/scope"),
    ] {
        check_problem(world.post("acme", MATCH, question).await, 422, "validation_failed", Some(pointer));
    }
}

#[tokio::test]
async fn whoever_may_read_may_ask_and_nobody_else() {
    let world = world().await;
    let body = sample("failed").to_string();
    assert_eq!(world.call(As::Role("acme", "viewer"), "POST", MATCH, Some(&body)).await.0, 200);
    let publisher = world.call(As::Role("acme", "publisher"), "POST", MATCH, Some(&body)).await;
    check_problem(publisher, 403, "forbidden", None);
    check_problem(world.call(As::Nobody, "POST", MATCH, Some(&body)).await, 401, "unauthorized", None);
    check_problem(world.call(As::Account("acme"), "POST", MATCH, Some("{")).await, 400, "malformed_json", Some(""));
    check_problem(world.call(As::Account("acme"), "PUT", MATCH, Some("{}")).await, 405, "method_not_allowed", None);
}
