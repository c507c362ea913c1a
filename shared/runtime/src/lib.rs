//! What every function runs on: batches of records, a cache, the environment, logs, metrics, and page sessions. It
//! deliberately calls no AWS service.

pub mod batch;
pub mod cache;
pub mod config;
pub mod metrics;
pub mod page_session;
pub mod telemetry;
