//! The middle layer: one file or folder for each resource, with its handlers and the types of their responses. Each
//! operation describes itself in its `#[utoipa::path]`; `router` serves it.

pub mod accounts;
pub mod api_keys;
pub mod config;
pub mod deliveries;
pub mod destinations;
pub mod event_types;
pub mod events;
pub mod ingest;
pub mod jobs;
pub mod ledger;
pub mod matching;
pub mod recovery;
pub mod rejected_events;
pub mod scopes;
pub mod sessions;
pub mod setups;
pub mod subscriptions;
pub mod unregistered_accounts;
