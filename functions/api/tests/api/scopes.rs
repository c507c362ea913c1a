//! The tree of scopes that events came from.

use std::time::Duration;

use domain::event::{Event, SeenScope};
use domain::value::Timestamp;
use ports::{Clock, SeenScopes};
use serde_json::{Value, json};
use testing::{account, event_text};

use crate::world::{As, World, check_problem, world};

async fn see(world: &World, scope: &str, name: &str, ms: u64) {
    let now = world.clock.now();
    let text = event_text(&account("acme"), "evt-1").replace("Xero", name);
    let event = Event::parse(&text, now).map_err(|r| r.detail).expect("an event");
    let occurred_at = Timestamp::from_unix_ms(event.occurred_at.unix_ms() + ms);
    let event = Event { scope: scope.parse().expect("a scope"), occurred_at, ..event };
    let seen = SeenScope::of_event(&event, now).expect("a place");
    world.store.note_scope(&seen).await.expect("noted");
}

async fn get(world: &World) -> Value {
    let (status, tree) = world.call(As::Account("acme"), "GET", "/v1/scopes", None).await;
    assert_eq!(status, 200, "{tree}");
    tree
}

#[tokio::test]
async fn what_events_were_seen_at_is_told_as_a_tree() {
    let world = world().await;
    assert_eq!(get(&world).await, json!({"data": [], "next_cursor": null, "has_more": false}));
    see(&world, "connection/xero/insight/cash-flow", "Old name", 0).await;
    see(&world, "connection/xero/endpoint/invoices", "New name", 2).await;
    see(&world, "connection/xero/endpoint/bills", "Old name", 1).await;
    see(&world, "connection/sage/endpoint/invoices", "Sage", 0).await;
    let endpoint = |connection: &str, id: &str, ms: u64| {
        json!({
            "id": id, "name": "Invoices", "table": "xero_invoices",
            "scope": format!("connection/{connection}/endpoint/{id}"), "last_event_at": format!("2026-11-23T09:29:00.00{ms}Z")
        })
    };
    let insight = json!({
        "id": "cash-flow", "name": "cash-flow", "scope": "connection/xero/insight/cash-flow",
        "last_event_at": "2026-11-23T09:29:00.000Z"
    });
    let sage = json!({
        "connection": "sage", "name": "Sage", "service": "xero", "scope": "connection/sage",
        "endpoints": [endpoint("sage", "invoices", 0)], "insights": []
    });
    let xero = json!({
        "connection": "xero", "name": "New name", "service": "xero", "scope": "connection/xero",
        "endpoints": [endpoint("xero", "bills", 1), endpoint("xero", "invoices", 2)], "insights": [insight]
    });
    assert_eq!(get(&world).await, json!({"data": [sage, xero], "next_cursor": null, "has_more": false}));
}

#[tokio::test]
async fn a_place_is_listed_alone_or_with_what_is_below_it() {
    let world = world().await;
    for scope in ["connection/xero/endpoint/bills", "connection/xero/endpoint/bills2", "connection/xero-2/insight/cash"]
    {
        see(&world, scope, "Xero", 0).await;
    }
    let call = async |query: &str| world.call(As::Account("acme"), "GET", &format!("/v1/scopes?{query}"), None).await;
    for (query, endpoints, insights) in [
        ("scope=connection/xero/endpoint/bills", 1, 0),
        ("scope=connection/xero/endpoint/bill", 0, 0),
        ("scope=connection/xero", 2, 0),
        ("scope=connection/xero-2", 0, 1),
        ("scope=*", 2, 1),
    ] {
        let (_, tree) = call(query).await;
        let count = |kind: &str| {
            let all = tree["data"].as_array().expect("a list").iter();
            all.map(|connection| connection[kind].as_array().map_or(0, Vec::len)).sum::<usize>()
        };
        assert_eq!((count("endpoints"), count("insights")), (endpoints, insights), "{query}");
    }
    let (_, first) = call("scope=connection/xero&limit=1").await;
    let cursor = first["next_cursor"].as_str().expect("a cursor");
    let (_, second) = call(&format!("scope=connection/xero&limit=1&cursor={cursor}")).await;
    assert_eq!(second["data"][0]["endpoints"][0]["id"], "bills2");
    assert_eq!(second["has_more"], false);
    check_problem(call(&format!("scope=*&cursor={cursor}")).await, 400, "invalid_parameter", None);
    check_problem(call("scope=xero").await, 400, "invalid_parameter", None);
}

#[tokio::test]
async fn places_come_in_pages_of_5000_at_most() {
    let world = world().await;
    for n in 0..5_001 {
        see(&world, &format!("connection/xero/endpoint/e{n:04}"), "Xero", 0).await;
    }
    see(&world, "connection/yard/endpoint/e", "Yard", 0).await;
    let tree = get(&world).await;
    assert_eq!(tree["data"][0]["endpoints"].as_array().map(Vec::len), Some(5_000));
    assert_eq!(tree["has_more"], true);
    let cursor = tree["next_cursor"].as_str().expect("a cursor");
    let call = async |query: &str| world.call(As::Account("acme"), "GET", &format!("/v1/scopes?{query}"), None).await;
    let (_, rest) = call(&format!("cursor={cursor}")).await;
    let ids = |n: usize| {
        rest["data"][n]["endpoints"].as_array().map(|all| all.iter().map(|one| one["id"].clone()).collect::<Vec<_>>())
    };
    assert_eq!((ids(0), ids(1), ids(2)), (Some(vec![json!("e5000")]), Some(vec![json!("e")]), None));
    assert_eq!((&rest["next_cursor"], &rest["has_more"]), (&Value::Null, &json!(false)));
    assert_eq!(call("limit=1").await.1["data"][0]["endpoints"].as_array().map(Vec::len), Some(1));
    check_problem(call("limit=5001").await, 400, "invalid_parameter", None);
}

#[tokio::test]
async fn what_had_no_event_for_very_long_is_not_shown() {
    let world = world().await;
    see(&world, "connection/xero/endpoint/invoices", "Xero", 0).await;
    world.clock.advance(Duration::from_secs(400 * 86_400));
    assert_eq!(get(&world).await["data"], json!([]));
}

#[tokio::test]
async fn scopes_are_the_accounts_own_and_take_a_role_that_reads() {
    let world = world().await;
    see(&world, "connection/xero/endpoint/invoices", "Xero", 0).await;
    let rival = world.call(As::Account("rival"), "GET", "/v1/scopes", None).await;
    assert_eq!(rival, (200, json!({"data": [], "next_cursor": null, "has_more": false})));
    for role in ["viewer", "editor", "admin"] {
        assert_eq!(world.call(As::Role("acme", role), "GET", "/v1/scopes", None).await.0, 200, "{role}");
    }
    check_problem(world.call(As::Role("acme", "publisher"), "GET", "/v1/scopes", None).await, 403, "forbidden", None);
    check_problem(world.call(As::Nobody, "GET", "/v1/scopes", None).await, 401, "unauthorized", None);
    world.store.fail("list_scopes", 1);
    let failing = world.call(As::Account("acme"), "GET", "/v1/scopes", None).await;
    check_problem(failing, 503, "unavailable", None);
}
