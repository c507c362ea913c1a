//! A child process that never outlives the harness. The same holds for all processes that it starts.
//!
//! It leads its own process group, which is killed when the value is dropped: after success, a failure, a panic or a
//! signal. On Linux, the kernel also kills the child when the harness itself is killed. Nothing is stopped gently,
//! because these processes have nothing worth saving.

use std::path::{Path, PathBuf};
use std::process::ExitStatus;
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process_group};
use tokio::process::{Child, Command};

use crate::failure::{OrFailure, Result};

/// How long a killed process may take to disappear.
const REAPING: Duration = Duration::from_secs(5);

/// A running process group. Dropping it kills the group.
#[derive(Debug)]
pub struct Supervised {
    child: Child,
}

impl Supervised {
    /// Starts `program`; `prepare` sets its arguments, environment and output.
    ///
    /// Call this on a thread that lives as long as the harness: the kernel watches the thread, not the process.
    pub fn start(program: &Path, prepare: impl FnOnce(&mut Command)) -> Result<Self> {
        let mut command = match set_parent_death_signal() {
            Some(setpriv) => {
                let mut command = Command::new(setpriv);
                command.args(["--pdeathsig", "KILL", "--"]).arg(program);
                command
            }
            None => Command::new(program),
        };
        prepare(&mut command);
        let child = command.process_group(0).spawn().or_failure(|| format!("cannot start {}", program.display()))?;
        Ok(Self { child })
    }

    /// Waits until the process ends by itself.
    pub async fn wait(&mut self) -> Result<ExitStatus> {
        self.child.wait().await.or_failure(|| "cannot wait for a process")
    }

    /// How the process ended, if it has ended.
    pub fn ended(&mut self) -> Result<Option<ExitStatus>> {
        self.child.try_wait().or_failure(|| "cannot look at a process")
    }

    /// Kills the process and everything it started, and waits until it is gone.
    pub fn kill(&mut self) {
        // There is no number if the process has ended and was waited for: its number may belong to another process by
        // now.
        let Some(group) = self.child.id().and_then(|id| Pid::from_raw(id.cast_signed())) else {
            return;
        };
        // This can only fail if the group is gone already.
        let _ = kill_process_group(group, Signal::KILL);
        let end = Instant::now() + REAPING;
        while matches!(self.child.try_wait(), Ok(None)) && Instant::now() < end {
            std::thread::sleep(Duration::from_millis(5));
        }
    }
}

impl Drop for Supervised {
    fn drop(&mut self) {
        self.kill();
    }
}

/// The command of util-linux that makes the kernel send a signal when the parent dies, if it is installed.
fn set_parent_death_signal() -> Option<PathBuf> {
    if !cfg!(target_os = "linux") {
        return None;
    }
    ["/usr/bin/setpriv", "/bin/setpriv"].iter().map(PathBuf::from).find(|path| path.exists())
}

#[cfg(test)]
mod tests {
    use std::process::Stdio;

    use rustix::process::test_kill_process;
    use tokio::io::{AsyncBufReadExt, BufReader};

    use super::*;

    #[tokio::test]
    async fn dropping_kills_the_grandchildren_too() {
        let shell = Path::new("/bin/sh");
        let mut supervised = Supervised::start(shell, |command| {
            command.args(["-c", "sleep 600 & echo $!; wait"]).stdout(Stdio::piped());
        })
        .expect("a shell");
        let output = supervised.child.stdout.take().expect("its output");
        let line = BufReader::new(output).lines().next_line().await.expect("readable").expect("a line");
        let grandchild = Pid::from_raw(line.parse().expect("a process id")).expect("not zero");
        assert!(test_kill_process(grandchild).is_ok());

        drop(supervised);

        let end = Instant::now() + REAPING;
        while test_kill_process(grandchild).is_ok() && !is_zombie(grandchild) && Instant::now() < end {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
        assert!(test_kill_process(grandchild).is_err() || is_zombie(grandchild));
    }

    /// In a container without an init process, nothing collects an orphan that has ended, so it remains as a zombie.
    fn is_zombie(process: Pid) -> bool {
        let stat = std::fs::read_to_string(format!("/proc/{}/stat", process.as_raw_nonzero())).unwrap_or_default();
        stat.rsplit(')').next().is_some_and(|rest| rest.trim_start().starts_with('Z'))
    }
}
