//! What all functions of SyncHub Webhooks share. The flow, told once:
//!
//! ```text
//! sync job ──▶ Events queue ──▶ fanout ──▶ Deliveries queue ──▶ deliver ──HTTPS──▶ destination
//!                                 │ find account, event, buckets   │ sign, send, record
//!                                 ▼                                ▼
//!                             the table: accounts, keys, destinations, subscriptions, events, deliveries
//!                                 ▲
//! customers ─ HTTPS ─▶ authorizer ─▶ api
//! ```
//!
//! 1. **`fanout`** parses each record ([`domain::event::Event`]), looks the account and the event up, matches the account's
//!    subscriptions ([`domain::subscription::deliveries`]), *sends* a delivery message for each destination and path owed,
//!    *notes* for the audit that it seals, and only then *seals* the event with the list of what it owes. A crash in between repeats deliveries under the same
//!    ids and never loses one. What can never be accepted is noted for the operator ([`domain::rejected_event`])
//!    and goes to the events' dead-letter queue with its reason.
//! 2. **`deliver`** signs ([`domain::signature::sign`]), sends ([`ports::HttpSender`]) and records
//!    ([`domain::delivery::DeliveryRecord`]) one attempt. A message is acknowledged only when its row says how the delivery
//!    ended or where it waits: for up to two minutes in the queue, longer in the table, until
//!    [`domain::retry::RetryPolicy`] says; set aside while its destination is down ([`domain::health`]).
//! 3. **`authorizer`** turns a bearer key into an account, and **`api`** lets that account configure.
//! 4. **`redrive`** runs each minute: it sends what is due ([`ports::Waiting`]), probes destinations that are down and drains what
//!    was set aside, visits each event once after its horizon ([`ports::Audit`]), and goes on with what takes longer than a
//!    request ([`domain::job`]).
//!
//! Two kinds of failure never mix: a receiver's is a value ([`domain::outcome::Outcome`]), ours is an error
//! ([`ports::PortError`]), retried by the queue and dead-lettered at last.
//!
//! Dependencies point one way: functions → [`ports`] and [`domain`]; [`adapters`] → ports → domain; only a function's
//! `main.rs` names adapters.

pub mod adapters;
pub mod batch;
pub mod cache;
pub mod config;
pub mod domain;
pub mod page_session;
pub mod ports;
pub mod telemetry;
#[cfg(feature = "testing")]
pub mod testing;
