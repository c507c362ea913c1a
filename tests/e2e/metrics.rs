//! The lines of metrics that the deployed functions write say what the ledger says, and each of them is one that CloudWatch
//! reads. Other tests may have left work behind, so the sums of this test are compared with what all rows have more than
//! before.

#![expect(clippy::expect_used, reason = "helpers of tests may fail them")]

use std::collections::BTreeMap;
use std::time::Duration;

use harness::api_client::NewSubscription;
use harness::eventually::eventually;
use harness::ledger::Item;
use harness::producer::fresh_sample;
use harness::receiver::Answer;
use harness::unique::unique;
use harness::{Deployment, Result};
use serde_json::{Value, json};
use testing::metric_lines::{problems, values};
use tests::function;
use tests::world::World;

const SAMPLE: &str = "demo-sync-run-succeeded";
const EVENTS: u64 = 12;
/// Local retries of other tests take up to four minutes.
const LIMIT: Duration = Duration::from_secs(300);

/// Figures by name: what the rows say, or what the lines say.
type Figures = BTreeMap<&'static str, u64>;

const METRICS: [&str; 10] = [
    "EventsAccepted",
    "EventsMatched",
    "EventsUnmatched",
    "EventsIgnored",
    "EventsDuplicate",
    "DeliveriesOwed",
    "DeliveriesDelivered",
    "DeliveriesParked",
    "DeliveriesExhausted",
    // How many first attempts there were.
    "EventLag",
];

/// What the lines of `fanout`, `deliver` and `redrive` say, which follow the rules of the format.
async fn written(deployment: &Deployment) -> Result<Figures> {
    let outputs = &deployment.outputs;
    let functions = [&outputs.fanout_function_name, &outputs.deliver_function_name, &outputs.redrive_function_name];
    let mut figures = Figures::from(METRICS.map(|name| (name, 0)));
    for function in functions {
        for text in function::logs(deployment, function).await? {
            let line: Value = serde_json::from_str(&text).unwrap_or_default();
            if line["_aws"].is_null() {
                continue;
            }
            assert_eq!(problems(&text), Vec::<String>::new(), "{text}");
            for (name, sum) in &mut figures {
                let values = values(&line, name);
                *sum += if *name == "EventLag" { values.len() as u64 } else { values.iter().sum() };
            }
        }
    }
    Ok(figures)
}

/// What the rows of the table and the counted lines say.
async fn recorded(deployment: &Deployment) -> Result<Figures> {
    let mut figures = Figures::from(METRICS.map(|name| (name, 0)));
    let mut add = |name, more| *figures.entry(name).or_default() += more;
    for row in deployment.rows().await? {
        let text = |name: &str| row.get(name).and_then(|value| value.as_s().ok()).map_or("", String::as_str);
        if text("pk").starts_with("E#") {
            add("DeliveriesOwed", length(&row, "owed"));
            if text("sk") == "EVENT" {
                add("EventsAccepted", 1);
                add(if row.contains_key("unmatched") { "EventsUnmatched" } else { "EventsMatched" }, 1);
            }
        } else if text("pk").starts_with("D#") {
            match text("state") {
                "delivered" => add("DeliveriesDelivered", 1),
                "parked" => add("DeliveriesParked", 1),
                "exhausted" => add("DeliveriesExhausted", 1),
                _ => {}
            }
            add("EventLag", length(&row, "attempts").min(1));
        }
    }
    for text in function::logs(deployment, &deployment.outputs.fanout_function_name).await? {
        let line: Value = serde_json::from_str(&text).unwrap_or_default();
        match line["counted"].as_str() {
            Some("ignored") => add("EventsIgnored", 1),
            Some("duplicate") => add("EventsDuplicate", 1),
            _ => {}
        }
    }
    Ok(figures)
}

fn length(row: &Item, name: &str) -> u64 {
    row.get(name).and_then(|value| value.as_l().ok()).map_or(0, |list| list.len() as u64)
}

fn since(before: &Figures, now: &Figures) -> Figures {
    now.iter().map(|(name, sum)| (*name, sum - before[name])).collect()
}

/// Three destinations that get everything: one answers, one refuses its only attempt, one is paused.
async fn world() -> Result<World> {
    let world = World::new("metrics").await?;
    world.subscribed_at("/answers").await?;
    let refusing = json!({"name": "refuses", "url": world.receiver.url("/refuses"), "retry_policy": "none"});
    let refusing = world.customer.post("/v1/destinations", &refusing).await?.expect_status(201)?;
    world.receiver.answer("/refuses", [Answer::status(500)]);
    let paused = world.customer.create_destination("paused", &world.receiver.url("/paused")).await?.id;
    for id in [refusing["id"].as_str().expect("an id"), &paused] {
        world.customer.subscribe(&NewSubscription::to_everything(id)).await?;
    }
    let pause = format!("/v1/destinations/{paused}/pause");
    world.customer.call(http::Method::POST, &pause, None).await?.expect_status(200)?;
    Ok(world)
}

#[tokio::test]
async fn the_lines_of_metrics_say_what_the_ledger_says() -> Result<()> {
    let world = world().await?;
    let quiet = world.operator.register(&unique("quiet")).await?;
    let deployment = &world.deployment;
    let before = (written(deployment).await?, recorded(deployment).await?);

    let mut last = Value::Null;
    for _ in 0..EVENTS {
        last = fresh_sample(SAMPLE, world.customer.account())?;
        world.producer.push(&last).await?;
    }
    world.producer.push(&fresh_sample(SAMPLE, quiet.account())?).await?;
    world.producer.push(&fresh_sample(SAMPLE, &unique("stranger"))?).await?;
    world.await_list("/v1/deliveries?status=delivered", EVENTS as usize, LIMIT).await?;
    world.producer.push(&last).await?;

    let told = eventually("lines that say what the rows say", LIMIT, async || {
        let lines = since(&before.0, &written(deployment).await?);
        let rows = since(&before.1, &recorded(deployment).await?);
        let is_here = lines["EventsDuplicate"] > 0 && lines["EventsIgnored"] > 0;
        Ok((is_here && lines == rows && lines["DeliveriesOwed"] >= 3 * EVENTS).then_some(lines))
    });
    let told = told.await?;
    let at_least = [
        ("EventsMatched", EVENTS),
        ("EventsUnmatched", 1),
        ("DeliveriesDelivered", EVENTS),
        ("DeliveriesParked", EVENTS),
        // After five failures in a row, the others are parked.
        ("DeliveriesExhausted", 5),
    ];
    for (name, least) in at_least {
        assert!(told[name] >= least, "{name}: {told:?}");
    }
    assert_eq!(told["EventsAccepted"], told["EventsMatched"] + told["EventsUnmatched"]);
    Ok(())
}
