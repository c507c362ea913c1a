//! Recovery by people, on the deployed stack: deliveries that were exhausted, parked or never owed are sent after all.

#![expect(clippy::expect_used, reason = "helpers of tests may fail them")]

use std::collections::BTreeSet;
use std::time::Duration;

use harness::Result;
use harness::api_client::NewSubscription;
use harness::eventually::eventually;
use harness::receiver::{Answer, Received};
use http::Method;
use serde_json::{Value, json};
use tests::function;
use tests::world::World;

const SAMPLE: &str = "demo-sync-run-succeeded";
const SOON: Duration = Duration::from_secs(30);
/// Enough for two parts of a drain, in case `deliver` still takes the destination for paused during the first.
const DRAINED: Duration = Duration::from_secs(150);

/// Creates a destination that gets everything, with one attempt for each delivery.
async fn destination(world: &World, path: &str) -> Result<String> {
    let settings = json!({"name": path, "url": world.receiver.url(path), "retry_policy": "none"});
    let created = world.customer.post("/v1/destinations", &settings).await?.expect_status(201)?;
    world.receiver.expect_secret(path, text(&created["secret"]));
    let id = text(&created["id"]).to_owned();
    world.customer.subscribe(&NewSubscription::to_everything(&id)).await?;
    Ok(id)
}

/// Waits until there are `count` deliveries with this status, and returns them.
async fn await_status(world: &World, status: &str, count: usize) -> Result<Vec<Value>> {
    world.await_list(&format!("/v1/deliveries?status={status}"), count, SOON).await
}

/// Posts to this path without a body, and returns the answer.
async fn ask(world: &World, path: &str, status: u16) -> Result<Value> {
    world.customer.call(Method::POST, path, None).await?.expect_status(status)
}

fn text(value: &Value) -> &str {
    value.as_str().expect("a text")
}

#[tokio::test]
async fn an_exhausted_delivery_is_sent_again_under_its_id_to_where_its_destination_is_now() -> Result<()> {
    let world = World::new("recovery").await?;
    let destination = destination(&world, "/before").await?;
    world.receiver.answer("/before", [Answer::status(500)]);
    world.push(SAMPLE).await?;
    let exhausted = await_status(&world, "exhausted", 1).await?.remove(0);

    let moved = json!({"url": world.receiver.url("/after")});
    let path = format!("/v1/destinations/{destination}");
    let secret = world.customer.post(&format!("{path}/secrets/rotate"), &json!({"overlap_seconds": 0})).await?;
    world.receiver.expect_secret("/after", text(&secret.expect_status(200)?["secret"]));
    world.customer.call(Method::PATCH, &path, Some(&moved)).await?.expect_status(200)?;
    // For this long `deliver` may still have the old destination in its cache.
    tokio::time::sleep(Duration::from_secs(6)).await;
    let resend = format!("/v1/deliveries/{}/resend", text(&exhausted["id"]));
    assert_eq!(ask(&world, &resend, 202).await?["result"], "sent");
    let requests = world.receiver.await_count("/after", 1, SOON).await?;
    assert_eq!((requests[0].delivery_id(), requests[0].attempt()), (text(&exhausted["id"]), 2));
    assert_eq!(requests[0].verified, Ok(()));
    await_status(&world, "delivered", 1).await?;

    // It was delivered, and stays delivered.
    world.receiver.answer("/after", [Answer::status(500)]);
    assert_eq!(ask(&world, &resend, 202).await?["result"], "sent");
    world.receiver.await_count("/after", 2, SOON).await?;
    let told = eventually("the third attempt", SOON, async || {
        let path = format!("/v1/deliveries/{}", text(&exhausted["id"]));
        let told = world.get(&path).await?;
        Ok((told["attempt_count"] == 3).then_some(told))
    });
    assert_eq!(told.await?["status"], "delivered");
    let cancel = format!("/v1/deliveries/{}/cancel", text(&exhausted["id"]));
    assert_eq!(ask(&world, &cancel, 409).await?["code"], "delivery_ended");
    Ok(())
}

#[tokio::test]
async fn what_a_paused_destination_is_owed_is_set_aside_and_drained_when_it_is_resumed() -> Result<()> {
    const EVENTS: usize = 5;
    let world = World::new("recovery").await?;
    let path = format!("/v1/destinations/{}", destination(&world, "/paused").await?);
    assert_eq!(ask(&world, &format!("{path}/pause"), 200).await?["paused"], true);
    for _ in 0..EVENTS {
        world.push(SAMPLE).await?;
    }
    let parked = await_status(&world, "parked", EVENTS).await?;
    let told = ask(&world, &format!("/v1/deliveries/{}/resend", text(&parked[0]["id"])), 202).await?;
    assert_eq!((&told["result"], &told["delivery"]["status"]), (&json!("set_aside"), &json!("parked")));
    let cancelled = ask(&world, &format!("/v1/deliveries/{}/cancel", text(&parked[1]["id"])), 200).await?;
    assert_eq!(cancelled["status"], "cancelled");
    assert_eq!(world.receiver.requests_below("/paused").len(), 0);

    let resumed = ask(&world, &format!("{path}/resume"), 200).await?;
    assert_eq!((&resumed["health"], &resumed["draining"]), (&json!("healthy"), &json!(true)));
    eventually("the drain", DRAINED, async || {
        function::run_redrive(&world.deployment).await?;
        tokio::time::sleep(Duration::from_secs(2)).await;
        Ok((world.customer.list("/v1/deliveries?status=delivered").await?.len() == EVENTS - 1).then_some(()))
    })
    .await?;
    // Each arrived at least once, and the cancelled one never.
    let sent = world.receiver.requests_below("/paused");
    let sent: BTreeSet<_> = sent.iter().map(Received::delivery_id).collect();
    let owed = parked.iter().map(|delivery| text(&delivery["id"]));
    let cancelled = text(&parked[1]["id"]);
    assert_eq!(sent, owed.filter(|id| *id != cancelled).collect());
    Ok(())
}

#[tokio::test]
async fn a_destination_gets_everything_it_missed_by_a_job_that_tells_how_far_it_is() -> Result<()> {
    const EVENTS: usize = 4;
    let world = World::new("recovery").await?;
    let destination = destination(&world, "/missed").await?;
    world.receiver.answer("/missed", [Answer::status(500)]);
    for _ in 0..EVENTS {
        world.push(SAMPLE).await?;
    }
    await_status(&world, "exhausted", EVENTS).await?;
    world.receiver.answer("/missed", [Answer::status(200)]);

    let recover = format!("/v1/destinations/{destination}/recover");
    let wanted = json!({"since": "2020-01-01T00:00:00Z"});
    let job = world.customer.post(&recover, &wanted).await?.expect_status(202)?;
    let path = format!("/v1/jobs/{}", text(&job["id"]));
    let ended = eventually("the end of the job", SOON, async || {
        function::run_redrive(&world.deployment).await?;
        let job = world.get(&path).await?;
        Ok((job["status"] == "succeeded").then_some(job))
    });
    let ended = ended.await?;
    assert_eq!(ended["progress"], json!({"looked_at": EVENTS, "resent": EVENTS, "set_aside": 0}));
    // The last of them is delayed for less than a second.
    await_status(&world, "delivered", EVENTS).await?;
    assert_eq!(world.receiver.requests_below("/missed").len(), 2 * EVENTS);
    let next = world.customer.post(&recover, &wanted).await?.expect_status(202)?;
    assert_eq!((&next["id"], &next["status"]), (&job["id"], &json!("queued")));
    Ok(())
}

#[tokio::test]
async fn very_many_recoveries_of_one_account_hold_up_no_other() -> Result<()> {
    const CROWD: usize = 40;
    let (world, crowd) = (World::new("recovery").await?, World::new("crowd").await?);
    let since = json!({"since": "2020-01-01T00:00:00Z"});
    let missed = destination(&world, "/held-up").await?;
    world.receiver.answer("/held-up", [Answer::status(500)]);
    world.push(SAMPLE).await?;
    await_status(&world, "exhausted", 1).await?;
    world.receiver.answer("/held-up", [Answer::status(200)]);
    for n in 0..CROWD {
        let settings = json!({"name": format!("crowd {n}"), "url": crowd.receiver.url(&format!("/crowd-{n}"))});
        let created = crowd.customer.post("/v1/destinations", &settings).await?.expect_status(201)?;
        let recover = format!("/v1/destinations/{}/recover", text(&created["id"]));
        let asked = crowd.customer.post(&recover, &since).await?;
        // Beyond twenty that have not ended.
        let refused = asked.status == 409 && asked.body["code"] == "limit_reached";
        assert!(asked.status == 202 || refused, "{}", asked.body);
    }
    let job = world.customer.post(&format!("/v1/destinations/{missed}/recover"), &since).await?.expect_status(202)?;
    let path = format!("/v1/jobs/{}", text(&job["id"]));
    eventually("the end of the job", SOON, async || {
        function::run_redrive(&world.deployment).await?;
        Ok((world.get(&path).await?["status"] == "succeeded").then_some(()))
    })
    .await?;
    await_status(&world, "delivered", 1).await?;
    Ok(())
}

#[tokio::test]
async fn an_event_is_replayed_to_who_subscribed_after_it_had_come() -> Result<()> {
    let world = World::new("recovery").await?;
    destination(&world, "/early").await?;
    let event = world.push(SAMPLE).await?;
    await_status(&world, "delivered", 1).await?;
    destination(&world, "/late").await?;
    let replay = format!("/v1/events/{event}/replay");
    let told = ask(&world, &replay, 202).await?;
    assert_eq!((&told["new_count"], &told["already_owed_count"]), (&json!(1), &json!(1)));
    let requests = world.receiver.await_count("/late", 1, SOON).await?;
    assert_eq!((&json!(requests[0].delivery_id()), requests[0].event_id()), (&told["new"][0], event.clone()));
    let delivered = await_status(&world, "delivered", 2).await?;
    assert!(delivered.iter().any(|delivery| delivery["id"] == told["new"][0]));
    let told = ask(&world, &replay, 202).await?;
    assert_eq!((&told["new_count"], &told["already_owed_count"]), (&json!(0), &json!(2)));
    let told = world.get(&format!("/v1/events/{event}")).await?;
    assert_eq!((&told["owed_count"], told["owed"].as_array().map(Vec::len)), (&json!(2), Some(2)));
    let listed = world.customer.list("/v1/events").await?;
    assert_eq!(listed[0]["owed_count"], 2);
    assert_eq!(world.receiver.requests_below("/early").len(), 1);
    Ok(())
}

#[tokio::test]
async fn a_span_is_replayed_to_a_subscription_that_was_made_after_it() -> Result<()> {
    const EVENTS: usize = 4;
    let world = World::new("recovery").await?;
    destination(&world, "/before").await?;
    for _ in 0..EVENTS {
        world.push(SAMPLE).await?;
    }
    await_status(&world, "delivered", EVENTS).await?;
    let settings = json!({"name": "after", "url": world.receiver.url("/after"), "retry_policy": "none"});
    let created = world.customer.post("/v1/destinations", &settings).await?.expect_status(201)?;
    world.receiver.expect_secret("/after", text(&created["secret"]));
    let subscription = json!({
        "name": "after", "destination_id": created["id"], "event_types": ["*"], "scope": "*",
        "condition": {"status": ["succeeded"]}
    });
    let subscription = world.customer.post("/v1/subscriptions", &subscription).await?.expect_status(201)?;
    let replay = format!("/v1/subscriptions/{}/replay", text(&subscription["id"]));
    for sent in [EVENTS, 0] {
        let wanted = json!({"since": "2020-01-01T00:00:00Z"});
        let job = world.customer.post(&replay, &wanted).await?.expect_status(202)?;
        let path = format!("/v1/jobs/{}", text(&job["id"]));
        let ended = eventually("the end of the job", SOON, async || {
            function::run_redrive(&world.deployment).await?;
            let job = world.get(&path).await?;
            Ok((job["status"] == "succeeded").then_some(job))
        });
        let progress = ended.await?["progress"].clone();
        assert_eq!((&progress["matched"], &progress["sent"]), (&json!(EVENTS), &json!(sent)), "{progress}");
        await_status(&world, "delivered", 2 * EVENTS).await?;
        assert_eq!(world.receiver.requests_below("/after").len(), EVENTS);
    }
    Ok(())
}
