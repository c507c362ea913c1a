//! Events that are posted: which are accepted, which are repetitions, and which are refused.

use domain::event::{Event, envelope};
use domain::value::Timestamp;
use ports::{Clock, Events, SealedEvent};
use serde_json::{Value, json};
use testing::{account, event_text, sealed};

use crate::world::{As, World, check_problem, world};

/// The sample without its optional fields.
fn sample() -> Value {
    let mut event: Value = serde_json::from_str(&event_text(&account("acme"), "evt-1")).expect("JSON");
    for field in ["id", "account", "occurred_at"] {
        event.as_object_mut().expect("an object").remove(field);
    }
    event
}

fn with(field: &str, value: Value) -> Value {
    let mut event = sample();
    event[field] = value;
    event
}

async fn post(world: &World, key: Option<&str>, body: &Value) -> (u16, Value) {
    let mut event = world.event(As::Account("acme"), "POST", "/v1/events", Some(&body.to_string()));
    if let Some(key) = key {
        event["headers"]["idempotency-key"] = json!(key);
    }
    world.gateway(&event.to_string()).await
}

impl World {
    /// The only event that was sent since, as `fanout` reads it.
    fn sent(&self) -> Event {
        let sent = self.queue.take_events();
        assert_eq!(sent.len(), 1);
        Event::parse(&sent[0], self.clock.now()).map_err(|r| r.detail).expect("an event")
    }

    /// Seals it, as `fanout` does.
    pub async fn seal(&self, event: &Event) {
        let sealed = SealedEvent {
            unmatched: None,
            expires_at: Timestamp::from_unix_ms(u64::MAX),
            ..sealed(event, Vec::new(), self.clock.now())
        };
        self.store.seal_event(&sealed).await.expect("sealed");
    }
}

fn accepted(id: &str, status: &str) -> (u16, Value) {
    (202, json!({"id": id, "status": status}))
}

#[tokio::test]
async fn an_event_is_accepted_under_its_id_its_key_or_one_of_ours() {
    let world = world().await;
    assert_eq!(post(&world, None, &with("id", json!("mine"))).await, accepted("mine", "accepted"));
    assert_eq!(world.sent().id.as_str(), "mine");
    assert_eq!(post(&world, Some("a-key"), &sample()).await, accepted("a-key", "accepted"));
    assert_eq!(world.sent().id.as_str(), "a-key");
    assert_eq!(post(&world, Some("both"), &with("id", json!("both"))).await, accepted("both", "accepted"));
    assert_eq!(world.sent().id.as_str(), "both");
    let (status, answer) = post(&world, None, &sample()).await;
    let id = answer["id"].as_str().expect("an id");
    assert_eq!((status, id.starts_with("evt_"), id.len()), (202, true, 20));
    assert_eq!(world.sent().id.as_str(), id);
    let (_, another) = post(&world, None, &sample()).await;
    assert_ne!(another["id"], answer["id"]);
}

#[tokio::test]
async fn what_was_left_out_is_filled_in_and_the_data_stays_as_it_was_sent() {
    let world = world().await;
    let text = sample().to_string().replace("\"records\":", "\"x\" : [ 1.50, \"\\u00e9\u{FFFE}\" ], \"records\":");
    let answer = world.call(As::Account("acme"), "POST", "/v1/events", Some(&text)).await;
    assert_eq!(answer.0, 202, "{}", answer.1);
    let event = world.sent();
    assert_eq!((event.account.as_str(), event.occurred_at.to_string()), ("acme", "2026-11-23T09:29:00.000Z".into()));
    // Everything is the same except the one character that the queue refuses.
    assert!(event.data.get().contains("\"x\" : [ 1.50, \"\\u00e9\\ufffe\" ]"), "{}", event.data);
    let given = with("occurred_at", json!("2026-11-23T09:28:30+00:00"));
    assert_eq!(post(&world, None, &given).await.0, 202);
    assert_eq!(world.sent().occurred_at.to_string(), "2026-11-23T09:28:30.000Z");
    assert_eq!(post(&world, None, &with("account", json!("acme"))).await.0, 202);
}

#[tokio::test]
async fn the_same_content_again_is_accepted_and_not_sent_however_late_and_other_content_is_refused() {
    let world = world().await;
    assert_eq!(post(&world, Some("evt-1"), &sample()).await.0, 202);
    let first = world.sent();
    // Before the event is sealed, the same event is sent again; `fanout` detects that it is the same.
    assert_eq!(post(&world, Some("evt-1"), &sample()).await, accepted("evt-1", "accepted"));
    let second = world.sent();
    assert_eq!(envelope::build(&first).expect("a body").get(), envelope::build(&second).expect("a body").get());
    world.seal(&first).await;
    world.clock.advance(std::time::Duration::from_secs(3_600));
    assert_eq!(post(&world, Some("evt-1"), &sample()).await, accepted("evt-1", "duplicate"));
    let explicit = with("occurred_at", json!("2026-11-23T09:29:00Z"));
    assert_eq!(post(&world, Some("evt-1"), &explicit).await, accepted("evt-1", "duplicate"));
    let mut other = sample();
    other["data"]["duration_ms"] = json!(1);
    for other in [other, with("occurred_at", json!("2026-11-23T09:29:01Z"))] {
        check_problem(post(&world, Some("evt-1"), &other).await, 409, "id_reused", Some("/id"));
    }
    assert!(world.queue.take_events().is_empty());
    // The same id of another account is a different id.
    let body = with("id", json!("evt-1")).to_string();
    let rival = world.call(As::Account("rival"), "POST", "/v1/events", Some(&body)).await;
    assert_eq!(rival, accepted("evt-1", "accepted"));
    assert_eq!(world.sent().account.as_str(), "rival");
}

#[tokio::test]
async fn what_is_wrong_with_an_event_is_pointed_at() {
    let world = world().await;
    let without = |field: &str| {
        let mut event = sample();
        event.as_object_mut().expect("an object").remove(field);
        event
    };
    let data = |field: &str, value: Value| {
        let mut event = sample();
        event["data"][field] = value;
        event
    };
    for (key, body, pointer, detail) in [
        (None, with("account", json!("rival")), "/account", "is not the account of the key"),
        (None, with("account", json!("a.b")), "/account", "character '.'"),
        (None, with("id", json!("a.b")), "/id", "character '.'"),
        (Some("a"), with("id", json!("b")), "/id", "differs from the header Idempotency-Key"),
        (None, with("type", json!("sync_run.started")), "/type", "unknown event type"),
        (None, with("type", json!(7)), "/type", "invalid type"),
        (None, with("type", json!("destination.failing")), "/type", "are published by this system itself"),
        (None, with("type", json!("delivery.exhausted")), "/type", "are published by this system itself"),
        (None, without("type"), "", "missing field `type`"),
        (None, without("scope"), "", "missing field `scope`"),
        (None, without("data"), "", "missing field `data`"),
        (None, with("scope", json!("connection/xero")), "/scope", "sync_run.completed events have"),
        (None, with("occurred_at", json!("noon")), "/occurred_at", "must be an RFC 3339"),
        (None, with("occurred_at", json!("2016-11-23T09:29:00Z")), "/occurred_at", "more than 30 days"),
        (None, data("completed_at", json!("2016-11-23T09:29:00Z")), "/occurred_at", "more than 30 days"),
        (None, data("completed_at", json!("noon")), "/data/completed_at", "must be an RFC 3339"),
        (None, data("status", json!("done")), "/data/status", "must be one of"),
        (None, with("extra", json!(1)), "/extra", "unknown field"),
    ] {
        let (status, problem) = post(&world, key, &body).await;
        assert!(problem["errors"][0]["detail"].as_str().expect("a detail").contains(detail), "{problem}");
        check_problem((status, problem), 422, "validation_failed", Some(pointer));
    }
    let long = "x".repeat(129);
    for key in ["", "a.b", "a b", &long] {
        let problem = post(&world, Some(key), &sample()).await;
        assert_eq!(problem.1["errors"][0]["parameter"], "Idempotency-Key");
        check_problem(problem, 400, "invalid_parameter", None);
    }
    for text in ["", "{", "{} x"] {
        let answer = world.call(As::Account("acme"), "POST", "/v1/events", Some(text)).await;
        check_problem(answer, 400, "malformed_json", Some(""));
    }
    let answer = world.call(As::Account("acme"), "POST", "/v1/events", Some("[]")).await;
    check_problem(answer, 422, "validation_failed", Some(""));
    assert!(world.queue.take_events().is_empty());
}

#[tokio::test]
async fn an_event_over_256_kib_is_refused_also_where_only_what_is_filled_in_makes_it_so() {
    let world = world().await;
    let fill = |bytes: usize| {
        let mut event = sample();
        event["data"]["x"] = json!("");
        let left = bytes - event.to_string().len();
        event["data"]["x"] = json!("x".repeat(left));
        event
    };
    for bytes in [256 * 1024, 256 * 1024 + 1] {
        check_problem(post(&world, None, &fill(bytes)).await, 413, "body_too_large", Some(""));
    }
    assert_eq!(post(&world, None, &fill(256 * 1024 - 200)).await.0, 202);
}

#[tokio::test]
async fn publishing_takes_a_role_that_publishes() {
    let world = world().await;
    let body = sample().to_string();
    for role in ["publisher", "admin"] {
        assert_eq!(world.call(As::Role("acme", role), "POST", "/v1/events", Some(&body)).await.0, 202, "{role}");
    }
    world.queue.take_events();
    for role in ["viewer", "editor"] {
        let answer = world.call(As::Role("acme", role), "POST", "/v1/events", Some(&body)).await;
        check_problem(answer, 403, "forbidden", None);
    }
    let nobody = world.call(As::Nobody, "POST", "/v1/events", Some(&body)).await;
    check_problem(nobody, 401, "unauthorized", None);
    assert!(world.queue.take_events().is_empty());
}

#[tokio::test]
async fn what_could_not_be_sent_is_not_accepted() {
    let world = world().await;
    world.queue.break_sends(1);
    check_problem(post(&world, Some("evt-1"), &sample()).await, 503, "unavailable", None);
    world.store.fail("find_event_with", 1);
    check_problem(post(&world, Some("evt-1"), &sample()).await, 503, "unavailable", None);
    assert!(world.queue.take_events().is_empty());
    assert_eq!(post(&world, Some("evt-1"), &sample()).await, accepted("evt-1", "accepted"));
}

#[tokio::test]
async fn a_posted_event_keeps_the_traceparent_of_its_request_and_a_malformed_one_is_ignored() {
    const PARENT: &str = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-00";
    let world = world().await;
    for (given, kept) in [
        (Some(PARENT), Some(PARENT)),
        (None, None),
        (Some(""), None),
        // API Gateway joins the values of a repeated header.
        (Some(&*[PARENT, PARENT].join(",")), None),
        (Some(&PARENT.replace("00-4", "ff-4")), None),
    ] {
        let mut event = world.event(As::Account("acme"), "POST", "/v1/events", Some(&sample().to_string()));
        if let Some(given) = given {
            event["headers"]["traceparent"] = json!(given);
        }
        assert_eq!(world.gateway(&event.to_string()).await.0, 202, "{given:?}");
        let sent: Vec<_> = world.queue.take_traced_events().into_iter().map(|(_, trace)| trace).collect();
        assert_eq!(sent, [kept.and_then(|kept| kept.parse().ok())], "{given:?}");
    }
}
