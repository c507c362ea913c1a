//! A local AWS of our own: `ministack` on a free port, with IAM enforced, its files below `target/local/<port>`.
//!
//! It deliberately inherits nothing from this machine's environment, because the functions inherit its: no AWS profile, proxy
//! or log setting can leak into a test. Nothing is kept when it ends; only the log stays, until the next one starts.

use std::fs::{self, File};
use std::net::{Ipv4Addr, TcpListener};
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::Duration;

use http::Request;

use crate::checkout;
use crate::deployment::endpoint;
use crate::eventually::eventually;
use crate::failure::{Failure, OrFailure, Result};
use crate::signed_http::SignedHttp;
use crate::supervised::Supervised;

const STARTING: Duration = Duration::from_secs(60);
/// Somebody else may take the port between our choosing it and the local AWS listening there.
const TRIES: u32 = 3;

/// A running local AWS. Dropping it ends it, with all functions, and removes its temporary files.
#[derive(Debug)]
pub struct LocalAws {
    port: u16,
    process: Supervised,
    directory: RunDirectory,
}

impl LocalAws {
    /// Starts one and waits until it answers. Call it on a thread that lives as long as the harness.
    pub async fn start() -> Result<Self> {
        sweep()?;
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
        let directory = RunDirectory::create(port)?;
        let log = directory.log("ministack")?;
        let errors = log.try_clone().or_failure(|| "cannot share a log file")?;
        let process = Supervised::start(&program, |command| {
            command.env_clear().envs(directory.environment());
            command.envs([("AUTH", "true"), ("BIND_HOST", "127.0.0.1")]);
            command.env("GATEWAY_PORT", port.to_string());
            // Functions get this address. A name instead of a number: queue URLs and API hosts are made from it, too.
            command.env("AWS_ENDPOINT_URL", format!("http://localhost:{port}"));
            command.current_dir(&directory.path).stdin(Stdio::null()).stdout(log).stderr(errors);
        })?;
        let mut started = Self { port, process, directory };
        started.await_health().await?;
        Ok(started)
    }

    async fn await_health(&mut self) -> Result<()> {
        let http = SignedHttp::new("localhost", self.port)?;
        let log = self.directory.path.join("ministack.log");
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

/// `target/local/<port>`: locked while the run lasts, so that others know what they may remove.
#[derive(Debug)]
pub struct RunDirectory {
    path: PathBuf,
    _lock: File,
}

impl RunDirectory {
    fn create(port: u16) -> Result<Self> {
        let path = checkout::run_directory(port);
        for part in ["tmp", "home"] {
            fs::create_dir_all(path.join(part)).or_failure(|| format!("cannot create {}", path.display()))?;
        }
        let lock = File::create(path.join("lock")).or_failure(|| format!("cannot write in {}", path.display()))?;
        lock.lock().or_failure(|| format!("cannot lock {}", path.display()))?;
        Ok(Self { path, _lock: lock })
    }

    pub fn path(&self) -> &Path {
        &self.path
    }

    /// A new log file, `<name>.log`.
    pub fn log(&self, name: &str) -> Result<File> {
        let path = self.path.join(format!("{name}.log"));
        File::create(&path).or_failure(|| format!("cannot write {}", path.display()))
    }

    /// The whole environment that a tool needs besides its own settings.
    pub fn environment(&self) -> Vec<(&'static str, PathBuf)> {
        let path = std::env::var_os("PATH").map_or_else(|| "/usr/local/bin:/usr/bin:/bin".into(), PathBuf::from);
        vec![
            ("PATH", path),
            ("HOME", self.path.join("home")),
            ("TMPDIR", self.path.join("tmp")),
            ("LANG", "C.UTF-8".into()),
        ]
    }
}

impl Drop for LocalAws {
    fn drop(&mut self) {
        self.process.kill();
        // What cannot be removed now is swept by the next start.
        for part in ["tmp", "home"] {
            let _ = fs::remove_dir_all(self.directory.path.join(part));
        }
    }
}

/// The last lines of a log, for an error message.
pub fn tail(log: &Path) -> String {
    const LINES: usize = 20;
    let text = fs::read(log).unwrap_or_default();
    let text = String::from_utf8_lossy(&text);
    let lines: Vec<&str> = text.lines().collect();
    lines[lines.len().saturating_sub(LINES)..].join("\n")
}

/// Removes what earlier runs left: their logs, and whatever a killed one could not remove itself.
fn sweep() -> Result<()> {
    let parent = checkout::root().join("target/local");
    fs::create_dir_all(&parent).or_failure(|| format!("cannot create {}", parent.display()))?;
    for entry in fs::read_dir(&parent).or_failure(|| format!("cannot list {}", parent.display()))? {
        let directory = entry.or_failure(|| format!("cannot list {}", parent.display()))?.path();
        let is_over = File::open(directory.join("lock")).is_ok_and(|lock| lock.try_lock().is_ok());
        if is_over {
            fs::remove_dir_all(&directory).or_failure(|| format!("cannot remove {}", directory.display()))?;
        }
    }
    Ok(())
}

/// A port of the loopback interface that nobody listens on just now.
pub fn free_port() -> Result<u16> {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).or_failure(|| "no free port")?;
    Ok(listener.local_addr().or_failure(|| "no free port")?.port())
}
