//! Many events at once: each arrives at every destination, by its id, and the ledger closes.

use std::collections::BTreeMap;
use std::time::Duration;

use harness::api_client::NewSubscription;
use harness::eventually::eventually;
use harness::producer::numbered_samples;
use harness::receiver::Receiver;
use harness::unique::unique;
use harness::{Deployment, Result};

const EVENTS: usize = 1_000;
const PATHS: [&str; 3] = ["/one", "/two", "/three"];
/// Enough for a local AWS on two busy cores. The wait ends as soon as everything has arrived.
const LIMIT: Duration = Duration::from_secs(300);

#[tokio::test]
async fn a_thousand_events_for_three_destinations_all_arrive() -> Result<()> {
    let deployment = Deployment::from_env()?;
    let customer = deployment.operator()?.register(&unique("volume")).await?;
    let receiver = Receiver::start().await?;
    for path in PATHS {
        let created = customer.create_destination(path, &receiver.url(path)).await?;
        receiver.expect_secret(path, &created.secret);
        customer.subscribe(&NewSubscription::to_everything(&created.id)).await?;
    }
    let events = numbered_samples("demo-sync-run-succeeded", customer.account(), EVENTS)?;
    deployment.producer().push_all(&events).await?;

    let arrived = receiver
        .await_requests("every event at every destination", LIMIT, |requests| requests.len() >= EVENTS * PATHS.len());
    arrived.await?;
    let ledger = eventually("the ledger to close", LIMIT, async || {
        let ledger = deployment.ledger(customer.account()).await?;
        Ok((ledger.count("delivered") == EVENTS * PATHS.len()).then_some(ledger))
    });
    let ledger = ledger.await?;
    assert_eq!((ledger.events.len(), ledger.owed), (EVENTS, EVENTS * PATHS.len()));

    let mut arrived: BTreeMap<(String, String), usize> = BTreeMap::new();
    for request in receiver.requests() {
        assert_eq!(request.verified, Ok(()));
        *arrived.entry((request.path.clone(), request.event_id())).or_default() += 1;
    }
    for path in PATHS {
        for n in 0..EVENTS {
            let key = (path.to_owned(), format!("evt-{n}"));
            assert!(arrived.contains_key(&key), "{key:?} never arrived");
        }
    }
    Ok(())
}
