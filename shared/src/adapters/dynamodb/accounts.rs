//! Accounts and API keys.

use async_trait::async_trait;
use serde::{Deserialize, Serialize};
use serde_bytes::ByteBuf;

use super::rows::{digest, to_item};
use super::{DynamoStore, Written, keys};
use crate::domain::api_key::{ApiKey, Role};
use crate::domain::destination::Label;
use crate::domain::id::{AccountId, KeyId};
use crate::domain::timestamp::Timestamp;
use crate::ports::{Accounts, ApiKeys, Created, FindAccount, PortError, PortResult};

#[derive(Serialize, Deserialize)]
struct AccountRow {
    created_at: Timestamp,
}

#[derive(Serialize, Deserialize)]
struct ApiKeyRow {
    id: KeyId,
    account: AccountId,
    name: Label,
    role: Role,
    hash: ByteBuf,
    created_at: Timestamp,
}

impl From<&ApiKey> for ApiKeyRow {
    fn from(key: &ApiKey) -> Self {
        Self {
            id: key.id.clone(),
            account: key.account.clone(),
            name: key.name.clone(),
            role: key.role,
            hash: ByteBuf::from(key.hash),
            created_at: key.created_at,
        }
    }
}

impl TryFrom<ApiKeyRow> for ApiKey {
    type Error = PortError;
    fn try_from(row: ApiKeyRow) -> PortResult<Self> {
        let hash = digest(&row.hash)?;
        Ok(Self { id: row.id, account: row.account, name: row.name, role: row.role, hash, created_at: row.created_at })
    }
}

#[async_trait]
impl FindAccount for DynamoStore {
    async fn find_account(&self, account: &AccountId) -> PortResult<Option<Timestamp>> {
        Ok(self.get::<AccountRow>(keys::account(account)).await?.map(|row| row.created_at))
    }
}

#[async_trait]
impl Accounts for DynamoStore {
    async fn create_account(&self, account: &AccountId, now: Timestamp) -> PortResult<Created> {
        let item = to_item(keys::account(account), &AccountRow { created_at: now })?;
        Ok(match self.put_new(item).await? {
            Written::Written => Created::Created,
            Written::Refused(_) => Created::Exists,
        })
    }
}

#[async_trait]
impl ApiKeys for DynamoStore {
    async fn store_key(&self, key: &ApiKey) -> PortResult<()> {
        self.put(to_item(keys::api_key(&key.account, &key.id), &ApiKeyRow::from(key))?).await
    }

    async fn find_key(&self, account: &AccountId, id: &KeyId) -> PortResult<Option<ApiKey>> {
        self.get::<ApiKeyRow>(keys::api_key(account, id)).await?.map(ApiKey::try_from).transpose()
    }
}
