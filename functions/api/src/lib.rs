//! `api`: the HTTPS API by which operators register accounts and accounts configure destinations and subscriptions.
//! Producers without AWS credentials publish events through it, what became of them is read here and sent again, and on request
//! it sends a destination a test payload, which is no delivery. It matches nothing but in a dry run and for a replay. `docs/api.md` is its document.
//!
//! Who is calling comes from API Gateway alone (`caller`); no request can name another account's anything, and what
//! belongs to another account answers exactly like what does not exist.

mod openapi;
mod resources;
mod router;
mod web;

pub use self::router::router;
pub use self::web::body::MAX_BODY_BYTES;
pub use self::web::{Deps, Limits};
