//! The health of destinations.

use std::time::Duration;

use domain::destination::{Destination, Failure, Health};
use domain::value::AccountId;
use ports::{
    Accounts, CreatedDestination, DeletedDestination, DestinationHealth, Destinations, Order, UpdatedDestination,
    Waiting,
};

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

    // Changes of settings and changes of health do not conflict.
    assert!(store.update_health(&stored, &disabled.told(1)).await.expect("an answer"));
    assert!(!watched(9_999).await);
    let paused = stored.paused(after(2)).expect("a change");
    assert_eq!(store.update_destination(&stored, &paused).await.expect("an answer"), UpdatedDestination::Updated);
    let told = stored.with_health(disabled.told(1));
    assert!(store.update_health(&told, &told.health.confirmed()).await.expect("an answer"), "paused or not");
    assert!(!store.update_health(&told, &disabled).await.expect("an answer"));
    let known = find().await;
    assert_eq!(known, paused.with_health(told.health.confirmed()));

    // To resume it, both are changed, or neither is.
    let resumed = known.resumed(after(3)).expect("a change");
    assert_ne!(resumed.health, known.health);
    assert!(store.update_health(&known, &known.health.confirmed()).await.expect("an answer"));
    assert_eq!(store.update_destination(&known, &resumed).await.expect("an answer"), UpdatedDestination::Changed);
    assert_eq!((find().await.version, watched(9_999).await), (paused.version, false));
    let known = find().await;
    let resumed = known.resumed(after(3)).expect("a change");
    assert_eq!(store.update_destination(&known, &resumed).await.expect("an answer"), UpdatedDestination::Updated);
    assert_eq!((find().await, watched(3).await), (resumed.clone(), true));
    assert!(!store.update_health(&known, &disabled).await.expect("an answer"));
    let listed = store.list_destinations(account, Order::OldestFirst, None, 9).await.expect("a list");
    assert_eq!(
        store.list_destinations(account, Order::NewestFirst, None, 9).await.expect("a list").len(),
        listed.len()
    );
    let settings = store.list_settings(account, None, 9).await.expect("a list");
    let healthy: Vec<_> = listed.iter().map(|one| one.with_health(Health::default())).collect();
    assert_eq!(settings, healthy);
    assert_eq!(listed, std::slice::from_ref(&resumed), "a list shows health");

    // The index has the state when the health was last stored; the next change corrects it.
    let paused = resumed.paused(after(4)).expect("a change");
    assert_eq!(store.update_destination(&resumed, &paused).await.expect("an answer"), UpdatedDestination::Updated);
    let later = find().await.look_at().is_none_or(|at| at > after(9_999));
    assert!(later && watched(4).await);
    assert!(store.update_health(&paused, &paused.health.confirmed()).await.expect("an answer"));
    assert!(!watched(9_999).await);
    deleted(store, created).await;
}

/// The health of a destination is deleted with it. A health that is stored later can be deleted on its own.
async fn deleted(store: &dyn HealthStore, created: Destination) {
    let (account, id) = (&created.account, &created.id);
    assert_eq!(store.delete_destination(account, id, None).await.expect("an answer"), DeletedDestination::Deleted);
    assert_eq!(store.find_destination_anew(account, id).await.expect("an answer"), None);
    let failing = created.with_health(created.health.resumed(after(5)));
    assert!(store.update_health(&created, &failing.health).await.expect("an answer"));
    assert_eq!(store.find_destination_anew(account, id).await.expect("an answer"), None);
    let watched = async || {
        let all = store.watched_destinations(after(5), None, 10_000).await.expect("a list");
        all.iter().any(|one| (&one.account, &one.id) == (account, id))
    };
    assert!(watched().await);
    store.forget_health(account, id).await.expect("forgotten");
    assert!(!watched().await);
    assert_eq!(store.create_destination(&created, 10).await.expect("an answer"), CreatedDestination::Created);
    assert_eq!(store.find_destination_anew(account, id).await.expect("an answer").as_ref(), Some(&created));
}
