//! What one process of `deliver` knows of rows. Whoever acknowledges a message must know from the delivery's row, as read or
//! written last, that somebody else holds the delivery from then on, or that it has ended.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use async_trait::async_trait;
use domain::delivery::{DeliveryRecord, Held};
use domain::value::{AccountId, DeliveryId};
use ports::{Deliveries, PortResult};

use crate::table::Table;

/// What was last learned of a row.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Known {
    /// It was read or written.
    Held(Held),
    /// There was none.
    NoRow,
    /// Somebody else was faster in writing it, and it was not read since.
    Overtaken,
}

impl Known {
    /// Whether nobody needs the message: the queue holds the delivery by no message of this process.
    pub fn lets_go(self) -> bool {
        matches!(self, Known::Held(Held::ByTable { .. } | Held::ByDestination | Held::Ended { .. }))
    }
}

pub struct Witness {
    table: Arc<Table>,
    known: Mutex<HashMap<DeliveryId, Known>>,
}

impl Witness {
    pub fn new(table: Arc<Table>) -> Self {
        Self { table, known: Mutex::default() }
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<DeliveryId, Known>> {
        self.known.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The next batch begins.
    pub fn forget(&self) {
        self.lock().clear();
    }

    pub fn knows(&self, id: &DeliveryId) -> Option<Known> {
        self.lock().get(id).copied()
    }

    fn learned(&self, id: &DeliveryId, known: Known) {
        self.lock().insert(id.clone(), known);
    }

    fn wrote(&self, record: &DeliveryRecord, written: bool) {
        if !written {
            self.table.judge.overtaken();
        }
        self.learned(&record.delivery.id, if written { Known::Held(record.held) } else { Known::Overtaken });
    }
}

#[async_trait]
impl Deliveries for Witness {
    async fn find_delivery(&self, account: &AccountId, id: &DeliveryId) -> PortResult<Option<DeliveryRecord>> {
        let found = self.table.find_delivery(account, id).await?;
        self.learned(id, found.as_ref().map_or(Known::NoRow, |record| Known::Held(record.held)));
        Ok(found)
    }

    async fn find_deliveries(&self, ids: &[(AccountId, DeliveryId)]) -> PortResult<Vec<DeliveryRecord>> {
        self.table.find_deliveries(ids).await
    }

    async fn create_delivery(&self, record: &DeliveryRecord) -> PortResult<bool> {
        let created = self.table.create_delivery(record).await?;
        self.wrote(record, created);
        Ok(created)
    }

    async fn replace_delivery(&self, before: &DeliveryRecord, after: &DeliveryRecord) -> PortResult<bool> {
        let replaced = self.table.replace_delivery(before, after).await?;
        self.wrote(after, replaced);
        Ok(replaced)
    }
}
