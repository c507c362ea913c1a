//! Killing the functions' processes in the middle of their work loses nothing, and what is repeated carries the same ids.
//! Alone in its binary, so that it disturbs no other test.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use tests::api_client::{Customer, NewSubscription};
use tests::eventually::eventually;
use tests::producer::numbered_samples;
use tests::receiver::{Answer, Receiver};
use tests::unique::unique;
use tests::{Deployment, Result};

const EVENTS: usize = 120;
const PATHS: [&str; 2] = ["/one", "/two"];
const LIMIT: Duration = Duration::from_secs(180);

#[tokio::test]
async fn killing_fanout_and_deliver_in_mid_batch_loses_nothing() -> Result<()> {
    let deployment = Deployment::from_env()?;
    let customer = deployment.operator()?.register(&unique("crash")).await?;
    let receiver = Receiver::start().await?;
    for path in PATHS {
        let created = customer.create_destination(path, &receiver.url(path)).await?;
        receiver.expect_secret(path, &created.secret);
        customer.subscribe(&NewSubscription::to_everything(&created.id)).await?;
        // Long enough for a batch to be under way when its process is killed.
        receiver.answer(path, [Answer::status(200).after(Duration::from_millis(400))]);
    }
    // What a killed process held comes back after this, and not after the six minutes that suit AWS. It is set back however
    // this ends: the tests that come after run on the same queues.
    set_visibility_timeouts(&deployment, 5).await?;
    let result = kill_in_mid_batch(&deployment, &customer, &receiver).await;
    set_visibility_timeouts(&deployment, 360).await?;
    result
}

async fn set_visibility_timeouts(deployment: &Deployment, seconds: u32) -> Result<()> {
    deployment.events_queue().set_visibility_timeout(seconds).await?;
    deployment.deliveries_queue().set_visibility_timeout(seconds).await
}

/// Kills the processes of `name`, once there are any: a killed one is started again only when there is work.
async fn kill_running(deployment: &Deployment, name: &str) -> Result<usize> {
    let killed = eventually("a process to kill", LIMIT, async || {
        let killed = deployment.kill_function(name)?;
        Ok((killed > 0).then_some(killed))
    });
    killed.await
}

async fn kill_in_mid_batch(deployment: &Deployment, customer: &Customer, receiver: &Receiver) -> Result<()> {
    let events = numbered_samples("demo-sync-run-succeeded", customer.account(), EVENTS)?;
    deployment.producer().push_all(&events).await?;

    let mut killed = kill_running(deployment, &deployment.outputs.fanout_function_name).await?;
    for seen in [10, 60, 120] {
        let progress = receiver.await_requests("progress", LIMIT, |requests| requests.len() >= seen);
        progress.await?;
        killed += kill_running(deployment, &deployment.outputs.deliver_function_name).await?;
        killed += deployment.kill_function(&deployment.outputs.fanout_function_name)?;
    }
    let owed = EVENTS * PATHS.len();
    let ledger = eventually("the ledger to close", LIMIT, async || {
        let ledger = deployment.ledger(customer.account()).await?;
        Ok((ledger.count("delivered") == owed).then_some(ledger))
    });
    let ledger = ledger.await?;
    assert_eq!((ledger.events.len(), ledger.owed), (EVENTS, owed));

    let mut ids: BTreeMap<(String, String), BTreeSet<String>> = BTreeMap::new();
    let requests = receiver.requests();
    for request in &requests {
        assert_eq!(request.verified, Ok(()));
        let place = (request.path.clone(), request.event_id());
        ids.entry(place).or_default().insert(request.delivery_id().to_owned());
    }
    assert_eq!(ids.len(), owed, "every event arrived at every destination");
    assert!(ids.values().all(|ids| ids.len() == 1), "a repeat came under another id");
    assert!(killed >= 4, "only {killed} processes were killed");
    Ok(())
}
