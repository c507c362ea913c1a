//! Who may do what: accounts, API keys and page sessions.

mod account;
mod api_key;
pub mod session;
mod token;

pub use self::account::Account;
pub use self::api_key::{ApiKey, KeyFormError, Permission, PresentedKey, Role};
pub use self::session::{LinkRefusal, Opened, PresentedLink, PresentedSession, Session, SessionFormError};
