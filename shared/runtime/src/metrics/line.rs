//! A line of figures as it is written. Each invocation writes one, so it is written without building a JSON value first.

use domain::value::Timestamp;
use serde::ser::SerializeMap;
use serde::{Serialize, Serializer};

use super::Figures;

pub(super) struct Line<'a> {
    pub(super) namespace: &'a str,
    pub(super) now: Timestamp,
    pub(super) figures: &'a Figures,
}

impl Serialize for Line<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut line = serializer.serialize_map(None)?;
        for (count, sum) in &self.figures.counts {
            line.serialize_entry(count.as_str(), sum)?;
        }
        for (time, values) in &self.figures.times {
            line.serialize_entry(time.as_str(), values)?;
        }
        let directive = Directive { namespace: self.namespace, dimensions: [[]], metrics: Definitions(self.figures) };
        let about = About { timestamp: self.now.unix_ms(), cloud_watch_metrics: [directive] };
        line.serialize_entry("_aws", &about)?;
        line.serialize_entry("timestamp", &self.now)?;
        line.serialize_entry("level", "INFO")?;
        line.serialize_entry("message", "metrics")?;
        line.end()
    }
}

/// Which of the figures are metrics.
#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
struct About<'a> {
    timestamp: u64,
    cloud_watch_metrics: [Directive<'a>; 1],
}

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
struct Directive<'a> {
    namespace: &'a str,
    dimensions: [[&'a str; 0]; 1],
    metrics: Definitions<'a>,
}

struct Definitions<'a>(&'a Figures);

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
struct Definition {
    name: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    unit: Option<&'static str>,
}

impl Serialize for Definitions<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let counts = self.0.counts.keys().map(|count| Definition { name: count.as_str(), unit: None });
        let times = self.0.times.keys().map(|time| Definition { name: time.as_str(), unit: Some("Milliseconds") });
        serializer.collect_seq(counts.chain(times))
    }
}
