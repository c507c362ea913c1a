//! Places for running tests: an account has a fixed number, and each is taken until it is left or its time is over.

use std::collections::BTreeSet;

use domain::value::AccountId;
use ports::{TakenPlace, TestPlace, TestPlaces};

use super::after;

const PLACES: u8 = 3;

pub async fn test_places(store: &dyn TestPlaces, account: &AccountId, other: &AccountId) {
    let take = async |of: &AccountId, now: u64, until: u64| {
        store.take_test_place(of, after(now), after(until), PLACES).await.expect("an answer")
    };
    let mut taken = Vec::new();
    for until in [30, 40, 50] {
        let TakenPlace::Taken(place) = take(account, 0, until).await else { panic!("a place is free") };
        assert_eq!(place.until, after(until));
        taken.push(place);
    }
    assert_eq!(taken.iter().map(|place| place.number).collect::<BTreeSet<_>>().len(), 3);
    assert_eq!(take(account, 1, 60).await, TakenPlace::None { free_at: after(30) });
    assert!(matches!(take(other, 1, 60).await, TakenPlace::Taken(_)), "others are not affected");
    // One is left, and taken by another test.
    store.leave_test_place(account, taken[1]).await.expect("left");
    let number = taken[1].number;
    assert_eq!(take(account, 2, 70).await, TakenPlace::Taken(TestPlace { number, until: after(70) }));
    // The previous holder cannot take it away from that test.
    store.leave_test_place(account, taken[1]).await.expect("an answer");
    assert_eq!(take(account, 3, 60).await, TakenPlace::None { free_at: after(30) });
    // A place that is never left becomes free when its time is over.
    let number = taken[0].number;
    assert_eq!(take(account, 30, 80).await, TakenPlace::Taken(TestPlace { number, until: after(80) }));
    assert_eq!(take(account, 31, 90).await, TakenPlace::None { free_at: after(50) });
}
