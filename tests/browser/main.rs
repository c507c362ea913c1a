//! The page in a real browser, against the deployed stack.
//!
//! Each test has an account and browsers of its own, and ends with [`tests::browser::Browser::finish`], which fails if
//! a request went to another origin, or if the content security policy or the console complained.

mod destinations;
mod entry;
mod everywhere;
mod log;
mod sessions;
mod wizard;

use tests::world;
