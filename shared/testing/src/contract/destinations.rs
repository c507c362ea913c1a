//! Destinations, their names, and how many an account may have.

use domain::destination::Destination;
use domain::value::{AccountId, DestinationId, SubscriptionId};
use ports::{Accounts, CreatedDestination, DeletedDestination, Destinations, Order, UpdatedDestination};

use super::now;
use crate::samples::destination;

const MOST: u32 = 5;

async fn create(store: &impl Destinations, destination: &Destination) -> CreatedDestination {
    store.create_destination(destination, MOST).await.expect("an answer")
}

pub async fn destinations<S: Destinations + Accounts>(store: &S, account: &AccountId, other: &AccountId) {
    let mut all: Vec<_> = (1..=5).map(|n| destination(account, n, "https://example.com/hooks")).collect();
    assert!(store.create_destination(&all[0], MOST).await.is_err(), "its account is not registered");
    for registered in [account, other] {
        store.create_account(registered, now()).await.expect("registered");
    }
    for one in &all {
        assert_eq!(create(store, one).await, CreatedDestination::Created);
    }
    assert_eq!(create(store, &destination(account, 6, "https://example.com/")).await, CreatedDestination::LimitReached);
    let mut foreign = destination(other, 9, "https://example.org/");
    foreign.settings.name = all[0].settings.name.clone();
    assert_eq!(create(store, &foreign).await, CreatedDestination::Created, "names are an account's own");
    assert_eq!(store.find_destination(account, &all[0].id).await.expect("an answer").as_ref(), Some(&all[0]));
    assert_eq!(store.find_destination(other, &all[0].id).await.expect("an answer"), None);
    let named = store.find_destination_named(account, &all[0].settings.name).await.expect("an answer");
    assert_eq!(named.as_ref(), Some(&all[0].id));

    change(store, &mut all).await;
    let first = store.list_destinations(account, Order::OldestFirst, None, 3).await.expect("a page");
    assert_eq!(first, all[..3]);
    let second = store.list_destinations(account, Order::OldestFirst, Some(&first[2].id), 3).await.expect("a page");
    assert_eq!(second, all[3..]);
    let newest = all.iter().rev().cloned().collect::<Vec<_>>();
    let first = store.list_destinations(account, Order::NewestFirst, None, 3).await.expect("a page");
    assert_eq!(first, newest[..3]);
    let second = store.list_destinations(account, Order::NewestFirst, Some(&first[2].id), 3).await.expect("a page");
    assert_eq!(second, newest[3..]);
    let settings = store.list_settings(account, Some(&all[2].id), 3).await.expect("a page");
    assert_eq!(settings, all[3..]);
    search(store, &all[0]).await;
    delete(store, &all, other).await;
}

/// The progress of a search stays when the destination is changed, and is deleted with it.
async fn search<S: Destinations>(store: &S, one: &Destination) {
    let (account, id) = (&one.account, &one.id);
    let searched = async || store.find_searched(account, id).await.expect("an answer");
    assert_eq!(searched().await, None);
    let place = SubscriptionId::from_entropy([7; 10]);
    store.note_searched(account, id, Some(&place)).await.expect("noted");
    assert_eq!(searched().await.as_ref(), Some(&place));
    let found = store.find_destination(account, id).await.expect("an answer").expect("a destination");
    assert_eq!(found, *one, "its version is the same");
    store.note_searched(account, id, None).await.expect("noted");
    assert_eq!(searched().await, None);
    store.note_searched(account, id, Some(&place)).await.expect("noted");
    let nobody = DestinationId::from_entropy([99; 10]);
    store.note_searched(account, &nobody, Some(&place)).await.expect("nothing is done");
    assert_eq!(store.find_searched(account, &nobody).await.expect("an answer"), None);
    assert_eq!(store.find_destination(account, &nobody).await.expect("an answer"), None);
}

/// A change replaces every field, unless somebody else made a change in the meantime.
async fn change<S: Destinations>(store: &S, all: &mut [Destination]) {
    let (before, account) = (all[0].clone(), all[0].account.clone());
    let mut settings = before.settings.clone();
    settings.name = "Renamed #1".to_owned().try_into().expect("a name");
    settings.rate_limit = Some(7.try_into().expect("a rate"));
    settings.retry_policy = serde_json::from_str("[10, 60]").expect("a retry policy");
    let mut limited = before.changed(settings, now());
    limited.secrets[0].expires_at = Some(now());
    let answer = store.update_destination(&before, &limited).await.expect("an answer");
    assert_eq!(answer, UpdatedDestination::Updated);
    assert_eq!(store.find_destination(&account, &before.id).await.expect("an answer").as_ref(), Some(&limited));
    assert_eq!(store.update_destination(&before, &limited).await.expect("an answer"), UpdatedDestination::Changed);

    let mut settings = limited.settings.clone();
    settings.name = all[1].settings.name.clone();
    let taken = limited.changed(settings, now());
    assert_eq!(store.update_destination(&limited, &taken).await.expect("an answer"), UpdatedDestination::NameTaken);
    let back = limited.changed(before.settings.clone(), now());
    assert_eq!(store.update_destination(&limited, &back).await.expect("an answer"), UpdatedDestination::Updated);
    assert_eq!(store.find_destination(&account, &before.id).await.expect("an answer").as_ref(), Some(&back));
    let old_name = store.find_destination_named(&account, &limited.settings.name).await.expect("an answer");
    assert_eq!(old_name, None, "a name that was given up is free");
    all[0] = back;
}

async fn delete<S: Destinations>(store: &S, all: &[Destination], other: &AccountId) {
    let (gone, account) = (&all[0].id, &all[0].account);
    assert_eq!(store.delete_destination(other, gone, None).await.expect("an answer"), DeletedDestination::NotFound);
    let (other_version, version) = (Some(all[0].version + 1), Some(all[0].version));
    let answer = store.delete_destination(account, gone, other_version).await.expect("an answer");
    assert_eq!(answer, DeletedDestination::Changed);
    assert_eq!(store.delete_destination(account, gone, version).await.expect("an answer"), DeletedDestination::Deleted);
    assert_eq!(store.delete_destination(account, gone, None).await.expect("an answer"), DeletedDestination::NotFound);
    assert_eq!(store.find_destination(account, gone).await.expect("an answer"), None);
    let changed = all[0].changed(all[0].settings.clone(), now());
    assert_eq!(store.update_destination(&all[0], &changed).await.expect("an answer"), UpdatedDestination::Changed);
    assert_eq!(create(store, &all[0]).await, CreatedDestination::Created, "its name and its place are free again");
    assert_eq!(store.find_searched(account, gone).await.expect("an answer"), None);
}
