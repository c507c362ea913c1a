//! What accounts have spent of their budgets: a row for each budget in the account's partition, updated in the same way
//! as the pace of a destination.

use async_trait::async_trait;
use domain::access::Spending;
use domain::destination::{Pace, Reserved, Wish};
use domain::value::AccountId;
use ports::{Budgets, PortResult};

use super::{DynamoStore, keys};

#[async_trait]
impl Budgets for DynamoStore {
    async fn spend(&self, account: &AccountId, of: Spending, known: Pace, wish: &Wish) -> PortResult<Reserved> {
        self.hand_out(&keys::budget(account, of), known, wish).await
    }
}
