//! The API over in-memory ports: what it answers to whom. One binary, one file for each concern.

#![expect(clippy::expect_used, reason = "helpers of tests may fail them")]

mod answers;
mod bounds;
mod budgets;
mod changes;
mod config;
mod deliveries;
mod destination_recovery;
mod destination_stats;
mod done;
mod event_types;
mod events;
mod examples;
mod idempotency;
mod ingest;
mod ledger;

mod matching;
mod named_lists;
mod operator;
mod orders;
mod paused;
mod reach;
mod read_units;
mod recovery;
mod refusals;
mod rejected_events;
mod replay;
mod replay_span;
mod scopes;
mod sessions;
mod setups;
mod test_payload;
mod unmatched;
mod unregistered_accounts;
mod waiting;
mod whole_lists;
mod world;
