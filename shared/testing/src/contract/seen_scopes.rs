//! The places that events have named.

use domain::event::{Event, SeenScope};
use domain::value::{AccountId, Timestamp};
use ports::SeenScopes;

use super::now;
use crate::event_text;

/// An event at `place` of the connection `xero`, which it calls `name`, `ms` after the sample's time.
fn seen(account: &AccountId, place: &str, name: &str, ms: u64) -> SeenScope {
    let text = event_text(account, "evt-1").replace("Xero", name);
    let event = Event::parse(&text, now()).map_err(|r| r.detail).expect("an event");
    let scope = format!("connection/xero/{place}").parse().expect("a scope");
    let event = Event { scope, occurred_at: Timestamp::from_unix_ms(now().unix_ms() + ms), ..event };
    SeenScope::of_event(&event, now()).expect("a place")
}

pub async fn seen_scopes(store: &dyn SeenScopes, account: &AccountId, other: &AccountId) {
    let [bills, invoices] = ["bills", "invoices"].map(|id| seen(account, &format!("endpoint/{id}"), "Xero", 1_000));
    let cash = seen(account, "insight/cash-flow", "Xero", 1_000);
    for one in [&invoices, &cash, &bills] {
        store.note_scope(one).await.expect("noted");
    }
    let all = [bills, invoices, cash];
    assert_eq!(store.list_scopes(account, None, 10).await.expect("a list"), all);
    assert_eq!(store.list_scopes(account, None, 2).await.expect("a list"), all[..2]);
    assert_eq!(store.list_scopes(account, Some(&all[1].scope), 2).await.expect("a list"), all[2..]);
    assert_eq!(store.list_scopes(account, Some(&all[2].scope), 2).await.expect("a list"), []);
    // A later event changes the note and an earlier one does not, also across the border of a second or a day.
    let later = seen(account, "endpoint/bills", "Renamed", 86_400_000);
    for one in [&later, &seen(account, "endpoint/bills", "Old", 86_399_999)] {
        store.note_scope(one).await.expect("noted");
    }
    let found = store.list_scopes(account, None, 1).await.expect("a list");
    assert_eq!((found, later.connection_name.as_str()), (vec![later.clone()], "Renamed"));
    assert_eq!(store.list_scopes(other, None, 10).await.expect("a list"), []);
}
