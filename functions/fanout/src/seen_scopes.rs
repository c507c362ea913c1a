//! Which scopes this container has noted lately: an event at a known place costs no read and no write, and a place is written
//! once an hour by each container at most. Pickers need no more; so a failure here is logged and fails no event.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use domain::event::{Event, Scope, SeenScope};
use domain::value::{AccountId, Timestamp};
use ports::SeenScopes;
use runtime::telemetry::ErrorChain;
use tracing::warn;

/// How long a note is good.
const KEEP: Duration = Duration::from_secs(3_600);
/// How many scopes are known before all are forgotten.
const MOST: usize = 10_000;

type Known = HashMap<(AccountId, Scope), Timestamp>;

pub struct ScopeNotes {
    store: Arc<dyn SeenScopes>,
    known: Mutex<Known>,
}

impl ScopeNotes {
    pub fn new(store: Arc<dyn SeenScopes>) -> Self {
        Self { store, known: Mutex::default() }
    }

    /// Notes where an event happened, unless that was done lately.
    pub async fn note(&self, event: &Event, now: Timestamp) {
        let key = (event.account.clone(), event.scope.clone());
        if !self.begin(&key, now) {
            return;
        }
        let Some(seen) = SeenScope::of_event(event, now) else { return };
        if let Err(error) = self.store.note_scope(&seen).await {
            self.lock().remove(&key);
            warn!(error = %ErrorChain(&error), "a scope could not be noted; the next event there tries again");
        }
    }

    /// Whether it is to be noted now. It counts as known from here on, so that the records of a batch note it once.
    fn begin(&self, key: &(AccountId, Scope), now: Timestamp) -> bool {
        let mut known = self.lock();
        if known.get(key).is_some_and(|noted| now.since(*noted) < KEEP) {
            return false;
        }
        if known.len() >= MOST {
            known.clear();
        }
        known.insert(key.clone(), now);
        true
    }

    fn lock(&self) -> MutexGuard<'_, Known> {
        self.known.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
