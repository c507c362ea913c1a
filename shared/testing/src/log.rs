//! Collects what is logged, for tests that check it.

use std::io::Write;
use std::sync::{Arc, LazyLock, Mutex, PoisonError};

use serde_json::Value;
use tracing::subscriber::{DefaultGuard, NoSubscriber};
use tracing::{Dispatch, Level};

/// A second subscriber. With only one, `tracing` asks the thread that first logs at a place whether anybody wants its
/// lines. If that thread belongs to another test, nobody does, and the place would stay silent for all.
static ANOTHER: LazyLock<Dispatch> = LazyLock::new(|| Dispatch::new(NoSubscriber::default()));

/// The lines that this thread logs from [`Log::start`] on.
#[derive(Clone, Default)]
pub struct Log(Arc<Mutex<Vec<u8>>>);

impl Write for Log {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).write(bytes)
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

impl Log {
    /// Collects lines at INFO and above, until the guard is dropped.
    pub fn start(&self) -> DefaultGuard {
        self.start_at(Level::INFO)
    }

    /// The same, at another level and above.
    pub fn start_at(&self, level: Level) -> DefaultGuard {
        LazyLock::force(&ANOTHER);
        let log = self.clone();
        let format = tracing_subscriber::fmt().json().flatten_event(true).with_max_level(level);
        tracing::subscriber::set_default(format.with_writer(move || log.clone()).finish())
    }

    /// The lines since the last call.
    pub fn lines(&self) -> Vec<Value> {
        let bytes = std::mem::take(&mut *self.0.lock().unwrap_or_else(PoisonError::into_inner));
        let text = String::from_utf8_lossy(&bytes);
        text.lines().map(|line| serde_json::from_str(line).unwrap_or_else(|_| Value::from(line))).collect()
    }
}
