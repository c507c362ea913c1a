//! The lowest layer: the state of every handler, and what handlers need to read requests and write responses: callers, sessions, budgets,
//! bodies, paths, filters, pages, entity tags, problems, and the schemas that several resources share. It does not depend on any resource.

pub mod admission;
pub mod body;
pub mod caller;
pub mod choices;
pub mod conflict;
mod deps;
pub mod described;
pub mod done;
pub mod etag;
pub mod filters;
pub mod gateway;
pub mod idempotency;
pub mod named;
pub mod pages;
pub mod parameters;
pub mod problem;
pub mod schemas;
pub mod session;
pub mod settings;

pub use self::admission::{Admission, Admitted, Allowance, Class, Spent};
pub use self::deps::{Deps, Limits};
