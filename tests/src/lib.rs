//! The local harness: everything needed to run the deployed system on one machine and to look at it from outside.
//!
//! [`local_aws`] starts a local AWS, [`deploy`] puts the real `template.yaml` on it with the SAM CLI, and the result is a
//! [`deployment::Deployment`]: what the demo ([`demo`]) and the end-to-end tests (`tests/e2e`) work on. Those act the parts
//! that are not ours: a sync job ([`producer`]), an operator and a customer ([`api_client`]), the customer's [`browser`], a
//! destination ([`receiver`]).
//!
//! It deliberately knows the system only from outside: its API, its queues, its requests. It never calls anything but
//! loopback addresses, and assumes no port to be free.

#![expect(clippy::disallowed_methods, reason = "this is the world outside the system: it has no ports")]
#![expect(clippy::print_stderr, reason = "a run takes a while and tells how far it is")]

pub mod api_client;
pub mod browser;
pub mod chance;
pub mod checkout;
pub mod demo;
pub mod deploy;
pub mod deployment;
pub mod differences;
pub mod eventually;
pub mod failure;
pub mod faulty_table;
pub mod function_call;
pub mod function_environment;
pub mod function_process;
pub mod iam;
pub mod ledger;
pub mod local_aws;
mod logs;
pub mod producer;
pub mod queue;
pub mod receiver;
pub mod run_directory;
pub mod signed_http;
pub mod supervised;
pub mod unique;
pub mod world;

pub use deployment::Deployment;
pub use failure::{Failure, Result};
