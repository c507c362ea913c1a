//! Accounts and API keys.

use super::now;
use crate::domain::api_key::{ApiKey, Role};
use crate::domain::id::{AccountId, KeyId};
use crate::domain::timestamp::Timestamp;
use crate::ports::{Accounts, ApiKeys, Created};

pub async fn accounts(store: &dyn Accounts, account: &AccountId) {
    assert_eq!(store.find_account(account).await.expect("an answer"), None);
    assert_eq!(store.create_account(account, now()).await.expect("an answer"), Created::Created);
    assert_eq!(store.create_account(account, Timestamp::from_unix_ms(1)).await.expect("an answer"), Created::Exists);
    assert_eq!(store.find_account(account).await.expect("an answer"), Some(now()));
}

pub async fn api_keys(store: &dyn ApiKeys, account: &AccountId, other: &AccountId) {
    let id = KeyId::from_entropy([5; 10]);
    let name = "ci".to_owned().try_into().expect("a name");
    let (key, _) = ApiKey::issue(id.clone(), account.clone(), name, Role::Editor, [9; 32], now());
    assert_eq!(store.find_key(account, &id).await.expect("an answer"), None);
    store.store_key(&key).await.expect("stored");
    assert_eq!(store.find_key(account, &id).await.expect("an answer"), Some(key));
    assert_eq!(store.find_key(other, &id).await.expect("an answer"), None);
}
