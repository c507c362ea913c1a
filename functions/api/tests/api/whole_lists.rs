//! What asks about all that an account has reads no more than one request may, however much that is and however long rows
//! are, and goes on with the next request or is refused as a whole.

use domain::destination::{Destination, DestinationSettings};
use domain::event::{Event, SeenScope};
use domain::value::DestinationId;
use ports::{Clock, Destinations, SeenScopes, read_units};
use serde_json::{Value, json};
use testing::{account, event_text};

use crate::bounds::{calls, numbered, with};
use crate::ledger;
use crate::recovery::{seal_owing, target};
use crate::world::{As, World, check_problem, roomy_world};

/// What is answered; it has cost no more than a request may.
async fn cheap(world: &World, method: &str, path: &str, body: Option<&str>) -> (u16, Value) {
    let asked = async { (world.call(As::Account("acme"), method, path, body).await, read_units::spent()) };
    let (answer, spent) = read_units::counted(asked).await;
    assert!(spent > 0.0 && spent <= 500.0, "{method} {path} cost {spent}: {}", answer.1["detail"]);
    answer
}

/// All items of all pages of a list, which together are more than one request may read.
async fn items(world: &World, method: &str, path: &str, body: Option<&str>) -> Vec<Value> {
    let (mut found, mut pages, mut next) = (Vec::new(), 0, path.to_owned());
    loop {
        let (status, page) = cheap(world, method, &next, body).await;
        assert_eq!(status, 200, "{page}");
        pages += 1;
        found.push(page.clone());
        let Some(cursor) = page["next_cursor"].as_str() else { break };
        next = format!("{path}{}cursor={cursor}", if path.contains('?') { '&' } else { '?' });
    }
    assert!(pages > 1, "{path} is one page");
    found
}

fn lists<'a>(pages: &'a [Value], name: &str) -> Vec<&'a Value> {
    pages.iter().flat_map(|page| page[name].as_array().expect("a list")).collect()
}

/// Settings that make a row of a destination as long as it may be.
fn long(name: String) -> DestinationSettings {
    let headers: Value =
        (0..10).map(|n| (format!("x-{n}"), json!("v".repeat(1_024)))).collect::<serde_json::Map<_, _>>().into();
    let url = format!("https://example.com/{}", "p".repeat(2_000));
    serde_json::from_value(json!({"name": name, "url": url, "headers": headers})).expect("settings")
}

/// The id of a destination.
fn to(n: usize) -> DestinationId {
    let mut id = [8; 10];
    id[..8].copy_from_slice(&n.to_be_bytes());
    DestinationId::from_entropy(id)
}

/// A condition of nearly two kilobytes that the events of these tests do not meet.
fn long_condition() -> Value {
    json!({"status": ["x".repeat(2_000)]})
}

#[tokio::test]
async fn a_configuration_that_costs_too_much_to_read_is_refused_before_anything_is_done() {
    let empty = json!({"destinations": [], "subscriptions": []}).to_string();
    let world = with(4_000, |_, _| {}).await;
    for (method, path, body) in [
        ("GET", "/v1/config", None),
        ("PUT", "/v1/config", Some(&*empty)),
        ("PUT", "/v1/config?dry_run=true", Some(&*empty)),
    ] {
        let refused = cheap(&world, method, path, body).await;
        assert!(refused.1["detail"].as_str().expect("a detail").contains("the lists"), "{}", refused.1);
        check_problem(refused, 409, "document_too_large", None);
    }
    let calls = calls(&world);
    assert_eq!(["delete_subscription", "delete_destination", "create_destination"].map(calls), [0, 0, 0]);
    let world = roomy_world().await;
    for n in 0..200 {
        world.store_destination(&account("acme"), long(format!("d{n}"))).await;
    }
    check_problem(cheap(&world, "GET", "/v1/config", None).await, 409, "document_too_large", None);
}

#[tokio::test]
async fn a_put_goes_on_until_all_is_done_and_each_request_reads_no_more_than_it_may() {
    let condition = serde_json::from_value(long_condition()).expect("a condition");
    let world = with(600, |_, settings| settings.condition = Some(Clone::clone(&condition))).await;
    let (status, mut document) = cheap(&world, "GET", "/v1/config", None).await;
    assert_eq!((status, document["subscriptions"].as_array().map(Vec::len)), (200, Some(600)));
    document["destinations"][0]["paused"] = json!(true);
    document["subscriptions"].as_array_mut().expect("a list").truncate(1);
    let mut rounds = 0;
    while cheap(&world, "PUT", "/v1/config", Some(&document.to_string())).await.0 != 200 {
        rounds += 1;
        assert!(rounds < 9, "it never ends");
    }
    assert!(rounds > 1);
    assert_eq!(cheap(&world, "GET", "/v1/config", None).await.1, document);
}

#[tokio::test]
async fn a_dry_run_ends_its_page_where_it_has_read_enough() {
    let world = with(150, |n, settings| settings.destination_id = to(n)).await;
    for n in 0..150 {
        let one = Destination { id: to(n), settings: long(format!("long {n}")), ..target(2) };
        world.store.create_destination(&one, 200).await.expect("created");
    }
    let sample = json!({"sample": {"event_type": "sync_run.completed", "status": "failed"}}).to_string();
    let pages = items(&world, "POST", "/v1/subscriptions/match?limit=100", Some(&sample)).await;
    assert!(pages[0]["data"].as_array().is_some_and(|page| (50..100).contains(&page.len())), "{}", pages[0]);
    assert!(
        pages.iter().all(|page| page["data"].as_array().map(Vec::len) == page["deliveries"].as_array().map(Vec::len))
    );
    assert_eq!(["data", "deliveries"].map(|list| lists(&pages, list).len()), [150; 2]);
}

#[tokio::test]
async fn an_explanation_reads_no_more_than_a_request_may_however_long_subscriptions_are() {
    let condition = serde_json::from_value(long_condition()).expect("a condition");
    let world = with(1_500, |n, settings| {
        let scope = ["*", "connection/xero", "connection/xero/endpoint/invoices"][n % 3];
        settings.event_types = serde_json::from_value(json!(["sync_run.completed", "*"])).expect("types");
        settings.scope = scope.parse().expect("a scope");
        settings.name = format!("{n:04}{}", "\u{1f980}".repeat(120)).try_into().expect("a name");
        settings.path = Some(format!("/{}", "p".repeat(255)).try_into().expect("a path"));
        settings.condition = Some(Clone::clone(&condition));
    });
    let world = world.await;
    seal_owing(&world, "evt-1", vec![]).await;
    let (status, event) = cheap(&world, "GET", "/v1/events/evt-1", None).await;
    assert_eq!((status, event["nearest_subscriptions"].as_array().map(Vec::len)), (200, Some(20)));
}

#[tokio::test]
async fn a_cascade_among_very_many_others_goes_on_where_it_was_and_finds_what_was_moved_before_that() {
    let other = target(2);
    let world = with(9_000, |n, settings| {
        if n % 4_000 > 5 {
            settings.destination_id = other.id.clone();
        }
    });
    let world = world.await;
    world.store.create_destination(&other, 100).await.expect("created");
    let path = format!("/v1/destinations/{}?cascade=true", target(1).id);
    let mut rounds = 0;
    loop {
        rounds += 1;
        assert!(rounds < 9, "it never ends");
        let answer = cheap(&world, "DELETE", &path, None).await;
        if answer.0 == 204 {
            break;
        }
        assert!(answer.1["detail"].as_str().expect("a detail").contains("ask again"), "{}", answer.1);
        check_problem(answer, 409, "destination_in_use", None);
        if rounds == 2 {
            let moved = format!("/v1/subscriptions/{}", numbered(100, |_| {}).id);
            let patch = json!({"destination_id": target(1).id}).to_string();
            assert_eq!(world.call(As::Account("acme"), "PATCH", &moved, Some(&patch)).await.0, 200);
        }
    }
    assert!(rounds > 4, "{rounds} rounds: 9,000 are read in three, and one of them anew");
    assert_eq!(calls(&world)("delete_subscription"), 6 + 6 + 6 + 1);
    check_problem(cheap(&world, "GET", path.trim_end_matches("?cascade=true"), None).await, 404, "not_found", None);
}

#[tokio::test]
async fn whoever_deletes_what_is_in_use_is_told_by_what_as_far_as_that_is_read() {
    let other = target(2);
    let world = with(9_000, |n, settings| {
        if n != 50 && n != 8_999 {
            settings.destination_id = other.id.clone();
        }
    });
    let world = world.await;
    world.store.create_destination(&other, 100).await.expect("created");
    let path = format!("/v1/destinations/{}", target(1).id);
    let refused = async || {
        let refused = cheap(&world, "DELETE", &path, None).await;
        let detail = refused.1["detail"].as_str().expect("a detail").to_owned();
        check_problem(refused, 409, "destination_in_use", None);
        detail
    };
    let found = numbered(50, |_| {}).id;
    let told = refused().await;
    assert!(told.ends_with(&format!("`?cascade=true`: {found}")), "{told}");
    assert_eq!(world.call(As::Account("acme"), "DELETE", &format!("/v1/subscriptions/{found}"), None).await.0, 204);
    let told = refused().await;
    assert!(told.contains(&format!("`GET /v1/subscriptions?destination_id={}`", target(1).id)), "{told}");
}

#[tokio::test]
async fn a_replay_that_would_read_too_much_is_refused_before_anything_is_sent() {
    let world = with(9_000, |_, _| {}).await;
    seal_owing(&world, "evt-1", vec![]).await;
    check_problem(cheap(&world, "POST", "/v1/events/evt-1/replay", None).await, 409, "limit_reached", None);
    let world = with(1, |_, _| {}).await;
    ledger::seal(&world, "acme", "wide", 0, 40_000).await;
    check_problem(cheap(&world, "POST", "/v1/events/wide/replay", None).await, 409, "limit_reached", None);
    assert!(world.queue.take_sent().is_empty());
    assert_eq!(calls(&world)("create_delivery"), 0);
}

#[tokio::test]
async fn a_page_of_scopes_ends_where_it_has_read_enough() {
    let world = roomy_world().await;
    let now = world.clock.now();
    let text = event_text(&account("acme"), "evt-1").replace("Xero", &"\u{20ac}".repeat(128));
    let event = Event::parse(&text, now).map_err(|rejection| rejection.detail).expect("an event");
    for n in 0..4_990 {
        let scope = format!("connection/{}/endpoint/{n}", "c".repeat(120)).parse().expect("a scope");
        let seen = SeenScope::of_event(&Event { scope, ..event.clone() }, now).expect("a place");
        world.store.note_scope(&seen).await.expect("noted");
    }
    let pages = items(&world, "GET", "/v1/scopes", None).await;
    let connections = lists(&pages, "data");
    let places: usize = connections.iter().map(|one| one["endpoints"].as_array().map_or(0, Vec::len)).sum();
    assert_eq!(places, 4_990);
}

#[tokio::test]
async fn a_filter_of_long_destinations_reads_no_more_than_a_request_may() {
    let world = roomy_world().await;
    for n in 0..300 {
        world.store_destination(&account("acme"), long(format!("d{n}"))).await;
    }
    let pages = items(&world, "GET", "/v1/destinations?limit=100&name_contains=d29", None).await;
    assert_eq!(lists(&pages, "data").len(), 11);
}

/// A page of the portal asks for several lists, of which the last may find little left.
#[tokio::test]
async fn a_list_gets_on_however_little_a_request_may_still_read() {
    let world = with(3, |n, settings| settings.destination_id = to(n)).await;
    for n in 0..3 {
        let one = Destination { id: to(n), settings: long(format!("long {n}")), ..target(2) };
        world.store.create_destination(&one, 200).await.expect("created");
    }
    let now = world.clock.now();
    let event = Event::parse(&event_text(&account("acme"), "evt-1"), now).map_err(|rejection| rejection.detail);
    for n in 0..600 {
        let scope = format!("connection/xero/endpoint/{n}").parse().expect("a scope");
        let event = Event { scope, ..event.clone().expect("an event") };
        world.store.note_scope(&SeenScope::of_event(&event, now).expect("a place")).await.expect("noted");
    }
    let sample = json!({"sample": {"event_type": "sync_run.completed", "status": "failed"}}).to_string();
    for (method, path, body, list, count) in
        [("GET", "/v1/scopes", None, "data", 600), ("POST", "/v1/subscriptions/match", Some(&*sample), "deliveries", 3)]
    {
        let (mut found, mut next) = (0, path.to_owned());
        loop {
            let asked = async {
                read_units::add(500.0);
                world.call(As::Account("acme"), method, &next, body).await.1
            };
            let page = read_units::counted(asked).await;
            let data = page[list].as_array().expect("a list").iter();
            found += data.map(|one| one["endpoints"].as_array().map_or(1, Vec::len)).sum::<usize>();
            let Some(cursor) = page["next_cursor"].as_str() else { break };
            next = format!("{path}?cursor={cursor}");
        }
        assert_eq!(found, count, "{path}");
    }
}
