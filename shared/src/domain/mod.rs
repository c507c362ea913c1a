//! The rules and the words of SyncHub Webhooks: pure functions and types.
//!
//! Nothing here does I/O, reads a clock, draws a random number or knows AWS: `now`, jitter and entropy are passed in.
//! Each stage is a type, and each function takes the last one's output:
//! [`event::Event`] → [`delivery::Delivery`] → [`signature::SignedRequest`] → [`outcome::Outcome`] →
//! [`delivery::Attempt`] → [`retry::NextStep`].

pub mod account;
pub mod address;
pub mod api_key;
pub mod catalogue;
pub mod custom_headers;
pub mod day;
pub mod delivery;
pub mod destination;
mod distinct;
pub mod envelope;
pub mod event;
pub mod event_type;
pub mod health;
pub mod horizon;
pub mod id;
pub mod job;
pub mod label;
pub mod latencies;
pub mod missed_run;
pub mod operational;
pub mod outcome;
pub mod own_event;
pub mod pace;
pub mod pattern;
pub mod payload;
pub mod plan;
pub mod proof;
pub mod recovery;
pub mod rejected_event;
pub mod retry;
pub mod roll_up;
pub mod scope;
pub mod secret;
pub mod seen_scope;
pub mod session;
pub mod signature;
pub mod subscription;
pub mod timestamp;
mod token;
pub mod transition;
pub mod url;
