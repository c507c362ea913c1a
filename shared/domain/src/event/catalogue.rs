//! The catalogue of event types. Each file of `shared/domain/catalogue` describes one type, and adding a file adds a
//! type. Nothing else in Rust knows the types, except for the five that [`crate::operational`] makes. The files are
//! embedded when this crate is compiled, and read once, when first needed.
//!
//! It deliberately checks no event: that is [`super::payload`]. A file that cannot be read is left out, so that it does
//! not break the other types; the tests fail for it.
//!
//! Invariant: each file is a whole event type: its name is its type, its schema is JSON Schema 2020-12 with every
//! property described, and it has a valid sample for every status, with every property filled in (tests:
//! `every_file_is_an_entry_under_its_types_name`, `every_schema_is_valid_json_schema_2020_12_and_asks_for_an_object`,
//! `there_is_a_sample_for_every_status_and_what_did_not_succeed_says_why`,
//! `every_property_is_described_and_filled_in_by_the_samples`, `every_sample_is_a_valid_event`).

use std::fmt;
use std::sync::LazyLock;

use serde::de::{self, MapAccess, Visitor};
use serde::{Deserialize, Deserializer};
use serde_json::value::RawValue;

use super::scope::Scope;

/// The name and the text of each file, sorted by name. Written by `build.rs`.
static FILES: &[(&str, &str)] = &include!(concat!(env!("OUT_DIR"), "/catalogue.rs"));

static ENTRIES: LazyLock<Vec<Entry>> = LazyLock::new(|| FILES.iter().filter_map(|(_, text)| read(text).ok()).collect());

/// Every entry, sorted by the name of its type.
pub fn entries() -> &'static [Entry] {
    &ENTRIES
}

/// The description of one event type.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Entry {
    #[serde(rename = "type")]
    pub name: String,
    pub title: String,
    /// What several such events are called within a sentence, as in the name of a subscription.
    pub plural: String,
    pub description: String,
    pub scope: Place,
    /// Whether it is about this system itself and not about data. Only this system makes such events, and `*` does not
    /// include them.
    #[serde(default)]
    pub operational: bool,
    /// The type of events whose absence it reports. Only this system makes such events, and `*` does not include them:
    /// awaiting a run costs a write each time, so these types are subscribed to by name.
    #[serde(default)]
    pub absence_of: Option<String>,
    /// The JSON Schema (2020-12) of an event's `data`.
    pub schema: Box<RawValue>,
    /// In the order of the file. The first is used if no status is asked for.
    #[serde(deserialize_with = "in_order")]
    pub samples: Vec<Sample>,
}

/// The form of the scope of a type's events.
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
    /// How it ended: `succeeded`, `failed`, ….
    pub status: String,
    /// Where it happened, according to `data`.
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

    /// Whether `scope` is such a place or contains such places.
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

/// The part of a sample that tells where it happened.
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
        (Some(_), Some(_)) => return Err("is about a table and about an insight".to_owned()),
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
mod tests;
