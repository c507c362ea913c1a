//! What the API tells of the ledger: events, deliveries and scopes; and what it takes in.

#![expect(clippy::expect_used, reason = "helpers of tests may fail them")]

mod deliveries;
mod events;
mod ingest;
mod scopes;
#[path = "../world/mod.rs"]
mod world;
