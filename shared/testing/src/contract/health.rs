//! The health of destinations.

use std::time::Duration;

use domain::destination::{Failure, Health};
use domain::value::AccountId;
use ports::{Accounts, DestinationHealth, Destinations, UpdatedDestination, Waiting};

use super::{after, now};
use crate::samples::destination;

/// A store of destinations and their health.
pub trait HealthStore: DestinationHealth + Destinations + Accounts + Waiting {}

impl<S: DestinationHealth + Destinations + Accounts + Waiting> HealthStore for S {}

pub async fn health(store: &dyn HealthStore, account: &AccountId) {
    store.create_account(account, now()).await.expect("created");
    let created = destination(account, 1, "https://example.com/");
    store.create_destination(&created, 10).await.expect("created");
    let find = async || {
        let found = store.find_destination_anew(account, &created.id).await.expect("an answer");
        found.expect("the destination")
    };
    let watched = async |seconds| {
        let all = store.watched_destinations(after(seconds), None, 10_000).await.expect("a list");
        let mine = all.iter().find(|one| (&one.account, &one.id) == (account, &created.id));
        if let Some(mine) = mine {
            let further = store.watched_destinations(after(seconds), Some(mine), 10_000).await.expect("a list");
            assert!(!further.contains(mine) && further.iter().all(|one| one.look_at >= mine.look_at));
        }
        mine.is_some()
    };
    assert_eq!((find().await.health, watched(9_999).await), (Health::default(), false));

    let gone = Failure {
        at: after(1),
        gone: true,
        probe: false,
        retry_after: Duration::ZERO,
        asks_to_wait: false,
        seen_in_a_row: 1,
        operational: false,
    };
    let disabled = created.health.failed(gone).expect("a change");
    assert!(store.update_health(&created, &disabled).await.expect("an answer"));
    assert!(!store.update_health(&created, &disabled).await.expect("an answer"), "it is not as it was known");
    let stored = find().await;
    assert_eq!(stored, created.with_health(disabled.clone()));
    assert_eq!((watched(0).await, watched(1).await), (false, true), "until somebody has told it");

    // Changes by the owner and changes of health do not overwrite each other.
    let renamed = stored.changed(stored.settings.clone(), after(2));
    assert!(store.update_health(&stored, &disabled.told(1)).await.expect("an answer"));
    let changed = store.update_destination(&stored, &renamed).await.expect("an answer");
    assert_eq!(changed, UpdatedDestination::Changed);
    assert!(!watched(9_999).await);
    let stored = find().await;
    let mut resumed = stored.changed(stored.settings.clone(), after(3));
    resumed.health = stored.health.resumed(after(3));
    assert_eq!(store.update_destination(&stored, &resumed).await.expect("an answer"), UpdatedDestination::Updated);
    assert_eq!((find().await, watched(3).await), (resumed.clone(), true));
    assert!(!store.update_health(&stored, &disabled).await.expect("an answer"));
}
