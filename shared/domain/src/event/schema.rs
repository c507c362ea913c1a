//! The part of JSON Schema (2020-12) that the catalogue uses, as a check of an event's `data`. A schema with any other keyword
//! cannot be read, so that no event is checked by half of its schema. A complete validator is part of the tests alone: to compile
//! all schemas, it takes more time than all else that a new instance does until its first answer.
//!
//! Invariant: the check refuses what a complete validator refuses, and nothing else (tests:
//! `the_check_agrees_with_a_complete_validator`).

use std::collections::BTreeMap;
use std::fmt;

use serde::de::{Error as _, IgnoredAny};
use serde::{Deserialize, Deserializer};
use serde_json::{Map, Value};

use super::fault::Fault;
use crate::value::known::Known;
use crate::value::{Place, Timestamp};

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub(super) struct Schema {
    #[serde(rename = "type", default, deserialize_with = "types")]
    types: Vec<Type>,
    #[serde(default)]
    required: Vec<String>,
    #[serde(rename = "enum")]
    texts: Option<Vec<String>>,
    format: Option<Format>,
    minimum: Option<f64>,
    maximum: Option<f64>,
    max_items: Option<usize>,
    #[serde(default)]
    properties: BTreeMap<String, Schema>,
    items: Option<Box<Schema>>,
    #[serde(rename = "additionalProperties", default, deserialize_with = "permitted")]
    _more: (),
    #[serde(rename = "$schema", default)]
    _dialect: IgnoredAny,
    #[serde(rename = "title", default)]
    _title: IgnoredAny,
    #[serde(rename = "description", default)]
    _description: IgnoredAny,
}

/// In the order in which a fault names them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Deserialize)]
#[serde(rename_all = "lowercase")]
enum Type {
    Null,
    Boolean,
    Number,
    Integer,
    String,
    Array,
    Object,
}

#[derive(Debug, Clone, Copy, Deserialize)]
#[serde(rename_all = "kebab-case")]
enum Format {
    DateTime,
}

fn types<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Vec<Type>, D::Error> {
    #[derive(Deserialize)]
    #[serde(untagged)]
    enum Types {
        One(Type),
        Several(Vec<Type>),
    }
    let mut types = match Types::deserialize(deserializer)? {
        Types::One(one) => vec![one],
        Types::Several(several) => several,
    };
    types.sort_unstable();
    Ok(types)
}

/// Extra fields are permitted everywhere.
fn permitted<'de, D: Deserializer<'de>>(deserializer: D) -> Result<(), D::Error> {
    if bool::deserialize(deserializer)? { Ok(()) } else { Err(D::Error::custom("extra fields are not permitted")) }
}

impl Type {
    fn of(value: &Value) -> Self {
        match value {
            Value::Null => Type::Null,
            Value::Bool(_) => Type::Boolean,
            Value::Number(_) => Type::Number,
            Value::String(_) => Type::String,
            Value::Array(_) => Type::Array,
            Value::Object(_) => Type::Object,
        }
    }

    fn is_of(self, value: &Value) -> bool {
        self == Type::of(value) || (self == Type::Integer && is_integer(value))
    }
}

/// A number without a fraction, however it is written.
fn is_integer(value: &Value) -> bool {
    value.is_i64() || value.is_u64() || value.as_f64().is_some_and(|number| number.fract() == 0.0)
}

impl fmt::Display for Type {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Type::Null => "null",
            Type::Boolean => "boolean",
            Type::Number => "number",
            Type::Integer => "integer",
            Type::String => "string",
            Type::Array => "array",
            Type::Object => "object",
        })
    }
}

/// Where a value is in `data`. A [`Place`] is made of it only if there is a fault.
enum At<'a> {
    Data,
    Field(&'a At<'a>, &'a str),
    Item(&'a At<'a>, usize),
}

impl At<'_> {
    fn place(&self) -> Place {
        match self {
            At::Data => Place::of("data"),
            At::Field(above, name) => above.place().field(name),
            At::Item(above, index) => above.place().item(*index),
        }
    }
}

impl Schema {
    /// What is wrong with `data`, part by part.
    pub(super) fn faults(&self, data: &Value) -> Vec<Fault> {
        let mut faults = Vec::new();
        self.check(data, &At::Data, &mut faults);
        faults
    }

    /// The fields that it looks at.
    pub(super) fn known(&self) -> Known {
        let fields = self.properties.iter().map(|(name, schema)| (name.clone(), schema.known()));
        Known::of(fields.collect(), self.items.as_ref().map(|items| items.known()))
    }

    fn check(&self, value: &Value, at: &At<'_>, faults: &mut Vec<Fault>) {
        let mut fault = |reason: String| faults.push(Fault::new(at.place(), reason));
        if !self.types.is_empty() && !self.types.iter().any(|of| of.is_of(value)) {
            let types = listed(self.types.iter().map(Type::to_string), " or ");
            return fault(format!("must be of type {types}, not {}", Type::of(value)));
        }
        if let Some(texts) = &self.texts
            && !value.as_str().is_some_and(|text| texts.iter().any(|known| known == text))
        {
            let texts = listed(texts.iter().map(|text| Value::from(text.as_str()).to_string()), ", ");
            return fault(format!("must be one of {texts}"));
        }
        match value {
            Value::String(text) if matches!(self.format, Some(Format::DateTime)) => {
                if let Err(error) = Timestamp::parse(text) {
                    fault(error.to_string());
                }
            }
            Value::Number(number) => {
                let number = number.as_f64().unwrap_or_default();
                if let Some(least) = self.minimum.filter(|least| number < *least) {
                    fault(format!("must be at least {least}"));
                }
                if let Some(most) = self.maximum.filter(|most| number > *most) {
                    fault(format!("must be at most {most}"));
                }
            }
            Value::Array(list) => {
                if let Some(most) = self.max_items.filter(|most| list.len() > *most) {
                    fault(format!("must have at most {most} items, not {}", list.len()));
                }
                if let Some(items) = &self.items {
                    list.iter().enumerate().for_each(|(n, item)| items.check(item, &At::Item(at, n), faults));
                }
            }
            Value::Object(fields) => self.check_fields(fields, at, faults),
            _ => {}
        }
    }

    fn check_fields(&self, fields: &Map<String, Value>, at: &At<'_>, faults: &mut Vec<Fault>) {
        let missing: Vec<_> = self.required.iter().filter(|name| !fields.contains_key(*name)).collect();
        if !missing.is_empty() {
            let names = listed(missing.iter().map(|name| format!("`{name}`")), ", ");
            let reason = format!("missing field{} {names}", if missing.len() == 1 { "" } else { "s" });
            faults.push(Fault::new(at.place(), reason));
        }
        for (name, value) in fields {
            if let Some(schema) = self.properties.get(name) {
                schema.check(value, &At::Field(at, name), faults);
            }
        }
    }
}

fn listed(texts: impl Iterator<Item = String>, between: &str) -> String {
    texts.collect::<Vec<_>>().join(between)
}

#[cfg(test)]
mod tests {
    use std::error::Error;

    use boon::{Compiler, Format, Schemas};
    use proptest::prelude::*;
    use serde_json::json;

    use super::*;
    use crate::event::EventType;

    /// Values as they may come in place of any other.
    fn others() -> Vec<Value> {
        vec![
            json!(null),
            json!(true),
            json!(0),
            json!(-1),
            json!(7.0),
            json!(0.5),
            json!(9_007_199_254_740_991_u64),
            json!(9_007_199_254_740_992_u64),
            json!(u64::MAX),
            json!(f64::MAX),
            json!(""),
            json!("failed"),
            json!("2026-11-23T09:30:00Z"),
            json!("1969-12-31T23:59:59Z"),
            json!([]),
            json!(vec![json!({}); 11]),
            json!(["a"]),
            json!({}),
            json!({"id": "a", "name": 1}),
        ]
    }

    /// The places within a value, as JSON pointers.
    fn pointers(value: &Value, at: &str, found: &mut Vec<String>) {
        found.push(at.to_owned());
        match value {
            Value::Object(fields) => fields.iter().for_each(|(k, v)| pointers(v, &format!("{at}/{k}"), found)),
            Value::Array(list) => list.iter().enumerate().for_each(|(n, v)| pointers(v, &format!("{at}/{n}"), found)),
            _ => {}
        }
    }

    /// A sample of a type in which some values were replaced or left out.
    fn changed() -> impl Strategy<Value = (EventType, Value)> {
        let changes =
            proptest::collection::vec((any::<prop::sample::Index>(), any::<Option<prop::sample::Index>>()), 0..4);
        (any::<prop::sample::Index>(), any::<prop::sample::Index>(), changes).prop_map(
            |(of_type, of_sample, changes)| {
                let types: Vec<_> = EventType::all().collect();
                let event_type = *of_type.get(&types);
                let mut data: Value =
                    serde_json::from_str(of_sample.get(event_type.samples()).data.get()).expect("JSON");
                for (place, other) in changes {
                    let mut places = Vec::new();
                    pointers(&data, "", &mut places);
                    let place = place.get(&places);
                    match (other, place.rsplit_once('/')) {
                        (Some(other), _) => *data.pointer_mut(place).expect("a place") = other.get(&others()).clone(),
                        (None, Some((above, name))) => {
                            if let Some(Value::Object(fields)) = data.pointer_mut(above) {
                                fields.remove(name);
                            }
                        }
                        (None, None) => {}
                    }
                }
                (event_type, data)
            },
        )
    }

    fn is_timestamp(value: &Value) -> Result<(), Box<dyn Error>> {
        value.as_str().map_or(Ok(()), |text| Timestamp::parse(text).map(drop).map_err(Into::into))
    }

    proptest! {
        #[test]
        fn the_check_agrees_with_a_complete_validator((event_type, data) in changed()) {
            let schema: Schema = serde_json::from_str(event_type.schema().get()).expect("a schema");
            let (mut schemas, mut compiler) = (Schemas::new(), Compiler::new());
            compiler.enable_format_assertions();
            compiler.register_format(Format { name: "date-time", func: is_timestamp });
            let text = serde_json::from_str(event_type.schema().get()).expect("JSON");
            compiler.add_resource("urn:schema", text).expect("a resource");
            let compiled = compiler.compile("urn:schema", &mut schemas).expect("a schema");
            let complete = schemas.validate(&data, compiled).map_err(|error| error.to_string());
            let faults = schema.faults(&data);
            prop_assert_eq!(faults.is_empty(), complete.is_ok(), "{}: {:?} {:?}", data, faults, complete);
        }
    }

    #[test]
    fn a_schema_with_another_keyword_is_refused() {
        for schema in [
            json!({"type": "string", "pattern": "a"}),
            json!({"type": "object", "additionalProperties": false}),
            json!({"properties": {"a": {"minLength": 1}}}),
            json!({"format": "email"}),
            json!({"type": "text"}),
            json!({"enum": [1]}),
        ] {
            assert!(serde_json::from_value::<Schema>(schema.clone()).is_err(), "{schema}");
        }
    }

    #[test]
    fn too_many_items_are_told_with_their_number() {
        let schema: Schema = serde_json::from_value(json!({"type": "array", "maxItems": 1})).expect("a schema");
        let faults = schema.faults(&json!([1, 2]));
        assert_eq!(faults, [Fault::new(Place::of("data"), "must have at most 1 items, not 2")]);
    }
}
