//! What tests of the deployed stack need besides the [`harness`]: a [`browser`], an account with all its surroundings
//! ([`world`]), their own tables ([`empty_table`], [`indexed_table`]), its ledger ([`closed_ledger`]), faults
//! ([`faulty_table`], [`chance`]), and access to the deployed [`function`]s and to a [`shell`]. The requests that
//! receivers are tried with are in [`conformance`].
//!
//! The tests are in the folders beside this library: `e2e`, `browser`, `model` and `integration`. So are the programs
//! `bench` and `screenshots`. `make demo` builds none of this.

#![expect(clippy::disallowed_methods, reason = "this code is outside of the system and has no ports")]
#![expect(clippy::print_stderr, reason = "a run takes a while and shows its progress")]

pub mod browser;
pub mod chance;
pub mod closed_ledger;
pub mod conformance;
pub mod empty_table;
pub mod faulty_table;
pub mod function;
pub mod indexed_table;
pub mod shell;
pub mod world;
