//! What a container remembers about destinations from one batch to the next.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use domain::destination::{Block, Pace};
use domain::value::DestinationId;

/// How many destinations are remembered before all are dropped.
const MOST: usize = 10_000;

/// How many attempts in a row have failed in this container, by destination: 0 if the last one was delivered.
#[derive(Debug, Default)]
pub struct Rows {
    failures: Mutex<HashMap<DestinationId, u32>>,
}

impl Rows {
    /// Adds one failure; returns how many there are in a row.
    pub(crate) fn failed(&self, destination: &DestinationId) -> u32 {
        let mut failures = self.lock();
        let count = row(&mut failures, destination);
        *count = count.saturating_add(1);
        *count
    }

    pub(crate) fn succeeded(&self, destination: &DestinationId) {
        *row(&mut self.lock(), destination) = 0;
    }

    /// Whether the last attempt of this container there was delivered.
    pub(crate) fn last_succeeded(&self, destination: &DestinationId) -> bool {
        self.lock().get(destination) == Some(&0)
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<DestinationId, u32>> {
        self.failures.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn row<'a>(failures: &'a mut HashMap<DestinationId, u32>, destination: &DestinationId) -> &'a mut u32 {
    if failures.len() >= MOST {
        failures.clear();
    }
    failures.entry(destination.clone()).or_default()
}

/// The turns that this container was handed, by destination.
#[derive(Debug, Default)]
pub struct Turns {
    handed: Mutex<HashMap<DestinationId, Arc<tokio::sync::Mutex<Handed>>>>,
}

/// What a container knows about the turns at one destination. The record that holds it asks for turns; the others wait.
#[derive(Debug, Default)]
pub(crate) struct Handed {
    /// The turns that have not been used yet.
    pub(crate) block: Block,
    /// What had been handed out to all containers, as this one last saw it.
    pub(crate) pace: Pace,
}

impl Turns {
    pub(crate) fn at(&self, destination: &DestinationId) -> Arc<tokio::sync::Mutex<Handed>> {
        let mut handed = self.handed.lock().unwrap_or_else(PoisonError::into_inner);
        if handed.len() >= MOST {
            handed.clear();
        }
        Arc::clone(handed.entry(destination.clone()).or_default())
    }
}
