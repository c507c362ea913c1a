//! An index that lags behind its rows: what it still shows of rows that have changed.

use std::collections::BTreeMap;

use domain::value::Timestamp;

/// The changes that an index does not show yet: what it still shows of a row, and until when.
pub struct Late<K, E>(BTreeMap<K, Vec<(Timestamp, Option<E>)>>);

impl<K, E> Default for Late<K, E> {
    fn default() -> Self {
        Self(BTreeMap::new())
    }
}

impl<K: Ord + Clone, E: Clone> Late<K, E> {
    /// How many rows it may still show in an old state.
    pub fn len(&self) -> usize {
        self.0.len()
    }

    pub fn note(&mut self, key: K, shows: Option<E>, until: Timestamp) {
        let changes = self.0.entry(key).or_default();
        // An index gets the changes of a row in their order.
        let until = changes.last().map_or(until, |(before, _)| until.max(*before));
        changes.push((until, shows));
    }

    /// What the index still shows of each row that it shows in an old state.
    pub fn shown(&mut self, now: Timestamp) -> impl Iterator<Item = (&K, Option<&E>)> {
        self.0.values_mut().for_each(|changes| changes.retain(|(until, _)| *until > now));
        self.0.retain(|_, changes| !changes.is_empty());
        self.0.iter().filter_map(|(key, changes)| Some((key, changes.first()?.1.as_ref())))
    }
}
