//! Test: lists keep their contracts in both orders, on a table in memory that refuses the same as the service.

use testing::{account, contract};

use super::fake_table::FakeTable;

#[tokio::test]
async fn lists_keep_their_contracts_in_both_orders() {
    let (mine, theirs) = (account("mine"), account("theirs"));
    let store = || FakeTable::default().store();
    contract::listed_events(&store(), &mine, &theirs).await;
    contract::listed_deliveries(&store(), &mine, &theirs).await;
    contract::listed_rejections(&store(), &mine).await;
    contract::jobs_in_order(&store(), &mine, &theirs).await;
}
