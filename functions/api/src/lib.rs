//! `api`: the HTTPS API. The operator registers accounts; accounts configure destinations and subscriptions, publish
//! events without AWS credentials, read what became of them, send deliveries again, and send test payloads.
//! `docs/api.md` describes it for its users.
//!
//! It matches events only in a dry run and for a replay; otherwise `fanout` does.
//!
//! The floors, bottom up: `web` (the state, and what every handler needs from the web), `resources` (handlers and what
//! they answer), `router` and `openapi`. Each uses only those before it.

mod openapi;
mod resources;
mod router;
mod web;

pub use self::router::router;
pub use self::web::body::MAX_BODY_BYTES;
pub use self::web::gateway::{is_as_sent, run};
pub use self::web::{Admission, Admitted, Allowance, Class, Deps, Limits, Spent};
