//! Caches answers in the container for a few seconds, so that a busy function asks the table once and not for each
//! record.
//!
//! It caches what customers configure, never the ledger; a change takes effect within [`KEEP`]. It does not cache that
//! an account or a destination does *not* exist: an event that is pushed right after its account was registered must
//! not be ignored.
//!
//! Invariant: the cache is bounded, also in the memory that subscriptions take. Expired answers are dropped first. The
//! largest answer does not count: an event needs it together with small ones, and each would drop the other (tests:
//! `what_is_kept_is_bounded_and_what_is_over_goes_first`, `one_answer_that_has_too_much_is_kept_beside_small_ones`).
//!
//! Invariant: only configuration is cached, for 5 s. Errors are not cached, and neither is the answer that an account
//! or a destination does not exist (tests: `an_answer_is_asked_for_once_while_it_is_fresh`, `an_error_is_not_kept`,
//! `that_there_is_none_is_not_kept`).

use std::collections::HashMap;
use std::hash::Hash;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use async_trait::async_trait;
use domain::destination::{Destination, Health};
use domain::routing::{Bucket, Listeners};
use domain::value::{AccountId, DestinationId, Timestamp};
use ports::{Clock, DestinationHealth, FindAccount, FindDestination, FindListeners, PortError, PortResult};
use tokio::sync::OnceCell;

use crate::metrics::{Count, Metrics};

/// How long an answer is used.
pub const KEEP: Duration = Duration::from_secs(5);
/// If more answers are cached, the expired ones are dropped, or all if that is not enough.
const MOST: usize = 10_000;
/// The same is done if the cached subscriptions, without those of the largest bucket, take more bytes of memory. The limits on
/// an account's subscriptions and conditions bound that one.
const MOST_BYTES: usize = 16 * 1024 * 1024;

type Slot<V> = (Timestamp, Arc<OnceCell<V>>);

struct Answers<K, V> {
    slots: Mutex<HashMap<K, Slot<V>>>,
    /// The weight of an answer; `most` is what all but the heaviest may weigh together.
    weigh: fn(&V) -> usize,
    most: usize,
    metrics: Arc<Metrics>,
}

impl<K: Eq + Hash + Clone, V: Clone> Answers<K, V> {
    fn new(metrics: &Arc<Metrics>) -> Self {
        Self::weighed(metrics, MOST, |_| 1)
    }

    /// With a bound on the weight of all answers together, without the heaviest.
    fn weighed(metrics: &Arc<Metrics>, most: usize, weigh: fn(&V) -> usize) -> Self {
        Self { slots: Mutex::new(HashMap::new()), weigh, most, metrics: Arc::clone(metrics) }
    }

    /// If the cache is full, drops the expired answers. If it is still full, drops all but the answer to `new`.
    fn make_room(&self, slots: &mut HashMap<K, Slot<V>>, new: &K, now: Timestamp) {
        let is_full = |slots: &HashMap<K, Slot<V>>| {
            let weights = slots.values().filter_map(|slot| slot.1.get()).map(self.weigh);
            let (all, heaviest) = weights.fold((0, 0), |(all, heaviest), weight| (all + weight, weight.max(heaviest)));
            slots.len() > MOST || all - heaviest > self.most
        };
        if is_full(slots) {
            slots.retain(|_, slot| now.since(slot.0) < KEEP);
            if is_full(slots) {
                slots.retain(|key, _| key == new);
            }
        }
    }

    /// The cached answer, or the one that `ask` gives now. Others who ask for the same in the meantime wait for it.
    async fn get(&self, key: K, now: Timestamp, ask: impl Future<Output = PortResult<V>>) -> PortResult<V> {
        let (slot, looked_up) = {
            let mut slots = self.slots.lock().unwrap_or_else(PoisonError::into_inner);
            match slots.get(&key).filter(|slot| now.since(slot.0) < KEEP) {
                Some(slot) => (Arc::clone(&slot.1), Count::CacheHits),
                None => {
                    let new = slots.entry(key.clone()).insert_entry((now, Arc::default()));
                    (Arc::clone(&new.get().1), Count::CacheMisses)
                }
            }
        };
        self.metrics.add(looked_up, 1);
        if let Some(known) = slot.get() {
            return Ok(known.clone());
        }
        let found = slot.get_or_try_init(|| ask).await.cloned()?;
        self.make_room(&mut self.slots.lock().unwrap_or_else(PoisonError::into_inner), &key, now);
        Ok(found)
    }

    /// Caches an answer from elsewhere.
    fn put(&self, key: K, now: Timestamp, value: V) {
        let slot = (now, Arc::new(OnceCell::new_with(Some(value))));
        self.slots.lock().unwrap_or_else(PoisonError::into_inner).insert(key, slot);
    }

    /// Changes a cached answer, without making it any fresher.
    fn change(&self, key: &K, change: impl FnOnce(&mut V)) {
        let mut slots = self.slots.lock().unwrap_or_else(PoisonError::into_inner);
        let Some(slot) = slots.get_mut(key) else { return };
        if let Some(mut value) = slot.1.get().cloned() {
            change(&mut value);
            slot.1 = Arc::new(OnceCell::new_with(Some(value)));
        }
    }

    fn forget(&self, key: &K) {
        self.slots.lock().unwrap_or_else(PoisonError::into_inner).remove(key);
    }
}

impl<K: Eq + Hash + Clone, V: Clone> Answers<K, Option<V>> {
    /// Like [`Answers::get`], but the answer "there is none" is not cached.
    async fn find(
        &self,
        key: K,
        now: Timestamp,
        ask: impl Future<Output = PortResult<Option<V>>>,
    ) -> PortResult<Option<V>> {
        let found = self.get(key.clone(), now, ask).await?;
        if found.is_none() {
            self.forget(&key);
        }
        Ok(found)
    }
}

/// The three look-ups of the fast path, each answered from the cache while its answer is fresh.
pub struct Cached<S> {
    store: Arc<S>,
    clock: Arc<dyn Clock>,
    accounts: Answers<AccountId, Option<Timestamp>>,
    destinations: Answers<(AccountId, DestinationId), Option<Destination>>,
    buckets: Answers<(AccountId, Bucket), Arc<Listeners>>,
}

impl<S> Cached<S> {
    /// Counts in `metrics` how often it knew the answer.
    pub fn new(store: Arc<S>, clock: Arc<dyn Clock>, metrics: &Arc<Metrics>) -> Self {
        let buckets = Answers::weighed(metrics, MOST_BYTES, |bucket: &Arc<Listeners>| bucket.memory());
        Self { store, clock, accounts: Answers::new(metrics), destinations: Answers::new(metrics), buckets }
    }
}

#[async_trait]
impl<S: FindAccount> FindAccount for Cached<S> {
    async fn find_account(&self, account: &AccountId) -> PortResult<Option<Timestamp>> {
        let ask = async { self.store.find_account(account).await };
        self.accounts.find(account.clone(), self.clock.now(), ask).await
    }
}

#[async_trait]
impl<S: FindDestination> FindDestination for Cached<S> {
    async fn find_destination(&self, account: &AccountId, id: &DestinationId) -> PortResult<Option<Destination>> {
        let ask = async { self.store.find_destination(account, id).await };
        self.destinations.find((account.clone(), id.clone()), self.clock.now(), ask).await
    }
}

/// A container that changes or rereads a destination's health uses the new health at once. Other containers do when
/// their cached answer expires.
#[async_trait]
impl<S: DestinationHealth> DestinationHealth for Cached<S> {
    async fn find_destination_anew(&self, account: &AccountId, id: &DestinationId) -> PortResult<Option<Destination>> {
        let (key, found) = ((account.clone(), id.clone()), self.store.find_destination_anew(account, id).await?);
        match &found {
            Some(_) => self.destinations.put(key, self.clock.now(), found.clone()),
            None => self.destinations.forget(&key),
        }
        Ok(found)
    }

    async fn update_health(&self, before: &Destination, health: &Health) -> PortResult<bool> {
        let updated = self.store.update_health(before, health).await?;
        if updated {
            let key = (before.account.clone(), before.id.clone());
            let known = health.clone();
            // Only the health is replaced: the settings in `before` may be older than the cached ones.
            self.destinations.change(&key, |cached| *cached = cached.as_ref().map(|cached| cached.with_health(known)));
        }
        Ok(updated)
    }

    async fn forget_health(&self, account: &AccountId, id: &DestinationId) -> PortResult<()> {
        self.destinations.forget(&(account.clone(), id.clone()));
        self.store.forget_health(account, id).await
    }
}

#[async_trait]
impl<S: FindListeners> FindListeners for Cached<S> {
    async fn find_listeners(&self, account: &AccountId, buckets: &[Bucket]) -> PortResult<Vec<Arc<Listeners>>> {
        let now = self.clock.now();
        let look = buckets.iter().map(|bucket| async move {
            let ask = async {
                let found = self.store.find_listeners(account, std::slice::from_ref(bucket)).await?;
                let none = || PortError::permanent("finding listeners", "the answer lacks a bucket");
                found.into_iter().next().ok_or_else(none)
            };
            self.buckets.get((account.clone(), bucket.clone()), now, ask).await
        });
        futures_util::future::try_join_all(look).await
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicU32, Ordering};

    use testing::{MetricLines, TestClock};

    use super::*;

    fn metrics() -> (Arc<Metrics>, MetricLines) {
        let lines = MetricLines::default();
        (Arc::new(Metrics::new("tests", Arc::new(TestClock::new()), lines.sink())), lines)
    }

    #[tokio::test]
    async fn an_answer_is_asked_for_once_while_it_is_fresh() {
        let (metrics, lines) = metrics();
        let (answers, asked) = (Answers::new(&metrics), AtomicU32::new(0));
        let at = Timestamp::from_unix_ms;
        let get = |now| answers.get("key", now, async { Ok(asked.fetch_add(1, Ordering::SeqCst)) });
        let (a, b) = tokio::join!(get(at(0)), get(at(0)));
        assert_eq!((a.expect("an answer"), b.expect("an answer")), (0, 0));
        assert_eq!(get(at(4_999)).await.expect("an answer"), 0);
        assert_eq!(get(at(5_000)).await.expect("an answer"), 1);
        metrics.write();
        assert_eq!(["CacheHits", "CacheMisses"].map(|name| lines.sum(name)), [2, 2]);
    }

    #[tokio::test]
    async fn that_there_is_none_is_not_kept() {
        let answers = Answers::new(&metrics().0);
        let now = Timestamp::from_unix_ms(0);
        assert_eq!(answers.find("key", now, async { Ok(None) }).await.expect("an answer"), None);
        assert_eq!(answers.find("key", now, async { Ok(Some(1)) }).await.expect("an answer"), Some(1));
        assert_eq!(answers.find("key", now, async { Ok(Some(2)) }).await.expect("an answer"), Some(1));
    }

    #[tokio::test]
    async fn what_is_kept_is_bounded_and_what_is_over_goes_first() {
        let (answers, asked) = (Answers::weighed(&metrics().0, 20, |weight: &usize| *weight), AtomicU32::new(0));
        let get = async |key: u32, ms: u64, weight: usize| {
            let ask = async {
                asked.fetch_add(1, Ordering::SeqCst);
                Ok(weight)
            };
            answers.get(key, Timestamp::from_unix_ms(ms), ask).await.expect("an answer");
            (asked.load(Ordering::SeqCst), answers.slots.lock().expect("a lock").len())
        };
        assert_eq!(get(0, 3_000, 30).await, (1, 1), "the largest does not count");
        assert_eq!(get(1, 0, 12).await, (2, 2));
        assert_eq!(get(2, 3_000, 8).await, (3, 3), "there was room");
        assert_eq!(get(3, 5_000, 1).await, (4, 3), "the first is over");
        assert_eq!(get(2, 5_000, 8).await, (4, 3), "the second is not");
        assert_eq!(get(4, 5_000, 11).await, (5, 4));
        assert_eq!(get(5, 5_000, 1).await, (6, 1), "too much is fresh");
    }

    #[tokio::test]
    async fn one_answer_that_has_too_much_is_kept_beside_small_ones() {
        let (answers, asked) = (Answers::weighed(&metrics().0, 20, |weight: &usize| *weight), AtomicU32::new(0));
        for _ in 0..3 {
            for (key, weight) in [("a", 5), ("b", 100), ("c", 15)] {
                let ask = async {
                    asked.fetch_add(1, Ordering::SeqCst);
                    Ok(weight)
                };
                answers.get(key, Timestamp::from_unix_ms(0), ask).await.expect("an answer");
            }
        }
        assert_eq!(asked.load(Ordering::SeqCst), 3, "one dropped another");
    }

    #[tokio::test]
    async fn an_error_is_not_kept() {
        let answers = Answers::<_, u8>::new(&metrics().0);
        let now = Timestamp::from_unix_ms(0);
        let fail = async { Err(PortError::transient("asking", "no")) };
        assert!(answers.get("key", now, fail).await.is_err());
        assert_eq!(answers.get("key", now, async { Ok(1) }).await.expect("an answer"), 1);
    }
}
