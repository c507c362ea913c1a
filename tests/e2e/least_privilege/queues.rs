//! What `fanout` and `deliver` need their permissions for. Each story begins while everything works, and with an account
//! of its own, of which no process remembers anything.

use harness::Result;
use harness::api_client::NewSubscription;
use harness::producer::{fresh_sample, numbered_samples};
use harness::receiver::Answer;
use harness::unique::unique;
use serde_json::json;
use tests::world::World;

use crate::owed::Owed;
use crate::trial::Trial;

pub const SAMPLE: &str = "demo-sync-run-succeeded";

/// An account with so many destinations, to each of which everything is owed.
async fn account(destinations: usize) -> Result<World> {
    let world = World::new("least").await?;
    for n in 0..destinations {
        world.subscribed_at(&format!("/{n}")).await?;
    }
    Ok(world)
}

fn owes(trial: &Trial<'_>, world: World, deliveries: usize) {
    if let Ok(mut owed) = trial.bench.owed.lock() {
        owed.push(Owed { world, deliveries });
    }
}

/// One event to so many destinations.
pub async fn event(trial: &Trial<'_>, destinations: usize) -> Result<()> {
    let world = account(destinations).await?;
    trial.take_away().await?;
    world.push(SAMPLE).await?;
    trial.await_denial().await?;
    owes(trial, world, destinations);
    Ok(())
}

/// Ten events at once, which `fanout` gets in one batch.
pub async fn events(trial: &Trial<'_>) -> Result<()> {
    let world = account(1).await?;
    let events = numbered_samples(SAMPLE, world.customer.account(), 10)?;
    trial.take_away().await?;
    world.producer.push_all(&events).await?;
    trial.await_denial().await?;
    owes(trial, world, events.len());
    Ok(())
}

/// An event that fails for another reason, and so has to be given back.
pub async fn event_that_fails(trial: &Trial<'_>) -> Result<()> {
    let world = account(1).await?;
    trial.take_away_with(Some("sqs:SendMessage")).await?;
    world.push(SAMPLE).await?;
    trial.await_denial().await?;
    owes(trial, world, 1);
    Ok(())
}

/// An event of an account that nobody registered. Each process notes only a few of those.
pub async fn event_of_nobody(trial: &Trial<'_>) -> Result<()> {
    trial.take_away().await?;
    trial.restart().await?;
    trial.bench.deployment.producer().push(&fresh_sample(SAMPLE, &unique("nobody"))?).await?;
    trial.await_denial().await
}

/// A delivery whose first attempt the receiver refuses.
pub async fn retry(trial: &Trial<'_>) -> Result<()> {
    let world = account(1).await?;
    world.receiver.answer("/0", [Answer::status(500), Answer::status(200)]);
    trial.take_away().await?;
    world.push(SAMPLE).await?;
    trial.await_denial().await?;
    owes(trial, world, 1);
    Ok(())
}

/// A delivery to a destination that takes only a few a second.
pub async fn limited(trial: &Trial<'_>) -> Result<()> {
    let world = account(0).await?;
    let settings = json!({"name": "limited", "url": world.receiver.url("/0"), "rate_limit": 5});
    let created = world.customer.post("/v1/destinations", &settings).await?.expect_status(201)?;
    let text = |field: &str| created[field].as_str().unwrap_or_default();
    world.receiver.expect_secret("/0", text("secret"));
    world.customer.subscribe(&NewSubscription::to_everything(text("id"))).await?;
    trial.take_away().await?;
    world.push(SAMPLE).await?;
    trial.await_denial().await?;
    owes(trial, world, 1);
    Ok(())
}

/// A delivery by a process that has just been started.
pub async fn restarted(trial: &Trial<'_>) -> Result<()> {
    let world = account(1).await?;
    trial.take_away().await?;
    trial.restart().await?;
    world.push(SAMPLE).await?;
    trial.await_denial().await?;
    owes(trial, world, 1);
    Ok(())
}
