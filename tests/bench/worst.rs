//! The peak memory of the deployed functions after the worst that an account may ask of them: the optimized programs,
//! measured by the kernel. `fanout` has its own measurement ([`crate::memory`]), with inputs that the local AWS cannot
//! take.

use std::time::Duration;

use harness::api_client::{Customer, NewSubscription};
use harness::eventually::eventually;
use harness::failure::OrFailure;
use harness::receiver::{Answer, Receiver};
use harness::unique::unique;
use harness::{Deployment, Result};
use serde_json::{Value, json};
use tests::function;

use crate::memory::text;
use crate::visitor::Visitor;

/// In MiB, of 256.
const MOST: u64 = 128;
/// How many large events are pushed, which is several full batches.
const EVENTS: usize = 60;
const PATIENCE: Duration = Duration::from_secs(300);

/// Returns whether every function stayed within its memory limit. `wide` is the account of the wide event.
pub(crate) async fn measure(deployment: &Deployment, receiver: &Receiver, wide: &Customer) -> Result<bool> {
    let customer = deployment.operator()?.register(&unique("worst")).await?;
    let mut fails = String::new();
    for path in ["/worst", "/worst-fails"] {
        let created = customer.create_destination(path, &receiver.url(path)).await?;
        customer.subscribe(&NewSubscription::to_everything(&created.id)).await?;
        fails = created.id;
    }
    receiver.answer("/worst-fails", [Answer::status(500).body(vec![b'x'; 8 * 1024 * 1024])]);
    receiver.answer("/worst", [Answer::status(200).body(vec![b'x'; 8 * 1024 * 1024])]);
    for n in 0..EVENTS {
        deployment.producer().push_text(&text(customer.account(), n)).await?;
    }
    receiver.await_count("/worst", EVENTS, PATIENCE).await?;
    // All its deliveries are parked, and then drained at once.
    eventually("what is set aside", PATIENCE, async || {
        let parked = customer.list("/v1/deliveries?status=parked").await?;
        Ok((parked.len() >= EVENTS / 2).then_some(()))
    })
    .await?;
    let before = receiver.requests_below("/worst-fails").len();
    receiver.answer("/worst-fails", [Answer::status(200)]);
    customer.post(&format!("/v1/destinations/{fails}/resume"), &json!({})).await?.expect_status(200)?;
    // A neighbour's poisoned rows make the run return an error.
    drop(function::run_redrive(deployment).await);
    receiver.await_count("/worst-fails", before + EVENTS / 2, PATIENCE).await?;
    of_the_api(&customer, wide).await?;
    for account in [&customer, wide] {
        let visitor = Visitor::of(deployment, account).await?;
        let pages = ["/configure", "/destinations", "/subscriptions", "/deliveries", "/events", "/ledger"];
        for path in pages {
            look(&visitor, path).await;
        }
        let events = account.list("/v1/events").await?;
        for event in events.iter().take(2) {
            let path = format!("/events/{}", event["id"].as_str().unwrap_or_default());
            look(&visitor, &path).await;
        }
    }
    let outputs = &deployment.outputs;
    let mut all = true;
    println!("peak memory of the deployed functions, {MOST} MiB at most of 256:");
    for (name, function) in [
        ("deliver", &outputs.deliver_function_name),
        ("fanout", &outputs.fanout_function_name),
        ("redrive", &outputs.redrive_function_name),
        ("api", &outputs.api_function_name),
        ("portal", &outputs.portal_function_name),
        ("authorizer", &outputs.authorizer_function_name),
    ] {
        let peak = function::peak_memory(deployment, function)?.div_ceil(1024 * 1024);
        println!("  {name:<10} {peak:>4} MiB: {}", crate::verdict(peak <= MOST));
        all &= peak <= MOST;
    }
    println!();
    Ok(all)
}

/// Looks at a page, and prints a line if it did not come.
async fn look(visitor: &Visitor, path: &str) {
    if let Err(failure) = visitor.get(path).await {
        println!("  (the page {path} did not come: {failure:?})");
    }
}

/// What costs the API most: long lists, everything at once, and a wide event. Requests that it refuses, or has no time
/// for on the local AWS, still cost memory.
async fn of_the_api(customer: &Customer, wide: &Customer) -> Result<()> {
    for account in [customer, wide] {
        let mut paths: Vec<String> = ["config", "subscriptions?limit=100", "deliveries?limit=100", "ledger"]
            .map(|path| format!("/v1/{path}"))
            .into();
        for event in account.list("/v1/events").await?.iter().take(2) {
            paths.push(format!("/v1/events/{}", event["id"].as_str().unwrap_or_default()));
        }
        for path in paths {
            let status = account.get(&path).await?.status;
            if status != 200 {
                println!("  ({path} answers {status})");
            }
        }
        let event: Value = serde_json::from_str(&text(account.account(), 1)).or_failure(|| "no event")?;
        let matched = account.post("/v1/subscriptions/match", &json!({"event": event})).await?;
        println!("  (a match of an event of 256 KiB answers {})", matched.status);
    }
    Ok(())
}
