//! How a request comes in and an answer goes out: the state, who is looking, the API as they see it, fields that were sent, and what
//! is answered where there is no page. Nothing here knows a page.

pub mod cookies;
pub mod failure;
pub mod fields;
pub mod inner;
pub mod portal;
pub mod problem;
pub mod render;
pub mod security;
pub mod timing;
pub mod visitor;
