//! Runs a local AWS: `ministack` on a free port, with IAM enforced and its files below `target/local/<port>`.
//!
//! It inherits nothing from this machine's environment, because the functions would inherit it too: no AWS profile,
//! proxy or log setting can leak into a test. When it ends, only its log is kept, until the next local AWS starts.

use std::net::{Ipv4Addr, TcpListener};
use std::process::Stdio;
use std::time::Duration;

use http::Request;

use crate::checkout;
use crate::eventually::eventually;
use crate::failure::{Failure, OrFailure, Result};
use crate::run_directory::{RunDirectory, sweep, tail};
use crate::signed_http::{SignedHttp, endpoint};
use crate::supervised::Supervised;

const STARTING: Duration = Duration::from_secs(60);
/// How often to try: another process may take the port after it was chosen and before the local AWS listens on it.
const TRIES: u32 = 3;

/// A running local AWS. Dropping it stops it together with all functions, and removes its temporary files.
#[derive(Debug)]
pub struct LocalAws {
    port: u16,
    process: Supervised,
    directory: RunDirectory,
}

impl LocalAws {
    /// Starts one and waits until it answers. Call it on a thread that lives as long as the harness.
    pub async fn start() -> Result<Self> {
        sweep("local")?;
        let mut tries = 0;
        loop {
            tries += 1;
            match Self::start_once().await {
                Err(failure) if tries < TRIES => eprintln!("{failure:?}; trying again"),
                result => return result,
            }
        }
    }

    async fn start_once() -> Result<Self> {
        let program = checkout::tool("ministack", "ministack")?;
        let port = free_port()?;
        let directory = RunDirectory::create(checkout::run_directory(port))?;
        let log = directory.log("ministack")?;
        let errors = log.try_clone().or_failure(|| "cannot share a log file")?;
        let process = Supervised::start(&program, |command| {
            command.env_clear().envs(directory.environment());
            command.envs([("AUTH", "true"), ("BIND_HOST", "127.0.0.1")]);
            command.env("GATEWAY_PORT", port.to_string());
            // Functions get this address. It has a name and not a number, because queue URLs and API hosts are made
            // from it.
            command.env("AWS_ENDPOINT_URL", format!("http://localhost:{port}"));
            command.current_dir(directory.path()).stdin(Stdio::null()).stdout(log).stderr(errors);
        })?;
        let mut started = Self { port, process, directory };
        started.await_health().await?;
        Ok(started)
    }

    async fn await_health(&mut self) -> Result<()> {
        let http = SignedHttp::new("localhost", self.port)?;
        let log = self.directory.path().join("ministack.log");
        eventually("the local AWS to answer", STARTING, async || {
            if let Some(status) = self.process.ended()? {
                let end = tail(&log);
                return Err(Failure::new(format!("the local AWS ended at once ({status}), {}:\n{end}", log.display())));
            }
            let request = Request::get(format!("{}/_ministack/health", endpoint(self.port)))
                .body(Vec::new())
                .or_failure(|| "no request for health")?;
            // Until it listens, connections are refused.
            Ok(http.send(request).await.ok().filter(|response| response.status().is_success()).map(|_| ()))
        })
        .await
    }

    pub fn port(&self) -> u16 {
        self.port
    }

    pub fn run_directory(&self) -> &RunDirectory {
        &self.directory
    }
}

impl Drop for LocalAws {
    fn drop(&mut self) {
        self.process.kill();
        self.directory.tidy();
    }
}

/// A port of the loopback interface on which nothing listens at the moment.
pub fn free_port() -> Result<u16> {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).or_failure(|| "no free port")?;
    Ok(listener.local_addr().or_failure(|| "no free port")?.port())
}
