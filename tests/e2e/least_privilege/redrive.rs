//! What `redrive` needs its permissions for. The schedule is off meanwhile, so that it runs only when a trial says so.

use std::time::Duration;

use harness::Result;
use harness::api_client::NewSubscription;
use harness::eventually::eventually;
use harness::failure::OrFailure;
use harness::receiver::Answer;
use http::Method;
use serde_json::json;
use tests::chance::Chance;
use tests::faulty_table::FaultyTable;
use tests::function;
use tests::world::World;
use tokio::time::{Instant, sleep, sleep_until};

use crate::queues::SAMPLE;
use crate::trial::{SOON, Trial};

/// Rows of an account are deleted 100 s after its destinations were closed.
const DELETION: Duration = Duration::from_secs(102);
/// Longer than the stack's `LeaseSeconds`: what was sealed before and has no row is lost, and not under way.
pub const SETTLED: Duration = Duration::from_secs(16);
/// With this, the lane of missed runs gets through half of its eight shards in its share of a run, which is two seconds. The
/// rest is enough to be divided.
const SLOW: Duration = Duration::from_millis(500);

/// Runs it until it is denied the action. Meanwhile each run is expected to fail.
async fn run(trial: &Trial<'_>) -> Result<()> {
    trial
        .await_denial_while(async || {
            let _ = function::run_redrive(&trial.bench.deployment).await;
            Ok(())
        })
        .await
}

/// It works again.
async fn works(trial: &Trial<'_>) -> Result<()> {
    trial.put_back().await?;
    function::run_redrive(&trial.bench.deployment).await
}

/// A run with nothing special to do.
pub async fn any(trial: &Trial<'_>) -> Result<()> {
    trial.take_away().await?;
    run(trial).await?;
    works(trial).await
}

/// Starts to delete an account that has something to delete; returns when its destinations were closed, by the first run.
pub async fn begin_deletion(name: &str) -> Result<Instant> {
    let world = World::new(name).await?;
    world.subscribed_at("/deleted").await?;
    world.push(SAMPLE).await?;
    world.receiver.await_count("/deleted", 1, SOON).await?;
    let path = format!("/admin/v1/accounts/{}", world.customer.account());
    world.operator.call(Method::DELETE, &path, None).await?.expect_status(202)?;
    function::run_redrive(&world.deployment).await?;
    Ok(Instant::now())
}

/// The account is deleted. No run may come before this trial.
pub async fn deletion(trial: &Trial<'_>) -> Result<()> {
    trial.take_away().await?;
    sleep_until(trial.bench.deletion + DELETION).await;
    run(trial).await?;
    works(trial).await
}

/// A destination whose receiver has gone for ever, which systems and people have to be told.
pub async fn gone(trial: &Trial<'_>) -> Result<()> {
    let world = World::new("gone").await?;
    let id = world.subscribed_at("/gone").await?;
    world.receiver.answer("/gone", [Answer::status(410)]);
    world.push(SAMPLE).await?;
    let disabled = eventually("a disabled destination", SOON, async || {
        let found = world.get(&format!("/v1/destinations/{id}")).await?;
        Ok((found["health"] == "disabled").then_some(()))
    });
    disabled.await?;
    trial.take_away().await?;
    run(trial).await?;
    works(trial).await
}

/// An account with some deliveries that were made, all of one destination.
pub async fn old_account() -> Result<World> {
    let world = World::new("old").await?;
    let id = world.destination_at("/old").await?.id;
    world.customer.subscribe(&NewSubscription::to_everything(&id)).await?;
    for _ in 0..3 {
        world.push(SAMPLE).await?;
    }
    world.await_list("/v1/deliveries?status=delivered", 3, SOON).await?;
    Ok(world)
}

/// Deliveries are lost, and the destination is sent again what it did not get.
pub async fn recovery(trial: &Trial<'_>) -> Result<()> {
    let (world, deployment) = (&trial.bench.old, &trial.bench.deployment);
    let destination = world.customer.list("/v1/destinations").await?[0]["id"].as_str().unwrap_or_default().to_owned();
    lose_deliveries(trial, &destination).await?;
    let since = json!({"since": "2026-01-01T00:00:00Z"});
    let recover = format!("/v1/destinations/{destination}/recover");
    world.customer.post(&recover, &since).await?.expect_status(202)?;
    trial.take_away().await?;
    run(trial).await?;
    trial.put_back().await?;
    let recovered = eventually("the deliveries to be recovered", SOON, async || {
        function::run_redrive(deployment).await?;
        sleep(Duration::from_millis(500)).await;
        let jobs = world.customer.list("/v1/jobs").await?;
        let ended = jobs.iter().all(|job| ["succeeded", "failed"].iter().any(|status| job["status"] == *status));
        let made = world.customer.list("/v1/deliveries?status=delivered").await?.len();
        Ok((ended && made == 3).then_some(()))
    });
    recovered.await
}

/// Deletes the rows of the deliveries, as if their messages had been lost.
async fn lose_deliveries(trial: &Trial<'_>, destination: &str) -> Result<()> {
    let deployment = &trial.bench.deployment;
    let pk = format!("D#{}#{destination}", trial.bench.old.customer.account());
    for mut row in deployment.rows().await? {
        if row.get("pk").and_then(|value| value.as_s().ok()) != Some(&pk) {
            continue;
        }
        row.retain(|name, _| ["pk", "sk"].contains(&name.as_str()));
        let delete = deployment.dynamodb().delete_item().table_name(&deployment.outputs.table_name).set_key(Some(row));
        delete.send().await.or_failure(|| "cannot delete a row")?;
    }
    Ok(())
}

/// There is more to do than a run has time for, because the table is slow.
pub async fn too_much(trial: &Trial<'_>) -> Result<()> {
    let deployment = &trial.bench.deployment;
    let table = FaultyTable::start(deployment.table_url(), Chance::from_seed(0)).await?;
    table.mend();
    table.slow_down(SLOW);
    trial.take_away().await?;
    function::set_variable(deployment, trial.function(), function::TABLE, Some(&table.url())).await?;
    let denied = run(trial).await;
    function::set_variable(deployment, trial.function(), function::TABLE, None).await?;
    denied?;
    works(trial).await
}
