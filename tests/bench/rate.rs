//! Measures how fast many deliveries arrive at a destination with a rate limit, by the receiver's own log.
//!
//! All must arrive at the first attempt. Their average rate must be at least 90 % of the limit, and at most 110 % of it
//! in any ten seconds.

use std::collections::BTreeSet;
use std::time::Duration;

use harness::api_client::NewSubscription;
use harness::eventually::eventually;
use harness::failure::OrFailure;
use harness::producer::numbered_samples;
use harness::receiver::{Received, Receiver};
use harness::unique::unique;
use harness::{Deployment, Result};
use serde_json::json;
use tests::function;

/// The rate limit, in deliveries per second.
const LIMIT: u32 = 5;
const DELIVERIES: usize = 150;
/// The length of the window in which the rate is measured, in seconds.
const WINDOW: u32 = 10;
const PATIENCE: Duration = Duration::from_secs(180);

/// Returns whether the limit is kept, and used.
pub(crate) async fn measure(deployment: &Deployment) -> Result<bool> {
    let customer = deployment.operator()?.register(&unique("rate")).await?;
    let receiver = Receiver::start().await?;
    let settings = json!({"name": "limited", "url": receiver.url("/limited"), "rate_limit": LIMIT});
    let created = customer.post("/v1/destinations", &settings).await?.expect_status(201)?;
    receiver.expect_secret("/limited", created["secret"].as_str().or_failure(|| "a destination without a secret")?);
    let id = created["id"].as_str().or_failure(|| "a destination without an id")?;
    customer.subscribe(&NewSubscription::to_everything(id)).await?;

    let events = numbered_samples("demo-sync-run-succeeded", customer.account(), DELIVERIES)?;
    deployment.producer().push_all(&events).await?;
    let what = "all that is owed to the limited destination to be delivered";
    let ledger = eventually(what, PATIENCE, async || {
        let ledger = deployment.ledger(customer.account()).await?;
        Ok((ledger.count("delivered") == DELIVERIES).then_some(ledger))
    });
    let ledger = ledger.await?;
    let requests = receiver.requests();
    let processes = function::processes(deployment, &deployment.outputs.deliver_function_name)?.len();

    let ids: BTreeSet<&str> = requests.iter().map(Received::delivery_id).collect();
    let attempts: usize = ledger.deliveries.values().flatten().sum();
    let is_whole = ids.len() == DELIVERIES
        && (requests.len(), attempts) == (DELIVERIES, DELIVERIES)
        && requests.iter().all(|request| request.verified.is_ok() && request.attempt() == 1);
    let at: Vec<f64> =
        requests.iter().map(|request| (request.arrived_at - requests[0].arrived_at).as_seconds_f64()).collect();
    let limit = f64::from(LIMIT);
    let average = (at.len() as f64 - 1.0) / at.last().copied().unwrap_or_default();
    let fullest = fullest_window(&at);
    let is_kept = (0.9 * limit..=1.1 * limit).contains(&average);
    let is_within = is_whole && is_kept && fullest as f64 <= 1.1 * limit * f64::from(WINDOW);
    println!(
        "rate limit {LIMIT}/s, {DELIVERIES} deliveries owed at once, {processes} deliver processes:\n  \
         {} arrived in {attempts} attempts; {average:.2}/s on average ({:.0} % of the limit), at most {fullest} in any {WINDOW} s ({:.0} %): {}\n",
        ids.len(),
        100.0 * average / limit,
        100.0 * fullest as f64 / (limit * f64::from(WINDOW)),
        crate::verdict(is_within)
    );
    Ok(is_within)
}

/// The most arrivals in any half-open window.
fn fullest_window(at: &[f64]) -> usize {
    let from = |first: &f64| at.iter().filter(|moment| (*first..first + f64::from(WINDOW)).contains(moment)).count();
    at.iter().map(from).max().unwrap_or_default()
}
