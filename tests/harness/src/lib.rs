//! The local harness: a local AWS on this machine with the real stack on it, and programs that play the systems and
//! people around the stack.
//!
//! [`local_aws`] starts a local AWS and [`deploy`] puts the real `template.yaml` on it with the SAM CLI. The result is
//! a [`Deployment`]: what the [`demo`] and the end-to-end tests (`tests/e2e`) work on. They act as a sync job
//! ([`producer`]), as an operator and a customer ([`api_client`]), and as a destination ([`receiver`]).
//!
//! It contains only what the demo needs, so that `make demo` builds nothing else. The browser and the tools of single
//! tests are in the crate `tests`. The harness knows the system only from outside: its API, its queues, its requests,
//! and the rows of its table. It calls only loopback addresses, and needs no particular port to be free.

#![expect(clippy::disallowed_methods, reason = "this code is outside of the system and has no ports")]
#![expect(clippy::print_stderr, reason = "a run takes a while and shows its progress")]

pub mod api_client;
pub mod checkout;
pub mod demo;
pub mod deploy;
pub mod deployment;
pub mod differences;
pub mod eventually;
pub mod failure;
pub mod iam;
pub mod ledger;
pub mod local_aws;
pub mod producer;
pub mod queue;
pub mod receiver;
pub mod run_directory;
pub mod signed_http;
pub mod supervised;
pub mod unique;

pub use deployment::Deployment;
pub use failure::{Failure, Result};
