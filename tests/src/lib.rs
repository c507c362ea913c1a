//! What tests of the deployed stack need beyond the [`harness`]: a [`browser`], a [`world`] of one account around it, faults
//! ([`faulty_table`], [`chance`]), and a hand in the deployed [`function`]s.
//!
//! The tests are beside this library: `e2e`, `browser`, `model`, `integration`; so are the programs `bench` and `screenshots`.
//! Nothing here is part of `make demo`.

#![expect(clippy::disallowed_methods, reason = "this is the world outside the system: it has no ports")]
#![expect(clippy::print_stderr, reason = "a run takes a while and tells how far it is")]

pub mod browser;
pub mod chance;
pub mod faulty_table;
pub mod function;
pub mod world;
