//! What the API returns about deliveries.

use std::collections::BTreeSet;
use std::time::Duration;

use domain::attempt::{Attempt, Outcome};
use domain::delivery::{Attempts, DeliveryRecord, DeliveryState};
use domain::destination::Destination;
use domain::event::envelope;
use domain::value::{DeliveryId, Timestamp};
use ports::{Deliveries, Destinations, Events, SealedEvent};
use serde_json::{Value, json};
use testing::{account, destination, held, record};

use crate::world::{As, World, check_problem, world};

/// 2026-11-23T09:29:00Z, when the samples occurred.
const SAMPLE_MS: u64 = 1_795_426_140_000;

pub fn target(n: u8) -> Destination {
    destination(&account("acme"), n, "https://example.com/")
}

/// Attempts that ended with these outcomes.
fn ended_as(record: &mut DeliveryRecord, outcomes: impl IntoIterator<Item = Outcome>) {
    let attempts = record.attempts.kept().iter().cloned().zip(outcomes);
    let attempts: Vec<_> = attempts.map(|(attempt, outcome)| Attempt { outcome, ..attempt }).collect();
    record.attempts = attempts.into();
}

/// Records the delivery of event `id`, `ms` after the sample's time, to destination `n`.
pub async fn deliver(
    world: &World,
    n: u8,
    id: &str,
    ms: u64,
    change: impl FnOnce(&mut DeliveryRecord),
) -> DeliveryRecord {
    let mut record = record(&target(n), id, 1, DeliveryState::Delivered);
    ended_as(&mut record, [Outcome::Delivered { status: 204 }]);
    let first = DeliveryId::first_possible(&record.delivery.destination, Timestamp::from_unix_ms(SAMPLE_MS + ms));
    record.delivery.id = format!("{first}{}", record.delivery.id.by_time().2).parse().expect("an id");
    change(&mut record);
    world.store.create_delivery(&record).await.expect("recorded");
    seal(world, &record, ms).await;
    record
}

/// Seals the event of a delivery. It occurred `ms` after the sample's time and owes only this delivery.
async fn seal(world: &World, record: &DeliveryRecord, ms: u64) {
    let delivery = record.delivery.clone();
    let scope = delivery.scope.clone().unwrap_or("connection/xero/endpoint/invoices".parse().expect("a scope"));
    let event = SealedEvent {
        account: delivery.account.clone(),
        id: delivery.event.clone(),
        event_type: delivery.event_type,
        scope,
        occurred_at: Timestamp::from_unix_ms(SAMPLE_MS + ms),
        sealed_at: Timestamp::from_unix_ms(SAMPLE_MS + 60_000),
        digest: envelope::content_digest("{}"),
        body: "{}".to_owned(),
        traceparent: delivery.traceparent,
        unmatched: None,
        owed: vec![delivery],
        expires_at: record.expires_at,
    };
    world.store.seal_event(&event).await.expect("sealed");
}

pub async fn get(world: &World, path: &str) -> (u16, Value) {
    world.call(As::Account("acme"), "GET", path, None).await
}

fn events(page: &Value) -> Vec<&str> {
    page["data"].as_array().expect("a list").iter().filter_map(|item| item["event_id"].as_str()).collect()
}

/// Two destinations, four deliveries.
async fn some() -> World {
    let world = world().await;
    for n in [1, 2] {
        world.store.create_destination(&target(n), 100).await.expect("created");
    }
    deliver(&world, 1, "evt-1", 1, |_| {}).await;
    deliver(&world, 2, "evt-2", 2, |record| {
        record.held = held(DeliveryState::Retrying { due_at: Timestamp::from_unix_ms(SAMPLE_MS + 90_000) });
        ended_as(record, [Outcome::TimedOut]);
        record.delivery.scope = Some("connection/sage/endpoint/bills".parse().expect("a scope"));
    })
    .await;
    deliver(&world, 1, "evt-3", 3, |record| record.held = held(DeliveryState::Exhausted)).await;
    deliver(&world, 2, "evt-4", 4, |record| {
        record.held = held(DeliveryState::Cancelled);
        record.attempts = Attempts::default();
        record.delivery.scope = None;
        record.delivery.event_type = "insight_population.completed".parse().expect("a type");
    })
    .await;
    world
}

#[tokio::test]
async fn deliveries_are_listed_newest_first_and_filtered() {
    let world = some().await;
    let one = target(1).id;
    for (query, expected) in [
        (String::new(), &["evt-4", "evt-3", "evt-2", "evt-1"][..]),
        (format!("?destination_id={one}"), &["evt-3", "evt-1"]),
        ("?destination_id=dst_0000000000000000".into(), &[]),
        ("?event_id=evt-2".into(), &["evt-2"]),
        (format!("?event_id=evt-3&destination_id={one}"), &["evt-3"]),
        (format!("?event_id=evt-2&destination_id={one}"), &[]),
        ("?event_id=evt-9".into(), &[]),
        ("?event_id=evt-2&until=2026-11-23T09:29:00.002Z".into(), &[]),
        ("?event_id=evt-2&since=2026-11-23T09:29:00.002Z&status=retrying".into(), &["evt-2"]),
        ("?status=delivered".into(), &["evt-1"]),
        ("?status=retrying".into(), &["evt-2"]),
        ("?status=exhausted".into(), &["evt-3"]),
        ("?status=cancelled".into(), &["evt-4"]),
        ("?event_type=insight_population.completed".into(), &["evt-4"]),
        ("?scope=*".into(), &["evt-4", "evt-3", "evt-2", "evt-1"]),
        ("?scope=connection/xero".into(), &["evt-3", "evt-1"]),
        ("?scope=connection/sage/endpoint/bills".into(), &["evt-2"]),
        ("?since=2026-11-23T09:29:00.002Z&until=2026-11-23T09:29:00.004Z".into(), &["evt-3", "evt-2"]),
        (format!("?destination_id={one}&status=delivered&until=2026-11-23T09:29:00.003Z"), &["evt-1"]),
    ] {
        let (status, page) = get(&world, &format!("/v1/deliveries{query}")).await;
        assert_eq!((status, events(&page), &page["has_more"]), (200, expected.to_vec(), &json!(false)), "{query}");
    }
    let (_, page) = get(&world, "/v1/deliveries?status=retrying").await;
    let id = page["data"][0]["id"].clone();
    let expected = json!({
        "id": id, "event_id": "evt-2", "event_type": "sync_run.completed", "scope": "connection/sage/endpoint/bills",
        "destination_id": target(2).id, "path": null, "status": "retrying", "due_at": "2026-11-23T09:30:30.000Z",
        "waiting": {"for": "retry", "until": "2026-11-23T09:30:30.000Z"}, "attempt_count": 1, "last_attempt": {
            "at": "2026-11-23T09:30:00.001Z", "duration_ms": 12, "outcome": "timed_out", "status_code": null
        }
    });
    assert_eq!(page["data"], json!([expected]));
    let (_, page) = get(&world, "/v1/deliveries?status=cancelled").await;
    assert_eq!(page["data"][0]["last_attempt"], Value::Null);
}

#[tokio::test]
async fn pages_of_every_size_are_the_whole_list_over_all_destinations() {
    let world = world().await;
    for n in 1..=7 {
        world.store.create_destination(&target(n), 100).await.expect("created");
        // Several in one millisecond, at one and at several destinations.
        for e in 0..u64::from(n) * 4 {
            deliver(&world, n, &format!("evt-{n}-{e}"), e / 3, |_| {}).await;
        }
    }
    let (_, all) = get(&world, "/v1/deliveries?limit=100").await;
    assert_eq!(events(&all).len(), 100);
    for limit in [1, 3, 50] {
        let (mut seen, mut path) = (Vec::new(), format!("/v1/deliveries?limit={limit}"));
        loop {
            let (status, page) = get(&world, &path).await;
            assert_eq!(status, 200, "{page}");
            seen.extend(page["data"].as_array().expect("a list").clone());
            let Some(cursor) = page["next_cursor"].as_str() else { break };
            path = format!("/v1/deliveries?limit={limit}&cursor={cursor}");
        }
        assert_eq!(seen.len(), 4 * (1..=7).sum::<usize>(), "in pages of {limit}");
        assert_eq!(seen[..100], all["data"].as_array().expect("a list")[..], "in pages of {limit}");
        let ids: Vec<DeliveryId> =
            seen.iter().map(|d| d["id"].as_str().expect("an id").parse().expect("an id")).collect();
        assert!(ids.is_sorted_by(|newer, older| newer.occurred_at() >= older.occurred_at()));
        assert_eq!(ids.iter().collect::<BTreeSet<_>>().len(), ids.len(), "in pages of {limit}");
    }
}

#[tokio::test]
async fn a_page_costs_the_same_reads_among_100_destinations_as_among_1() {
    let mut calls = Vec::new();
    for destinations in [1, 100] {
        let world = world().await;
        for n in 0..destinations {
            world.store.create_destination(&target(n), 100).await.expect("created");
        }
        for n in 0..200_u8 {
            deliver(&world, n % destinations, &format!("evt-{n}"), n.into(), |_| {}).await;
        }
        world.store.take_calls();
        assert_eq!(events(&get(&world, "/v1/deliveries?limit=25").await.1).len(), 25);
        calls.push(world.store.take_calls());
    }
    assert_eq!(calls[0].len(), calls[1].len());
}

#[tokio::test]
async fn a_filter_that_leaves_little_looks_at_no_more_than_a_bounded_part() {
    let world = world().await;
    world.store.create_destination(&target(1), 100).await.expect("created");
    for n in 0..1_100 {
        let state = if n == 0 { DeliveryState::Exhausted } else { DeliveryState::Delivered };
        deliver(&world, 1, &format!("evt-{n}"), n, |record| record.held = held(state)).await;
    }
    world.store.take_calls();
    let (_, page) = get(&world, "/v1/deliveries?status=exhausted").await;
    assert_eq!((events(&page), &page["has_more"]), (vec![], &json!(true)));
    let calls = world.store.take_calls().len();
    assert!(calls <= 60, "{calls} calls: the index, what is owed and where it stands, for 51 events at a time");
    let (mut page, mut pages) = (page, 1);
    while let Some(cursor) = page["next_cursor"].as_str() {
        page = get(&world, &format!("/v1/deliveries?status=exhausted&cursor={cursor}")).await.1;
        pages += 1;
    }
    assert_eq!((events(&page), pages < 10), (vec!["evt-0"], true), "{pages} pages");
}

#[tokio::test]
async fn what_was_owed_to_a_deleted_destination_is_still_listed() {
    let world = world().await;
    let created = world.destination("acme").await;
    let (_, subscription) = world.subscription("acme", &created).await;
    let id = created["id"].as_str().expect("an id").to_owned();
    let sample =
        record(&Destination { id: id.parse().expect("an id"), ..target(1) }, "evt-1", 1, DeliveryState::Delivered);
    world.store.create_delivery(&sample).await.expect("recorded");
    seal(&world, &sample, 0).await;
    let subscription = format!("/v1/subscriptions/{}", subscription["id"].as_str().expect("an id"));
    for path in [subscription, format!("/v1/destinations/{id}")] {
        assert_eq!(world.call(As::Account("acme"), "DELETE", &path, None).await.0, 204);
    }
    for path in ["/v1/deliveries".to_owned(), format!("/v1/deliveries?destination_id={id}")] {
        assert_eq!(events(&get(&world, &path).await.1), ["evt-1"], "{path}");
    }
}

#[tokio::test]
async fn a_delivery_is_told_attempt_by_attempt() {
    let world = world().await;
    let outcomes = [
        Outcome::from_answer(503, Some(Duration::from_secs(7)), "come back later".into()),
        Outcome::from_answer(500, None, String::new()),
        Outcome::TimedOut,
        Outcome::Unreachable { reason: "connection refused".into() },
        Outcome::Blocked { host: "a.example".into(), address: Some(std::net::Ipv4Addr::LOCALHOST.into()) },
        Outcome::Delivered { status: 200 },
    ];
    let count = u32::try_from(outcomes.len()).expect("a few");
    let sample = record(&target(1), "evt-1", count, DeliveryState::Delivered);
    let id = deliver(&world, 1, "evt-1", 0, |record| {
        record.attempts = sample.attempts;
        ended_as(record, outcomes);
    })
    .await
    .delivery
    .id;
    let (status, found) = get(&world, &format!("/v1/deliveries/{id}")).await;
    assert_eq!((status, &found["status"], &found["attempt_count"]), (200, &json!("delivered"), &json!(6)));
    assert_eq!((&found["due_at"], &found["last_attempt"]), (&Value::Null, &Value::Null));
    let attempt = |n: usize, outcome: &str, code: Value, error: Value, retry: Value, excerpt: Value| {
        json!({
            "number": n, "at": format!("2026-11-23T09:30:00.00{n}Z"), "duration_ms": 12, "outcome": outcome,
            "status_code": code, "error": error, "retry_after_seconds": retry, "response_excerpt": excerpt,
            "traceparent": null
        })
    };
    let (none, blocked) = (Value::Null, "a.example leads to 127.0.0.1, an address that is never called");
    let expected = json!([
        attempt(1, "refused", json!(503), json!("answered 503, which is not 2xx"), json!(7), json!("come back later")),
        attempt(2, "refused", json!(500), json!("answered 500, which is not 2xx"), none.clone(), none.clone()),
        attempt(
            3,
            "timed_out",
            none.clone(),
            json!("gave no complete answer within the time it had"),
            none.clone(),
            none.clone()
        ),
        attempt(4, "unreachable", none.clone(), json!("connection refused"), none.clone(), none.clone()),
        attempt(5, "blocked_address", none.clone(), json!(blocked), none.clone(), none.clone()),
        attempt(6, "delivered", json!(200), none.clone(), none.clone(), none),
    ]);
    assert_eq!(found["attempts"], expected);
}

#[tokio::test]
async fn a_foreign_an_unknown_and_a_pending_delivery_answer_alike() {
    let world = some().await;
    let id = deliver(&world, 1, "evt-9", 9, |_| {}).await.delivery.id;
    let foreign = world.call(As::Account("rival"), "GET", &format!("/v1/deliveries/{id}"), None).await;
    for unknown in [format!("dlv_{}", "0".repeat(50)), format!("dlv_{}", "v".repeat(50)), "x".into()] {
        let path = format!("/v1/deliveries/{unknown}");
        assert_eq!(foreign, world.call(As::Account("rival"), "GET", &path, None).await);
    }
    check_problem(foreign, 404, "not_found", None);
    for path in ["/v1/deliveries".to_owned(), format!("/v1/deliveries?destination_id={}", target(1).id)] {
        let (_, page) = world.call(As::Account("rival"), "GET", &path, None).await;
        assert_eq!(page, json!({"data": [], "next_cursor": null, "has_more": false}));
    }
}

#[tokio::test]
async fn a_delivery_that_may_be_forgotten_is_not_told_of() {
    let world = some().await;
    let id = deliver(&world, 1, "evt-9", 9, |_| {}).await.delivery.id;
    world.clock.advance(Duration::from_secs(86_400));
    check_problem(get(&world, &format!("/v1/deliveries/{id}")).await, 404, "not_found", None);
    assert!(events(&get(&world, "/v1/deliveries").await.1).is_empty());
}

#[tokio::test]
async fn a_wrong_filter_of_deliveries_is_refused_with_its_name() {
    let world = some().await;
    let (_, page) = get(&world, "/v1/deliveries?limit=1").await;
    let other_query = format!("status=delivered&cursor={}", page["next_cursor"].as_str().expect("a cursor"));
    for (query, parameter) in [
        ("destination_id=x", "destination_id"),
        ("status=pending", "status"),
        ("event_type=x", "event_type"),
        ("scope=", "scope"),
        ("since=x", "since"),
        ("until=x", "until"),
        ("event=evt-1", "event"),
        ("limit=101", "limit"),
        (&other_query, "cursor"),
    ] {
        let problem = get(&world, &format!("/v1/deliveries?{query}")).await;
        assert_eq!(problem.1["errors"][0]["parameter"], parameter, "{query}");
        check_problem(problem, 400, "invalid_parameter", None);
    }
}

#[tokio::test]
async fn reading_deliveries_takes_a_role_that_reads_and_a_ledger_that_answers() {
    let world = some().await;
    let id = deliver(&world, 1, "evt-9", 9, |_| {}).await.delivery.id;
    for (path, method) in [
        ("/v1/deliveries".to_owned(), "list_events"),
        (format!("/v1/deliveries?destination_id={}", target(1).id), "list_deliveries"),
        (format!("/v1/deliveries/{id}"), "find_delivery"),
    ] {
        for role in ["viewer", "editor", "admin"] {
            assert_eq!(world.call(As::Role("acme", role), "GET", &path, None).await.0, 200, "{role}");
        }
        check_problem(world.call(As::Role("acme", "publisher"), "GET", &path, None).await, 403, "forbidden", None);
        check_problem(world.call(As::Nobody, "GET", &path, None).await, 401, "unauthorized", None);
        world.store.fail(method, 1);
        check_problem(get(&world, &path).await, 503, "unavailable", None);
    }
}

#[tokio::test]
async fn a_delivery_shows_its_producers_trace_and_each_attempt_its_own_span() {
    const PARENT: &str = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";
    let world = world().await;
    let traced = deliver(&world, 1, "evt-1", 1, |record| record.delivery.traceparent = PARENT.parse().ok()).await;
    let (_, shown) = get(&world, &format!("/v1/deliveries/{}", traced.delivery.id)).await;
    let sent = traced.delivery.traceparent_at(traced.attempts.kept()[0].at).expect("one").to_string();
    assert_eq!((&shown["traceparent"], &shown["attempts"][0]["traceparent"]), (&json!(PARENT), &json!(sent)));
    assert!(sent != PARENT && sent[..36] == PARENT[..36]);
    let plain = deliver(&world, 1, "evt-2", 2, |_| {}).await;
    let (_, shown) = get(&world, &format!("/v1/deliveries/{}", plain.delivery.id)).await;
    assert_eq!((&shown["traceparent"], &shown["attempts"][0]["traceparent"]), (&Value::Null, &Value::Null));
    assert!(shown.as_object().expect("an object").contains_key("traceparent"));
}
