//! The rules and words of SyncHub Webhooks: pure functions and types.
//!
//! Nothing here does I/O, reads a clock, draws a random number or knows AWS: `now`, jitter and entropy are passed in.
//!
//! Each stage is a type, and each function takes the output of the previous one: [`event::Event`] →
//! [`delivery::Delivery`] → [`delivery::SignedRequest`] → [`attempt::Outcome`] → [`attempt::Attempt`] →
//! [`attempt::NextStep`].
//!
//! # Chapters
//! Each chapter uses only chapters above it:
//!
//! | chapter | what it is about |
//! |---|---|
//! | [`value`] | ids, names, moments, days |
//! | [`event`] | what happened: the event, its type, place and payload |
//! | [`attempt`] | one HTTP request: secret, signature, outcome, retry policy |
//! | [`destination`] | a receiver: URL, settings, health, pace |
//! | [`delivery`] | one event owed to one destination |
//! | [`operational`] | what the system reports about destinations and deliveries |
//! | [`routing`] | subscriptions: which event goes where |
//! | [`access`] | accounts, API keys, page sessions and budgets; it uses only `value`, `event` and the pace of `destination` |
//!
//! # The flow
//! 1. `fanout` parses each event, matches it with the account's subscriptions ([`routing::listeners::owed`]), sends one
//!    message for each delivery owed, and only then seals the event with the list of what it owes. A crash in between repeats
//!    deliveries under the same ids and never loses one.
//! 2. `deliver` signs ([`delivery::request::sign`]), sends, and records one attempt ([`delivery::DeliveryRecord`]). A message is
//!    acknowledged only when its row says how the delivery ended or where it waits.
//! 3. `redrive` runs each minute: it sends what is due, probes destinations that are down, drains what was parked, audits each event
//!    once after its horizon, and works on jobs ([`delivery::job`]).
//! 4. `authorizer` turns an API key or a page session into an account, and `api` and `portal` let that account configure.
//!
//! Two kinds of failure never mix: a failure of a receiver is a value ([`attempt::Outcome`]); a failure of ours is an
//! error of a port, which the queue retries and finally dead-letters.
//!
//! Invariant: neither this crate nor anything it depends on is an AWS crate (checked by `tools/check-dependencies.sh`).
//!
//! Invariant: whatever goes wrong, everything owed is delivered or visibly not (tests: under ten thousand random
//! schedules `whatever_goes_wrong_everything_owed_is_delivered_or_visibly_not`, on the deployed stack, while processes
//! are killed, messages stolen and the table fails,
//! `nothing_is_lost_when_processes_messages_and_the_table_fail_and_a_receiver_flaps`).

pub mod access;
pub mod attempt;
pub mod delivery;
pub mod destination;
pub mod event;
pub mod operational;
pub mod routing;
pub mod value;
