//! Who may do what, and how much of it: accounts, API keys, page sessions, budgets.

mod account;
mod api_key;
pub mod budget;
pub mod session;
mod token;

pub use self::account::Account;
pub use self::api_key::{ApiKey, KeyFormError, Permission, PresentedKey, Role};
pub use self::budget::{Asked, Budget, BudgetError, Spending, Tab};
pub use self::session::{
    LinkRefusal, Opened, PresentedLink, PresentedSession, Session, SessionFormError, SessionStatus,
};
