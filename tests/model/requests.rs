//! What was asked of receivers: when each request began by the clock of its process, and which attempt it said to be. That
//! number tells what its sender had seen of the row, whatever is recorded later.

use std::collections::HashMap;
use std::sync::{Mutex, MutexGuard, PoisonError};

use domain::value::{DeliveryId, Timestamp};

/// When a request began, and the number of its attempt.
type Request = (Timestamp, u32);

#[derive(Default)]
pub struct Requests {
    made: Mutex<HashMap<DeliveryId, Vec<Request>>>,
}

impl Requests {
    fn lock(&self) -> MutexGuard<'_, HashMap<DeliveryId, Vec<Request>>> {
        self.made.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub fn note(&self, id: &DeliveryId, at: Timestamp, number: u32) {
        self.lock().entry(id.clone()).or_default().push((at, number));
    }

    /// The numbers of the attempts of a delivery that began at this time.
    pub fn numbers(&self, id: &DeliveryId, at: Timestamp) -> Vec<u32> {
        let made = self.lock();
        let of_delivery = made.get(id).into_iter().flatten();
        of_delivery.filter(|(began, _)| *began == at).map(|(_, number)| *number).collect()
    }

    pub fn count(&self, id: &DeliveryId) -> usize {
        self.lock().get(id).map_or(0, Vec::len)
    }
}
