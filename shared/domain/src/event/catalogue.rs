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
mod tests;
