//! Everything between a request and a page: the state, the visitor and their session, the API within this process, the
//! fields of forms, security headers and failures. Nothing here knows a particular page.

pub mod around;
pub mod cookies;
pub mod failure;
pub mod fields;
pub mod inner;
pub mod origin;
pub mod portal;
pub mod problem;
pub mod render;
pub mod security;
pub mod timing;
pub mod visitor;
