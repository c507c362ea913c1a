//! `json`: JSON that others wrote, and the search for keys that come twice (decision 71).

use std::collections::HashSet;
use std::fmt;

use domain::event::EventType;
use domain::value::json;
use domain::value::keys::{KeyError, check_keys};
use domain::value::known::Known;
use serde::Deserialize;
use serde::de::{Deserializer, MapAccess, SeqAccess, Visitor};
use serde_json::Value;

use crate::input::{depth, is_part, text};

pub(crate) fn check(input: &[u8]) {
    let Some(text) = text(input) else { return };
    let keys = check_keys(text);
    if let Some(twice) = has_a_key_twice(text) {
        let told = matches!(keys, Err(KeyError::Repeated(_)));
        assert!(told == twice || matches!(keys, Err(KeyError::Embedded(_))), "{keys:?}");
    }
    match json::read(text) {
        Ok(value) => {
            assert!(keys.is_ok());
            assert!(depth(&value) <= 127, "serde_json reads 127 levels");
            let written = value.to_string();
            assert_eq!(json::read(&written), Ok(value), "{written}");
        }
        Err(error) => assert!(error.to_string().chars().count() <= 1_200, "{error}"),
    }
    let plain = serde_json::from_str::<Value>(text).ok();
    let lenient = json::value(text).ok();
    assert!(plain.is_none() || plain == lenient, "numbers within the range of a double stay as they are");
    if keys.is_ok() {
        for event_type in EventType::all() {
            let schema: Value = serde_json::from_str(event_type.schema().get()).expect("a schema");
            match (known(&schema).read(text).ok(), &lenient) {
                (Some(part), Some(whole)) => assert!(is_part(&part, whole), "{part} of {whole}"),
                (part, whole) => assert_eq!(part.is_some(), whole.is_some(), "both read it, or none"),
            }
        }
    }
}

/// The parts that a JSON Schema describes with `properties` and `items`.
fn known(schema: &Value) -> Known {
    let properties = schema["properties"].as_object().into_iter().flatten();
    let fields = properties.map(|(name, schema)| (name.clone(), known(schema))).collect();
    Known::of(fields, schema.get("items").map(known))
}

/// Whether a key comes twice in one object, as `serde_json` reads it; none if it cannot read the text.
pub(crate) fn has_a_key_twice(text: &str) -> Option<bool> {
    let Seen(twice) = serde_json::from_str(text).ok()?;
    Some(twice)
}

/// Whether a key came twice.
struct Seen(bool);

impl<'de> Deserialize<'de> for Seen {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(Look)
    }
}

struct Look;

impl<'de> Visitor<'de> for Look {
    type Value = Seen;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("JSON")
    }

    fn visit_unit<E>(self) -> Result<Seen, E> {
        Ok(Seen(false))
    }

    fn visit_bool<E>(self, _: bool) -> Result<Seen, E> {
        Ok(Seen(false))
    }

    fn visit_u64<E>(self, _: u64) -> Result<Seen, E> {
        Ok(Seen(false))
    }

    fn visit_i64<E>(self, _: i64) -> Result<Seen, E> {
        Ok(Seen(false))
    }

    fn visit_f64<E>(self, _: f64) -> Result<Seen, E> {
        Ok(Seen(false))
    }

    fn visit_str<E>(self, _: &str) -> Result<Seen, E> {
        Ok(Seen(false))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<Seen, A::Error> {
        let mut twice = false;
        while let Some(Seen(below)) = items.next_element()? {
            twice |= below;
        }
        Ok(Seen(twice))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut fields: A) -> Result<Seen, A::Error> {
        let (mut names, mut twice) = (HashSet::new(), false);
        while let Some((name, Seen(below))) = fields.next_entry::<String, Seen>()? {
            twice |= below | !names.insert(name);
        }
        Ok(Seen(twice))
    }
}
