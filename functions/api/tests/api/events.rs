//! What the API returns about events.

use domain::delivery::{Delivery, DeliveryRecord, DeliveryState};
use domain::event::Event;
use domain::value::{DestinationId, Timestamp};
use ports::{Deliveries, Destinations, Events, SealedEvent};
use serde_json::{Value, json};
use testing::{account, destination, event_text, record, sealed};

use crate::world::{As, World, check_problem, world};

/// 2026-11-23T09:29:00Z, when the samples occurred: a minute before the test clock.
const SAMPLE_MS: u64 = 1_795_426_140_000;

/// Seals the sample under `id`, `ms` after its time, at the scope, owed to the given number of destinations.
pub async fn seal(world: &World, id: &str, ms: u64, scope: &str, owed: u8) -> SealedEvent {
    let acme = account("acme");
    let text = event_text(&acme, id).replace("connection/xero/endpoint/invoices", scope);
    let event = Event::parse(&text, Timestamp::from_unix_ms(SAMPLE_MS)).map_err(|r| r.detail).expect("an event");
    let event = Event { occurred_at: Timestamp::from_unix_ms(SAMPLE_MS + ms), ..event };
    let to = |n| Delivery::of_event(&event, DestinationId::from_entropy([n; 10]), None);
    let sealed = SealedEvent {
        expires_at: Timestamp::from_unix_ms(SAMPLE_MS + 86_400_000),
        ..sealed(&event, (1..=owed).map(to).collect(), Timestamp::from_unix_ms(SAMPLE_MS + 60_000))
    };
    world.store.seal_event(&sealed).await.expect("sealed");
    sealed
}

async fn get(world: &World, path: &str) -> (u16, Value) {
    world.call(As::Account("acme"), "GET", path, None).await
}

fn ids(page: &Value) -> Vec<&str> {
    page["data"].as_array().expect("a list").iter().filter_map(|item| item["id"].as_str()).collect()
}

const INVOICES: &str = "connection/xero/endpoint/invoices";

#[tokio::test]
async fn events_are_listed_newest_first_and_filtered() {
    let world = world().await;
    seal(&world, "evt-1", 1, INVOICES, 1).await;
    seal(&world, "evt-3", 3, "connection/xero/endpoint/bills", 0).await;
    seal(&world, "evt-2", 2, "connection/sage/endpoint/invoices", 2).await;
    for (query, expected) in [
        ("", &["evt-3", "evt-2", "evt-1"][..]),
        ("?event_type=sync_run.completed", &["evt-3", "evt-2", "evt-1"]),
        ("?event_type=insight_population.completed", &[]),
        ("?scope=*", &["evt-3", "evt-2", "evt-1"]),
        ("?scope=connection/xero", &["evt-3", "evt-1"]),
        ("?scope=connection/xero/endpoint/invoices", &["evt-1"]),
        ("?scope=connection/xer", &[]),
        ("?status=matched", &["evt-2", "evt-1"]),
        ("?status=unmatched", &["evt-3"]),
        ("?since=2026-11-23T09:29:00.002Z", &["evt-3", "evt-2"]),
        ("?until=2026-11-23T09:29:00.003Z", &["evt-2", "evt-1"]),
        ("?since=2026-11-23T11:29:00.002%2B02:00&until=2026-11-23T09:29:00.003Z&status=matched", &["evt-2"]),
    ] {
        let (status, page) = get(&world, &format!("/v1/events{query}")).await;
        assert_eq!((status, ids(&page), &page["has_more"]), (200, expected.to_vec(), &json!(false)), "{query}");
    }
    let (_, page) = get(&world, "/v1/events?status=unmatched").await;
    let expected = json!({
        "id": "evt-3", "event_type": "sync_run.completed", "scope": "connection/xero/endpoint/bills",
        "occurred_at": "2026-11-23T09:29:00.003Z", "sealed_at": "2026-11-23T09:30:00.000Z",
        "owed_count": 0, "unmatched": "no_subscription"
    });
    assert_eq!(page["data"], json!([expected]));
}

#[tokio::test]
async fn a_list_of_events_goes_on_where_it_ended_for_the_same_query_only() {
    let world = world().await;
    for n in 0..5 {
        seal(&world, &format!("evt-{n}"), n, INVOICES, u8::from(n != 3)).await;
    }
    let (_, first) = get(&world, "/v1/events?limit=2&status=matched").await;
    assert_eq!((ids(&first), &first["has_more"]), (vec!["evt-4", "evt-2"], &json!(true)));
    let cursor = first["next_cursor"].as_str().expect("a cursor");
    let (_, second) = get(&world, &format!("/v1/events?limit=7&status=matched&cursor={cursor}")).await;
    assert_eq!((ids(&second), &second["next_cursor"]), (vec!["evt-1", "evt-0"], &Value::Null));
    for query in ["", "status=unmatched&", "status=matched&scope=*&"] {
        let problem = get(&world, &format!("/v1/events?{query}cursor={cursor}")).await;
        assert_eq!(problem.1["errors"][0]["parameter"], "cursor");
        check_problem(problem, 400, "invalid_parameter", None);
    }
    let other_list = get(&world, &format!("/v1/destinations?status=matched&cursor={cursor}")).await;
    check_problem(other_list, 400, "invalid_parameter", None);
}

#[tokio::test]
async fn a_filter_that_leaves_little_reads_no_more_than_a_bounded_part() {
    let world = world().await;
    for n in 0..1_100 {
        seal(&world, &format!("evt-{n}"), n, INVOICES, u8::from(n == 0)).await;
    }
    world.store.take_calls();
    let (_, page) = get(&world, "/v1/events?status=matched").await;
    assert_eq!((ids(&page), &page["has_more"]), (vec![], &json!(true)));
    assert!(world.store.take_calls().len() <= 5);
    let cursor = page["next_cursor"].as_str().expect("a cursor");
    let (_, page) = get(&world, &format!("/v1/events?status=matched&cursor={cursor}")).await;
    assert_eq!((ids(&page), &page["has_more"]), (vec!["evt-0"], &json!(false)));
}

#[tokio::test]
async fn a_wrong_filter_is_refused_with_its_name() {
    let world = world().await;
    for (query, parameter) in [
        ("event_type=sync_run.started", "event_type"),
        ("event_type=", "event_type"),
        ("scope=xero", "scope"),
        ("status=sealed", "status"),
        ("since=yesterday", "since"),
        ("since=2026-11-23T09:29:00+02:00", "since"),
        ("until=1", "until"),
        ("since=2026-11-23T09:29:00Z&until=2026-11-23T09:29:00Z", "until"),
        ("destination=x", "destination"),
        ("event_type=*", "event_type"),
        ("status=matched&status=matched", "status"),
        ("limit=1&limit=2", "limit"),
        ("limit=0", "limit"),
        ("cursor=AAAA", "cursor"),
    ] {
        let problem = get(&world, &format!("/v1/events?{query}")).await;
        assert_eq!(problem.1["errors"][0]["parameter"], parameter, "{query}");
        check_problem(problem, 400, "invalid_parameter", None);
    }
}

#[tokio::test]
async fn an_event_is_told_with_its_body_and_what_became_of_what_it_owes() {
    let world = world().await;
    let sealed = seal(&world, "evt-1", 0, INVOICES, 3).await;
    let of = |n, attempts, state| {
        let sample = record(&destination(&account("acme"), n, "https://example.com/"), "evt-1", attempts, state);
        DeliveryRecord { delivery: sealed.owed[usize::from(n) - 1].clone(), ..sample }
    };
    let due_at = Timestamp::from_unix_ms(SAMPLE_MS + 90_000);
    // The others were deleted.
    let third = destination(&account("acme"), 3, "https://example.com/");
    world.store.create_destination(&third, 100).await.expect("created");
    world.store.create_delivery(&of(1, 1, DeliveryState::Delivered)).await.expect("recorded");
    world.store.create_delivery(&of(3, 2, DeliveryState::Retrying { due_at })).await.expect("recorded");
    let (status, event) = get(&world, "/v1/events/evt-1").await;
    assert_eq!((status, &event["owed_count"], &event["unmatched"]), (200, &json!(3), &Value::Null));
    assert_eq!(event["body"], serde_json::from_str::<Value>(&sealed.body).expect("JSON"));
    let expected: Vec<_> = [("delivered", 1), ("pending", 0), ("retrying", 2)]
        .into_iter()
        .zip(&sealed.owed)
        .map(|((status, count), owed)| {
            let due_at = if status == "retrying" { json!(due_at) } else { Value::Null };
            let name = if status == "retrying" { json!("Destination 3") } else { Value::Null };
            json!({"id": owed.id, "destination_id": owed.destination, "destination_name": name, "path": null,
                   "status": status, "due_at": due_at, "attempt_count": count})
        })
        .collect();
    assert_eq!((&event["owed"], &event["nearest_subscriptions"]), (&json!(expected), &json!([])));
}

#[tokio::test]
async fn of_what_an_event_owes_a_hundred_are_shown() {
    let world = world().await;
    seal(&world, "evt-1", 0, INVOICES, 101).await;
    let (_, event) = get(&world, "/v1/events/evt-1").await;
    assert_eq!((&event["owed_count"], event["owed"].as_array().map(Vec::len)), (&json!(101), Some(100)));
}

#[tokio::test]
async fn another_accounts_event_answers_like_one_that_does_not_exist() {
    let world = world().await;
    seal(&world, "evt-1", 0, INVOICES, 1).await;
    let foreign = world.call(As::Account("rival"), "GET", "/v1/events/evt-1", None).await;
    assert_eq!(foreign, world.call(As::Account("rival"), "GET", "/v1/events/evt-2", None).await);
    assert_eq!(foreign, world.call(As::Account("rival"), "GET", "/v1/events/not.an.id", None).await);
    check_problem(foreign, 404, "not_found", None);
    let (_, page) = world.call(As::Account("rival"), "GET", "/v1/events", None).await;
    assert_eq!(page, json!({"data": [], "next_cursor": null, "has_more": false}));
}

#[tokio::test]
async fn an_event_that_may_be_forgotten_is_not_told_of() {
    let world = world().await;
    seal(&world, "evt-1", 0, INVOICES, 1).await;
    world.clock.advance(std::time::Duration::from_secs(86_400));
    check_problem(get(&world, "/v1/events/evt-1").await, 404, "not_found", None);
    assert_eq!(ids(&get(&world, "/v1/events").await.1), Vec::<&str>::new());
}

#[tokio::test]
async fn reading_events_takes_a_role_that_reads() {
    let world = world().await;
    seal(&world, "evt-1", 0, INVOICES, 1).await;
    for path in ["/v1/events", "/v1/events/evt-1"] {
        for role in ["viewer", "editor", "admin"] {
            assert_eq!(world.call(As::Role("acme", role), "GET", path, None).await.0, 200, "{role}");
        }
        check_problem(world.call(As::Role("acme", "publisher"), "GET", path, None).await, 403, "forbidden", None);
        check_problem(world.call(As::Nobody, "GET", path, None).await, 401, "unauthorized", None);
        check_problem(world.call(As::Operator, "GET", path, None).await, 401, "unauthorized", None);
    }
}

#[tokio::test]
async fn a_ledger_that_fails_is_told_apart() {
    let world = world().await;
    seal(&world, "evt-1", 0, INVOICES, 1).await;
    for (method, path) in [
        ("list_events", "/v1/events"),
        ("find_event_with", "/v1/events/evt-1"),
        ("find_delivery", "/v1/events/evt-1"),
        ("find_destination", "/v1/events/evt-1"),
    ] {
        world.store.fail(method, 1);
        check_problem(get(&world, path).await, 503, "unavailable", None);
    }
}
