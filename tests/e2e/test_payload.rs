//! Test payloads on the deployed stack, sent to receivers that use a Standard Webhooks library: which checks they are
//! proven to make, and which secret they verify with during a rotation.

use std::time::Duration;

use harness::api_client::NewSubscription;
use harness::eventually::eventually;
use harness::producer::fresh_sample;
use harness::receiver::{Answer, Guard, Received};
use harness::{Failure, Result};
use serde_json::{Value, json};
use tests::world::World;
use tokio::time::Instant;

const SOON: Duration = Duration::from_secs(30);

async fn test(world: &World, id: &str, body: Value) -> Result<Value> {
    world.customer.post(&format!("/v1/destinations/{id}/test"), &body).await?.expect_status(200)
}

/// Checks what `prove` says about a receiver with this guard: whether it is proven, and which checks it fails.
async fn check_proof(guard: Guard, proven: bool, failing: &[&str]) -> Result<()> {
    let world = World::new("test-payload").await?;
    let created = world.destination_at("/hooks").await?;
    world.receiver.guard("/hooks", guard);
    let body = json!({"event_type": "sync_run.completed", "status": "failed", "prove": true});
    let answer = test(&world, &created.id, body).await?;
    assert_eq!((&answer["verdict"], &answer["proven"]), (&json!("delivered"), &json!(proven)), "{answer:#}");
    let checks = answer["checks"].as_array().map(Vec::as_slice).unwrap_or_default();
    assert_eq!(checks.len(), 3);
    let failed: Vec<_> = checks.iter().filter(|check| check["passed"] == false).map(|check| &check["name"]).collect();
    assert_eq!(failed, failing);
    let conclusion = answer["conclusion"].as_str().unwrap_or_default();
    let said = if proven { "refuses all three".to_owned() } else { format!("see {}", failing.join(", ")) };
    assert!(conclusion.contains(&said), "{conclusion}");
    assert!(!answer.to_string().contains(&created.secret), "the secret was shown");
    assert_eq!(world.receiver.requests().len(), 4);
    Ok(())
}

#[tokio::test]
async fn a_receiver_built_on_a_library_refuses_all_three() -> Result<()> {
    check_proof(Guard::Verifies, true, &[]).await
}

#[tokio::test]
async fn a_receiver_that_skips_the_timestamp_is_told_so() -> Result<()> {
    check_proof(Guard::SkipsTimestamp, false, &["old_timestamp"]).await
}

#[tokio::test]
async fn a_receiver_that_skips_the_signature_is_told_so() -> Result<()> {
    check_proof(Guard::SkipsSignature, false, &["wrong_signature", "altered_body"]).await
}

fn header_names(request: &Received) -> Vec<&str> {
    request.headers.keys().map(|name| name.as_str()).collect()
}

#[tokio::test]
async fn a_test_arrives_as_a_delivery_does_and_is_not_in_the_ledger() -> Result<()> {
    let world = World::new("test-payload").await?;
    let created = world.destination_at("/hooks").await?;
    world.receiver.answer("/hooks", [Answer::status(202).header("x-served-by", "cache-1").body("thanks")]);
    let answer = test(&world, &created.id, json!({"event_type": "sync_run.completed", "path": "/invoices"})).await?;
    assert_eq!(answer["verdict"], "delivered", "{answer:#}");
    assert_eq!((&answer["response"]["status"], &answer["response"]["body"]), (&json!(202), &json!("thanks")));
    let arrived = world.receiver.requests();
    assert_eq!((arrived.len(), arrived[0].path.as_str(), &arrived[0].verified), (1, "/hooks/invoices", &Ok(())));
    assert_eq!(answer["request"]["body"], json!(String::from_utf8_lossy(&arrived[0].body)));
    assert_eq!((&arrived[0].json()["test"], arrived[0].event_id()), (&json!(true), text(&answer["event_id"])));
    for header in answer["request"]["headers"].as_array().map(Vec::as_slice).unwrap_or_default() {
        assert_eq!(arrived[0].header(&text(&header["name"])), text(&header["value"]), "{header}");
    }

    world.customer.subscribe(&NewSubscription::to_everything(&created.id)).await?;
    let event = fresh_sample("demo-sync-run-succeeded", world.customer.account())?;
    world.producer.push(&event).await?;
    let delivered = world.receiver.await_count("/hooks", 2, SOON).await?;
    assert_eq!(header_names(&delivered[0]), header_names(&delivered[1]));
    let ledger = eventually("the delivery's row", SOON, async || {
        let ledger = world.deployment.ledger(world.customer.account()).await?;
        Ok((ledger.count("delivered") == 1).then_some(ledger))
    });
    let ledger = ledger.await?;
    assert_eq!((ledger.events, ledger.owed), (vec![text(&event["id"])], 1), "only the event is in the ledger");
    Ok(())
}

fn text(value: &Value) -> String {
    value.as_str().unwrap_or_default().to_owned()
}

#[tokio::test]
async fn the_old_secret_verifies_during_the_overlap_and_not_after_and_the_new_one_at_once() -> Result<()> {
    const OVERLAP: u64 = 8;
    let world = World::new("test-payload").await?;
    // The receiver below each path has one of the two secrets.
    let created = world.customer.create_destination("rotating", &world.receiver.url("/rotating")).await?;
    world.receiver.guard("/rotating", Guard::Verifies);
    world.receiver.expect_secret("/rotating/old", &created.secret);
    let verdict = async |path: &str| {
        let answer = test(&world, &created.id, json!({"event_type": "sync_run.completed", "path": path})).await?;
        Ok::<_, Failure>(text(&answer["verdict"]))
    };
    assert_eq!(verdict("/old").await?, "delivered");

    let begun = Instant::now();
    let rotate = format!("/v1/destinations/{}/secrets/rotate", created.id);
    let rotated = world.customer.post(&rotate, &json!({"overlap_seconds": OVERLAP})).await?.expect_status(200)?;
    world.receiver.expect_secret("/rotating/new", &text(&rotated["secret"]));
    assert_eq!((verdict("/new").await?, verdict("/old").await?), ("delivered".to_owned(), "delivered".to_owned()));
    eventually("the end of the old secret", SOON, async || Ok((verdict("/old").await? == "refused").then_some(())))
        .await?;
    assert!(begun.elapsed() >= Duration::from_secs(OVERLAP), "it ended after {:?}", begun.elapsed());
    assert_eq!(verdict("/new").await?, "delivered");
    let refused = world.receiver.requests_below("/rotating/old");
    assert_eq!(refused.last().map(|request| request.answered), Some(Some(401)));
    Ok(())
}

#[tokio::test]
async fn a_receiver_that_never_answers_gets_its_verdict_within_25_seconds() -> Result<()> {
    let world = World::new("test-payload").await?;
    let settings = json!({"name": "hanging", "url": world.receiver.url("/hanging"), "timeout_seconds": 30});
    let created = world.customer.post("/v1/destinations", &settings).await?.expect_status(201)?;
    world.receiver.answer("/hanging", [Answer::status(200).after(Duration::from_secs(60))]);
    let begun = Instant::now();
    let answer =
        test(&world, &text(&created["id"]), json!({"event_type": "sync_run.completed", "prove": true})).await?;
    let took = begun.elapsed();
    assert_eq!((&answer["verdict"], &answer["proven"]), (&json!("timed_out"), &json!(false)), "{answer:#}");
    assert!((20..=25).contains(&took.as_secs()), "{took:?}");
    Ok(())
}

#[tokio::test]
async fn a_host_that_does_not_exist_is_unreachable() -> Result<()> {
    let world = World::new("test-payload").await?;
    let created = world.customer.create_destination("nowhere", "https://no.such.invalid/hooks").await?;
    let answer = test(&world, &created.id, json!({"event_type": "sync_run.completed"})).await?;
    assert_eq!((&answer["verdict"], &answer["response"]), (&json!("unreachable"), &Value::Null), "{answer:#}");
    Ok(())
}
