//! The page in a real browser, against the deployed stack.
//!
//! Each test works on an account of its own, in browsers of its own, and ends with [`tests::browser::Browser::finish`], which fails
//! when anything went to another origin, or the content security policy or the console complained.

mod destinations;
mod entry;
mod everywhere;
mod log;
mod sessions;
mod wizard;

use tests::world;
