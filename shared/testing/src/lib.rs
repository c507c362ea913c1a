//! In-memory ports that behave like the real ones, and the contract suites that both must pass.
//!
//! Only for tests: nothing here is compiled into a function.

pub mod contract;
mod memory;
mod outside;
mod samples;

pub use memory::MemoryStore;
pub use outside::{FixedHosts, MemoryAlerts, MemoryQueue, PlainVault, ScriptedSender, Step, TestClock, TestEntropy};
pub use samples::{account, destination, event_text, record, subscription};
