//! Finds, among very many conditions, those that an event may meet, without testing each: the conditions that accept a value
//! that the event has in the field that they test.
//!
//! If a condition needs one of some plain values in a field, it is indexed by that field. If there are several such fields,
//! it is indexed by the one whose values the fewest conditions ask for. A condition with no such field is always a
//! candidate. The index says only which conditions are worth testing.
//!
//! Invariant: a condition that matches is a candidate (tests: `listeners_are_found_as_if_each_were_tested`).
//!
//! Invariant: candidates are found at the same cost however many other conditions there are (tests:
//! `conditions_that_do_not_match_cost_nothing_however_many_there_are`).

use std::collections::{BTreeSet, HashMap};
use std::hash::{BuildHasher, RandomState};

use serde_json::Value;

use super::Pattern;
use super::matches::{Field, FieldTest, ObjectTest, elements};
use super::scalar::{ScalarTest, Test};
use super::work::Work;

/// Conditions are identified by numbers. Places and values are stored as hashes: if two have the same hash, there is only
/// one more candidate.
#[derive(Debug)]
pub struct Index {
    seed: RandomState,
    /// The places of the indexed fields, and the places on the way there, sorted.
    places: Vec<u32>,
    /// Each indexed value with its place, and the condition that asks for it, sorted.
    values: Vec<(u32, u32)>,
    /// The conditions that are always candidates.
    others: Vec<u32>,
}

/// Where a condition needs one of some values.
struct Wanted {
    /// The place, and the places on the way.
    places: Vec<u32>,
    values: Vec<u32>,
}

impl Index {
    /// An index of these conditions, each under its number.
    pub fn new<'p>(conditions: impl Iterator<Item = (u32, Option<&'p Pattern>)> + Clone) -> Self {
        let seed = RandomState::new();
        let mut asked: HashMap<u32, usize> = HashMap::new();
        for (_, condition) in conditions.clone() {
            wanted(&seed, condition, |wanted| {
                wanted.values.iter().for_each(|value| *asked.entry(*value).or_default() += 1);
            });
        }
        let mut places = BTreeSet::new();
        let mut index = Self { seed, places: Vec::new(), values: Vec::new(), others: Vec::new() };
        for (number, condition) in conditions {
            let mut best: Option<(usize, Wanted)> = None;
            wanted(&index.seed, condition, |wanted| {
                let others = wanted.values.iter().filter_map(|value| asked.get(value)).sum();
                if best.as_ref().is_none_or(|(fewest, _)| others < *fewest) {
                    best = Some((others, wanted));
                }
            });
            match best {
                Some((_, wanted)) => {
                    places.extend(wanted.places);
                    index.values.extend(wanted.values.into_iter().map(|value| (value, number)));
                }
                None => index.others.push(number),
            }
        }
        index.places = places.into_iter().collect();
        index.values.sort_unstable();
        index.values.dedup();
        index.values.shrink_to_fit();
        index.others.shrink_to_fit();
        index
    }

    /// How much memory it takes, in bytes.
    pub fn memory(&self) -> usize {
        4 * self.places.len() + 8 * self.values.len() + 4 * self.others.len()
    }

    /// The conditions that `data` may meet, each once, in the order of their numbers.
    pub fn candidates(&self, data: &Value, work: &Work) -> Vec<u32> {
        let mut found = self.others.clone();
        if !self.values.is_empty() {
            self.look(data, 0, work, &mut found);
        }
        found.sort_unstable();
        found.dedup();
        found
    }

    fn look(&self, value: &Value, place: u32, work: &Work, found: &mut Vec<u32>) {
        for value in elements(Some(value)) {
            work.spend(1);
            if work.is_over() {
                return;
            }
            if let Value::Object(object) = value {
                for (name, value) in object {
                    work.spend(1);
                    let place = below(&self.seed, place, name);
                    if self.places.binary_search(&place).is_ok() {
                        self.look(value, place, work, found);
                    }
                }
            } else if let Some(value) = at(&self.seed, place, value) {
                let from = self.values.partition_point(|(other, _)| *other < value);
                let asking = self.values[from..].iter().take_while(|(other, _)| *other == value);
                found.extend(asking.map(|(_, number)| number));
            }
        }
    }
}

/// Calls `each` with every field in which the condition needs one of some plain values.
fn wanted(seed: &RandomState, condition: Option<&Pattern>, mut each: impl FnMut(Wanted)) {
    if let Some(condition) = condition {
        in_object(seed, &condition.test, &mut Vec::new(), &mut each);
    }
}

fn in_object(seed: &RandomState, test: &ObjectTest, way: &mut Vec<u32>, each: &mut dyn FnMut(Wanted)) {
    for Field { at: field, test } in &test.fields {
        let place = below(seed, way.last().copied().unwrap_or_default(), &field.name);
        way.push(place);
        match test {
            FieldTest::Object(test) => in_object(seed, test, way, each),
            FieldTest::Values(list) => {
                let values = list.tests.iter().map(|test| match test {
                    Test::Scalar(ScalarTest::Equals(value)) => at(seed, place, value),
                    _ => None,
                });
                if let Some(values) = values.collect() {
                    each(Wanted { places: way.clone(), values });
                }
            }
        }
        way.pop();
    }
}

fn below(seed: &RandomState, place: u32, name: &str) -> u32 {
    short(seed.hash_one((place, name)))
}

/// A plain value at a place. Numbers that are equal have the same hash, however they are written.
fn at(seed: &RandomState, place: u32, value: &Value) -> Option<u32> {
    let hash = match value {
        Value::Null => seed.hash_one((place, 0_u8)),
        Value::Bool(value) => seed.hash_one((place, 1_u8, value)),
        // Adding 0.0 turns -0.0 into 0.0.
        Value::Number(number) => seed.hash_one((place, 2_u8, (number.as_f64()? + 0.0).to_bits())),
        Value::String(text) => seed.hash_one((place, 3_u8, text.as_str())),
        Value::Array(_) | Value::Object(_) => return None,
    };
    Some(short(hash))
}

fn short(hash: u64) -> u32 {
    u32::try_from(hash >> 32).unwrap_or_default()
}
