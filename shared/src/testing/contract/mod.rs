//! What every implementation of the table's and the vault's ports must do. Run on the fakes here, on the real adapters in
//! the end-to-end tests. Each suite works in an account of its own, given by the caller, and panics where a promise is broken.

#![expect(clippy::expect_used, clippy::panic, reason = "a contract suite is a test")]

mod accounts;
mod destinations;
mod ledger;
mod subscriptions;
mod vault;

pub use accounts::{accounts, api_keys};
pub use destinations::destinations;
pub use ledger::{deliveries, events};
pub use subscriptions::{subscriptions, transitions};
pub use vault::vault;

use crate::domain::timestamp::Timestamp;

fn now() -> Timestamp {
    Timestamp::from_unix_ms(1_795_426_200_000)
}

#[cfg(test)]
mod tests {
    use super::super::{MemoryStore, PlainVault, account};
    use super::*;

    #[tokio::test]
    async fn the_memory_store_keeps_the_contracts() {
        let (a, b) = (account("a"), account("b"));
        accounts(&MemoryStore::default(), &a).await;
        api_keys(&MemoryStore::default(), &a, &b).await;
        destinations(&MemoryStore::default(), &a, &b).await;
        subscriptions(&MemoryStore::default(), &a, &b).await;
        transitions(&MemoryStore::default(), &a, &b).await;
        events(&MemoryStore::default(), &a, &b).await;
        deliveries(&MemoryStore::default(), &a, &b).await;
    }

    #[tokio::test]
    async fn the_plain_vault_keeps_the_contract() {
        vault(&PlainVault, &account("a"), &account("b")).await;
    }
}
