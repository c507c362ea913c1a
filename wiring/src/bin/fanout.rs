//! Runs `fanout` on Lambda.

use std::process::ExitCode;
use std::sync::Arc;

use adapters::{AwsClients, DynamoStore, SqsDeliveryQueue, SqsEventQueue, SystemClock, SystemEntropy};
use fanout::{Deps, ScopeNotes, Seals, UnregisteredEvents, handle};
use lambda_runtime::{Error, service_fn};
use runtime::cache::Cached;
use runtime::config::{FanoutConfig, FromEnvironment};
use runtime::metrics::{Count, Metrics};
use runtime::telemetry;

#[tokio::main(flavor = "current_thread")]
async fn main() -> ExitCode {
    telemetry::run(run()).await
}

async fn run() -> Result<(), Error> {
    let config = FanoutConfig::from_env()?;
    telemetry::start(&config.log_level);
    let aws = AwsClients::from_env();
    let clock = Arc::new(SystemClock);
    let metrics = Arc::new(Metrics::to_log(&config.metrics, clock.clone()));
    metrics.add(Count::ColdStarts, 1);
    let store = Arc::new(DynamoStore::new(&aws, config.table).with_compact_events(config.compact_events));
    let cached = Arc::new(Cached::new(Arc::clone(&store), clock.clone(), &metrics));
    let deliveries = store.counting(SqsDeliveryQueue::new(&aws, config.deliveries_queue));
    let deps = Arc::new(Deps {
        accounts: cached.clone(),
        listeners: cached,
        transitions: store.clone(),
        awaited_runs: store.clone(),
        events: store.clone(),
        rejections: store.clone(),
        unregistered: UnregisteredEvents::new(store.clone(), config.unregistered),
        scopes: ScopeNotes::new(store.clone()),
        seals: Seals::new(store, config.horizon),
        deliveries: Arc::new(deliveries),
        queue: Arc::new(SqsEventQueue::new(&aws, config.events_queue)),
        clock,
        entropy: Arc::new(SystemEntropy),
        retention: config.retention,
        metrics,
    });
    lambda_runtime::run(service_fn(move |event| handle(Arc::clone(&deps), event))).await
}
