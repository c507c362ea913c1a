//! The ground floor: the state of every handler, and what handlers need from the web: callers, sessions, budgets, bodies, paths, filters,
//! pages, entity tags, problems, and the schemas that several resources share. It knows no resource.

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
