//! The place for events that are being matched. Listeners may take much memory, and differ for each account and event type.
//! So only events of one account and type are matched at a time. They share the place and the listeners that were read.
//!
//! Invariant: only events of one account and type are matched at a time, and they do not wait for each other (tests:
//! `events_of_one_account_and_type_are_matched_at_a_time_and_share_the_place`).

use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};

use domain::event::{Event, EventType};
use domain::value::AccountId;
use ports::{PortError, PortResult};
use tokio::sync::{Notify, OwnedSemaphorePermit, Semaphore};

type Kind = (AccountId, EventType);

#[derive(Debug)]
pub(crate) struct Places {
    free: Arc<Semaphore>,
    /// The kind that has the place, or had it last.
    taken: Mutex<Option<(Kind, Weak<OwnedSemaphorePermit>)>>,
    told: Notify,
}

/// The place, held until the last of those that share it is matched.
pub(crate) type Place = Arc<OwnedSemaphorePermit>;

impl Default for Places {
    fn default() -> Self {
        Self { free: Arc::new(Semaphore::new(1)), taken: Mutex::default(), told: Notify::new() }
    }
}

impl Places {
    pub(crate) async fn enter(&self, event: &Event) -> PortResult<Place> {
        let kind = (event.account.clone(), event.event_type);
        loop {
            // Those who wait are woken when the place is taken, because an event of their kind may have taken it.
            let told = self.told.notified();
            if let Some(place) = self.place_of(&kind) {
                return Ok(place);
            }
            tokio::select! {
                biased;
                free = Arc::clone(&self.free).acquire_owned() => {
                    let place = Arc::new(free.map_err(|error| PortError::transient("waiting for a place", error))?);
                    *self.taken() = Some((kind, Arc::downgrade(&place)));
                    self.told.notify_waiters();
                    return Ok(place);
                }
                () = told => {}
            }
        }
    }

    fn taken(&self) -> MutexGuard<'_, Option<(Kind, Weak<OwnedSemaphorePermit>)>> {
        self.taken.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn place_of(&self, kind: &Kind) -> Option<Place> {
        self.taken().as_ref().filter(|(taken, _)| taken == kind)?.1.upgrade()
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use domain::value::Timestamp;

    use super::*;

    #[tokio::test(start_paused = true)]
    async fn events_of_one_account_and_type_are_matched_at_a_time_and_share_the_place() {
        let places = Places::default();
        let enter = async |account: &str, event_type: &str| {
            let event_type = event_type.parse().expect("a type");
            let (account, now) = (account.parse().expect("an account"), Timestamp::from_unix_ms(0));
            let event = Event::sample(event_type, None, account, now).expect("a sample");
            let place = tokio::time::timeout(Duration::from_secs(1), places.enter(&event)).await;
            place.ok().map(|place| place.expect("a place"))
        };
        let (sync, insight) = ("sync_run.completed", "insight_population.completed");
        let first = enter("a", sync).await;
        let again = enter("a", sync).await;
        assert!(first.is_some() && again.is_some(), "they share the place");
        assert!(enter("b", sync).await.is_none() && enter("a", insight).await.is_none());
        drop(first);
        assert!(enter("b", sync).await.is_none(), "one is still matched");
        drop(again);
        let other = enter("b", sync).await;
        assert!(other.is_some() && enter("a", sync).await.is_none());
        // Two of one kind that waited are matched together.
        let (one, two, ()) = tokio::join!(enter("a", sync), enter("a", sync), async {
            tokio::task::yield_now().await;
            drop(other);
        });
        assert!(one.is_some() && two.is_some(), "neither waits for the other");
    }
}
