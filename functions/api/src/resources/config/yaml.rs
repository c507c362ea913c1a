//! YAML, read into the JSON that it stands for. Anchors and aliases are refused, because they allow a short text to expand to an
//! enormous one. So is what JSON cannot say, such as `.inf`, and a key in whose value `serde_json` would read JSON again.

use std::fmt;

use domain::value::keys::EMBEDDED;
use serde::de::{Deserialize, Deserializer, Error, MapAccess, SeqAccess, Visitor};
use serde_json::{Map, Number, Value};
use serde_saphyr::options::MergeKeyPolicy;

use crate::web::problem::{Code, Problem};

/// How deeply lists and objects may be nested: more than any configuration is, and less than the stack can bear.
const MOST_LEVELS: usize = 64;

/// Reads one document.
pub fn read_yaml(bytes: &[u8]) -> Result<Value, Problem> {
    let options = serde_saphyr::options! {
        budget: serde_saphyr::budget! { max_anchors: 0, max_aliases: 0, max_depth: MOST_LEVELS },
        merge_keys: MergeKeyPolicy::Error,
        strict_booleans: true,
        reject_unsupported_tags: true,
    };
    serde_saphyr::from_slice_with_options(bytes, options).map(|Yaml(value)| value).map_err(|error| {
        let error = error.without_snippet();
        let place = error.location().map(|at| format!("line {}, column {}: ", at.line(), at.column()));
        let text = error.to_string();
        let first = text.lines().next().unwrap_or_default();
        let detail = format!(
            "is not YAML of the accepted kind (one document, without anchors and aliases): {}{first}",
            place.unwrap_or_default()
        );
        Problem::at(Code::MalformedYaml, "", detail)
    })
}

/// A value that JSON can say as well.
struct Yaml(Value);

impl<'de> Deserialize<'de> for Yaml {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(AsJson).map(Self)
    }
}

struct AsJson;

impl AsJson {
    fn double<E: Error>(value: f64) -> Result<Value, E> {
        let number =
            Number::from_f64(value).ok_or_else(|| E::custom("JSON has no such number: no infinity, and no NaN"))?;
        Ok(Value::Number(number))
    }
}

impl<'de> Visitor<'de> for AsJson {
    type Value = Value;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a value that JSON has as well")
    }

    fn visit_unit<E>(self) -> Result<Value, E> {
        Ok(Value::Null)
    }

    fn visit_none<E>(self) -> Result<Value, E> {
        Ok(Value::Null)
    }

    fn visit_some<D: Deserializer<'de>>(self, deserializer: D) -> Result<Value, D::Error> {
        deserializer.deserialize_any(self)
    }

    fn visit_bool<E>(self, value: bool) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_i64<E>(self, value: i64) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_u64<E>(self, value: u64) -> Result<Value, E> {
        Ok(value.into())
    }

    // As in JSON, an integer of more than 64 bits is a double.
    fn visit_i128<E: Error>(self, value: i128) -> Result<Value, E> {
        Self::double(value as f64)
    }

    fn visit_u128<E: Error>(self, value: u128) -> Result<Value, E> {
        Self::double(value as f64)
    }

    fn visit_f64<E: Error>(self, value: f64) -> Result<Value, E> {
        Self::double(value)
    }

    fn visit_str<E>(self, text: &str) -> Result<Value, E> {
        Ok(text.into())
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<Value, A::Error> {
        let mut list = Vec::new();
        while let Some(Yaml(item)) = items.next_element()? {
            list.push(item);
        }
        Ok(list.into())
    }

    fn visit_map<A: MapAccess<'de>>(self, mut fields: A) -> Result<Value, A::Error> {
        let mut object = Map::new();
        while let Some((name, Yaml(value))) = fields.next_entry::<String, Yaml>()? {
            if name == EMBEDDED {
                return Err(A::Error::custom(
                    "this key is a name that the JSON reader uses itself; give it another name",
                ));
            }
            object.insert(name, value);
        }
        Ok(object.into())
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[track_caller]
    fn check_yaml(text: &str, expected: Result<Value, &str>) {
        match (read_yaml(text.as_bytes()), expected) {
            (Ok(value), expected) => assert_eq!(Ok(value), expected, "{text}"),
            (Err(problem), Err(told)) => assert!(problem.detail().contains(told), "{text}: {}", problem.detail()),
            (Err(problem), Ok(_)) => panic!("{text}: {}", problem.detail()),
        }
    }

    #[test]
    fn yaml_is_the_json_it_stands_for_and_a_fault_has_its_place() {
        check_yaml("a: [1, -2.5, 'x', yes, true, null, '*']", Ok(json!({"a": [1, -2.5, "x", "yes", true, null, "*"]})));
        check_yaml("{\"a\": {\"b\": []}}", Ok(json!({"a": {"b": []}})));
        check_yaml("a: 1\nb: [1, 2\nc: 3\n", Err("line 3, column "));
        check_yaml("a: 1\na: 2\n", Err("line 2, column 1"));
        let twice = "subscriptions:\n- condition:\n    status: [failed]\n    'status': [partial]\n";
        check_yaml(twice, Err("line 4, column 5: "));
        check_yaml(twice, Err("status"));
        check_yaml("a: &x [1]\nb: *x\n", Err("anchors"));
        check_yaml("a: *x\n", Err("line 1, column "));
        check_yaml("a: !!binary x\n", Err("line 1, column "));
        check_yaml("a: 1\n---\nb: 2\n", Err("one document"));
        for number in [".inf", "-.INF", "+.Inf", ".nan", ".NaN", "1e999", "-1e999"] {
            check_yaml(&format!("a:\n- {number}\n"), Err("line 2, column 3: "));
        }
        let large = json!({"a": [u64::MAX, i64::MIN, 18446744073709551616_f64, -12345678901234567890123_f64]});
        check_yaml(
            "a: [18446744073709551615, -9223372036854775808, 18446744073709551616, -12345678901234567890123]",
            Ok(large),
        );
        check_yaml("a: {$serde_json::private::RawValue: '{\"a\": 1, \"a\": 2}'}", Err("another name"));
        check_yaml(&"[".repeat(2_000), Err("line 1, column "));
        let nested = |levels: usize| format!("{}1{}", "[".repeat(levels), "]".repeat(levels));
        check_yaml(&nested(MOST_LEVELS), Ok((0..MOST_LEVELS).fold(json!(1), |inner, _| json!([inner]))));
        check_yaml(&nested(MOST_LEVELS + 1), Err("line 1, column "));
    }

    #[test]
    fn what_is_written_as_yaml_is_read_as_the_same() {
        let texts = [
            "yes",
            "No",
            "null",
            "~",
            "true",
            "1",
            "1e3",
            "0x1f",
            "1_000",
            ".inf",
            ".NaN",
            "2026-11-23",
            "*",
            "*a",
            "&a",
            "!a",
            "<<",
            "=",
            "-",
            "- a",
            "? a",
            "a: b",
            "a:",
            "# a",
            "a # b",
            "%a",
            "@a",
            "`a`",
            "'",
            "\"",
            "\\n",
            "[a]",
            "{a}",
            "",
            " ",
            " a ",
            "a\nb",
            "a\n",
            "\na",
            "a\n\n",
            " a\n  b\n",
            "\ta",
            "a\tb\n",
            "a\r\nb",
            "\u{85}",
            "\u{2028}",
            "\u{feff}a",
            "é ☃ 🦀",
            &"long words ".repeat(30),
            &"x".repeat(300),
        ];
        let numbers = json!([0, -1, u64::MAX, i64::MIN, 0.1, -2.5, 1e-7, 1e300, true, false, null, [], {}, [[]], [{}]]);
        for text in texts {
            let value = json!({"key": text, text: [text, {"in": text}], "numbers": numbers});
            let yaml = serde_saphyr::to_string(&value).expect("YAML");
            assert_eq!(read_yaml(yaml.as_bytes()).map_err(|problem| problem.detail().to_owned()), Ok(value), "{yaml}");
        }
    }
}
