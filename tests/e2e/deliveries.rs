//! What destinations get, through the whole deployed path: requests that are signed, retried under the same id, and not
//! delayed by other destinations.

use std::collections::BTreeSet;
use std::time::Duration;

use harness::Result;
use harness::api_client::NewSubscription;
use harness::eventually::eventually;
use harness::ledger::Ledger;
use harness::producer::fresh_sample;
use harness::receiver::{Answer, Received};
use serde_json::json;
use tests::world::World;

const SAMPLE: &str = "demo-sync-run-succeeded";
const SOON: Duration = Duration::from_secs(30);
/// Enough for two runs of `redrive`.
const ADDED_UP: Duration = Duration::from_secs(150);

async fn await_ledger(world: &World, what: &str, enough: impl Fn(&Ledger) -> bool) -> Result<Ledger> {
    eventually(what, SOON, async || {
        let ledger = world.deployment.ledger(world.customer.account()).await?;
        Ok(enough(&ledger).then_some(ledger))
    })
    .await
}

fn delivery_ids(requests: &[Received]) -> BTreeSet<&str> {
    requests.iter().map(Received::delivery_id).collect()
}

#[tokio::test]
async fn a_destination_gets_the_documented_request() -> Result<()> {
    let world = World::new("deliveries").await?;
    let id = world.subscribed_at("/hooks").await?;
    let narrow = NewSubscription::to_everything(&id).event_types(&["sync_run.completed"]).path("/sync-runs");
    world.customer.subscribe(&narrow.scope("connection/xero/endpoint/invoices")).await?;
    let mut event = fresh_sample(SAMPLE, world.customer.account())?;
    event["scope"] = json!("connection/xero/endpoint/invoices");
    event["data"]["extra"] = json!({"kept": ["é", 1.50]});
    // White space and the form of numbers inside `data` arrive as the producer sent them.
    let text = event.to_string().replace("[\"é\",1.5]", "[ \"\\u00e9\" , 1.50e0 ]");
    world.producer.push_text(&text).await?;

    let requests = world.receiver.await_count("/hooks", 2, SOON).await?;
    let paths: BTreeSet<_> = requests.iter().map(|request| request.path.as_str()).collect();
    assert_eq!(paths, BTreeSet::from(["/hooks", "/hooks/sync-runs"]));
    assert_eq!(delivery_ids(&requests).len(), 2, "each place has its own delivery");
    for request in &requests {
        assert_eq!(request.verified, Ok(()));
        assert_eq!(request.header("content-type"), "application/json");
        assert!(request.header("user-agent").starts_with("SyncHub-Webhooks/"));
        assert_eq!(request.header("webhook-event-type"), "sync_run.completed");
        assert_eq!(request.attempt(), 1);
        assert!(request.delivery_id().starts_with("dlv_") && !request.delivery_id().contains('.'));
        let body = request.json();
        assert_eq!(body["id"], event["id"]);
        assert_eq!(body["type"], "sync_run.completed");
        assert_eq!(body["account"], json!(world.customer.account()));
        assert_eq!(body["scope"], json!({"connection": "xero", "endpoint": "invoices"}));
        assert_eq!(body["test"], json!(false));
        assert_eq!(body["data"], event["data"]);
        assert!(String::from_utf8_lossy(&request.body).contains("[ \"\\u00e9\" , 1.50e0 ]"));
    }
    assert_eq!(requests[0].body, requests[1].body);
    Ok(())
}

#[tokio::test]
async fn twice_500_then_200_is_one_delivery_in_three_attempts() -> Result<()> {
    let world = World::new("deliveries").await?;
    world.subscribed_at("/flaky").await?;
    world.receiver.answer("/flaky", [Answer::status(500), Answer::status(500), Answer::status(200)]);
    world.push(SAMPLE).await?;

    let requests = world.receiver.await_count("/flaky", 3, SOON).await?;
    assert_eq!(delivery_ids(&requests).len(), 1);
    assert_eq!(requests.iter().map(Received::attempt).collect::<Vec<_>>(), [1, 2, 3]);
    assert!(requests.iter().all(|request| request.verified.is_ok()), "each attempt is signed anew");
    let ledger = await_ledger(&world, "the delivery's row", |ledger| ledger.count("delivered") == 1).await?;
    assert_eq!(ledger.deliveries["delivered"], [3]);
    Ok(())
}

#[tokio::test]
async fn how_a_destination_did_is_added_up() -> Result<()> {
    let world = World::new("deliveries").await?;
    let good = world.subscribed_at("/good").await?;
    let settings = json!({"name": "bad", "url": world.receiver.url("/bad"), "retry_policy": "none"});
    let bad = world.customer.post("/v1/destinations", &settings).await?.expect_status(201)?;
    world.receiver.expect_secret("/bad", bad["secret"].as_str().expect("a secret"));
    world.receiver.answer("/bad", [Answer::status(500)]);
    let bad = bad["id"].as_str().expect("an id").to_owned();
    world.customer.subscribe(&NewSubscription::to_everything(&bad)).await?;
    world.push(SAMPLE).await?;
    let stats = async |id: &str, count: &str| {
        let path = format!("/v1/destinations/{id}/stats");
        eventually(&path, ADDED_UP, async || {
            let stats = world.customer.get(&path).await?.expect_status(200)?;
            Ok((stats[count] == 1).then_some(stats))
        })
        .await
    };
    let good = stats(&good, "delivered").await?;
    assert_eq!((&good["success_rate"], &good["partial"]), (&json!(1.0), &json!(false)));
    assert!(good["latency_ms"]["median"].as_u64().is_some_and(|ms| ms > 0), "{good}");
    let hours = good["hours"].as_array().expect("hours");
    assert_eq!((hours.len(), hours.iter().filter(|hour| hour["delivered"] == 1).count()), (24, 1));
    let bad = stats(&bad, "failed").await?;
    assert_eq!((&bad["success_rate"], &bad["latency_ms"]), (&json!(0.0), &json!(null)));
    Ok(())
}

#[tokio::test]
async fn retry_after_is_waited_for() -> Result<()> {
    let world = World::new("deliveries").await?;
    world.subscribed_at("/busy").await?;
    world.receiver.answer("/busy", [Answer::status(429).header("retry-after", "6"), Answer::status(204)]);
    world.push(SAMPLE).await?;
    let requests = world.receiver.await_count("/busy", 2, SOON).await?;
    assert!(requests[1].arrived_at - requests[0].arrived_at >= time::Duration::seconds(6));
    Ok(())
}

#[tokio::test]
async fn one_that_never_answers_is_retried_and_does_not_delay_its_neighbours() -> Result<()> {
    let world = World::new("deliveries").await?;
    world.subscribed_at("/hanging").await?;
    for path in ["/a", "/b", "/c"] {
        world.subscribed_at(path).await?;
    }
    world.receiver.answer("/hanging", [Answer::status(200).after(Duration::from_secs(20)), Answer::status(200)]);
    let event = world.push(SAMPLE).await?;

    let first = world.receiver.await_count("/hanging", 1, SOON).await?;
    for path in ["/a", "/b", "/c"] {
        let requests = world.receiver.await_count(path, 1, SOON).await?;
        assert_eq!(requests[0].event_id(), event);
        // The hanging attempt times out after 15 s. The others, in the same batch, are served long before that.
        assert!(requests[0].arrived_at - first[0].arrived_at < time::Duration::seconds(10), "{path} was delayed");
    }
    let hanging = world.receiver.await_count("/hanging", 2, SOON).await?;
    // The 15 s, less the time that the first request may have taken to arrive after the attempt began.
    assert!(hanging[1].arrived_at - hanging[0].arrived_at >= time::Duration::seconds(12));
    assert_eq!(hanging.iter().map(Received::attempt).collect::<Vec<_>>(), [1, 2]);
    assert_eq!(delivery_ids(&hanging).len(), 1);
    let ledger = await_ledger(&world, "four deliveries", |ledger| ledger.count("delivered") == 4).await?;
    assert_eq!(ledger.owed, 4);
    Ok(())
}

#[tokio::test]
async fn a_broken_connection_and_a_redirect_are_retried_and_the_redirect_is_not_followed() -> Result<()> {
    let world = World::new("deliveries").await?;
    world.subscribed_at("/odd").await?;
    let elsewhere = world.receiver.url("/elsewhere");
    let redirect = Answer::status(307).header("location", &elsewhere);
    world.receiver.answer("/odd", [Answer::close(), redirect, Answer::status(200)]);
    world.push(SAMPLE).await?;
    let requests = world.receiver.await_count("/odd", 3, SOON).await?;
    assert_eq!(requests.iter().map(Received::attempt).collect::<Vec<_>>(), [1, 2, 3]);
    assert!(world.receiver.requests_below("/elsewhere").is_empty());
    Ok(())
}

#[tokio::test]
async fn a_large_event_reaches_more_places_than_fit_into_one_call_of_the_queue() -> Result<()> {
    const PLACES: usize = 12;
    let world = World::new("deliveries").await?;
    let created = world.destination_at("/large").await?;
    for n in 0..PLACES {
        world.customer.subscribe(&NewSubscription::to_everything(&created.id).path(&format!("/{n}"))).await?;
    }
    let mut event = fresh_sample(SAMPLE, world.customer.account())?;
    event["data"]["padding"] = json!("\"".repeat(120 * 1024));
    world.producer.push(&event).await?;
    let requests = world.receiver.await_count("/large", PLACES, SOON).await?;
    assert!(requests.iter().all(|request| request.verified.is_ok() && request.json()["data"] == event["data"]));
    assert_eq!(delivery_ids(&requests).len(), PLACES);
    Ok(())
}

#[tokio::test]
async fn the_same_event_pushed_twice_is_delivered_once() -> Result<()> {
    let world = World::new("deliveries").await?;
    world.subscribed_at("/once").await?;
    let event = fresh_sample(SAMPLE, world.customer.account())?;
    world.producer.push(&event).await?;
    await_ledger(&world, "the delivery", |ledger| ledger.count("delivered") == 1).await?;
    world.producer.push(&event).await?;
    // An event behind it shows when the second one has been handled.
    let last = world.push(SAMPLE).await?;
    let requests = world
        .receiver
        .await_requests("the last event", SOON, |requests| requests.iter().any(|request| request.event_id() == last));
    let requests = requests.await?;
    await_ledger(&world, "both deliveries", |ledger| ledger.count("delivered") == 2).await?;
    assert_eq!(requests.iter().filter(|request| request.event_id() == event["id"]).count(), 1);
    Ok(())
}

#[tokio::test]
async fn a_deleted_destination_is_owed_nothing_more() -> Result<()> {
    let world = World::new("deliveries").await?;
    let id = world.subscribed_at("/gone").await?;
    world.receiver.answer("/gone", [Answer::status(500)]);
    world.push(SAMPLE).await?;
    world.receiver.await_count("/gone", 1, SOON).await?;
    for subscription in world.customer.list("/v1/subscriptions").await? {
        let path = format!("/v1/subscriptions/{}", subscription["id"].as_str().unwrap_or_default());
        world.customer.delete(&path).await?.expect_status(204)?;
    }
    world.customer.delete(&format!("/v1/destinations/{id}")).await?.expect_status(204)?;
    let ledger = await_ledger(&world, "the cancellation", |ledger| ledger.count("cancelled") == 1).await?;
    assert_eq!(ledger.owed, 1);
    Ok(())
}
