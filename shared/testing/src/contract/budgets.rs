//! What accounts have spent of their budgets.

use domain::access::Spending;
use domain::destination::{Lane, Pace, Wish};
use domain::value::AccountId;
use ports::Budgets;

const SECOND: u64 = 1_000_000;
/// A time long after today, because rows of budgets expire.
const NOW: u64 = 4_000_000_000 * SECOND;

/// A wish, this many seconds after [`NOW`], for one second's worth; ten were saved up.
fn wish(at: u64) -> Wish {
    let until = NOW + at * SECOND;
    Wish { lane: Lane::Turns, from: until - 10 * SECOND, until, length: SECOND, after_lines: false }
}

pub async fn budgets(store: &dyn Budgets, account: &AccountId, other: &AccountId) {
    let mut expected = Pace::default();
    // What the caller knows does not change the result.
    let strange = [Pace::default(), Pace { free_from: NOW * 2, ..Pace::default() }];
    for (n, at) in [0; 12].into_iter().chain([1, 1, 5, 60]).enumerate() {
        let reserved = store.spend(account, Spending::Units, strange[n % 2], &wish(at)).await.expect("an answer");
        assert_eq!(reserved, expected.reserve(&wish(at)), "step {n}");
        assert_eq!(reserved.start.is_some(), ![11, 13].contains(&n), "step {n}");
        expected = reserved.pace;
    }
    for (account, of) in [(account, Spending::Events), (other, Spending::Units)] {
        let reserved = store.spend(account, of, Pace::default(), &wish(0)).await.expect("an answer");
        assert_eq!(reserved.start, Some(NOW - 10 * SECOND), "the budgets of each account are separate");
    }
}
