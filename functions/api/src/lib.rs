//! `api`: the HTTPS API. The operator registers accounts; accounts configure destinations and subscriptions, publish
//! events without AWS credentials, read their deliveries, send deliveries again, and send test payloads.
//! `docs/api.md` describes it for its users.
//!
//! It matches events only in dry runs and for replays; all other matching is done by `fanout`.
//!
//! The layers, from the bottom up: `web` (the state, and what every handler needs to read requests and write
//! responses), `resources` (the handlers), `router` and `openapi`. Each uses only the layers before it.

mod openapi;
mod resources;
mod router;
mod web;

pub use self::router::router;
pub use self::web::body::MAX_BODY_BYTES;
pub use self::web::gateway::{is_as_sent, readable, run};
pub use self::web::{Admission, Admitted, Allowance, Class, Deps, Limits, Spent};
