//! Test: the lists by which configurations are compared and deleted include the latest writes.

use ports::{Destinations, Order, Subscriptions};
use testing::{account, destination, subscription};

use super::destinations::DestinationRow;
use super::fake_table::FakeTable;
use super::keys;
use super::rows::to_item;
use super::subscriptions::SubscriptionRow;

#[tokio::test]
async fn what_was_configured_a_moment_ago_is_listed() {
    let (table, acme) = (FakeTable::default(), account("acme"));
    let target = destination(&acme, 1, "https://example.com/");
    let wish = subscription(&target, 2, &["*"], "*", None);
    table.lag();
    table.put(to_item(keys::destination(&acme, &target.id), &DestinationRow::from(&target)).expect("an item"));
    let row = SubscriptionRow::of(&wish).expect("a row");
    table.put(to_item(keys::subscription(&acme, &wish.id), &row).expect("an item"));
    let store = table.store();
    assert_eq!(store.list_destinations(&acme, Order::OldestFirst, None, 10).await.expect("a list"), [target]);
    assert_eq!(store.list_subscriptions(&acme, Order::OldestFirst, None, 10).await.expect("a list"), [wish]);
}
