//! What one request may do, read and return, however much the account has. The tests count; they do not measure time.

use domain::event::EventType;
use domain::routing::{MAX_CONDITION_BYTES, Subscription, SubscriptionSettings};
use domain::value::SubscriptionId;
use ports::Destinations;
use serde_json::{Value, json};
use testing::subscription;

use crate::recovery::{seal_owing, target};
use crate::world::{As, World, check_problem, roomy_world, world};

/// Subscription number `n` to everything, with a path of its own.
pub fn numbered(n: usize, change: impl FnOnce(&mut SubscriptionSettings)) -> Subscription {
    let mut id = [9; 10];
    id[..8].copy_from_slice(&n.to_be_bytes());
    let mut one = subscription(&target(1), 1, &["*"], "*", Some(&format!("/{n}")));
    one.id = SubscriptionId::from_entropy(id);
    one.settings.name = format!("number {n}").try_into().expect("a name");
    change(&mut one.settings);
    one
}

/// A world in which `acme` has very many subscriptions to one destination.
pub async fn with(count: usize, change: impl Fn(usize, &mut SubscriptionSettings)) -> World {
    let world = roomy_world().await;
    world.store.create_destination(&target(1), 100).await.expect("created");
    (0..count).for_each(|n| world.store.put_subscription(numbered(n, |settings| change(n, settings))));
    world.store.take_calls();
    world
}

pub fn calls(world: &World) -> impl Fn(&str) -> usize {
    let calls = world.store.take_calls();
    move |name| calls.iter().filter(|call| **call == name).count()
}

#[tokio::test]
async fn a_page_reads_and_answers_what_its_own_subscriptions_ask_for() {
    let world = with(4_000, |_, _| {}).await;
    let sample = json!({"sample": {"event_type": "sync_run.completed", "status": "failed"}});
    let (status, answer) = world.post("acme", "/v1/subscriptions/match?limit=100", sample).await;
    assert_eq!((status, answer["has_more"].as_bool()), (200, Some(true)));
    assert_eq!(["data", "deliveries"].map(|list| answer[list].as_array().map(Vec::len)), [Some(100); 2]);
    assert!(answer.to_string().len() < 100_000, "{} bytes", answer.to_string().len());
    let calls = calls(&world);
    assert_eq!(["find_subscriptions", "find_listeners", "list_subscriptions"].map(&calls), [0, 0, 1]);
    assert!(calls("find_destination") <= 100);
}

#[tokio::test]
async fn an_event_that_costs_too_much_to_match_is_refused_in_a_dry_run() {
    let prefixes: Vec<_> = (0..100).map(|n| json!({"prefix": format!("p{n}")})).collect();
    let condition = json!({"tables": prefixes});
    let condition = serde_json::from_value(condition).expect("a condition");
    let world = with(100, |_, settings| settings.condition = Some(Clone::clone(&condition))).await;
    let event_type: EventType = "sync_run.completed".parse().expect("a type");
    let sample = event_type.sample(None).expect("a sample");
    let mut data: Value = serde_json::from_str(sample.data.get()).expect("JSON");
    data["tables"] = json!(vec!["q"; 1_000]);
    let question = json!({"event": {"type": event_type, "scope": sample.scope, "data": data}});
    let answer = world.post("acme", "/v1/subscriptions/match?limit=100", question).await;
    check_problem(answer, 413, "body_too_large", Some("/event/data"));
}

#[tokio::test]
async fn an_explanation_looks_at_a_bounded_part_of_an_accounts_subscriptions() {
    let missed = serde_json::from_value(json!({"status": ["partial"]})).expect("a condition");
    // The closest one comes last.
    let world = with(1_000, |n, settings| {
        if n == 999 {
            settings.enabled = false;
        } else {
            settings.condition = Some(Clone::clone(&missed));
        }
    });
    let world = world.await;
    seal_owing(&world, "evt-1", vec![]).await;
    let (_, event) = world.call(As::Account("acme"), "GET", "/v1/events/evt-1", None).await;
    let nearest = event["nearest_subscriptions"].as_array().expect("a list");
    assert_eq!(nearest.len(), 20);
    assert!(nearest.iter().all(|one| one["reason"]["code"] == "condition"), "{event}");
}

#[tokio::test]
async fn a_request_replays_a_part_and_says_what_is_left() {
    let world = with(1_500, |_, _| {}).await;
    seal_owing(&world, "evt-1", vec![]).await;
    let mut told = Vec::new();
    for sent in [1_000, 500, 0] {
        let (status, answer) = world.call(As::Account("acme"), "POST", "/v1/events/evt-1/replay", None).await;
        assert_eq!(status, 202, "{answer}");
        assert_eq!(world.queue.take_sent().len(), sent);
        told.push(["new_count", "left_count", "already_owed_count"].map(|count| answer[count].as_u64()));
    }
    let expected = [[1_000, 500, 0], [500, 0, 1_000], [0, 0, 1_500]];
    assert_eq!(told, expected.map(|counts| counts.map(Some)));
}

#[tokio::test]
async fn a_cascade_deletes_a_part_and_the_next_request_goes_on() {
    let world = with(500, |_, _| {}).await;
    let path = format!("/v1/destinations/{}?cascade=true", target(1).id);
    let refused = world.call(As::Account("acme"), "DELETE", &path, None).await;
    assert!(refused.1["detail"].as_str().expect("a detail").contains("send the request again"), "{}", refused.1);
    check_problem(refused, 409, "destination_in_use", None);
    let deleted = calls(&world)("delete_subscription");
    assert!((200..500).contains(&deleted), "{deleted}");
    assert_eq!(world.call(As::Account("acme"), "DELETE", &path, None).await.0, 204);
    assert_eq!(calls(&world)("delete_subscription"), 500 - deleted);
}

#[tokio::test]
async fn a_put_makes_a_bounded_number_of_changes_and_shows_no_more() {
    let world = with(1_500, |_, _| {}).await;
    let (_, mut document) = world.call(As::Account("acme"), "GET", "/v1/config", None).await;
    document["subscriptions"] = json!([]);
    let document = document.to_string();
    let put = async |path| world.call(As::Account("acme"), "PUT", path, Some(&document)).await;
    let (status, planned) = put("/v1/config?dry_run=true").await;
    assert_eq!((status, planned["counts"]["delete"].as_u64()), (200, Some(1_500)), "{planned}");
    let deleted = |steps: &Value| steps.as_array().map(|all| all.iter().filter(|s| s["action"] == "delete").count());
    assert_eq!(deleted(&planned["plan"]), Some(1_000));
    world.store.take_calls();
    let answer = put("/v1/config").await;
    let done = calls(&world)("delete_subscription");
    assert!(deleted(&answer.1["done"]) == Some(done) && (200..500).contains(&done), "{done}");
    check_problem(answer, 503, "unavailable", None);
    for _ in 0..9 {
        if put("/v1/config").await.0 == 200 {
            break;
        }
    }
    assert_eq!(calls(&world)("delete_subscription"), 1_500 - done);
}

#[tokio::test(start_paused = true)]
async fn hosts_that_do_not_answer_end_a_put_before_anything_is_done() {
    let world = world().await;
    let one = |n: usize| json!({"name": format!("d{n}"), "url": format!("https://silent.example/{n}")});
    let document = json!({"destinations": [one(1), one(2)], "subscriptions": []}).to_string();
    let answer = world.call(As::Account("acme"), "PUT", "/v1/config", Some(&document)).await;
    assert!(answer.1["detail"].as_str().expect("a detail").contains("looked up"), "{}", answer.1);
    check_problem(answer, 503, "unavailable", None);
    assert_eq!(calls(&world)("create_destination"), 0);
}

#[tokio::test]
async fn the_conditions_of_an_account_have_a_bound_together_wherever_they_are_set() {
    let long = |bytes: usize| json!({"note": ["x".repeat(bytes - r#"{"note":[""]}"#.len())]});
    let condition = |bytes: usize| serde_json::from_value(long(bytes)).expect("a condition");
    let all = MAX_CONDITION_BYTES / 2_048;
    let world = with(all, |n, settings| settings.condition = Some(condition(if n == 0 { 1_048 } else { 2_048 }))).await;
    let to = target(1).id;
    let body = |name: &str, bytes: usize| json!({"name": name, "destination_id": to, "event_types": ["*"], "scope": "*", "condition": long(bytes)});
    let first = format!("/v1/subscriptions/{}", numbered(0, |_| {}).id);
    let patch = async |bytes| {
        let body = json!({"condition": {"note": long(bytes)["note"]}}).to_string();
        world.call(As::Account("acme"), "PATCH", &first, Some(&body)).await
    };
    check_problem(patch(2_049).await, 422, "validation_failed", Some("/condition"));
    assert_eq!(patch(2_048).await.0, 200);
    assert_eq!(patch(1_948).await.0, 200, "what is left out makes room");
    let refused = world.post("acme", "/v1/subscriptions", body("new", 101)).await;
    assert!(refused.1["detail"].as_str().expect("a detail").contains("524288 bytes"), "{}", refused.1);
    check_problem(refused, 409, "limit_reached", Some("/condition"));
    let setup = json!({"destination": {"id": to}, "event_types": ["*"], "scope": "*", "condition": long(101)});
    check_problem(world.post("acme", "/v1/setups", setup).await, 409, "limit_reached", Some("/condition"));
    let config = json!({
        "destinations": [{"name": target(1).settings.name, "url": target(1).settings.url}],
        "subscriptions": [{"name": "new", "destination": target(1).settings.name, "event_types": ["*"], "scope": "*",
            "condition": long(101)}]
    });
    let put = world.call(As::Account("acme"), "PUT", "/v1/config?dry_run=true", Some(&config.to_string())).await;
    check_problem(put, 409, "limit_reached", Some("/subscriptions"));
    assert_eq!(world.post("acme", "/v1/subscriptions", body("last", 100)).await.0, 201);
    check_problem(patch(2_048).await, 409, "limit_reached", Some("/condition"));
}
