//! Notes for the audit that events were sealed: one note for each account and stretch of time, not one for each event.
//! Unlike other notes of a container, this one must exist before the seal, so a failure fails the event.
//!
//! Invariant: events of a batch that need the same note write it once, and none is sealed before it is written (tests:
//! `events_that_need_the_same_note_at_one_moment_write_it_once`).

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use domain::value::horizon::NOTES_KEPT;
use domain::value::{Horizon, Stretches, Timestamp};
use ports::{PortResult, SealNote, SealNotes, SealedEvent};
use tokio::sync::OnceCell;

/// How many notes are remembered before all are dropped.
const MOST: usize = 10_000;
/// How much earlier the audit may begin by its own clock, and how long a range may take.
const CLOCKS: Duration = Duration::from_secs(60);

pub struct Seals {
    store: Arc<dyn SealNotes>,
    horizon: Horizon,
    stretches: Stretches,
    /// What this container has noted, or is noting.
    known: Mutex<HashMap<SealNote, Arc<OnceCell<()>>>>,
}

impl Seals {
    pub fn new(store: Arc<dyn SealNotes>, horizon: Horizon) -> Self {
        Self { store, horizon, stretches: horizon.stretches(), known: Mutex::default() }
    }

    /// Notes where the audit finds the event, unless this container has noted that already. Events that need the same note
    /// at one moment wait for one.
    pub(crate) async fn note(&self, event: &SealedEvent) -> PortResult<()> {
        let (sealed, occurred) = (self.stretches.of(event.sealed_at), self.stretches.of(event.occurred_at));
        let note = SealNote { sealed, account: event.account.clone(), occurred };
        let noted = {
            let mut known = self.lock();
            if known.len() >= MOST && !known.contains_key(&note) {
                known.clear();
            }
            Arc::clone(known.entry(note.clone()).or_default())
        };
        noted.get_or_try_init(|| self.store.note_seal(&note, event.sealed_at.plus(NOTES_KEPT))).await.map(drop)
    }

    /// Whether the audit may have sent what an event owes that was sealed then.
    pub(crate) fn may_be_audited(&self, sealed_at: Timestamp, now: Timestamp) -> bool {
        sealed_at < self.stretches.ended(now.plus(CLOCKS), self.horizon.length())
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<SealNote, Arc<OnceCell<()>>>> {
        self.known.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicUsize, Ordering::SeqCst};

    use async_trait::async_trait;
    use domain::event::Event;
    use futures_util::future::join_all;
    use ports::PortError;
    use testing::{account, event_text, sealed};

    use super::*;

    /// Takes a second for a note, and fails the first time.
    #[derive(Default)]
    struct Slow {
        begun: AtomicUsize,
        noted: AtomicUsize,
    }

    #[async_trait]
    impl SealNotes for Slow {
        async fn note_seal(&self, _note: &SealNote, _expires_at: Timestamp) -> PortResult<()> {
            let first = self.begun.fetch_add(1, SeqCst) == 0;
            tokio::time::sleep(Duration::from_secs(1)).await;
            if first {
                return Err(PortError::transient("noting a seal", "a failure was asked for"));
            }
            self.noted.fetch_add(1, SeqCst);
            Ok(())
        }
    }

    #[tokio::test(start_paused = true)]
    async fn events_that_need_the_same_note_at_one_moment_write_it_once() {
        let store = Arc::new(Slow::default());
        let seals = Seals::new(store.clone(), Horizon::default());
        let now = Timestamp::from_unix_ms(1_795_426_200_000);
        let event = |n: usize| {
            let event = Event::parse(&event_text(&account("acme"), &format!("evt-{n}")), now);
            sealed(&event.map_err(|rejection| rejection.detail).expect("an event"), Vec::new(), now)
        };
        let events: Vec<_> = (0..10).map(event).collect();
        let noted = join_all(events.iter().map(|event| async {
            let noted = seals.note(event).await.is_ok();
            assert!(!noted || store.noted.load(SeqCst) == 1, "it is noted before the seal");
            noted
        }));
        assert_eq!(noted.await.into_iter().filter(|noted| *noted).count(), 9, "one failed, and the others did not");
        assert_eq!(store.begun.load(SeqCst), 2);
        seals.note(&events[0]).await.expect("noted");
        assert_eq!(store.begun.load(SeqCst), 2);
    }
}
