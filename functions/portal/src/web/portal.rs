//! The state that all handlers share.

use std::sync::Arc;

use api::Admission;
use axum::Router;
use ports::{Accounts, Clock, Sessions};

use crate::web::cookies::Cookies;
use crate::web::origin::Origin;

/// The API, and everything else that the page needs.
pub struct Portal {
    pub api: Router,
    pub admission: Arc<Admission>,
    pub accounts: Arc<dyn Accounts>,
    pub sessions: Arc<dyn Sessions>,
    pub clock: Arc<dyn Clock>,
    pub cookies: Cookies,
    pub origin: Origin,
}
