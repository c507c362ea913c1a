//! Page sessions: the operator offers a link, and the first person who opens it can act for the account for a while,
//! unless the session is revoked.

pub mod known;
pub mod offer;
pub mod open;
