//! The turns at destinations with a rate limit.

use domain::destination::Pace;
use domain::value::AccountId;
use ports::Paces;

use crate::samples::destination;

pub async fn paces(store: &dyn Paces, account: &AccountId, other: &AccountId) {
    let id = destination(account, 1, "https://example.com/").id;
    let pace = |free_from, line_until| Pace { free_from, line_until };
    let (none, first, second) = (Pace::default(), pace(7_000_000, 0), pace(8_000_000, 9_000_000));
    let store_pace = async |before, after| store.store_pace(account, &id, before, after).await.expect("an answer");
    assert_eq!(store_pace(first, second).await, Some(none), "nothing is stored yet");
    assert_eq!(store_pace(none, first).await, None);
    assert_eq!(store_pace(none, second).await, Some(first));
    assert_eq!(store_pace(first, second).await, None);
    assert_eq!(store_pace(first, second).await, Some(second));
    assert_eq!(store.store_pace(other, &id, none, first).await.expect("an answer"), None);
}
