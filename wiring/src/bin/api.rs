//! Runs `api` on Lambda.

use std::process::ExitCode;

use lambda_http::Error;
use runtime::config::{ApiConfig, FromEnvironment};
use runtime::telemetry;
use wiring::{api_deps, tell_of_cold_start};

#[tokio::main(flavor = "current_thread")]
async fn main() -> ExitCode {
    telemetry::run(run()).await
}

async fn run() -> Result<(), Error> {
    let config = ApiConfig::from_env()?;
    telemetry::start(&config.log_level);
    tell_of_cold_start(&config.metrics);
    api::run(api::router(api_deps(config)?)).await
}
