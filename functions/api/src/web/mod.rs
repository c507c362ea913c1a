//! The ground floor: the state of every handler, and what handlers need from the web: callers, bodies, paths, filters,
//! pages, entity tags, problems, and the schemas that several resources share. It knows no resource.

pub mod body;
pub mod caller;
pub mod choices;
pub mod conflict;
mod deps;
pub mod etag;
pub mod filters;
pub mod gateway;
pub mod named;
pub mod pages;
pub mod problem;
pub mod schemas;
pub mod settings;

pub use self::deps::{Deps, Limits};
