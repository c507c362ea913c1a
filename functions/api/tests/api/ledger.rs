//! The ledger in the API: every number with the ids behind it, in pages that add up.

use std::collections::BTreeSet;
use std::time::Duration;

use domain::delivery::{Delivery, DeliveryRecord, DeliveryState};
use domain::event::Event;
use domain::value::{DestinationId, Timestamp};
use ports::{Deliveries, Events, SealedEvent, UnmatchedReason};
use serde_json::{Value, json};
use testing::{account, destination, event_text, record, sealed};

use crate::world::{As, World, check_problem, world};

/// 2026-11-23T09:29:00Z, when the samples occurred: a minute before the test clock.
const SAMPLE_MS: u64 = 1_795_426_140_000;
const STATES: [&str; 6] = ["delivered", "retrying", "parked", "exhausted", "cancelled", "pending"];

/// Seals an event of `owner` that occurred `ms` after the sample's time, and owes a delivery to each of these.
pub async fn seal_to(world: &World, owner: &str, id: &str, ms: u64, to: Vec<DestinationId>) -> SealedEvent {
    let owner = account(owner);
    let event = Event::parse(&event_text(&owner, id), Timestamp::from_unix_ms(SAMPLE_MS));
    let event = event.map_err(|r| r.detail).expect("an event");
    let event = Event { occurred_at: Timestamp::from_unix_ms(SAMPLE_MS + ms), ..event };
    let owed = to.into_iter().map(|to| Delivery::of_event(&event, to, None)).collect();
    let sealed = SealedEvent {
        expires_at: Timestamp::from_unix_ms(SAMPLE_MS + 10 * 86_400_000),
        ..sealed(&event, owed, Timestamp::from_unix_ms(SAMPLE_MS + 60_000))
    };
    world.store.seal_event(&sealed).await.expect("sealed");
    sealed
}

pub async fn seal(world: &World, owner: &str, id: &str, ms: u64, owed: u16) -> SealedEvent {
    let to = |n: u16| {
        let [a, b] = n.to_be_bytes();
        DestinationId::from_entropy([7, 7, 7, 7, 7, 7, 7, 7, a, b])
    };
    seal_to(world, owner, id, ms, (0..owed).map(to).collect()).await
}

/// Puts a delivery into the state, or leaves it pending.
async fn settle(world: &World, delivery: &Delivery, state: &str) {
    let state = match state {
        "delivered" => DeliveryState::Delivered,
        "retrying" => DeliveryState::Retrying { due_at: Timestamp::from_unix_ms(SAMPLE_MS + 90_000) },
        "parked" => DeliveryState::Parked,
        "exhausted" => DeliveryState::Exhausted,
        "cancelled" => DeliveryState::Cancelled,
        _ => return,
    };
    let target = destination(&delivery.account, 1, "https://example.com/");
    let record = DeliveryRecord { delivery: delivery.clone(), ..record(&target, delivery.event.as_str(), 1, state) };
    world.store.create_delivery(&record).await.expect("recorded");
}

/// Events that owe 0, 1, 2 … deliveries, which are in every state in turn.
async fn many(world: &World, owner: &str, events: u16) {
    let mut states = STATES.iter().cycle();
    for n in 0..events {
        // Several occur in one millisecond.
        let sealed = seal(world, owner, &format!("evt-{n}"), u64::from(n / 3), n % 6).await;
        for owed in &sealed.owed {
            settle(world, owed, states.next().expect("a state")).await;
        }
    }
}

async fn get(world: &World, path: &str) -> (u16, Value) {
    world.call(As::Account("acme"), "GET", path, None).await
}

pub async fn page(world: &World, path: &str) -> Value {
    let (status, page) = get(world, path).await;
    assert_eq!(status, 200, "{page}");
    page
}

/// All pages, beginning with `path`.
async fn pages(world: &World, path: &str) -> Vec<Value> {
    let (mut pages, mut next) = (Vec::new(), path.to_owned());
    loop {
        let found = page(world, &next).await;
        let cursor = found["next_cursor"].as_str().map(str::to_owned);
        assert_eq!(found["has_more"], json!(cursor.is_some()));
        pages.push(found);
        let Some(cursor) = cursor else { return pages };
        next = format!("{path}{}cursor={cursor}", if path.contains('?') { '&' } else { '?' });
    }
}

fn counts(ledger: &Value) -> Value {
    let names = ["accepted", "unmatched", "matched", "owed"].into_iter().chain(STATES);
    names.map(|name| (name.to_owned(), ledger[name]["count"].clone())).collect::<serde_json::Map<_, _>>().into()
}

fn texts(list: &Value) -> Vec<String> {
    list.as_array().expect("a list").iter().map(|id| id.as_str().expect("an id").to_owned()).collect()
}

#[tokio::test]
async fn every_state_is_counted_with_its_ids_and_the_ledger_closes() {
    let world = world().await;
    let first = seal(&world, "acme", "evt-1", 1, 6).await;
    for (owed, state) in first.owed.iter().zip(STATES) {
        settle(&world, owed, state).await;
    }
    let second = seal(&world, "acme", "evt-2", 2, 1).await;
    settle(&world, &second.owed[0], "delivered").await;
    seal(&world, "acme", "evt-3", 3, 0).await;

    let ledger = page(&world, "/v1/ledger").await;
    let span = json!(["2026-11-22T09:30:00.000Z", "2026-11-23T09:30:00.000Z"]);
    assert_eq!(json!([ledger["since"], ledger["until"]]), span);
    let expected = json!({
        "accepted": 3, "unmatched": 1, "matched": 2, "owed": 7, "delivered": 2, "retrying": 1, "parked": 1,
        "exhausted": 1, "cancelled": 1, "pending": 1
    });
    assert_eq!((counts(&ledger), &ledger["closes"], &ledger["disagreeing"]), (expected, &json!(true), &json!([])));
    assert_eq!((&ledger["next_cursor"], &ledger["has_more"]), (&Value::Null, &json!(false)));
    assert_eq!(ledger["accepted"]["ids"], json!(["evt-3", "evt-2", "evt-1"]));
    assert_eq!(ledger["unmatched"]["ids"], json!(["evt-3"]));
    assert_eq!(ledger["matched"]["ids"], json!(["evt-2", "evt-1"]));
    assert_eq!(ledger["delivered"]["ids"], json!([second.owed[0].id, first.owed[0].id]));
    assert_eq!(ledger["pending"]["ids"], json!([first.owed[5].id]));
    assert_eq!(ledger["owed"]["ids"].as_array().map(Vec::len), Some(7));
    let span = "2026-11-22T09:30:00.000Z&{}=2026-11-23T09:30:00.000Z";
    let unmatched = format!("/v1/events?since={}&status=unmatched", span.replace("{}", "until"));
    assert_eq!((&ledger["unmatched"]["list"], &ledger["unmatched"]["truncated"]), (&json!(unmatched), &json!(false)));
    let pending = format!("/v1/ledger/deliveries?since={}&status=pending", span.replace("{}", "until"));
    assert_eq!(ledger["pending"]["list"], json!(pending));
}

/// Events about this system itself that nobody subscribes to do not look like lost data.
#[tokio::test]
async fn the_reasons_of_what_owes_nothing_are_counted_and_those_of_our_own_events_apart() {
    let world = world().await;
    let sample = seal(&world, "acme", "evt-1", 1, 0).await;
    seal(&world, "acme", "evt-2", 2, 1).await;
    for (n, event_type, reason) in [
        (3, "sync_run.completed", UnmatchedReason::ConditionsNotMet),
        (4, "destination.failing", UnmatchedReason::NoSubscription),
        (5, "delivery.exhausted", UnmatchedReason::NoSubscription),
        (6, "delivery.exhausted", UnmatchedReason::ConditionsNotMet),
    ] {
        let event = SealedEvent {
            id: format!("evt-{n}").parse().expect("an id"),
            event_type: event_type.parse().expect("a type"),
            unmatched: Some(reason),
            ..sample.clone()
        };
        world.store.seal_event(&event).await.expect("sealed");
    }
    let ledger = page(&world, "/v1/ledger").await;
    assert_eq!((&ledger["accepted"]["count"], &ledger["unmatched"]["count"]), (&json!(6), &json!(5)));
    let reasons = json!({"no_subscription": 1, "conditions_not_met": 1, "operational": 3});
    assert_eq!((&ledger["unmatched_reasons"], &ledger["closes"]), (&reasons, &json!(true)));
}

#[tokio::test]
async fn the_list_of_every_number_has_exactly_what_it_counts() {
    let world = world().await;
    many(&world, "acme", 23).await;
    many(&world, "rival", 7).await;
    let ledger = page(&world, "/v1/ledger").await;
    for name in ["accepted", "unmatched", "matched", "owed"].into_iter().chain(STATES) {
        let (number, list) = (&ledger[name], ledger[name]["list"].as_str().expect("a path"));
        let ids: BTreeSet<_> = texts(&number["ids"]).into_iter().collect();
        assert_eq!((json!(ids.len()), &number["truncated"]), (number["count"].clone(), &json!(false)), "{name}");
        assert!(ids.len() > 2, "{name} would prove little");
        for limit in [1, 3, 100] {
            let pages = pages(&world, &format!("{list}&limit={limit}")).await;
            let items: Vec<_> = pages.iter().flat_map(|page| page["data"].as_array().expect("a list")).collect();
            assert_eq!(items.len(), ids.len(), "{name} in pages of {limit}");
            let listed: BTreeSet<_> = items.iter().map(|item| item["id"].as_str().expect("an id").to_owned()).collect();
            assert_eq!(listed, ids, "{name} in pages of {limit}");
            assert!(!STATES.contains(&name) || items.iter().all(|item| item["status"] == name));
        }
    }
}

#[tokio::test]
async fn the_pages_of_the_ledger_add_up_whatever_their_size() {
    let world = world().await;
    many(&world, "acme", 23).await;
    let whole = page(&world, "/v1/ledger").await;
    assert_eq!(whole["accepted"]["count"], 23);
    for limit in [1, 2, 5, 22, 23, 24, 500] {
        let pages = pages(&world, &format!("/v1/ledger?limit={limit}")).await;
        assert_eq!(pages.len(), 23_usize.div_ceil(limit), "in pages of {limit}");
        for (name, count) in counts(&whole).as_object().expect("counts") {
            let sum: u64 = pages.iter().map(|page| page[name]["count"].as_u64().expect("a count")).sum();
            assert_eq!(json!(sum), *count, "{name} in pages of {limit}");
            let ids: Vec<_> = pages.iter().flat_map(|page| texts(&page[name]["ids"])).collect();
            assert_eq!(ids, texts(&whole[name]["ids"]), "{name} in pages of {limit}");
        }
        assert!(pages.iter().all(|page| page["closes"] == true && page["since"] == whole["since"]));
    }
}

#[tokio::test]
async fn the_span_stays_the_same_over_all_pages_although_time_goes_on() {
    let world = world().await;
    for n in 0..3 {
        seal(&world, "acme", &format!("evt-{n}"), n, 1).await;
    }
    let paths = ["/v1/ledger?limit=1", "/v1/ledger/deliveries?limit=1"];
    let mut reached = Vec::new();
    for path in paths {
        reached.push(page(&world, path).await);
    }
    // By now, the last 24 hours begin after all these events.
    world.clock.advance(Duration::from_secs(2 * 86_400));
    for (path, mut last) in paths.into_iter().zip(reached) {
        let (since, mut count) = (last["since"].clone(), 1);
        while let Some(cursor) = last["next_cursor"].as_str() {
            last = page(&world, &format!("{path}&cursor={cursor}")).await;
            count += 1;
            assert_eq!(last["since"], since);
        }
        assert_eq!(count, 3, "{path}");
    }
}

#[tokio::test]
async fn since_is_inclusive_and_until_is_exclusive() {
    let world = world().await;
    for n in 1..=3 {
        seal(&world, "acme", &format!("evt-{n}"), n, 1).await;
    }
    for (query, expected) in [
        ("since=2026-11-23T09:29:00.001Z&until=2026-11-23T09:29:00.003Z", &["evt-2", "evt-1"][..]),
        ("since=2026-11-23T09:29:00.002Z", &["evt-3", "evt-2"]),
        ("until=2026-11-23T09:29:00.002Z", &["evt-1"]),
        ("until=2026-11-24T09:29:00.002Z", &["evt-3", "evt-2"]),
        ("since=2026-10-24T00:00:00Z&until=2026-11-24T00:00:00Z", &["evt-3", "evt-2", "evt-1"]),
        ("since=2026-11-23T11:29:00.003%2B02:00", &["evt-3"]),
        ("until=1970-01-01T00:00:01Z", &[]),
    ] {
        assert_eq!(page(&world, &format!("/v1/ledger?{query}")).await["accepted"]["ids"], json!(expected), "{query}");
        let listed = page(&world, &format!("/v1/ledger/deliveries?{query}")).await;
        let events: Vec<_> = listed["data"].as_array().expect("a list").iter().map(|item| &item["event_id"]).collect();
        assert_eq!(json!(events), json!(expected), "{query}");
    }
}

#[tokio::test]
async fn another_accounts_are_never_counted() {
    let world = world().await;
    many(&world, "rival", 9).await;
    let ledger = page(&world, "/v1/ledger").await;
    assert!(counts(&ledger).as_object().expect("counts").values().all(|count| *count == 0), "{ledger}");
    assert_eq!(ledger["closes"], true);
    let listed = page(&world, "/v1/ledger/deliveries").await;
    assert_eq!(listed, json!({"data": [], "next_cursor": null, "has_more": false}));
}

#[tokio::test]
async fn what_the_audit_sent_again_is_counted_whatever_became_of_it() {
    let world = world().await;
    let sealed = seal(&world, "acme", "evt-1", 0, 4).await;
    let target = destination(&account("acme"), 1, "https://example.com/");
    for (delivery, state) in sealed.owed.iter().zip([DeliveryState::Delivered, DeliveryState::Parked]) {
        let row = record(&target, "evt-1", 1, state);
        let row = DeliveryRecord { delivery: delivery.clone(), recovered_by_audit: true, ..row };
        world.store.create_delivery(&row).await.expect("recorded");
    }
    settle(&world, &sealed.owed[2], "delivered").await;
    let ledger = page(&world, "/v1/ledger").await;
    let recovered: BTreeSet<_> = sealed.owed[..2].iter().map(|delivery| delivery.id.to_string()).collect();
    assert_eq!((&ledger["closes"], &ledger["recovered_by_audit"]["count"]), (&json!(true), &json!(2)));
    let list = ledger["recovered_by_audit"]["list"].as_str().expect("a path");
    for (path, expected) in
        [(list.to_owned(), 2), (list.replace("=true", "=false"), 2), (format!("{list}&status=parked"), 1)]
    {
        let listed = page(&world, &path).await["data"].as_array().expect("a list").clone();
        assert_eq!(listed.len(), expected, "{path}");
        let is_recovered = |item: &Value| recovered.contains(item["id"].as_str().expect("an id"));
        assert!(listed.iter().all(|item| item["recovered_by_audit"] == is_recovered(item)), "{listed:?}");
    }
}

#[tokio::test]
async fn what_is_owed_to_a_deleted_destination_is_counted_and_listed() {
    let world = world().await;
    let created = world.destination("acme").await;
    let id: DestinationId = created["id"].as_str().expect("an id").parse().expect("an id");
    for (n, state) in ["delivered", "cancelled", "pending"].into_iter().enumerate() {
        let sealed = seal_to(&world, "acme", &format!("evt-{n}"), 1, vec![id.clone()]).await;
        settle(&world, &sealed.owed[0], state).await;
    }
    let before = page(&world, "/v1/ledger").await;
    assert_eq!(world.call(As::Account("acme"), "DELETE", &format!("/v1/destinations/{id}"), None).await.0, 204);
    let after = page(&world, "/v1/ledger").await;
    assert_eq!((&after, after["closes"].clone(), after["owed"]["count"].clone()), (&before, json!(true), json!(3)));
    for state in ["delivered", "cancelled", "pending"] {
        let listed = page(&world, after[state]["list"].as_str().expect("a path")).await;
        let expected = json!([{
            "id": after[state]["ids"][0], "event_id": listed["data"][0]["event_id"], "destination_id": id, "status": state,
            "recovered_by_audit": false
        }]);
        assert_eq!(listed["data"], expected);
    }
}

#[tokio::test]
async fn of_each_number_a_hundred_ids_are_shown_and_the_list_has_them_all() {
    let world = world().await;
    let sealed = seal(&world, "acme", "evt-1", 1, 101).await;
    let ledger = page(&world, "/v1/ledger").await;
    let pending = &ledger["pending"];
    assert_eq!(
        (&pending["count"], &pending["truncated"], texts(&pending["ids"]).len()),
        (&json!(101), &json!(true), 100)
    );
    let list = format!("{}&limit=60", pending["list"].as_str().expect("a path"));
    let listed: usize = pages(&world, &list).await.iter().map(|page| page["data"].as_array().map_or(0, Vec::len)).sum();
    assert_eq!(listed, sealed.owed.len());
}

#[tokio::test]
async fn a_filter_that_leaves_little_looks_at_a_bounded_part_for_a_page() {
    let world = world().await;
    for n in 0..1_100 {
        seal(&world, "acme", &format!("evt-{n}"), n, u16::from(n % 2 == 0)).await;
    }
    let list = "/v1/ledger/deliveries?status=parked";
    let first = page(&world, list).await;
    assert_eq!((&first["data"], &first["has_more"]), (&json!([]), &json!(true)));
    assert!(pages(&world, list).await.len() < 10);
}

#[tokio::test]
async fn what_may_be_forgotten_is_not_counted() {
    let world = world().await;
    seal(&world, "acme", "evt-1", 1, 2).await;
    world.clock.advance(Duration::from_secs(9 * 86_400));
    let span = "since=2026-11-23T00:00:00Z&until=2026-11-24T00:00:00Z";
    assert_eq!(page(&world, &format!("/v1/ledger?{span}")).await["owed"]["count"], 2);
    world.clock.advance(Duration::from_secs(86_400));
    let ledger = page(&world, &format!("/v1/ledger?{span}")).await;
    assert_eq!((&ledger["accepted"]["count"], &ledger["owed"]["count"]), (&json!(0), &json!(0)));
    assert_eq!(ledger["closes"], true);
    let listed = page(&world, &format!("/v1/ledger/deliveries?{span}")).await;
    assert_eq!((&listed["data"], &listed["has_more"]), (&json!([]), &json!(false)));
}

#[tokio::test]
async fn a_wrong_parameter_of_the_ledger_is_refused_with_its_name() {
    let world = world().await;
    for n in 0..2 {
        seal(&world, "acme", &format!("evt-{n}"), n, 1).await;
    }
    let cursor = page(&world, "/v1/ledger?limit=1").await["next_cursor"].as_str().expect("a cursor").to_owned();
    let other_query = format!("since=2026-11-23T00:00:00Z&cursor={cursor}");
    let too_long = "since=2026-10-24T00:00:00Z&until=2026-11-24T00:00:00.001Z";
    for path in ["/v1/ledger", "/v1/ledger/deliveries"] {
        for (query, parameter) in [
            ("since=yesterday", "since"),
            ("since=2026-11-23T09:29:00+02:00", "since"),
            ("until=1", "until"),
            ("since=2026-11-23T09:00:00Z&until=2026-11-23T09:00:00Z", "until"),
            ("since=2026-11-23T09:30:00Z", "until"),
            ("until=1970-01-01T00:00:00Z", "until"),
            (too_long, "until"),
            ("since=2026-10-01T00:00:00Z", "until"),
            ("from=2026-11-23T09:00:00Z", "from"),
            ("since=2026-11-23T09:00:00Z&since=2026-11-23T09:00:00Z", "since"),
            ("limit=0", "limit"),
            ("limit=501", "limit"),
            ("cursor=AAAA", "cursor"),
            (&other_query, "cursor"),
        ] {
            let problem = get(&world, &format!("{path}?{query}")).await;
            assert_eq!(problem.1["errors"][0]["parameter"], parameter, "{query}");
            check_problem(problem, 400, "invalid_parameter", None);
        }
    }
    for query in ["status=lost", "status=", "recovered_by_audit=yes", "limit=101"] {
        check_problem(get(&world, &format!("/v1/ledger/deliveries?{query}")).await, 400, "invalid_parameter", None);
    }
    let (_, problem) = get(&world, "/v1/ledger?since=2026-10-01T00:00:00Z").await;
    let expected =
        "until: must be at most 31 days after `since` (the default is now); request one part after the other";
    assert_eq!(problem["detail"], expected);
}

#[tokio::test]
async fn reading_the_ledger_takes_a_role_that_reads_and_a_table_that_answers() {
    let world = world().await;
    seal(&world, "acme", "evt-1", 1, 1).await;
    for path in ["/v1/ledger", "/v1/ledger/deliveries"] {
        for role in ["viewer", "editor", "admin"] {
            assert_eq!(world.call(As::Role("acme", role), "GET", path, None).await.0, 200, "{role}");
        }
        check_problem(world.call(As::Role("acme", "publisher"), "GET", path, None).await, 403, "forbidden", None);
        check_problem(world.call(As::Nobody, "GET", path, None).await, 401, "unauthorized", None);
        check_problem(world.call(As::Operator, "GET", path, None).await, 401, "unauthorized", None);
        for method in ["list_events", "find_first_owed", "find_standings"] {
            world.store.fail(method, 1);
            check_problem(get(&world, path).await, 503, "unavailable", None);
        }
    }
}
