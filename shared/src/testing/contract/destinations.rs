//! Destinations.

use super::super::samples::destination;
use crate::domain::id::AccountId;
use crate::ports::{DeletedDestination, Destinations};

pub async fn destinations(store: &dyn Destinations, account: &AccountId, other: &AccountId) {
    let all: Vec<_> = (1..=5).map(|n| destination(account, n, "https://example.com/hooks")).collect();
    for one in &all {
        store.create_destination(one).await.expect("created");
    }
    store.create_destination(&destination(other, 9, "https://example.org/")).await.expect("created");
    assert_eq!(store.find_destination(account, &all[0].id).await.expect("an answer").as_ref(), Some(&all[0]));
    assert_eq!(store.find_destination(other, &all[0].id).await.expect("an answer"), None);

    let first = store.list_destinations(account, None, 3).await.expect("a page");
    assert_eq!(first, all[..3]);
    let second = store.list_destinations(account, Some(&first[2].id), 3).await.expect("a page");
    assert_eq!(second, all[3..]);

    let gone = &all[0].id;
    assert_eq!(store.delete_destination(other, gone).await.expect("an answer"), DeletedDestination::NotFound);
    assert_eq!(store.delete_destination(account, gone).await.expect("an answer"), DeletedDestination::Deleted);
    assert_eq!(store.delete_destination(account, gone).await.expect("an answer"), DeletedDestination::NotFound);
    assert_eq!(store.find_destination(account, gone).await.expect("an answer"), None);
}
