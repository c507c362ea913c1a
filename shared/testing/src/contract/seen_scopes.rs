//! The places that events have named.

use domain::event::{Event, Scope, SeenScope};
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
    let all_of_it = &Scope::Everything;
    let all = [bills, invoices, cash];
    assert_eq!(store.list_scopes(account, all_of_it, None, 10).await.expect("a list"), all);
    assert_eq!(store.list_scopes(account, all_of_it, None, 2).await.expect("a list"), all[..2]);
    assert_eq!(store.list_scopes(account, all_of_it, Some(&all[1].scope), 2).await.expect("a list"), all[2..]);
    assert_eq!(store.list_scopes(account, all_of_it, Some(&all[2].scope), 2).await.expect("a list"), []);
    // A later event changes the note and an earlier one does not, also across the border of a second or a day.
    let later = seen(account, "endpoint/bills", "Renamed", 86_400_000);
    for one in [&later, &seen(account, "endpoint/bills", "Old", 86_399_999)] {
        store.note_scope(one).await.expect("noted");
    }
    let found = store.list_scopes(account, all_of_it, None, 1).await.expect("a list");
    assert_eq!((found, later.connection_name.as_str()), (vec![later.clone()], "Renamed"));
    assert_eq!(store.list_scopes(other, all_of_it, None, 10).await.expect("a list"), []);
    // Only one place or connection, and nothing whose name merely begins with the same text.
    let mut sibling = seen(account, "endpoint/bills-of-2026", "Xero", 1_000);
    store.note_scope(&sibling).await.expect("noted");
    let within = async |scope: &str, after: Option<&Scope>| {
        let scope = scope.parse().expect("a scope");
        let found = store.list_scopes(account, &scope, after, 10).await.expect("a list");
        found.into_iter().map(|seen| seen.scope.to_string()).collect::<Vec<_>>()
    };
    assert_eq!(within("connection/xero/endpoint/bills", None).await, ["connection/xero/endpoint/bills"]);
    assert_eq!(within("connection/xero/endpoint/bills", Some(&all[0].scope)).await, Vec::<String>::new());
    assert_eq!(within("connection/xero/endpoint/bill", None).await, Vec::<String>::new());
    sibling.scope = "connection/xero-2/endpoint/bills".parse().expect("a scope");
    if let Scope::Endpoint { connection, .. } = &sibling.scope {
        sibling.connection = connection.clone();
    }
    store.note_scope(&sibling).await.expect("noted");
    assert_eq!(within("connection/xero", None).await.len(), 4);
    assert_eq!(within("connection/xero-2", None).await, ["connection/xero-2/endpoint/bills"]);
    let rest = within("connection/xero", Some(&all[1].scope)).await;
    assert_eq!(rest, ["connection/xero/insight/cash-flow"]);
}
