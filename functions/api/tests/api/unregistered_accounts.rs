//! The operator's list of accounts that events named and nobody registered.

use std::time::Duration;

use domain::event::UnregisteredAccount;
use ports::{Clock, UnregisteredAccounts};
use serde_json::{Value, json};
use testing::account;

use crate::world::{As, World, check_problem, world};

const LIST: &str = "/admin/v1/unregistered-accounts";

async fn note(world: &World, name: &str, days_left: u64) {
    let now = world.clock.now();
    let noted = UnregisteredAccount {
        account: account(name),
        first_at: now,
        last_at: now.plus(Duration::from_secs(60)),
        last_event: "evt-9".parse().expect("an id"),
        events: 7,
        expires_at: now.plus(Duration::from_secs(days_left * 86_400)),
    };
    world.store.note_unregistered(&noted).await.expect("noted");
}

fn names(page: &Value) -> Vec<&str> {
    page["data"].as_array().expect("a list").iter().filter_map(|item| item["account"].as_str()).collect()
}

#[tokio::test]
async fn unregistered_accounts_are_listed_in_pages_until_they_expire_or_are_registered() {
    let world = world().await;
    for (name, days) in [("b", 2), ("gone", 0), ("a", 2), ("c", 2)] {
        note(&world, name, days).await;
    }
    let (status, all) = world.admin("GET", LIST, None).await;
    assert_eq!((status, names(&all)), (200, vec!["a", "b", "c"]));
    assert_eq!(
        all["data"][0],
        json!({
            "account": "a", "first_event_at": "2026-11-23T09:30:00.000Z", "last_event_at": "2026-11-23T09:31:00.000Z",
            "last_event_id": "evt-9", "events": 7
        })
    );
    let first = world.admin("GET", &format!("{LIST}?limit=2"), None).await.1;
    let next = first["next_cursor"].as_str().expect("a next page");
    let second = world.admin("GET", &format!("{LIST}?limit=2&cursor={next}"), None).await.1;
    assert_eq!((names(&first), names(&second)), (vec!["a", "b"], vec!["c"]));

    assert_eq!(world.admin("POST", "/admin/v1/accounts", Some(r#"{"id":"b"}"#)).await.0, 201);
    assert_eq!(names(&world.admin("GET", LIST, None).await.1), ["a", "c"]);
    // If it cannot be removed from the list, it is registered nevertheless.
    world.store.fail("forget_unregistered", 1);
    assert_eq!(world.admin("POST", "/admin/v1/accounts", Some(r#"{"id":"c"}"#)).await.0, 201);
}

#[tokio::test]
async fn only_the_operator_sees_unregistered_accounts() {
    let world = world().await;
    for who in [As::Account("acme"), As::Nobody] {
        check_problem(world.call(who, "GET", LIST, None).await, 401, "unauthorized", None);
    }
    world.store.fail("list_unregistered", 1);
    check_problem(world.admin("GET", LIST, None).await, 503, "unavailable", None);
}
