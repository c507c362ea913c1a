//! Runs `authorizer` on Lambda.

use std::process::ExitCode;
use std::sync::Arc;

use adapters::{AwsClients, DynamoStore, SystemClock};
use authorizer::{Deps, handle};
use lambda_runtime::{Error, service_fn};
use runtime::config::{AuthorizerConfig, FromEnvironment};
use runtime::telemetry;
use wiring::tell_of_cold_start;

#[tokio::main(flavor = "current_thread")]
async fn main() -> ExitCode {
    telemetry::run(run()).await
}

async fn run() -> Result<(), Error> {
    let config = AuthorizerConfig::from_env()?;
    telemetry::start(&config.log_level);
    tell_of_cold_start(&config.metrics);
    let aws = AwsClients::from_env();
    let store = Arc::new(DynamoStore::new(&aws, config.table));
    let deps =
        Arc::new(Deps { accounts: store.clone(), keys: store.clone(), sessions: store, clock: Arc::new(SystemClock) });
    lambda_runtime::run(service_fn(move |event| handle(Arc::clone(&deps), event))).await
}
