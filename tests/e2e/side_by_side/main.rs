//! Tests that take minutes and do not disturb others: one waits for the end of a grace period, the other makes one
//! request after another. Each has its own accounts. In one program they run side by side; `make test` runs it on a
//! second deployment while the other tests run on the first.

#![expect(clippy::disallowed_methods, reason = "Python needs a PATH")]

mod account_deletion;
mod api_properties;
