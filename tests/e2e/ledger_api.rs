//! The API's view of the ledger, on the deployed stack: events that were posted or pushed, and their deliveries,
//! filtered and paged.

#![expect(clippy::expect_used, reason = "helpers of tests may fail them")]

use std::collections::BTreeSet;
use std::time::Duration;

use harness::Result;
use harness::api_client::NewSubscription;
use harness::eventually::eventually;
use harness::producer::fresh_sample;
use harness::receiver::Answer;
use serde_json::{Value, json};
use tests::world::World;

const SOON: Duration = Duration::from_secs(30);

/// A sample in the form that a producer posts: without the account.
fn posted(world: &World, name: &str) -> Result<Value> {
    let mut event = fresh_sample(name, world.customer.account())?;
    event.as_object_mut().expect("an object").remove("account");
    Ok(event)
}

#[tokio::test]
async fn a_posted_event_is_delivered_and_told_of() -> Result<()> {
    let world = World::new("ledger").await?;
    let destination = world.subscribed_at("/posted").await?;
    world.receiver.answer("/posted", [Answer::status(500).body("not now, é"), Answer::status(204)]);
    let event = posted(&world, "demo-sync-run-succeeded")?;
    let id = event["id"].as_str().expect("an id");
    let answer = world.customer.post("/v1/events", &event).await?.expect_status(202)?;
    assert_eq!(answer, json!({"id": id, "status": "accepted"}));
    world.receiver.await_count("/posted", 2, SOON).await?;

    let path = format!("/v1/deliveries?destination_id={destination}&status=delivered");
    let listed = world.await_list(&path, 1, SOON).await?;
    assert_eq!((&listed[0]["event_id"], &listed[0]["scope"]), (&event["id"], &event["scope"]));
    assert_eq!(listed[0]["last_attempt"]["status_code"], 204);
    let told = world.get(&format!("/v1/deliveries/{}", listed[0]["id"].as_str().expect("an id"))).await?;
    assert_eq!(told["attempts"][0]["response_excerpt"], "not now, é");
    assert_eq!(told["attempts"][1]["outcome"], "delivered");

    let told = world.get(&format!("/v1/events/{id}")).await?;
    assert_eq!((&told["body"]["data"], &told["owed_count"]), (&event["data"], &json!(1)));
    assert_eq!((&told["owed"][0]["id"], &told["owed"][0]["status"]), (&listed[0]["id"], &json!("delivered")));

    let again = world.customer.post("/v1/events", &event).await?.expect_status(202)?;
    assert_eq!(again["status"], "duplicate");
    let mut other = event.clone();
    other["data"]["run_id"] = json!("another");
    let refused = world.customer.post("/v1/events", &other).await?.expect_status(409)?;
    assert_eq!(refused["code"], "id_reused");

    let tree = world.get("/v1/scopes").await?;
    assert_eq!(tree["data"][0]["endpoints"][0]["scope"], event["scope"]);
    Ok(())
}

#[tokio::test]
async fn events_and_deliveries_are_listed_newest_first_filtered_and_in_pages() -> Result<()> {
    const EVENTS: usize = 7;
    let world = World::new("ledger").await?;
    for path in ["/a", "/b"] {
        world.subscribed_at(path).await?;
    }
    for n in 0..EVENTS {
        let name = if n % 2 == 0 { "demo-sync-run-succeeded" } else { "demo-insight-succeeded" };
        let event = fresh_sample(name, world.customer.account())?;
        world.producer.push(&event).await?;
    }
    let events = world.await_list("/v1/events", EVENTS, SOON).await?;
    let deliveries = world.await_list("/v1/deliveries?status=delivered", 2 * EVENTS, SOON).await?;
    let times = |items: &[Value]| items.iter().map(|item| item["occurred_at"].to_string()).collect::<Vec<_>>();
    assert!(times(&events).is_sorted_by(|newer, older| newer >= older));
    assert!(events.iter().all(|event| event["owed_count"] == 2 && event["unmatched"].is_null()));

    assert_eq!(world.customer.list("/v1/events?limit=2").await?, events);
    assert_eq!(world.customer.list("/v1/deliveries?status=delivered&limit=3").await?, deliveries);
    for (path, count) in [
        ("/v1/events?event_type=insight_population.completed", EVENTS / 2),
        ("/v1/events?status=unmatched", 0),
        ("/v1/events?scope=connection/nowhere", 0),
        ("/v1/deliveries?event_type=sync_run.completed&limit=3", EVENTS.div_ceil(2) * 2),
        ("/v1/deliveries?status=exhausted", 0),
        ("/v1/deliveries?until=2020-01-01T00:00:00Z", 0),
        ("/v1/events?since=2100-01-01T00:00:00Z", 0),
    ] {
        assert_eq!(world.customer.list(path).await?.len(), count, "{path}");
    }
    let first = world.get("/v1/events?limit=2").await?;
    let cursor = first["next_cursor"].as_str().expect("a cursor");
    let other = world.customer.get(&format!("/v1/events?status=matched&cursor={cursor}")).await?.expect_status(400)?;
    assert_eq!(other["errors"][0]["parameter"], "cursor");
    Ok(())
}

const STATES: [&str; 5] = ["delivered", "retrying", "parked", "exhausted", "cancelled"];

fn count(ledger: &Value, name: &str) -> usize {
    ledger[name]["count"].as_u64().and_then(|count| usize::try_from(count).ok()).expect("a count")
}

/// Waits until the API's ledger of the last day agrees with the table, which must have so many cancelled and delivered
/// deliveries, and returns it.
async fn agreed_ledger(world: &World, events: usize, cancelled: usize, delivered: usize) -> Result<Value> {
    eventually("the same ledger in the API and in the table", SOON, async || {
        let table = world.deployment.ledger(world.customer.account()).await?;
        let told = world.get("/v1/ledger").await?;
        let settled = (table.events.len(), table.count("cancelled"), table.count("delivered"));
        let same = STATES.iter().all(|state| count(&told, state) == table.count(state))
            && (count(&told, "accepted"), count(&told, "owed")) == (table.events.len(), table.owed)
            && count(&told, "pending") == table.owed - table.deliveries.values().map(Vec::len).sum::<usize>();
        Ok((same && settled == (events, cancelled, delivered)).then_some(told))
    })
    .await
}

#[tokio::test]
async fn the_ledger_of_the_api_is_that_of_the_table() -> Result<()> {
    // With one attempt each there are too few failures for the destination to become `failing`, which would publish one
    // more event at some time.
    const EVENTS: usize = 3;
    let world = World::new("ledger").await?;
    world.receiver.answer("/bad", [Answer::status(500)]);
    world.receiver.answer("/gone", [Answer::status(500)]);
    let push = async |name| {
        let event = fresh_sample(name, world.customer.account())?;
        world.producer.push(&event).await?;
        Ok::<_, harness::failure::Failure>(event)
    };
    let unmatched = push("demo-insight-succeeded").await?;
    world.await_list("/v1/events?status=unmatched", 1, SOON).await?;
    let mut subscriptions = Vec::new();
    for (path, paused) in [("/good", false), ("/bad", false), ("/off", true), ("/gone", false)] {
        let wait = if path == "/gone" { 8 } else { 600 };
        let settings = json!({"name": path, "url": world.receiver.url(path), "paused": paused, "retry_policy": [wait]});
        let created = world.customer.post("/v1/destinations", &settings).await?.expect_status(201)?;
        let id = created["id"].as_str().expect("an id").to_owned();
        let subscription = NewSubscription::to_everything(&id).event_types(&["sync_run.completed"]);
        subscriptions.push((world.customer.subscribe(&subscription).await?, id));
    }
    for _ in 0..EVENTS {
        push("demo-sync-run-succeeded").await?;
    }
    world.await_list("/v1/events?status=matched", EVENTS, SOON).await?;
    // The next attempts there find no destination.
    let (subscription, destination) = subscriptions.pop().expect("the last one");
    world.customer.delete(&format!("/v1/subscriptions/{subscription}")).await?.expect_status(204)?;
    world.customer.delete(&format!("/v1/destinations/{destination}")).await?.expect_status(204)?;

    let told = agreed_ledger(&world, EVENTS + 1, EVENTS, EVENTS).await?;
    assert_eq!((&told["closes"], &told["disagreeing"]), (&json!(true), &json!([])), "{told}");
    let numbers = (count(&told, "unmatched"), count(&told, "matched"), count(&told, "owed"));
    assert_eq!(numbers, (1, EVENTS, 4 * EVENTS));
    assert_eq!((&told["unmatched"]["ids"], count(&told, "parked") >= EVENTS), (&json!([unmatched["id"]]), true));

    // The numbers of single events add up, and each list has as many items as its number says.
    let alone = ["delivered", "exhausted", "cancelled", "pending", "accepted", "unmatched", "matched", "owed"];
    for names in alone.iter().map(std::slice::from_ref).chain([&["retrying", "parked"][..]]) {
        let (mut sum, mut path) = (0, "/v1/ledger?limit=1".to_owned());
        loop {
            let page = world.get(&path).await?;
            sum += names.iter().map(|name| count(&page, name)).sum::<usize>();
            let Some(cursor) = page["next_cursor"].as_str() else { break };
            path = format!("/v1/ledger?limit=1&cursor={cursor}");
        }
        let (mut ids, mut listed) = (BTreeSet::new(), BTreeSet::new());
        for name in names {
            let list = format!("{}&limit=3", told[name]["list"].as_str().expect("a path"));
            listed.extend(world.customer.list(&list).await?.iter().map(|item| item["id"].to_string()));
            ids.extend(told[name]["ids"].as_array().expect("ids").iter().map(ToString::to_string));
        }
        assert_eq!((sum, listed), (ids.len(), ids), "{names:?}");
    }
    let id = unmatched["id"].as_str().expect("an id");
    let nearest = world.get(&format!("/v1/events/{id}")).await?["nearest_subscriptions"].take();
    let reasons: Vec<_> = nearest.as_array().expect("a list").iter().map(|one| &one["reason"]["code"]).collect();
    assert_eq!(reasons, ["event_type"; 3]);
    Ok(())
}
