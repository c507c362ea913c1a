//! What `authorizer` needs from outside.

use std::sync::Arc;

use ports::{ApiKeys, Clock, FindAccount, Sessions};

pub struct Deps {
    pub accounts: Arc<dyn FindAccount>,
    pub keys: Arc<dyn ApiKeys>,
    pub sessions: Arc<dyn Sessions>,
    pub clock: Arc<dyn Clock>,
}
