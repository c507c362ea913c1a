//! Page sessions: the operator offers a link, and whoever opens it first acts for the account for a while,
//! unless it is taken away.

pub mod known;
pub mod offer;
pub mod open;
