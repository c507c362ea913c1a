//! Runs `redrive` on Lambda.

use std::process::ExitCode;
use std::sync::Arc;

use adapters::{
    AwsClients, DynamoStore, SnsAlerts, SnsHandOut, SqsDeliveryQueue, SqsEventQueue, SystemClock, SystemEntropy,
};
use lambda_runtime::{Error, service_fn};
use redrive::{Alerted, Audited, Deps, handle};
use runtime::config::{FromEnvironment, RedriveConfig};
use runtime::metrics::Metrics;
use runtime::telemetry;

#[tokio::main(flavor = "current_thread")]
async fn main() -> ExitCode {
    telemetry::run(run()).await
}

async fn run() -> Result<(), Error> {
    let config = RedriveConfig::from_env()?;
    telemetry::start(&config.log_level);
    let aws = AwsClients::from_env();
    let clock = Arc::new(SystemClock);
    let store = Arc::new(DynamoStore::new(&aws, config.table));
    let deps = Arc::new(Deps {
        waiting: store.clone(),
        destinations: store.clone(),
        destination_list: store.clone(),
        deliveries: store.clone(),
        delivery_list: store.clone(),
        events: store.clone(),
        event_list: store.clone(),
        paces: store.clone(),
        awaited_runs: store.clone(),
        subscriptions: store.clone(),
        transitions: store.clone(),
        audit: store.clone(),
        reckoning: store.clone(),
        roll_ups: store.clone(),
        queue: Arc::new(SqsDeliveryQueue::new(&aws, config.deliveries_queue)),
        event_queue: Arc::new(SqsEventQueue::new(&aws, config.events_queue)),
        alerts: Arc::new(SnsAlerts::new(&aws, config.alerts_topic)),
        alerted: Alerted::default(),
        audited: Audited::default(),
        jobs: store.clone(),
        accounts: store.clone(),
        purge: store,
        metrics: Arc::new(Metrics::to_log(&config.metrics, clock.clone())),
        clock,
        entropy: Arc::new(SystemEntropy),
        hand_out: Arc::new(SnsHandOut::new(&aws, config.work_topic)),
        units: config.concurrency,
        horizon: config.horizon,
        lease: config.lease,
        retention: config.retention,
    });
    lambda_runtime::run(service_fn(move |event| handle(Arc::clone(&deps), event))).await
}
