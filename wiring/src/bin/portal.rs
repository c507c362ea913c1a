//! Runs `portal` on Lambda.

use std::process::ExitCode;

use lambda_http::Error;
use runtime::config::{FromEnvironment, PortalConfig};
use runtime::telemetry;
use wiring::{api_deps, tell_of_cold_start};

#[tokio::main(flavor = "current_thread")]
async fn main() -> ExitCode {
    telemetry::run(run()).await
}

async fn run() -> Result<(), Error> {
    let PortalConfig { api: config, frame_ancestors } = PortalConfig::from_env()?;
    telemetry::start(&config.log_level);
    tell_of_cold_start(&config.metrics);
    api::run(portal::router(api_deps(config)?, &frame_ancestors)).await
}
