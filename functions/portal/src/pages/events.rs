//! The section of events.

use std::sync::Arc;

use axum::Router;

use crate::Portal;

pub fn routes() -> Router<Arc<Portal>> {
    Router::new()
}
