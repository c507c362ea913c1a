//! Reads a part of a JSON text: only the fields that are of interest. The whole text is checked, so a text that no reader
//! can read is refused as if all of it were read. The other fields take no memory, and little time.
//!
//! Invariant: fields that are not of interest are not kept, but are refused if no reader can read them (tests:
//! `what_is_not_known_is_gone_through_and_not_kept`).

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::fmt;

use serde::Deserializer;
use serde::de::{DeserializeSeed, Error as _, MapAccess, SeqAccess, Visitor};
use serde_json::{Map, Value};

use super::json::within_doubles;
use super::keys::EMBEDDED;

/// The parts of a value that are of interest.
#[derive(Debug, Default)]
pub struct Known {
    fields: BTreeMap<String, Known>,
    /// The parts of a list's items that are of interest; none if the items are not.
    items: Option<Box<Known>>,
}

impl Known {
    /// The parts that these fields of an object have, or these items of a list.
    pub fn of(fields: BTreeMap<String, Known>, items: Option<Known>) -> Self {
        Self { fields, items: items.map(Box::new) }
    }

    /// Reads the parts that are of interest. A number that is too large for an IEEE double is read as the largest double.
    pub fn read(&self, text: &str) -> serde_json::Result<Value> {
        let text = within_doubles(text);
        let mut deserializer = serde_json::Deserializer::from_str(&text);
        let value = Part(Some(self)).deserialize(&mut deserializer)?;
        deserializer.end()?;
        match value {
            Read::Known(value) => Ok(value),
            Read::NotKnown => Ok(Value::Null),
        }
    }
}

/// A value, with the parts of it that are of interest; none if the value is not.
#[derive(Clone, Copy)]
struct Part<'k>(Option<&'k Known>);

enum Read {
    Known(Value),
    NotKnown,
}

impl Part<'_> {
    fn scalar(self, value: impl Into<Value>) -> Read {
        if self.0.is_some() { Read::Known(value.into()) } else { Read::NotKnown }
    }
}

impl<'de> DeserializeSeed<'de> for Part<'_> {
    type Value = Read;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Read, D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Part<'_> {
    type Value = Read;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a JSON value")
    }

    fn visit_unit<E>(self) -> Result<Read, E> {
        Ok(self.scalar(Value::Null))
    }

    fn visit_bool<E>(self, value: bool) -> Result<Read, E> {
        Ok(self.scalar(value))
    }

    fn visit_i64<E>(self, value: i64) -> Result<Read, E> {
        Ok(self.scalar(value))
    }

    fn visit_u64<E>(self, value: u64) -> Result<Read, E> {
        Ok(self.scalar(value))
    }

    fn visit_f64<E>(self, value: f64) -> Result<Read, E> {
        Ok(self.scalar(value))
    }

    fn visit_str<E>(self, text: &str) -> Result<Read, E> {
        Ok(self.scalar(text))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<Read, A::Error> {
        let (mut list, part) = (Vec::new(), Part(self.0.and_then(|known| known.items.as_deref())));
        while let Some(item) = items.next_element_seed(part)? {
            if let Read::Known(item) = item {
                list.push(item);
            }
        }
        Ok(self.scalar(list))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut fields: A) -> Result<Read, A::Error> {
        let mut object = Map::new();
        while let Some(name) = fields.next_key_seed(Name)? {
            if name == EMBEDDED {
                return Err(A::Error::custom("this key has a special meaning for the JSON reader"));
            }
            let part = Part(self.0.and_then(|known| known.fields.get(&*name)));
            if let Read::Known(value) = fields.next_value_seed(part)? {
                object.insert(name.into_owned(), value);
            }
        }
        Ok(self.scalar(object))
    }
}

/// A key, which is copied only if it contains escapes.
struct Name;

impl<'de> DeserializeSeed<'de> for Name {
    type Value = Cow<'de, str>;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Self::Value, D::Error> {
        deserializer.deserialize_str(self)
    }
}

impl<'de> Visitor<'de> for Name {
    type Value = Cow<'de, str>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a key")
    }

    fn visit_borrowed_str<E>(self, name: &'de str) -> Result<Self::Value, E> {
        Ok(Cow::Borrowed(name))
    }

    fn visit_str<E>(self, name: &str) -> Result<Self::Value, E> {
        Ok(Cow::Owned(name.to_owned()))
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn what_is_not_known_is_gone_through_and_not_kept() {
        let fields = |fields: Vec<(&str, Known)>| fields.into_iter().map(|(name, of)| (name.to_owned(), of)).collect();
        let b = || Known::of(fields(vec![("b", Known::default())]), None);
        let list = Known::of(BTreeMap::new(), Some(b()));
        let known = Known::of(fields(vec![("a", b()), ("list", list), ("text", Known::default())]), None);
        let read = |text: &str| known.read(text).map_err(drop);
        let text =
            r#"{"x": [{"b": 1}], "a": {"b": [1, {"c": 2}], "x": 1}, "list": [{"b": 1e999, "c": 2}, 3], "text": "é"}"#;
        assert_eq!(
            read(text),
            Ok(json!({ "a": { "b": [] }, "list": [{ "b": f64::MAX }, 3], "text": "é" })),
            "a list of which nothing is known is empty"
        );
        for wrong in [
            r#"{"x": "\ud800"}"#,
            r#"{"x": 1"#,
            "{} {}",
            &format!(r#"{{"x": {}}}"#, "[".repeat(127) + &"]".repeat(127)),
        ] {
            assert_eq!(read(wrong), Err(()), "{wrong}");
            assert!(crate::value::json::value(wrong).is_err(), "{wrong}");
        }
        assert_eq!(read(&format!(r#"{{"x": {{"{EMBEDDED}": 1}}}}"#)), Err(()));
    }
}
