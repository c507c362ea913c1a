//! The lists of all destinations and subscriptions, of those with a name, and of the subscriptions to one destination.

use domain::routing::Subscription;
use domain::value::SubscriptionId;
use ports::{Clock, Subscriptions};
use serde_json::{Value, json};
use testing::account;

use crate::world::{As, World, world};

async fn list(world: &World, query: &str) -> Value {
    let (status, listed) = world.call(As::Account("acme"), "GET", &format!("/v1/subscriptions?{query}"), None).await;
    assert_eq!(status, 200, "{listed}");
    listed
}

fn ids(listed: &Value) -> Vec<&str> {
    let all = listed["data"].as_array().expect("a list").iter();
    all.map(|one| one["id"].as_str().expect("an id")).collect()
}

/// A subscription that no request created.
pub async fn store(world: &World, number: u64, destination: &Value) {
    let settings = json!({
        "name": format!("n{number}"), "destination_id": destination["id"], "event_types": ["*"], "scope": "*"
    });
    let mut entropy = [0; 10];
    entropy[..8].copy_from_slice(&number.to_be_bytes());
    let now = world.clock.now();
    let subscription = Subscription {
        id: SubscriptionId::from_entropy(entropy),
        account: account("acme"),
        settings: serde_json::from_value(settings).expect("settings"),
        created_at: now,
        updated_at: now,
        version: 1,
    };
    world.store.create_subscription(&subscription, u32::MAX).await.expect("created");
}

#[tokio::test]
async fn those_to_one_destination_are_listed_page_by_page() {
    let world = world().await;
    let (one, other) = (world.destination("acme").await, world.destination("acme").await);
    let mut wanted = Vec::new();
    for destination in [&one, &other, &one, &other, &one] {
        let (_, created) = world.subscription("acme", destination).await;
        if destination == &one {
            wanted.push(created["id"].as_str().expect("an id").to_owned());
        }
    }
    wanted.reverse();
    let query = format!("destination_id={}", one["id"].as_str().expect("an id"));
    assert_eq!(ids(&list(&world, &query).await), wanted);
    let first = list(&world, &format!("{query}&limit=2")).await;
    assert_eq!((ids(&first), &first["has_more"]), (vec![&*wanted[0], &wanted[1]], &json!(true)));
    let cursor = first["next_cursor"].as_str().expect("a cursor");
    let second = list(&world, &format!("{query}&limit=2&cursor={cursor}")).await;
    assert_eq!((ids(&second), &second["next_cursor"]), (vec![&*wanted[2]], &Value::Null));
    assert_eq!(ids(&list(&world, "destination_id=dst_vvvvvvvvvvvvvvvv").await), Vec::<&str>::new());
    assert_eq!(ids(&list(&world, "").await).len(), 5);
    let (_, foreign) = world.call(As::Account("rival"), "GET", &format!("/v1/subscriptions?{query}"), None).await;
    assert_eq!(ids(&foreign), Vec::<&str>::new());
    for wrong in
        [format!("cursor={cursor}"), "destination_id=one".into(), "destination=x".into(), format!("{query}&{query}")]
    {
        let answer = world.call(As::Account("acme"), "GET", &format!("/v1/subscriptions?{wrong}"), None).await;
        assert_eq!((answer.0, &answer.1["code"]), (400, &json!("invalid_parameter")), "{wrong}");
    }
}

#[tokio::test]
async fn a_page_looks_at_a_thousand_and_says_that_there_is_more() {
    let world = world().await;
    let (one, other) = (world.destination("acme").await, world.destination("acme").await);
    for number in 0..1_000 {
        store(&world, number, &other).await;
    }
    store(&world, 1_000, &one).await;
    let query = format!("order=asc&destination_id={}", one["id"].as_str().expect("an id"));
    let first = list(&world, &query).await;
    assert_eq!((ids(&first).len(), &first["has_more"]), (0, &json!(true)));
    let second = list(&world, &format!("{query}&cursor={}", first["next_cursor"].as_str().expect("a cursor"))).await;
    assert_eq!((ids(&second).len(), &second["has_more"]), (1, &json!(false)));
}

async fn listed(world: &World, list: &str, query: &str) -> Vec<String> {
    let path = format!("/v1/{list}?{query}");
    let (status, listed) = world.call(As::Account("acme"), "GET", &path, None).await;
    assert_eq!(status, 200, "{listed}");
    let names = listed["data"].as_array().expect("a list").iter().map(|one| one["name"].as_str().expect("a name"));
    let mut names: Vec<_> = names.map(str::to_owned).collect();
    names.sort_unstable();
    names
}

#[tokio::test]
async fn what_has_a_name_is_found_by_a_part_of_it() {
    let world = world().await;
    let mut ids = Vec::new();
    for name in ["Billing", "billing of ÄRZTE", "ERP"] {
        let body = json!({ "name": name, "url": "https://example.com/hooks" });
        let (_, created) = world.post("acme", "/v1/destinations", body).await;
        ids.push(created["id"].as_str().expect("an id").to_owned());
        let body = json!({ "name": name, "destination_id": ids[0], "event_types": ["*"], "scope": "*" });
        assert_eq!(world.post("acme", "/v1/subscriptions", body).await.0, 201);
    }
    for list in ["destinations", "subscriptions"] {
        assert_eq!(listed(&world, list, "name_contains=BILL").await, ["Billing", "billing of ÄRZTE"], "{list}");
        assert_eq!(listed(&world, list, "name_contains=%C3%A4rzte").await, ["billing of ÄRZTE"], "{list}");
        assert_eq!(listed(&world, list, "name_contains=none").await, [""; 0], "{list}");
        assert_eq!(listed(&world, list, "name_contains=").await.len(), 3, "{list}");
        let path = format!("/v1/{list}?name=ERP");
        let (status, problem) = world.call(As::Account("acme"), "GET", &path, None).await;
        assert_eq!((status, &problem["errors"][0]["parameter"]), (400, &json!("name")), "{list}");
    }
    let both = format!("name_contains=erp&destination_id={}", ids[0]);
    assert_eq!(listed(&world, "subscriptions", &both).await, ["ERP"]);
    let other = format!("name_contains=erp&destination_id={}", ids[1]);
    assert_eq!(listed(&world, "subscriptions", &other).await, [""; 0]);
}
