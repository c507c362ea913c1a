//! In-memory ports that behave like the real ones, and the contract suites that both must pass.
//!
//! It is only for tests; no function includes it.

pub mod contract;
mod log;
mod memory;
pub mod metric_lines;
mod outside;
mod receivers;
mod samples;

pub use log::Log;
pub use memory::MemoryStore;
pub use metric_lines::MetricLines;
pub use outside::{FixedHosts, MemoryAlerts, MemoryHandOut, MemoryQueue, PlainVault, TestClock, TestEntropy};
pub use receivers::{ScriptedSender, Step};
pub use samples::{account, destination, event_text, held, held_until, record, sealed, subscription};
