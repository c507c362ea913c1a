//! The state that every handler has.

use std::sync::Arc;

use axum::Router;
use ports::{Accounts, Clock, Sessions};

use crate::web::cookies::Cookies;

/// What the page needs beside the API.
pub struct Portal {
    pub api: Router,
    pub accounts: Arc<dyn Accounts>,
    pub sessions: Arc<dyn Sessions>,
    pub clock: Arc<dyn Clock>,
    pub cookies: Cookies,
}
