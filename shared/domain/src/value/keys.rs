//! Looks for keys that are repeated in one object of a JSON text. It looks only at keys and at the punctuation outside of
//! strings, and parses no values. So it can go deeper than any JSON reader. Invalid JSON is refused later, by the reader.
//!
//! Invariant: everything that a reader can read is checked (tests: `a_key_that_comes_twice_is_found_at_any_depth`,
//! `what_is_too_deep_to_be_looked_through_is_refused`, `json_in_a_text_in_json_is_refused`, for events `a_key_that_comes_twice_below_the_deepest_place_is_refused`).

use std::borrow::Cow;
use std::collections::HashSet;

use super::place::Place;

/// How many levels of objects and lists are checked, including the outermost one. `serde_json` reads 127 levels; a body may
/// have a few more around a part that is read separately.
pub const MOST_LEVELS: usize = 256;

/// If this is the first key of an object, `serde_json` reads its value as a text that contains JSON: anything could be in there,
/// also a key that comes twice.
pub const EMBEDDED: &str = "$serde_json::private::RawValue";

/// How many names of an object are compared one by one. An object with no more names than that needs no set.
const FEW: usize = 8;

/// Why a text is refused for its keys.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum KeyError {
    /// The key at this place is repeated in its object.
    #[error("is there twice; give it once")]
    Repeated(Place),
    /// What is at this place is too deep to be checked.
    #[error("is nested too deeply: more than {MOST_LEVELS} levels")]
    TooDeep(Place),
    /// The key at this place is [`EMBEDDED`].
    #[error("is a name that the JSON reader uses itself; give it another name")]
    Embedded(Place),
}

impl KeyError {
    pub fn place(&self) -> &Place {
        match self {
            KeyError::Repeated(place) | KeyError::TooDeep(place) | KeyError::Embedded(place) => place,
        }
    }
}

/// Refuses a text in which a key is repeated in one object or is [`EMBEDDED`], and a text that is nested too deeply to be checked.
pub fn check_keys(text: &str) -> Result<(), KeyError> {
    let (bytes, mut at) = (text.as_bytes(), 0);
    let (mut open, mut names) = (Vec::new(), Vec::new());
    while let Some(&byte) = bytes.get(at) {
        let begin = at;
        at += 1;
        match byte {
            b'"' => {
                at = end_of_string(bytes, at);
                if let Some(Open::Object(object)) = open.last_mut()
                    && object.expects_key
                {
                    let is_new = object.takes(name(&text[begin..at]), &mut names);
                    if object.name == EMBEDDED {
                        return Err(KeyError::Embedded(place(&open)));
                    }
                    if !is_new {
                        return Err(KeyError::Repeated(place(&open)));
                    }
                }
            }
            b'{' | b'[' if open.len() == MOST_LEVELS => return Err(KeyError::TooDeep(place(&open))),
            b'{' => open.push(Open::Object(Object::new(names.len()))),
            b'[' => open.push(Open::List(0)),
            b'}' | b']' => {
                if let Some(Open::Object(object)) = open.pop() {
                    names.truncate(object.begin);
                }
            }
            b',' => match open.last_mut() {
                Some(Open::Object(object)) => object.expects_key = true,
                Some(Open::List(index)) => *index += 1,
                None => {}
            },
            _ => {}
        }
    }
    Ok(())
}

/// An object or list that is open at the current position.
enum Open<'t> {
    Object(Object<'t>),
    /// With the index of the current item.
    List(usize),
}

struct Object<'t> {
    /// Where its first names begin in the list of the names of all open objects.
    begin: usize,
    /// Its names after the first [`FEW`].
    more: HashSet<Cow<'t, str>>,
    /// The name of the current field.
    name: Cow<'t, str>,
    expects_key: bool,
}

impl<'t> Object<'t> {
    fn new(begin: usize) -> Self {
        Self { begin, more: HashSet::new(), name: Cow::Borrowed(""), expects_key: true }
    }

    /// Moves on to the field `name`. Returns whether it is the first field with this name.
    fn takes(&mut self, name: Cow<'t, str>, names: &mut Vec<Cow<'t, str>>) -> bool {
        self.expects_key = false;
        let few = &names[self.begin..];
        let is_new = !few.contains(&name) && !self.more.contains(&name);
        self.name = name.clone();
        if few.len() < FEW {
            names.push(name);
        } else {
            self.more.insert(name);
        }
        is_new
    }
}

/// The place of the current position.
fn place(open: &[Open<'_>]) -> Place {
    open.iter().fold(Place::default(), |place, open| match open {
        Open::Object(object) => place.field(&object.name),
        Open::List(index) => place.item(*index),
    })
}

/// The characters of a key in quotes. They are copied only if the key contains escapes.
fn name(quoted: &str) -> Cow<'_, str> {
    if quoted.contains('\\')
        && let Ok(name) = serde_json::from_str(quoted)
    {
        return Cow::Owned(name);
    }
    Cow::Borrowed(quoted.get(1..quoted.len() - 1).unwrap_or_default())
}

/// The position after the closing quote of the string.
pub(super) fn end_of_string(bytes: &[u8], mut at: usize) -> usize {
    while let Some(byte) = bytes.get(at) {
        at += 1;
        match byte {
            b'"' => break,
            b'\\' => at += 1,
            _ => {}
        }
    }
    at.min(bytes.len())
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[track_caller]
    fn check_twice(text: &str, pointer: Option<&str>) {
        let found = check_keys(text).map_err(|error| error.place().pointer()).err();
        assert_eq!(found.as_deref(), pointer, "{text}");
    }

    #[test]
    fn a_key_that_comes_twice_is_found_at_any_depth() {
        check_twice(r#"{"a": 1, "a": 1}"#, Some("/a"));
        check_twice(r#"{"a": [0, {"b": {}}, {"b/~": 1, "c": 1e999, "b/~": 2}], "a": 1}"#, Some("/a/2/b~1~0"));
        check_twice(r#"[[], [{"": 1, "": 2}]]"#, Some("/1/0/"));
        check_twice("{\"\\u0061\": 1, \"a\": 2}", Some("/a"));
        check_twice(r#"{"a": {"b": 1}, "b": {"a": 1}, "c": [{"a": 1}, {"a": 1}]}"#, None);
        check_twice(r#"{"a": 1, "A": 1, "b": "a", "c": ["b", "b"], "d": "\",\"a\":"}"#, None);
        for other in ["", "{", "[1,", r#"{"a" 1}"#, "1e999", "nothing", "\"", "{\"", "}]{\"a\\", "{\"\\é"] {
            check_twice(other, None);
        }
        // The first few keys of an object are compared, and the others are hashed.
        let keys = |count: usize| (0..count).map(|n| format!(r#""{n}": {{"a": 1}}"#)).collect::<Vec<_>>().join(",");
        for repeated in [0, FEW - 1, FEW, 2 * FEW] {
            let text = format!(r#"[{{{}, "{repeated}": 1}}]"#, keys(2 * FEW + 1));
            check_twice(&text, Some(&format!("/0/{repeated}")));
        }
        check_twice(&format!("{{{}}}", keys(3 * FEW)), None);
    }

    #[test]
    fn what_is_too_deep_to_be_looked_through_is_refused() {
        let nested = |levels: usize| format!(r#"{{"a": {}1{}, "b": 1}}"#, "[".repeat(levels), "]".repeat(levels));
        check_twice(&nested(MOST_LEVELS - 1), None);
        check_twice(&nested(MOST_LEVELS - 1).replace("\"b\"", "\"a\""), Some("/a"));
        let error = check_keys(&nested(MOST_LEVELS)).expect_err("too deep");
        assert_eq!(error.to_string(), "is nested too deeply: more than 256 levels");
        assert!(error.place().pointer().starts_with("/a/0/0"), "{error:?}");
        assert!(check_keys(&"[".repeat(1_000_000)).is_err());
    }

    #[test]
    fn json_in_a_text_in_json_is_refused() {
        for key in [EMBEDDED, "$serde_json\\u003a:private::RawValue"] {
            let text = format!(r#"{{"a": [{{"{key}": "{{\"b\": 1, \"b\": 2}}"}}]}}"#);
            assert_eq!(serde_json::from_str::<serde_json::Value>(&text).expect("JSON")["a"][0]["b"], 2, "{text}");
            let error = check_keys(&text).expect_err("refused");
            assert_eq!(error, KeyError::Embedded(Place::of("a").item(0).field(EMBEDDED)), "{text}");
        }
        assert_eq!(check_keys(&format!(r#"["{EMBEDDED}"]"#)), Ok(()));
    }

    /// A value, and whether a key is repeated somewhere in it.
    fn any_json() -> impl Strategy<Value = (String, bool)> {
        let scalar = prop_oneof![Just("1"), Just("\"a\""), Just(r#""\"{,""#), Just("[]"), Just("{}")];
        let leaf = scalar.prop_map(|text| (text.to_owned(), false));
        leaf.prop_recursive(6, 60, 12, |inner| {
            let list = proptest::collection::vec(inner.clone(), 0..4).prop_map(|items| {
                let twice = items.iter().any(|(_, twice)| *twice);
                let items: Vec<_> = items.into_iter().map(|(text, _)| text).collect();
                (format!("[{}]", items.join(", ")), twice)
            });
            let object = proptest::collection::vec((0..40_u8, inner), 0..12).prop_map(|fields| {
                let names: HashSet<_> = fields.iter().map(|(name, _)| name).collect();
                let twice = names.len() < fields.len() || fields.iter().any(|(_, (_, twice))| *twice);
                let fields: Vec<_> = fields.into_iter().map(|(name, (text, _))| format!("\"{name}\":{text}")).collect();
                (format!("{{{}}}", fields.join(",")), twice)
            });
            prop_oneof![list, object]
        })
    }

    proptest! {
        #[test]
        fn a_key_is_found_exactly_where_one_comes_twice((text, twice) in any_json()) {
            prop_assert_eq!(check_keys(&text).is_err(), twice, "{}", text);
        }
    }
}
