//! The rows of what is configured: accounts, API keys, destinations, subscriptions, data keys.

use serde::{Deserialize, Serialize};
use serde_bytes::ByteBuf;

use super::rows::digest;
use crate::domain::api_key::ApiKey;
use crate::domain::destination::{DeliveryPath, Destination, DestinationUrl, Label};
use crate::domain::event_type::EventTypeFilter;
use crate::domain::id::{AccountId, DestinationId, KeyId, SubscriptionId};
use crate::domain::scope::Scope;
use crate::domain::secret::SealedSecret;
use crate::domain::subscription::Subscription;
use crate::domain::timestamp::Timestamp;
use crate::ports::{PortError, PortResult};

#[derive(Serialize, Deserialize)]
pub(super) struct AccountRow {
    pub(super) created_at: Timestamp,
}

#[derive(Serialize, Deserialize)]
pub(super) struct ApiKeyRow {
    id: KeyId,
    account: AccountId,
    name: Label,
    hash: ByteBuf,
    created_at: Timestamp,
}

impl From<&ApiKey> for ApiKeyRow {
    fn from(key: &ApiKey) -> Self {
        Self {
            id: key.id.clone(),
            account: key.account.clone(),
            name: key.name.clone(),
            hash: ByteBuf::from(key.hash),
            created_at: key.created_at,
        }
    }
}

impl TryFrom<ApiKeyRow> for ApiKey {
    type Error = PortError;
    fn try_from(row: ApiKeyRow) -> PortResult<Self> {
        let hash = digest(&row.hash)?;
        Ok(Self { id: row.id, account: row.account, name: row.name, hash, created_at: row.created_at })
    }
}

#[derive(Serialize, Deserialize)]
struct SecretRow {
    data_key: String,
    sealed: ByteBuf,
}

#[derive(Serialize, Deserialize)]
pub(super) struct DestinationRow {
    id: DestinationId,
    account: AccountId,
    name: Label,
    url: DestinationUrl,
    secrets: Vec<SecretRow>,
    created_at: Timestamp,
    /// How many subscriptions send here; while there are any, the destination cannot be deleted.
    subscriptions: u32,
}

impl From<&Destination> for DestinationRow {
    fn from(destination: &Destination) -> Self {
        let secret =
            |s: &SealedSecret| SecretRow { data_key: s.key_id.clone(), sealed: ByteBuf::from(s.sealed.clone()) };
        Self {
            id: destination.id.clone(),
            account: destination.account.clone(),
            name: destination.name.clone(),
            url: destination.url.clone(),
            secrets: destination.secrets.iter().map(secret).collect(),
            created_at: destination.created_at,
            subscriptions: 0,
        }
    }
}

impl From<DestinationRow> for Destination {
    fn from(row: DestinationRow) -> Self {
        let secret = |s: SecretRow| SealedSecret { key_id: s.data_key, sealed: s.sealed.into_vec() };
        Self {
            id: row.id,
            account: row.account,
            name: row.name,
            url: row.url,
            secrets: row.secrets.into_iter().map(secret).collect(),
            created_at: row.created_at,
        }
    }
}

/// The same fields in an account's list and in every bucket the subscription is filed under.
#[derive(Serialize, Deserialize)]
pub(super) struct SubscriptionRow {
    id: SubscriptionId,
    account: AccountId,
    name: Label,
    destination: DestinationId,
    event_types: Vec<EventTypeFilter>,
    scope: Scope,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    path: Option<DeliveryPath>,
    created_at: Timestamp,
}

impl From<&Subscription> for SubscriptionRow {
    fn from(s: &Subscription) -> Self {
        Self {
            id: s.id.clone(),
            account: s.account.clone(),
            name: s.name.clone(),
            destination: s.destination.clone(),
            event_types: s.event_types.clone(),
            scope: s.scope.clone(),
            path: s.path.clone(),
            created_at: s.created_at,
        }
    }
}

impl From<SubscriptionRow> for Subscription {
    fn from(row: SubscriptionRow) -> Self {
        Self {
            id: row.id,
            account: row.account,
            name: row.name,
            destination: row.destination,
            event_types: row.event_types,
            scope: row.scope,
            path: row.path,
            created_at: row.created_at,
        }
    }
}

/// A data key, encrypted by KMS.
#[derive(Serialize, Deserialize)]
pub(crate) struct DataKeyRow {
    pub(crate) id: String,
    #[serde(with = "serde_bytes")]
    pub(crate) encrypted: Vec<u8>,
}

/// Which data key new secrets are sealed under.
#[derive(Serialize, Deserialize)]
pub(super) struct CurrentDataKeyRow {
    pub(super) id: String,
}
