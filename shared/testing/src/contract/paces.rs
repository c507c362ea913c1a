//! The turns at destinations with a rate limit.

use domain::destination::{Lane, Pace, Reserved, Wish};
use domain::value::{AccountId, DestinationId};
use ports::Paces;

use crate::samples::destination;

const SECOND: u64 = 1_000_000;
/// A time long after today, because rows of past turns expire.
const NOW: u64 = 4_000_000_000 * SECOND;

/// A wish for one second, at `from` or later, in seconds after [`NOW`].
fn wish(lane: Lane, from: u64, until: u64) -> Wish {
    Wish { lane, from: NOW + from * SECOND, until: NOW + until * SECOND, length: SECOND, after_lines: false }
}

pub async fn paces(store: &dyn Paces, account: &AccountId, other: &AccountId) {
    let id = destination(account, 1, "https://example.com/").id;
    // What the caller knows does not change the result.
    let far = NOW * 2;
    let strange = [Pace::default(), Pace { free_from: far, called_until: far, line_until: far }];
    let mut expected = Pace::default();
    let steps = [
        wish(Lane::Turns, 0, 2),
        wish(Lane::Turns, 0, 2),
        wish(Lane::Turns, 0, 2),
        wish(Lane::Turns, 0, 2),
        Wish { after_lines: true, ..wish(Lane::Turns, 1, 3) },
        wish(Lane::Line, 4, 1_000),
        wish(Lane::Line, 4, 1_000),
        Wish { after_lines: true, ..wish(Lane::Turns, 3, 5) },
        wish(Lane::Turns, 3, 5),
        wish(Lane::Called, 5, 1_000),
        wish(Lane::Called, 9, 1_000),
        Wish { after_lines: true, ..wish(Lane::Turns, 6, 8) },
        Wish { after_lines: true, ..wish(Lane::Turns, 8, 10) },
        wish(Lane::Turns, 50, 52),
        wish(Lane::Turns, 20, 22),
    ];
    for (n, wish) in steps.iter().enumerate() {
        let reserved = store.reserve(account, &id, strange[n % 2], wish).await.expect("an answer");
        assert_eq!(reserved, expected.reserve(wish), "step {n}");
        expected = reserved.pace;
    }
    store.clear_lines(account, &id).await.expect("cleared");
    let new = Wish { after_lines: true, ..wish(Lane::Turns, 51, 53) };
    let reserved = store.reserve(account, &id, expected, &new).await.expect("an answer");
    let pace = Pace { free_from: NOW + 52 * SECOND, called_until: 0, line_until: 0 };
    assert_eq!(reserved, Reserved { start: Some(NOW + 51 * SECOND), pace });

    let free = store.reserve(other, &id, Pace::default(), &wish(Lane::Turns, 7, 9)).await.expect("an answer");
    assert_eq!(free.start, Some(NOW + 7 * SECOND), "each account has its own turns");
    together(store, account).await;
}

/// If many ask at once, each gets its own turns, and nobody is left out.
async fn together(store: &dyn Paces, account: &AccountId) {
    let id: DestinationId = destination(account, 2, "https://example.com/").id;
    store.clear_lines(account, &id).await.expect("nothing to clear");
    let (wish, known) = (wish(Lane::Turns, 0, 100), Pace::default());
    let mut starts = Vec::new();
    for _ in 0..5 {
        let ask = || store.reserve(account, &id, known, &wish);
        let (a, b, c, d) = tokio::join!(ask(), ask(), ask(), ask());
        starts.extend([a, b, c, d].map(|one| one.expect("an answer").start.expect("turns")));
    }
    starts.sort_unstable();
    assert_eq!(starts, (0..20).map(|n| NOW + n * SECOND).collect::<Vec<_>>());
}
