//! What the API returns about an event that matched nothing.

use domain::routing::{History, Run, Subscription};
use ports::{Events, SealedEvent, Transitions};
use serde_json::{Value, json};
use testing::{account, destination, subscription};

use crate::events::seal;
use crate::world::{As, World, check_problem, world};

const INVOICES: &str = "connection/xero/endpoint/invoices";

/// Stores subscription number `n` of `account`, with these settings in addition to those of the sample.
fn subscribe(world: &World, owner: &str, n: u8, settings: &Value) {
    let to = destination(&account(owner), 1, "https://example.com/");
    let sample = subscription(&to, n, &["sync_run.completed"], "*", None);
    let mut all = serde_json::to_value(&sample.settings).expect("JSON");
    all.as_object_mut().expect("an object").extend(settings.as_object().expect("an object").clone());
    let settings = serde_json::from_value(all).expect("settings");
    world.store.put_subscription(Subscription { settings, ..sample });
}

async fn told(world: &World, id: &str) -> Value {
    let (status, event) = world.call(As::Account("acme"), "GET", &format!("/v1/events/{id}"), None).await;
    assert_eq!(status, 200, "{event}");
    event
}

/// Each subscription's name with the code and the pointer of the reason.
fn reasons(event: &Value) -> Vec<Value> {
    let all = event["nearest_subscriptions"].as_array().expect("a list");
    let row = |row: &Value| {
        assert_eq!(row["matches"], json!(row["reason"].is_null()), "{row}");
        json!([row["name"], row["reason"]["code"], row["reason"]["pointer"]])
    };
    all.iter().map(row).collect()
}

#[tokio::test]
async fn an_unmatched_event_tells_the_first_demand_it_fails_of_each_subscription_nearest_first() {
    let world = world().await;
    seal(&world, "evt-1", 0, INVOICES, 0).await;
    for (n, settings) in [
        (1, json!({"event_types": ["insight_population.completed"]})),
        (2, json!({"scope": "connection/hubspot"})),
        (3, json!({"enabled": false, "scope": "connection/hubspot"})),
        (4, json!({"condition": {"status": ["failed"]}})),
        (5, json!({"transition": "broke"})),
        (6, json!({"enabled": false})),
    ] {
        subscribe(&world, "acme", n, &settings);
    }
    subscribe(&world, "rival", 7, &json!({}));
    let event = told(&world, "evt-1").await;
    let expected = [
        json!(["Subscription 6", "disabled", "/enabled"]),
        json!(["Subscription 5", "transition", "/transition"]),
        json!(["Subscription 4", "condition", "/condition/status"]),
        json!(["Subscription 2", "scope", "/scope"]),
        json!(["Subscription 3", "disabled", "/enabled"]),
        json!(["Subscription 1", "event_type", "/event_types"]),
    ];
    assert_eq!((&event["unmatched"], reasons(&event)), (&json!("no_subscription"), expected.to_vec()));
    let detail = &event["nearest_subscriptions"][2]["reason"]["detail"];
    assert_eq!(detail, r#"`status` is "succeeded"; wanted: "failed""#);
}

#[tokio::test]
async fn a_subscription_that_would_match_today_says_so() {
    let world = world().await;
    seal(&world, "evt-1", 0, INVOICES, 0).await;
    assert_eq!(told(&world, "evt-1").await["nearest_subscriptions"], json!([]));
    subscribe(&world, "acme", 1, &json!({}));
    let event = told(&world, "evt-1").await;
    assert_eq!(reasons(&event), [json!(["Subscription 1", null, null])]);
    assert_eq!(event["nearest_subscriptions"][0]["matches"], true);
}

#[tokio::test]
async fn the_change_that_an_event_was_is_what_it_was_judged_to_be() {
    let world = world().await;
    let sealed: SealedEvent = seal(&world, "evt-1", 0, INVOICES, 0).await;
    let body: Value = serde_json::from_str(&sealed.body).expect("JSON");
    let run = Run::of_event(&sealed.id, &body["data"]).expect("a run");
    let failed = Run {
        event: "before".parse().expect("an id"),
        completed_at: domain::value::Timestamp::from_unix_ms(1),
        failed: true,
    };
    let history = History::default().with(failed).with(run);
    let (acme, nothing) = (account("acme"), ports::Remembered::default());
    let stored = world.store.store_runs(&acme, sealed.event_type, &sealed.scope, &nothing, &history, sealed.expires_at);
    assert!(stored.await.expect("stored"));
    subscribe(&world, "acme", 1, &json!({"transition": "broke"}));
    let event = told(&world, "evt-1").await;
    assert_eq!(event["nearest_subscriptions"][0]["reason"]["detail"], "it waits for broke; the event is recovered");
}

#[tokio::test]
async fn of_very_many_subscriptions_the_twenty_nearest_are_told() {
    let world = world().await;
    seal(&world, "evt-1", 0, INVOICES, 0).await;
    for n in 0..=254 {
        subscribe(&world, "acme", n, &json!({"scope": "connection/hubspot"}));
    }
    subscribe(&world, "acme", 255, &json!({"condition": {"status": ["failed"]}}));
    let event = told(&world, "evt-1").await;
    let reasons = reasons(&event);
    assert_eq!((reasons.len(), &reasons[0][0]), (20, &json!("Subscription 255")));
    assert!(reasons[1..].iter().all(|reason| reason[1] == "scope"));
}

#[tokio::test]
async fn an_event_that_owes_something_asks_for_no_subscription() {
    let world = world().await;
    let sealed = seal(&world, "evt-1", 0, INVOICES, 1).await;
    subscribe(&world, "acme", 1, &json!({"scope": "connection/hubspot"}));
    assert!(world.store.find_event(&sealed.account, &sealed.id).await.expect("an answer").is_some());
    world.store.take_calls();
    assert_eq!(told(&world, "evt-1").await["nearest_subscriptions"], json!([]));
    assert_eq!(world.store.take_calls(), ["find_event_with", "find_delivery", "find_destination"]);
}

#[tokio::test]
async fn subscriptions_that_cannot_be_read_are_told_apart_from_none() {
    let world = world().await;
    seal(&world, "evt-1", 0, INVOICES, 0).await;
    for method in ["find_runs", "find_subscriptions", "list_subscriptions"] {
        world.store.fail(method, 1);
        let answer = world.call(As::Account("acme"), "GET", "/v1/events/evt-1", None).await;
        check_problem(answer, 503, "unavailable", None);
    }
}

#[tokio::test]
async fn an_event_nested_as_deep_as_may_be_tells_why_it_matched_nothing() {
    let world = world().await;
    let sample = seal(&world, "evt-1", 0, INVOICES, 0).await;
    let deep = format!("\"data\":{{\"extra\":{}{},", "[".repeat(126), "]".repeat(126));
    let event = SealedEvent {
        id: "evt-deep".parse().expect("an id"),
        body: sample.body.replacen("\"data\":{", &deep, 1),
        ..sample
    };
    assert!(event.body.contains("extra"));
    world.store.seal_event(&event).await.expect("sealed");
    subscribe(&world, "acme", 1, &json!({"condition": {"status": ["failed"]}}));
    let (media_type, text) = world.text("acme", "/v1/events/evt-deep", None).await;
    assert!(media_type == "application/json" && text.contains("/condition/status"), "{text}");
}
