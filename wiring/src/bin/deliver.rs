//! Runs `deliver` on Lambda.

use std::process::ExitCode;
use std::sync::Arc;

use adapters::{AwsClients, DynamoStore, HyperSender, KmsVault, SqsDeliveryQueue, SystemClock, SystemEntropy};
use deliver::{Deps, Rows, Turns, handle};
use lambda_runtime::{Error, service_fn};
use runtime::cache::Cached;
use runtime::config::{DeliverConfig, FromEnvironment};
use runtime::metrics::{Count, Metrics};
use runtime::telemetry;

#[tokio::main(flavor = "current_thread")]
async fn main() -> ExitCode {
    telemetry::run(run()).await
}

async fn run() -> Result<(), Error> {
    let config = DeliverConfig::from_env()?;
    telemetry::start(&config.log_level);
    let aws = AwsClients::from_env();
    let (clock, entropy) = (Arc::new(SystemClock), Arc::new(SystemEntropy));
    let metrics = Arc::new(Metrics::to_log(&config.metrics, clock.clone()));
    metrics.add(Count::ColdStarts, 1);
    let store = Arc::new(DynamoStore::new(&aws, config.table));
    let sender = store.counting(HyperSender::new(config.addresses, clock.clone())?);
    let deps = Arc::new(Deps {
        accounts: store.clone(),
        destinations: Arc::new(Cached::new(Arc::clone(&store), clock.clone(), &metrics)),
        vault: Arc::new(KmsVault::new(&aws, config.secrets_key, Arc::clone(&store), entropy.clone())),
        deliveries: store.clone(),
        paces: store,
        turns: Turns::default(),
        queue: Arc::new(SqsDeliveryQueue::new(&aws, config.deliveries_queue)),
        sender: Arc::new(sender),
        clock,
        entropy,
        rows: Rows::default(),
        retries: config.retries,
        lease: config.lease,
        retention: config.retention,
        metrics,
    });
    lambda_runtime::run(service_fn(move |event| handle(Arc::clone(&deps), event))).await
}
