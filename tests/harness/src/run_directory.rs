//! A directory below `target/` for the logs and temporary files of one run of a program.
//!
//! It is locked for as long as the run lasts, so that later runs know which directories they may remove. Programs get
//! an environment that points to it and contains no setting of this machine except `PATH`, so that none leaks into a
//! test.

use std::fs::{self, File};
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};

use crate::checkout;
use crate::failure::{OrFailure, Result};

/// The name of a link to a directory of the run that is outside of its run directory.
const ELSEWHERE: &str = "elsewhere";

/// A directory that is locked for as long as this value exists.
#[derive(Debug)]
pub struct RunDirectory {
    path: PathBuf,
    _lock: File,
}

impl RunDirectory {
    /// Creates and locks the directory. `path` is directly below [`checkout::runs`].
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

    /// The whole environment that a tool needs, apart from its own settings.
    pub fn environment(&self) -> Vec<(&'static str, PathBuf)> {
        environment(&self.path)
    }

    /// Records a directory outside of this one. If the run is killed, the other directory is removed together with this
    /// one.
    pub fn note(&self, elsewhere: &Path) -> Result<()> {
        symlink(elsewhere, self.path.join(ELSEWHERE)).or_failure(|| format!("cannot write in {}", self.path.display()))
    }

    /// Removes everything but the logs. What cannot be removed now is removed by a later run.
    pub fn tidy(&self) {
        for part in ["tmp", "home"] {
            let _ = fs::remove_dir_all(self.path.join(part));
        }
    }
}

/// The environment of a tool of the run that has this directory.
pub fn environment(directory: &Path) -> Vec<(&'static str, PathBuf)> {
    let path = std::env::var_os("PATH").map_or_else(|| "/usr/local/bin:/usr/bin:/bin".into(), PathBuf::from);
    vec![
        ("PATH", path),
        ("HOME", directory.join("home")),
        ("TMPDIR", directory.join("tmp")),
        ("LANG", "C.UTF-8".into()),
    ]
}

/// Removes what earlier runs of this kind have left: their logs, and everything that a killed run could not remove
/// itself.
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
