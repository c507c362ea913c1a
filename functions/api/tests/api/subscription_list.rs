//! The list of subscriptions, of all and of those to one destination.

use serde_json::{Value, json};
use shared::domain::id::SubscriptionId;
use shared::domain::subscription::Subscription;
use shared::ports::{Clock, Subscriptions};
use shared::testing::account;

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
async fn store(world: &World, number: u64, destination: &Value) {
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
    wanted.sort_unstable();
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
    let query = format!("destination_id={}", one["id"].as_str().expect("an id"));
    let first = list(&world, &query).await;
    assert_eq!((ids(&first).len(), &first["has_more"]), (0, &json!(true)));
    let second = list(&world, &format!("{query}&cursor={}", first["next_cursor"].as_str().expect("a cursor"))).await;
    assert_eq!((ids(&second).len(), &second["has_more"]), (1, &json!(false)));
}
