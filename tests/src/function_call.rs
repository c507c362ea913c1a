//! Runs a function at once, for tests that would otherwise wait for its schedule.

use http::Request;

use crate::deployment::{Deployment, endpoint};
use crate::failure::{Failure, OrFailure, Result};

impl Deployment {
    /// Runs `redrive` as its schedule does, and waits for the end of the run.
    pub async fn run_redrive(&self) -> Result<()> {
        let function = &self.outputs.redrive_function_name;
        let path = format!("{}/2015-03-31/functions/{function}/invocations", endpoint(self.port));
        let request = Request::post(path).body(b"{}".to_vec()).or_failure(|| "no request for redrive")?;
        let response = self.http()?.send_signed("lambda", request).await?;
        if response.status().is_success() && !response.headers().contains_key("x-amz-function-error") {
            return Ok(());
        }
        let text = String::from_utf8_lossy(response.body());
        Err(Failure::new(format!("redrive answered {}: {text}", response.status())))
    }
}
