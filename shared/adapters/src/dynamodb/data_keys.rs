//! The data keys that encrypt secrets, themselves encrypted by KMS.

use ports::PortResult;
use serde::{Deserialize, Serialize};

use super::keys;
use super::rows::{read, to_item};
use super::{DynamoStore, Written};

/// A data key, encrypted by KMS.
#[derive(Serialize, Deserialize)]
pub(crate) struct DataKeyRow {
    pub(crate) id: String,
    #[serde(with = "serde_bytes")]
    pub(crate) encrypted: Vec<u8>,
}

/// The data key that encrypts new secrets.
#[derive(Serialize, Deserialize)]
struct CurrentDataKeyRow {
    id: String,
}

impl DynamoStore {
    pub(crate) async fn find_data_key(&self, id: &str) -> PortResult<Option<DataKeyRow>> {
        self.get::<DataKeyRow, _>(keys::data_key(id)).await
    }

    pub(crate) async fn current_data_key(&self) -> PortResult<Option<String>> {
        Ok(self.get::<CurrentDataKeyRow, CurrentDataKeyRow>(keys::current_data_key()).await?.map(|row| row.id))
    }

    /// Stores the key and makes it the current one, unless another was faster; returns the current one.
    pub(crate) async fn propose_data_key(&self, row: DataKeyRow) -> PortResult<String> {
        self.put(to_item(keys::data_key(&row.id), &row)?).await?;
        let current = to_item(keys::current_data_key(), &CurrentDataKeyRow { id: row.id.clone() })?;
        match self.put_new(current).await? {
            Written::Refused(Some(first)) => Ok(read::<CurrentDataKeyRow, CurrentDataKeyRow>(*first)?.id),
            Written::Written | Written::Refused(None) => Ok(row.id),
        }
    }
}
