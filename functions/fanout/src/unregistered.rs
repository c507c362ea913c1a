//! Events of accounts that nobody registered. They are ignored or, if the stack says so, rejected. The operator finds the
//! accounts of ignored events in a list. It is a sample of up to about two hundred accounts: each container adds a few an
//! hour, and notes each account once an hour. That is enough to find a misspelled account, so a failure here is logged and
//! fails no event.
//!
//! Invariant: an ignored event costs no read or write while its account was noted within the hour, or is not on a full
//! list (tests: `an_unregistered_account_costs_no_row_of_its_own_and_is_noted_once_an_hour`,
//! `however_many_accounts_are_unregistered_few_are_noted`).

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use domain::event::unregistered_account::{MOST_NOTED, NOTE_KEPT};
use domain::event::{Event, Unregistered, UnregisteredAccount};
use domain::value::{AccountId, Timestamp};
use ports::{PortResult, UnregisteredAccounts};
use runtime::telemetry::ErrorChain;
use tokio::sync::Mutex;
use tracing::warn;

/// How often the list is read, and each account is noted.
const EACH: Duration = Duration::from_secs(3_600);
/// How many accounts a container adds to the list in that time.
const ADDED: usize = 10;

pub struct UnregisteredEvents {
    store: Arc<dyn UnregisteredAccounts>,
    pub(crate) policy: Unregistered,
    known: Mutex<Known>,
}

/// The accounts on the list, as this container knows it.
#[derive(Default)]
struct Known {
    read_at: Option<Timestamp>,
    added: usize,
    listed: HashMap<AccountId, Counted>,
}

/// The events of an account since it was noted here.
#[derive(Default)]
struct Counted {
    noted_at: Option<Timestamp>,
    events: u64,
    first_at: Option<Timestamp>,
}

impl UnregisteredEvents {
    pub fn new(store: Arc<dyn UnregisteredAccounts>, policy: Unregistered) -> Self {
        Self { store, policy, known: Mutex::default() }
    }

    /// Counts an event that was ignored, and notes its account from time to time.
    pub(crate) async fn note(&self, event: &Event, now: Timestamp) {
        if let Err(error) = self.try_note(event, now).await {
            warn!(error = %ErrorChain(&error), "an unregistered account could not be noted; its next event tries again");
        }
    }

    async fn try_note(&self, event: &Event, now: Timestamp) -> PortResult<()> {
        let mut known = self.known.lock().await;
        if known.read_at.is_none_or(|read_at| now.since(read_at) >= EACH) {
            let listed = self.store.list_unregistered(None, MOST_NOTED).await?;
            let mut before = std::mem::take(&mut known.listed);
            let kept = listed.into_iter().map(|noted| {
                let counted = before.remove(&noted.account).unwrap_or_default();
                (noted.account, counted)
            });
            *known = Known { read_at: Some(now), added: 0, listed: kept.collect() };
        }
        let is_full = known.listed.len() >= MOST_NOTED || known.added >= ADDED;
        if !known.listed.contains_key(&event.account) {
            if is_full {
                return Ok(());
            }
            known.added += 1;
        }
        let counted = known.listed.entry(event.account.clone()).or_default();
        counted.events += 1;
        let first_at = *counted.first_at.get_or_insert(now);
        if counted.noted_at.is_some_and(|noted_at| now.since(noted_at) < EACH) {
            return Ok(());
        }
        let noted = UnregisteredAccount {
            account: event.account.clone(),
            first_at,
            last_at: now,
            last_event: event.id.clone(),
            events: counted.events,
            expires_at: now.plus(NOTE_KEPT),
        };
        self.store.note_unregistered(&noted).await?;
        *counted = Counted { noted_at: Some(now), ..Counted::default() };
        Ok(())
    }
}
