//! What every function runs on: batches of records, a cache, the environment, logs, and page sessions. It deliberately
//! knows no AWS service.

pub mod batch;
pub mod cache;
pub mod config;
pub mod page_session;
pub mod telemetry;
