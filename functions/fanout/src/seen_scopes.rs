//! The scopes that this container has noted recently. An event at a known place costs no read and no write, and each
//! container writes a place at most once an hour. That is enough for pickers, so a failure here is logged and fails no
//! event.
//!
//! Invariant: an event at a known place costs no read or write for it, and a place that cannot be noted fails no event
//! (tests: `a_scope_is_noted_once_an_hour_and_an_event_of_a_known_one_costs_nothing_more`,
//! `a_scope_that_could_not_be_noted_fails_no_event_and_is_noted_with_the_next`).

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use domain::event::{Event, Scope, SeenScope};
use domain::value::{AccountId, Timestamp};
use ports::SeenScopes;
use runtime::telemetry::ErrorChain;
use tracing::warn;

/// How long a note is valid.
const KEEP: Duration = Duration::from_secs(3_600);
/// How many scopes are remembered before all are dropped.
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

    /// Notes where an event happened, unless that was done recently.
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

    /// Whether it has to be noted now. From here on it counts as known, so that the records of a batch note it once.
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
