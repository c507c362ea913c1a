//! A table in memory that answers as DynamoDB does, and says what each call cost: items, bytes, units, and what is stored.
//! It knows the calls that the functions make; anything else is refused.
//!
//! It has the keys and indexes of the template's table. Conditions are judged, and transactions are all or nothing.

mod expression;
mod operations;
mod query;
mod statements;
mod storage;
mod units;
mod update;

use std::ops::{AddAssign, Mul, Sub};

use serde::Serialize;
use serde_json::{Value, json};

pub(crate) use self::storage::Table;

/// What calls cost.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize)]
pub(crate) struct Cost {
    pub(crate) items: f64,
    pub(crate) read_units: f64,
    pub(crate) write_units: f64,
    /// How much more is stored, with the 100 bytes that are billed for each item and entry of an index.
    pub(crate) stored: f64,
}

impl AddAssign for Cost {
    fn add_assign(&mut self, other: Self) {
        self.items += other.items;
        self.read_units += other.read_units;
        self.write_units += other.write_units;
        self.stored += other.stored;
    }
}

impl Mul<f64> for Cost {
    type Output = Self;

    fn mul(self, factor: f64) -> Self {
        Self {
            items: self.items * factor,
            read_units: self.read_units * factor,
            write_units: self.write_units * factor,
            stored: self.stored * factor,
        }
    }
}

impl Sub for Cost {
    type Output = Self;

    fn sub(self, other: Self) -> Self {
        Self {
            items: self.items - other.items,
            read_units: self.read_units - other.read_units,
            write_units: self.write_units - other.write_units,
            stored: self.stored - other.stored,
        }
    }
}

/// What the table refuses.
#[derive(Debug)]
pub(crate) struct Refused {
    pub(crate) code: &'static str,
    pub(crate) more: Value,
}

impl Refused {
    fn condition(row: Option<&units::Item>, asked: &Value) -> Self {
        let with_row = asked["ReturnValuesOnConditionCheckFailure"] == "ALL_OLD";
        let more = if with_row && let Some(row) = row { json!({ "Item": row }) } else { json!({}) };
        Self { code: "ConditionalCheckFailedException", more }
    }
}

/// What cannot be understood is refused as DynamoDB would refuse it, with the reason.
impl From<String> for Refused {
    fn from(reason: String) -> Self {
        Self { code: "ValidationException", more: json!({ "message": reason }) }
    }
}
