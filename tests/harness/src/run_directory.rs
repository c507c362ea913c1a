//! A directory below `target/` for one run of a program: its logs and temporary files.
//!
//! It is locked while the run lasts, so that a later run knows which ones it may remove. What a program finds in its
//! environment is deliberately only this: nothing of this machine's settings leaks into a test.

use std::fs::{self, File};
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};

use crate::checkout;
use crate::failure::{OrFailure, Result};

/// The name of a link to what a run has elsewhere.
const ELSEWHERE: &str = "elsewhere";

/// A directory that is locked for as long as this value lives.
#[derive(Debug)]
pub struct RunDirectory {
    path: PathBuf,
    _lock: File,
}

impl RunDirectory {
    /// Creates it, at one of [`checkout::runs`]' paths.
    pub fn create(path: PathBuf) -> Result<Self> {
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

    /// Notes a directory elsewhere, which goes when this one is swept, should the run be killed.
    pub fn note(&self, elsewhere: &Path) -> Result<()> {
        symlink(elsewhere, self.path.join(ELSEWHERE)).or_failure(|| format!("cannot write in {}", self.path.display()))
    }

    /// Removes what only the run needed; its logs stay. What cannot be removed now is swept by a later run.
    pub fn tidy(&self) {
        for part in ["tmp", "home"] {
            let _ = fs::remove_dir_all(self.path.join(part));
        }
    }
}

/// Removes what earlier runs of this kind left: their logs, and whatever a killed one could not remove itself.
pub fn sweep(kind: &str) -> Result<()> {
    let parent = checkout::runs(kind);
    fs::create_dir_all(&parent).or_failure(|| format!("cannot create {}", parent.display()))?;
    for entry in fs::read_dir(&parent).or_failure(|| format!("cannot list {}", parent.display()))? {
        let directory = entry.or_failure(|| format!("cannot list {}", parent.display()))?.path();
        let is_over = File::open(directory.join("lock")).is_ok_and(|lock| lock.try_lock().is_ok());
        if is_over {
            if let Ok(elsewhere) = fs::read_link(directory.join(ELSEWHERE)) {
                let _ = fs::remove_dir_all(elsewhere);
            }
            fs::remove_dir_all(&directory).or_failure(|| format!("cannot remove {}", directory.display()))?;
        }
    }
    Ok(())
}

/// The last lines of a log, for an error message.
pub fn tail(log: &Path) -> String {
    const LINES: usize = 20;
    let text = fs::read(log).unwrap_or_default();
    let text = String::from_utf8_lossy(&text);
    let lines: Vec<&str> = text.lines().collect();
    lines[lines.len().saturating_sub(LINES)..].join("\n")
}
