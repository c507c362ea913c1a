//! The requests that a receiver accepts and those that it refuses, for receivers in any language: `docs/verify/conformance.json`.
//! [`cases`] is the list of them, [`Case::request`] signs one for any time, and [`file()`] is the text of the file, where all
//! are signed for one. `docs/conformance.md` explains it to its readers.
//!
//! Invariant: the file says what this system sends today (tests: `the_file_is_what_the_code_makes`,
//! `a_right_request_is_signed_as_deliveries_are`, `each_request_of_a_proof_is_a_case`).
//!
//! Invariant: each way to verify too little is found by a case (tests: `every_mistake_of_a_receiver_is_found_by_a_case`).

#![expect(clippy::expect_used, clippy::panic, reason = "helpers of tests may fail them")]

mod case;
mod file;
mod list;
mod sign;

pub use self::case::{Case, Expected, Proof, Request, destination};
pub use self::file::{PATH, file};
pub use self::list::cases;
pub use self::sign::{SECRET, hmac, other_secret, secret};

/// When the requests of the file arrive, in Unix seconds: 2026-11-23T09:31:00Z.
pub const NOW: u64 = 1_795_426_260;
/// How far the clock of a receiver and a timestamp may be apart, in seconds.
pub const TOLERANCE_SECONDS: u64 = 300;
