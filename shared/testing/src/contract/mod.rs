//! What every implementation of the ports of the table and the vault must do. The suites run on the fakes here, and on
//! the real adapters in the end-to-end tests. Each suite works in an account of its own, given by the caller, and
//! panics if a promise is broken.
//!
//! Invariant: fakes and real adapters keep the same contracts (tests: `the_memory_store_keeps_the_contracts`,
//! `the_plain_vault_keeps_the_contract`, on the deployed table and key `tests/e2e/contracts.rs`).

#![expect(clippy::expect_used, clippy::panic, reason = "a contract suite is a test")]

mod accounts;
mod api_keys;
mod audit;
mod awaited_runs;
mod budgets;
mod deliveries;
mod destinations;
mod events;
mod health;
mod jobs;
mod kept_answers;
mod paces;
mod purge;
mod reckoning;
mod rejected_events;
mod roll_ups;
mod seen_scopes;
mod sessions;
mod subscriptions;
mod test_places;
mod transitions;
mod unregistered_accounts;
mod vault;
mod waiting;

use std::time::Duration;

pub use accounts::{accounts, deletion_of_an_account};
pub use api_keys::api_keys;
pub use audit::audit;
pub use awaited_runs::awaited_runs;
pub use budgets::budgets;
pub use deliveries::{deliveries, deliveries_at_once, deliveries_in_bulk, listed_deliveries};
pub use destinations::destinations;
use domain::value::Timestamp;
pub use events::{events, events_at_once, holding, listed_events, owing_more, wide_events};
pub use health::health;
pub use jobs::{jobs, jobs_in_order, limited_jobs, listed_jobs, replays, started_jobs};
pub use kept_answers::kept_answers;
pub use paces::paces;
pub use purge::purge;
pub use reckoning::{owed_in_bulk, standings};
pub use rejected_events::{listed_rejections, rejections};
pub use roll_ups::{results, roll_ups, rolled_up_to};
pub use seen_scopes::seen_scopes;
pub use sessions::sessions;
pub use subscriptions::subscriptions;
pub use test_places::test_places;
pub use transitions::transitions;
pub use unregistered_accounts::unregistered_accounts;
pub use vault::vault;
pub use waiting::waiting;

fn now() -> Timestamp {
    Timestamp::from_unix_ms(1_795_426_200_000)
}

fn after(seconds: u64) -> Timestamp {
    now().plus(Duration::from_secs(seconds))
}

fn after_ms(ms: u64) -> Timestamp {
    now().plus(Duration::from_millis(ms))
}

/// All pages of a list, each of at most `limit` entries, one after another.
async fn in_pages<One, Place>(
    limit: usize,
    place: impl Fn(&One) -> Place,
    list: impl AsyncFn(Option<Place>) -> Vec<One>,
) -> Vec<One> {
    let (mut seen, mut after) = (Vec::new(), None);
    loop {
        let page = list(after).await;
        assert!(page.len() <= limit);
        after = page.last().map(&place);
        let is_last = page.len() < limit;
        seen.extend(page);
        if is_last {
            return seen;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::{MemoryStore, PlainVault, account};
    use super::*;

    #[tokio::test]
    async fn the_memory_store_keeps_the_contracts() {
        let (a, b) = (account("mine"), account("theirs"));
        accounts(&MemoryStore::default(), &a, &b).await;
        deletion_of_an_account(&MemoryStore::default(), &a).await;
        deliveries_in_bulk(&MemoryStore::default(), &a, &b).await;
        jobs(&MemoryStore::default(), &a).await;
        started_jobs(&MemoryStore::default(), &a).await;
        limited_jobs(&MemoryStore::default(), &a).await;
        replays(&MemoryStore::default(), &a).await;
        listed_jobs(&MemoryStore::default(), &a, &b).await;
        let store = MemoryStore::default();
        purge(&store, &store, &a, &b).await;
        api_keys(&MemoryStore::default(), &a, &b).await;
        sessions(&MemoryStore::default(), &a, &b).await;
        destinations(&MemoryStore::default(), &a, &b).await;
        subscriptions(&MemoryStore::default(), &a, &b).await;
        transitions(&MemoryStore::default(), &a, &b).await;
        events(&MemoryStore::default(), &a, &b).await;
        events_at_once(&MemoryStore::default(), &a).await;
        owing_more(&MemoryStore::default(), &a).await;
        holding(&MemoryStore::default(), &a).await;
        wide_events(&MemoryStore::default(), &a, &b).await;
        deliveries(&MemoryStore::default(), &a, &b).await;
        deliveries_at_once(&MemoryStore::default(), &a).await;
        rejections(&MemoryStore::default(), &a).await;
        test_places(&MemoryStore::default(), &a, &b).await;
        kept_answers(&MemoryStore::default(), &a, &b).await;
        unregistered_accounts(&MemoryStore::default(), &a, &b).await;
        awaited_runs(&MemoryStore::default(), &a, &b).await;
        seen_scopes(&MemoryStore::default(), &a, &b).await;
        waiting(&MemoryStore::default(), &a, &b).await;
        health(&MemoryStore::default(), &a).await;
        audit(&MemoryStore::default(), &a).await;
        paces(&MemoryStore::default(), &a, &b).await;
        budgets(&MemoryStore::default(), &a, &b).await;
        listed_events(&MemoryStore::default(), &a, &b).await;
        listed_deliveries(&MemoryStore::default(), &a, &b).await;
        owed_in_bulk(&MemoryStore::default(), &a, &b).await;
        standings(&MemoryStore::default(), &a, &b).await;
        roll_ups(&MemoryStore::default(), &a, &b).await;
        results(&MemoryStore::default(), &a, &b).await;
        rolled_up_to(&MemoryStore::default(), &a).await;
    }

    #[tokio::test]
    async fn the_plain_vault_keeps_the_contract() {
        vault(&PlainVault, &account("a"), &account("b")).await;
    }
}
