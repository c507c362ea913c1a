//! Tests of the page as a browser sees it, with in-memory ports. There is a file for each section.

#![expect(clippy::expect_used, reason = "helpers of tests may fail them")]

mod budgets;
mod deliveries;
mod destinations;
mod entry;
mod events;
mod foreign;
mod ledger;
mod log;
mod sessions;
mod states;
mod subscriptions;
mod viewers;
mod wizard;
mod world;
