//! One chromedriver with one Chromium. Both end when the value is dropped, or at the latest when the test ends.
//!
//! They get their own environment and profile, and send nothing on their own: no proxy, no updates, no reporting.

use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::sync::Once;
use std::time::Duration;

use harness::checkout;
use harness::eventually::eventually;
use harness::failure::{Failure, OrFailure, Result};
use harness::run_directory::{RunDirectory, sweep, tail};
use harness::supervised::Supervised;
use harness::unique::unique;
use tempfile::TempDir;
use thirtyfour::{ChromeCapabilities, ChromiumLikeCapabilities as _, DesiredCapabilities, LoggingPrefsLogLevel};

use super::look::Look;

const STARTING: Duration = Duration::from_secs(30);
const TRIES: u32 = 5;
/// How many characters of a line of its log are shown.
const LINE: usize = 400;
/// Part of what chromedriver logs if its port is taken.
const PORT_TAKEN: &str = "port not available";
const MISSING: &str = "run `make bootstrap` (Debian: apt-get install chromium chromium-driver)";

/// The length of the socket path that Chromium creates below its directory for temporary files.
const SOCKET: usize = "/org.chromium.Chromium.aBcDeF/SingletonSocket".len();
/// The most bytes that the address of a socket can have.
const LONGEST_ADDRESS: usize = 107;

/// A running chromedriver. Dropping it ends the browser and removes its profile.
#[derive(Debug)]
pub(super) struct Chromedriver {
    port: u16,
    process: Supervised,
    directory: RunDirectory,
    /// Outside the checkout, whose path may be too long for a socket.
    _temporary: TempDir,
}

impl Chromedriver {
    /// Starts one at a port that it chooses itself. Call this on a thread that lives as long as the test.
    ///
    /// Chromedriver chooses one port for both IPv6 and IPv4, and ends if it is taken for one of them. Then it is
    /// started again.
    pub(super) async fn start() -> Result<Self> {
        let mut tries = 1;
        loop {
            match Self::start_once().await {
                Err(failure) if tries < TRIES && failure.to_string().contains(PORT_TAKEN) => tries += 1,
                started => return started,
            }
        }
    }

    async fn start_once() -> Result<Self> {
        static SWEPT: Once = Once::new();
        SWEPT.call_once(|| {
            // It only removes what killed runs have left. A directory that stays does no harm.
            let _ = sweep("browser");
        });
        let program = system_program(&["chromedriver"], MISSING)?;
        let directory = RunDirectory::create(checkout::runs("browser").join(unique("browser")))?;
        let temporary = temporary_directory(&std::env::temp_dir())?;
        directory.note(temporary.path())?;
        let log = directory.log("chromedriver")?;
        let errors = log.try_clone().or_failure(|| "cannot share a log file")?;
        let process = Supervised::start(&program, |command| {
            // The browser's output goes to the same log, as does every step of starting it: see `last_words`.
            command.env_clear().envs(directory.environment()).env("TMPDIR", temporary.path());
            command.args(["--port=0", "--enable-chrome-logs", "--log-level=ALL"]);
            command.stdin(Stdio::null()).stdout(log).stderr(errors);
        })?;
        let mut started = Self { port: 0, process, directory, _temporary: temporary };
        started.port = started.await_port().await?;
        Ok(started)
    }

    async fn await_port(&mut self) -> Result<u16> {
        let log = self.log();
        eventually("chromedriver to listen", STARTING, async || {
            let text = std::fs::read(&log).or_failure(|| format!("cannot read {}", log.display()))?;
            if let Some(status) = self.process.ended()? {
                return Err(Failure::new(format!("chromedriver ended at once ({status}):\n{}", self.last_words())));
            }
            Ok(String::from_utf8_lossy(&text).lines().find_map(announced_port))
        })
        .await
    }

    fn log(&self) -> PathBuf {
        self.directory.path().join("chromedriver.log")
    }

    /// The end of its log, including the browser's output. Long lines, which may hold a whole page, are cut.
    pub(super) fn last_words(&self) -> String {
        let lines: Vec<String> = tail(&self.log()).lines().map(|line| line.chars().take(LINE).collect()).collect();
        lines.join("\n")
    }

    pub(super) fn url(&self) -> String {
        format!("http://127.0.0.1:{}", self.port)
    }

    /// The settings that the browser is started with.
    pub(super) fn capabilities(&self, look: Look) -> Result<ChromeCapabilities> {
        let program = system_program(&["chromium", "google-chrome"], MISSING)?;
        let profile = format!("--user-data-dir={}", self.directory.path().join("tmp/profile").display());
        let mut capabilities = DesiredCapabilities::chrome();
        let mut add = |argument: &str| capabilities.add_arg(argument).or_failure(|| "cannot describe a browser");
        for argument in [
            "--headless=new",
            "--disable-gpu",
            "--disable-quic",
            "--no-first-run",
            "--disable-background-networking",
            "--disable-component-update",
            "--disable-sync",
            "--no-proxy-server",
            // Names below localhost are loopback by definition. This rules out the IPv6 address, where nothing listens.
            "--host-resolver-rules=MAP *.localhost 127.0.0.1",
            // Stores shared memory among the temporary files, because /dev/shm is small in containers.
            "--disable-dev-shm-usage",
            // The browser ends with chromedriver, however that ends.
            "--remote-debugging-pipe",
            "--lang=en-US",
            &profile,
        ] {
            add(argument)?;
        }
        if rustix::process::geteuid().is_root() {
            add("--no-sandbox")?;
        }
        let program = program.to_str().or_failure(|| "the browser's path is not UTF-8")?;
        capabilities.set_binary(program).or_failure(|| "cannot name the browser")?;
        let logs = [("performance", LoggingPrefsLogLevel::All), ("browser", LoggingPrefsLogLevel::All)];
        for (log, level) in logs {
            capabilities.set_logging_prefs(log, level).or_failure(|| "cannot ask for a browser's logs")?;
        }
        look.prepare(&mut capabilities)?;
        Ok(capabilities)
    }
}

impl Drop for Chromedriver {
    fn drop(&mut self) {
        self.process.kill();
        self.directory.tidy();
    }
}

/// A directory for the browser's temporary files. Fails if the address of a socket in it would be too long for
/// Chromium.
fn temporary_directory(parent: &Path) -> Result<TempDir> {
    let directory = tempfile::Builder::new().prefix("browser-").tempdir_in(parent);
    let directory = directory.or_failure(|| format!("cannot write in {}", parent.display()))?;
    let length = directory.path().as_os_str().len() + SOCKET;
    if length <= LONGEST_ADDRESS {
        return Ok(directory);
    }
    Err(Failure::new(format!(
        "a browser's socket below {} would have an address of {length} bytes, but at most {LONGEST_ADDRESS} work: set TMPDIR to a directory \
         with a shorter path",
        parent.display()
    )))
}

/// The first program with one of these names that the system has.
fn system_program(names: &[&str], missing: &str) -> Result<PathBuf> {
    let path = std::env::var_os("PATH").unwrap_or_default();
    let found = names.iter().find_map(|name| std::env::split_paths(&path).map(|p| p.join(name)).find(|p| p.is_file()));
    found.ok_or_else(|| Failure::new(format!("{} is missing: {missing}", names.join(" or "))))
}

/// The port in the log line that announces it.
fn announced_port(line: &str) -> Option<u16> {
    line.strip_prefix("ChromeDriver was started successfully on port ")?.trim_end_matches('.').parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_directory_too_deep_for_a_browsers_socket_is_refused_with_what_to_do() -> Result<()> {
        let short = std::env::temp_dir();
        let top = temporary_directory(&short)?;
        let deep = top.path().join("a".repeat(LONGEST_ADDRESS));
        std::fs::create_dir(&deep).or_failure(|| "cannot create a directory")?;
        let refused = temporary_directory(&deep).err().map(|failure| failure.to_string()).unwrap_or_default();
        assert!(refused.contains("set TMPDIR to a directory with a shorter path"), "{refused}");
        Ok(())
    }
}
