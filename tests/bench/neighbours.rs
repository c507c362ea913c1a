//! Measures how much bad neighbours delay an account: rows that nobody can read and that are always due, an event that
//! is owed 13,000 times, and a hundred recoveries at once.
//!
//! The account pushes an event every two seconds, first alone, then beside them. Its own recovery is requested after
//! all others. The result is how late its deliveries arrive; two minutes are allowed.

use std::collections::HashMap;
use std::time::{Duration, Instant};

use adapters::{AwsClients, DynamoStore};
use aws_sdk_dynamodb::types::AttributeValue;
use domain::routing::Subscription;
use domain::value::{SubscriptionId, Timestamp};
use harness::api_client::{Customer, NewSubscription};
use harness::eventually::eventually;
use harness::failure::OrFailure;
use harness::producer::fresh_sample;
use harness::receiver::{Answer, Receiver};
use harness::unique::unique;
use harness::{Deployment, Result};
use ports::Subscriptions;
use serde_json::json;
use time::OffsetDateTime;
use tokio::time::{MissedTickBehavior, interval};

const SAMPLE: &str = "demo-sync-run-succeeded";
const WIDE: usize = 13_000;
/// More than an account may have pending, so several share them.
const RECOVERIES: usize = 100;
const EACH: usize = 20;
const POISONED: usize = 20;
const EACH_FAILS: usize = 4;
/// How many events the account pushes alone, and beside the others.
const ALONE: usize = 15;
const BESIDE: usize = 90;
const EVERY: Duration = Duration::from_secs(2);
const MOST: Duration = Duration::from_secs(120);
const PATIENCE: Duration = Duration::from_secs(600);

/// Returns whether all deliveries of the account arrived in time.
pub(crate) async fn measure(deployment: &Deployment) -> Result<bool> {
    let receiver = Receiver::start().await?;
    let account = Account::new(deployment, &receiver, "/good").await?;
    println!("an account with an event every {} s, beside bad neighbours:", EVERY.as_secs());
    let alone = account.latest(deployment, ALONE).await?;
    println!("  alone: the latest event arrived after {alone:.1} s");

    let wide = Account::new(deployment, &receiver, "/wide").await?;
    poison(deployment, &receiver).await?;
    wide.widen(deployment).await?;
    deployment.producer().push(&fresh_sample(SAMPLE, wide.customer.account())?).await?;
    for _ in 0..RECOVERIES / EACH {
        let crowd = deployment.operator()?.register(&unique("crowd")).await?;
        for n in 0..EACH {
            let path = format!("/crowd-{n}");
            recover(&crowd, &crowd.create_destination(&path, &receiver.url(&path)).await?.id).await?;
        }
    }
    let (asked, job) = (Instant::now(), recover(&account.customer, &account.destination).await?);
    let recovered = eventually("the end of the account's recovery", PATIENCE, async || {
        let now = account.customer.get(&format!("/v1/jobs/{job}")).await?.expect_status(200)?;
        Ok((now["status"] == "succeeded").then(|| asked.elapsed()))
    });
    let (beside, recovered) = tokio::try_join!(account.latest(deployment, BESIDE), recovered)?;
    let sent = receiver.requests_below("/wide").len();
    let is_within = beside <= MOST.as_secs_f64() && recovered <= MOST;
    println!(
        "  beside {POISONED} rows that cannot be read, {WIDE} deliveries of one event ({sent} of them sent meanwhile)"
    );
    println!("  and {RECOVERIES} recoveries: the latest event arrived after {beside:.1} s,");
    println!(
        "  and its recovery, asked for last, had ended after {:.0} s; at most {} s: {}\n",
        recovered.as_secs_f64(),
        MOST.as_secs(),
        crate::verdict(is_within)
    );
    let all = eventually("the rest of the wide event", PATIENCE, async || {
        let sent = receiver.requests_below("/wide").len();
        Ok((sent >= WIDE).then_some(sent))
    });
    println!("  all {} of the wide event have arrived since\n", all.await?);
    Ok(crate::worst::measure(deployment, &receiver, &wide.customer).await? && is_within)
}

struct Account<'r> {
    customer: Customer,
    receiver: &'r Receiver,
    path: &'static str,
    destination: String,
}

impl<'r> Account<'r> {
    async fn new(deployment: &Deployment, receiver: &'r Receiver, path: &'static str) -> Result<Self> {
        let customer = deployment.operator()?.register(&unique("neighbour")).await?;
        let created = customer.create_destination(path, &receiver.url(path)).await?;
        receiver.expect_secret(path, &created.secret);
        if path == "/good" {
            customer.subscribe(&NewSubscription::to_everything(&created.id)).await?;
        }
        Ok(Self { customer, receiver, path, destination: created.id })
    }

    /// Pushes events at the pace, and returns how many seconds the latest of them took to arrive.
    async fn latest(&self, deployment: &Deployment, events: usize) -> Result<f64> {
        let mut pushed: HashMap<String, OffsetDateTime> = HashMap::new();
        let mut ticks = interval(EVERY);
        ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        for _ in 0..events {
            ticks.tick().await;
            let event = fresh_sample(SAMPLE, self.customer.account())?;
            pushed.insert(event["id"].as_str().unwrap_or_default().to_owned(), OffsetDateTime::now_utc());
            deployment.producer().push(&event).await?;
        }
        eventually("every event of the account", PATIENCE, async || {
            let mut took: HashMap<String, f64> = HashMap::new();
            for request in self.receiver.requests_below(self.path) {
                let event = request.event_id();
                if let Some(at) = pushed.get(&event) {
                    took.entry(event).or_insert((request.arrived_at - *at).as_seconds_f64());
                }
            }
            Ok((took.len() == events).then(|| took.into_values().fold(0.0, f64::max)))
        })
        .await
    }

    /// Gives it very many subscriptions, each with its own path. Through the API this would take an hour.
    async fn widen(&self, deployment: &Deployment) -> Result<()> {
        let table = deployment.outputs.table_name.clone();
        let store = DynamoStore::new(&AwsClients::from_config(deployment.sdk_config()), table);
        let account = self.customer.account().parse().or_failure(|| "no account")?;
        for n in 0..WIDE {
            let mut id = [9; 10];
            id[..8].copy_from_slice(&n.to_be_bytes());
            let settings = json!({
                "name": format!("wide {n}"), "destination_id": self.destination, "event_types": ["*"], "scope": "*",
                "path": format!("/{n}")
            });
            let now = Timestamp::from_unix_ms(0);
            let one = Subscription {
                id: SubscriptionId::from_entropy(id),
                account: domain::value::AccountId::clone(&account),
                settings: serde_json::from_value(settings).or_failure(|| "these are no settings")?,
                created_at: now,
                updated_at: now,
                version: 1,
            };
            store.create_subscription(&one, 20_000).await.or_failure(|| "a subscription cannot be created")?;
        }
        Ok(())
    }
}

async fn recover(customer: &Customer, destination: &str) -> Result<String> {
    let since = json!({"since": "2020-01-01T00:00:00Z"});
    let job = customer.post(&format!("/v1/destinations/{destination}/recover"), &since).await?.expect_status(202)?;
    Ok(job["id"].as_str().unwrap_or_default().to_owned())
}

/// Damages rows of deliveries that are due, which stay due.
async fn poison(deployment: &Deployment, receiver: &Receiver) -> Result<()> {
    let customer = deployment.operator()?.register(&unique("poisoned")).await?;
    receiver.answer("/poisoned", [Answer::status(500)]);
    // Too few failures of each for its breaker, so that they are tried again.
    for n in 0..POISONED / EACH_FAILS {
        let path = format!("/poisoned/{n}");
        let settings = json!({"name": path, "url": receiver.url(&path), "retry_policy": [600]});
        let created = customer.post("/v1/destinations", &settings).await?.expect_status(201)?;
        customer.subscribe(&NewSubscription::to_everything(created["id"].as_str().unwrap_or_default())).await?;
    }
    for _ in 0..EACH_FAILS {
        deployment.producer().push(&fresh_sample(SAMPLE, customer.account())?).await?;
    }
    receiver.await_count("/poisoned", POISONED, PATIENCE).await?;
    let table = &deployment.outputs.table_name;
    let client = deployment.dynamodb();
    let damaged = eventually("rows that are due", PATIENCE, async || {
        let rows = client.scan().table_name(table).into_paginator().items().send().collect::<Result<Vec<_>, _>>().await;
        let mut rows = rows.or_failure(|| "the table cannot be scanned")?;
        let text = |row: &HashMap<String, AttributeValue>, name| {
            row.get(name).and_then(|value| value.as_s().ok()).cloned().unwrap_or_default()
        };
        rows.retain(|row| text(row, "pk").contains(customer.account()) && text(row, "gsi2pk").starts_with("DUE#"));
        Ok((rows.len() >= POISONED).then_some(rows))
    });
    for row in damaged.await? {
        let key = ["pk", "sk"].map(|name| (name.to_owned(), row[name].clone()));
        let call = client.update_item().table_name(table).set_key(Some(key.into()));
        let call = call.update_expression("SET attempts = :none, gsi2sk = :now");
        let call = call.expression_attribute_values(":none", AttributeValue::S("none".to_owned()));
        let now = format!("{:015}", OffsetDateTime::now_utc().unix_timestamp_nanos() / 1_000_000);
        let call = call.expression_attribute_values(":now", AttributeValue::S(now));
        call.send().await.or_failure(|| "a row cannot be damaged")?;
    }
    Ok(())
}
