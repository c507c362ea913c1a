//! The catalogue of event types: what each file of `shared/domain/catalogue` says of one. Those files are the only place that knows the
//! types; a file added there is a type added. They are embedded when this crate is compiled, and read once, when first asked for.
//!
//! It deliberately checks no event: that is [`super::payload`]. A file that cannot be read is left out, so that it breaks no other
//! type; the tests below fail for it.

use std::fmt;
use std::sync::LazyLock;

use serde::de::{self, MapAccess, Visitor};
use serde::{Deserialize, Deserializer};
use serde_json::value::RawValue;

use super::scope::Scope;

/// The name and the text of each file, in the order of the names. Written by `build.rs`.
static FILES: &[(&str, &str)] = &include!(concat!(env!("OUT_DIR"), "/catalogue.rs"));

static ENTRIES: LazyLock<Vec<Entry>> = LazyLock::new(|| FILES.iter().filter_map(|(_, text)| read(text).ok()).collect());

/// Every entry, in the order of the types' names.
pub fn entries() -> &'static [Entry] {
    &ENTRIES
}

/// What the catalogue says of one event type.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Entry {
    #[serde(rename = "type")]
    pub name: String,
    pub title: String,
    pub description: String,
    pub scope: Place,
    /// Whether it tells of this system itself and not of data: only this system makes such events, and `*` does not mean them.
    #[serde(default)]
    pub operational: bool,
    /// The type of events whose absence it tells of. Only this system makes such events, and `*` does not mean them: what is
    /// waited for costs a write each time, so it is asked for by name.
    #[serde(default)]
    pub absence_of: Option<String>,
    /// The JSON Schema (2020-12) of an event's `data`.
    pub schema: Box<RawValue>,
    /// In the order of the file; the first is the one to take when none is asked for.
    #[serde(deserialize_with = "in_order")]
    pub samples: Vec<Sample>,
}

/// The form of scope that events of a type have.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Place {
    /// The whole account: `*`.
    Account,
    Connection,
    Endpoint,
    Insight,
}

/// An event's `data` with every field filled in.
#[derive(Debug)]
pub struct Sample {
    /// How what happened ended: `succeeded`, `failed`, ….
    pub status: String,
    /// Where it happened, as `data` says.
    pub scope: Scope,
    pub data: Box<RawValue>,
}

impl Place {
    pub fn form(self) -> &'static str {
        match self {
            Place::Account => "*",
            Place::Connection => "connection/<id>",
            Place::Endpoint => "connection/<id>/endpoint/<id>",
            Place::Insight => "connection/<id>/insight/<id>",
        }
    }

    pub fn is_of(self, scope: &Scope) -> bool {
        match self {
            Place::Account => *scope == Scope::Everything,
            Place::Connection => matches!(scope, Scope::Connection(_)),
            Place::Endpoint => matches!(scope, Scope::Endpoint { .. }),
            Place::Insight => matches!(scope, Scope::Insight { .. }),
        }
    }

    /// Whether `scope` is such a place, or has such places in it.
    pub fn is_within(self, scope: &Scope) -> bool {
        self.is_of(scope)
            || match scope {
                Scope::Everything => true,
                Scope::Connection(_) => matches!(self, Place::Endpoint | Place::Insight),
                Scope::Endpoint { .. } | Scope::Insight { .. } => false,
            }
    }
}

fn read(text: &'static str) -> Result<Entry, serde_json::Error> {
    let entry: Entry = serde_json::from_str(text)?;
    match entry.samples.iter().find(|sample| !entry.scope.is_of(&sample.scope)) {
        Some(sample) => Err(de::Error::custom(format_args!("the sample {} is about {}", sample.status, sample.scope))),
        None if entry.samples.is_empty() => Err(de::Error::custom("there is no sample")),
        None => Ok(entry),
    }
}

/// The part of a sample that says where it happened.
#[derive(Deserialize)]
struct Whereabouts {
    connection: Option<Named>,
    endpoint: Option<Named>,
    insight: Option<Named>,
}

#[derive(Deserialize)]
struct Named {
    id: String,
}

fn scope_of(data: &RawValue) -> Result<Scope, String> {
    let found: Whereabouts = serde_json::from_str(data.get()).map_err(|error| error.to_string())?;
    let below = match (found.endpoint, found.insight) {
        (Some(endpoint), None) => format!("/endpoint/{}", endpoint.id),
        (None, Some(insight)) => format!("/insight/{}", insight.id),
        (None, None) => String::new(),
        (Some(_), Some(_)) => return Err("is about an endpoint and about an insight".to_owned()),
    };
    match found.connection {
        Some(connection) => format!("connection/{}{below}", connection.id).parse().map_err(|e| format!("scope: {e}")),
        None if below.is_empty() => Ok(Scope::Everything),
        None => Err("has no connection".to_owned()),
    }
}

fn in_order<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Vec<Sample>, D::Error> {
    struct Samples;

    impl<'de> Visitor<'de> for Samples {
        type Value = Vec<Sample>;

        fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            f.write_str("samples by status")
        }

        fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Vec<Sample>, A::Error> {
            let mut samples: Vec<Sample> = Vec::new();
            while let Some((status, data)) = map.next_entry::<String, Box<RawValue>>()? {
                if samples.iter().any(|sample| sample.status == status) {
                    return Err(de::Error::custom(format_args!("there are two samples {status}")));
                }
                let scope = scope_of(&data).map_err(|e| de::Error::custom(format_args!("the sample {status}: {e}")))?;
                samples.push(Sample { status, scope, data });
            }
            Ok(samples)
        }
    }

    deserializer.deserialize_map(Samples)
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;
    use std::path::Path;

    use boon::{Compiler, Schemas};
    use serde_json::{Value, json};

    use super::*;

    fn parsed(raw: &RawValue) -> Value {
        serde_json::from_str(raw.get()).expect("JSON")
    }

    #[test]
    fn every_file_is_an_entry_under_its_types_name() {
        let directory = Path::new(env!("CARGO_MANIFEST_DIR")).join("catalogue");
        let files: BTreeSet<_> = std::fs::read_dir(directory)
            .expect("the catalogue")
            .map(|file| file.expect("a file").file_name().into_string().expect("UTF-8"))
            .collect();
        for (_, text) in FILES {
            read(text).expect("an entry");
        }
        let names: BTreeSet<_> = entries().iter().map(|entry| format!("{}.json", entry.name)).collect();
        assert_eq!(names, files);
        assert_eq!(entries().len(), FILES.len());
        assert!(entries().is_sorted_by(|a, b| a.name < b.name));
    }

    /// A type's name stands in keys, headers and URLs.
    #[test]
    fn every_name_is_dotted_lower_case_and_every_text_says_something() {
        let word = |word: &str| !word.is_empty() && word.bytes().all(|b| b.is_ascii_lowercase() || b == b'_');
        for entry in entries() {
            assert!(entry.name.len() <= 64 && entry.name.split('.').all(word), "{}", entry.name);
            assert!(entry.samples.iter().all(|sample| word(&sample.status)), "{}", entry.name);
            assert!(!entry.title.is_empty() && entry.description.len() > entry.title.len(), "{}", entry.name);
        }
    }

    #[test]
    fn every_schema_is_valid_json_schema_2020_12_and_asks_for_an_object() {
        for entry in entries() {
            let schema = parsed(&entry.schema);
            assert_eq!(schema["$schema"], "https://json-schema.org/draft/2020-12/schema", "{}", entry.name);
            assert_eq!((&schema["type"], &schema["additionalProperties"]), (&json!("object"), &json!(true)));
            let (mut compiled, mut compiler) = (Schemas::new(), Compiler::new());
            compiler.add_resource("urn:schema", schema).expect("a resource");
            let result = compiler.compile("urn:schema", &mut compiled);
            assert!(result.is_ok(), "{}: {:?}", entry.name, result.err());
        }
    }

    /// Every property of an object's schema and of the schemas within it, as JSON pointers with their schemas.
    fn properties<'a>(schema: &'a Value, at: &str, found: &mut Vec<(String, &'a Value)>) {
        for (name, property) in schema["properties"].as_object().into_iter().flatten() {
            let pointer = format!("{at}/{name}");
            properties(property, &pointer, found);
            found.push((pointer, property));
        }
    }

    #[test]
    fn every_property_is_described_and_filled_in_by_the_samples() {
        for entry in entries() {
            let schema = parsed(&entry.schema);
            let mut found = Vec::new();
            properties(&schema, "", &mut found);
            assert!(!found.is_empty(), "{}", entry.name);
            for (pointer, property) in found {
                assert!(
                    property["title"].is_string() && property["description"].is_string(),
                    "{} {pointer}",
                    entry.name
                );
                let filled = |sample: &&Sample| parsed(&sample.data).pointer(&pointer).is_some_and(|v| !v.is_null());
                let nullable = property["type"].as_array().is_some_and(|types| types.contains(&json!("null")));
                let above = pointer.rsplit_once('/').map_or("", |(above, _)| above).replace('/', "/properties/");
                let above = schema.pointer(&above).and_then(|s| s["type"].as_array());
                let within_nullable = above.is_some_and(|types| types.contains(&json!("null")));
                let count = entry.samples.iter().filter(filled).count();
                let wanted = if nullable || within_nullable { 1 } else { entry.samples.len() };
                assert!(count >= wanted, "{} {pointer}: filled in by {count} samples", entry.name);
            }
        }
    }

    #[test]
    fn there_is_a_sample_for_every_status_and_what_did_not_succeed_says_why() {
        for entry in entries() {
            let statuses: Vec<_> = entry.samples.iter().map(|sample| json!(sample.status)).collect();
            assert_eq!(parsed(&entry.schema)["properties"]["status"]["enum"], json!(statuses), "{}", entry.name);
            for sample in &entry.samples {
                let data = parsed(&sample.data);
                assert_eq!(data["status"], sample.status, "{}", entry.name);
                let says_why = !data["error"].is_null() || data["reason"].is_string();
                assert_eq!(says_why, sample.status != "succeeded", "{} {}", entry.name, sample.status);
            }
        }
    }

    #[track_caller]
    fn check(from: &str, to: &str, expected: &str) {
        let (_, text) = FILES.iter().find(|(name, _)| *name == "sync_run.completed").expect("the file");
        let changed: &'static str = text.replacen(from, to, 1).leak();
        assert_ne!(changed, *text, "{from} is not in the file");
        let error = read(changed).expect_err("a file that is wrong").to_string();
        assert!(error.contains(expected), "{error:?} has no {expected:?}");
    }

    #[test]
    fn a_file_that_is_wrong_is_refused() {
        check(r#"{"type""#, r#"{"typ":"","type""#, "unknown field `typ`");
        check(r#""scope":"endpoint""#, r#""scope":"table""#, "unknown variant `table`");
        check(
            r#""scope":"endpoint""#,
            r#""scope":"insight""#,
            "the sample succeeded is about connection/xero/endpoint",
        );
        check(r#""failed":{"#, r#""succeeded":{"#, "there are two samples succeeded");
        check(r#""connection":{"id":"xero""#, r#""connection":{"id":"a b""#, "the sample succeeded: scope: the name");
        check(r#""endpoint":{"id":"invoices""#, r#""insight":{"id":"x"},"endpoint":{"id":"i""#, "about an insight");
        check(r#""connection":{"id":"xero""#, r#""place":{"id":"xero""#, "the sample succeeded: has no connection");
        check(r#""samples":{"#, r#""samples":{},"other":{"#, "unknown field `other`");
    }

    #[test]
    fn what_is_operational_is_about_the_whole_account() {
        for entry in entries() {
            assert_eq!(entry.operational, entry.scope == Place::Account, "{}", entry.name);
        }
    }

    #[test]
    fn samples_carry_no_white_space_but_that_of_their_texts() {
        let sample = &entries()[0].samples[0].data;
        assert_eq!(parsed(sample).to_string().len(), sample.get().len());
        assert!(sample.get().contains(' '));
    }
}
