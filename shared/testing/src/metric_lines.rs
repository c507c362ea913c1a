//! Collects lines of metrics, and checks that each follows the specification of CloudWatch's embedded metric format.
//! What breaks a rule of it is no metric, and nobody is told.

use std::sync::{Arc, Mutex, PoisonError};

use serde_json::Value;

/// The longest line, in bytes.
const MOST_BYTES: usize = 256 * 1_024;
/// How many metrics a directive may name, and how many values a metric may have.
const MOST_METRICS: usize = 100;
const MOST_VALUES: usize = 100;
/// How many dimensions a set may have.
const MOST_DIMENSIONS: usize = 30;
const UNITS: [&str; 4] = ["None", "Count", "Milliseconds", "Seconds"];

/// What CloudWatch Logs counts for each line beside its own bytes, and what it takes for a byte: $0.50 for a GB, the list
/// price of us-east-1 in November 2026.
pub const ADDED_BYTES: usize = 26;
pub const DOLLARS_OF_A_BYTE: f64 = 0.50 / 1e9;

/// All lines of metrics, in their order.
#[derive(Debug, Clone, Default)]
pub struct MetricLines(Arc<Mutex<Lines>>);

#[derive(Debug, Default)]
struct Lines {
    all: Vec<Value>,
    taken: usize,
}

impl MetricLines {
    /// Collects each line that it is given; one that breaks the format fails the test.
    pub fn sink(&self) -> impl Fn(&str) + Send + Sync + 'static {
        let lines = Arc::clone(&self.0);
        move |line| {
            assert_eq!(problems(line), Vec::<String>::new(), "{line}");
            let line = serde_json::from_str(line).unwrap_or_default();
            lines.lock().unwrap_or_else(PoisonError::into_inner).all.push(line);
        }
    }

    /// The lines since the last call.
    pub fn take(&self) -> Vec<Value> {
        let mut lines = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let new = lines.all[lines.taken..].to_vec();
        lines.taken = lines.all.len();
        new
    }

    /// The sum of a metric over all lines, taken or not.
    pub fn sum(&self, metric: &str) -> u64 {
        self.values(metric).iter().sum()
    }

    /// All values of a metric.
    pub fn values(&self, metric: &str) -> Vec<u64> {
        let lines = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        lines.all.iter().flat_map(|line| values(line, metric)).collect()
    }

    /// The metrics in a line.
    pub fn names(&self, line: &Value) -> Vec<String> {
        names(line)
    }
}

/// The values of a metric in a line.
pub fn values(line: &Value, metric: &str) -> Vec<u64> {
    match &line[metric] {
        Value::Array(values) => values.iter().filter_map(Value::as_u64).collect(),
        value => value.as_u64().into_iter().collect(),
    }
}

fn directives(line: &Value) -> &[Value] {
    line["_aws"]["CloudWatchMetrics"].as_array().map_or(&[], Vec::as_slice)
}

fn names(line: &Value) -> Vec<String> {
    let metrics = directives(line).iter().filter_map(|directive| directive["Metrics"].as_array()).flatten();
    metrics.filter_map(|metric| metric["Name"].as_str().map(str::to_owned)).collect()
}

/// Which rules of the specification a line breaks. Only units that are used here are known.
pub fn problems(text: &str) -> Vec<String> {
    let mut problems = Vec::new();
    let mut check = |holds: bool, rule: &str| {
        if !holds {
            problems.push(rule.to_owned());
        }
    };
    check(text.len() <= MOST_BYTES, "a line is longer than 256 KB");
    check(!text.contains('\n'), "a line is several lines");
    let line: Value = serde_json::from_str(text).unwrap_or_default();
    check(line.is_object(), "a line is no JSON object");
    check(line["_aws"]["Timestamp"].is_u64(), "_aws.Timestamp is no number of milliseconds");
    check(!directives(&line).is_empty(), "_aws.CloudWatchMetrics is no list of directives");
    for directive in directives(&line) {
        let namespace = directive["Namespace"].as_str().unwrap_or_default();
        check((1..=255).contains(&namespace.len()) && !namespace.starts_with("AWS/"), "a namespace is none");
        let sets = directive["Dimensions"].as_array().map_or(&[][..], Vec::as_slice);
        check(!sets.is_empty(), "there is no set of dimensions, not even an empty one");
        for set in sets {
            let set = set.as_array();
            check(set.is_some_and(|set| set.len() <= MOST_DIMENSIONS), "a set of dimensions is none");
            for dimension in set.into_iter().flatten() {
                let value = dimension.as_str().and_then(|name| line[name].as_str());
                check(value.is_some_and(|value| !value.trim().is_empty()), "a dimension has no text as its value");
            }
        }
        let metrics = directive["Metrics"].as_array().map_or(&[][..], Vec::as_slice);
        check((1..=MOST_METRICS).contains(&metrics.len()), "a directive has no metric, or more than 100");
        for metric in metrics {
            let name = metric["Name"].as_str().unwrap_or_default();
            check((1..=255).contains(&name.len()), "a metric has no name");
            check(metric["Unit"].is_null() || UNITS.iter().any(|unit| metric["Unit"] == *unit), "a unit is unknown");
            let is_value = match &line[name] {
                Value::Array(values) => {
                    (1..=MOST_VALUES).contains(&values.len()) && values.iter().all(Value::is_number)
                }
                value => value.is_number(),
            };
            check(is_value, "a metric is no number and no list of up to 100");
        }
    }
    problems
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn right() -> Value {
        let metrics = json!([{"Name": "Lag", "Unit": "Milliseconds"}, {"Name": "Sum"}]);
        json!({
            "_aws": {
                "Timestamp": 1,
                "CloudWatchMetrics": [{"Namespace": "stack", "Dimensions": [[], ["Part"]], "Metrics": metrics}]
            },
            "Part": "due", "Lag": [1, 2.5], "Sum": 7, "account": "acme"
        })
    }

    #[test]
    fn each_rule_of_the_format_is_checked() {
        assert_eq!(problems(&right().to_string()), Vec::<String>::new());
        let directive = "/_aws/CloudWatchMetrics/0";
        let broken = [
            ("/_aws/Timestamp".to_owned(), json!("2026-11-27T00:00:00Z"), "Timestamp"),
            ("/_aws/CloudWatchMetrics".to_owned(), json!([]), "list of directives"),
            (format!("{directive}/Namespace"), json!(""), "namespace"),
            (format!("{directive}/Namespace"), json!("AWS/SQS"), "namespace"),
            (format!("{directive}/Dimensions"), json!([]), "not even an empty one"),
            (format!("{directive}/Dimensions/0"), json!("Part"), "a set of dimensions"),
            (format!("{directive}/Dimensions/0"), json!(["None"]), "no text as its value"),
            (format!("{directive}/Metrics"), json!([]), "no metric"),
            (format!("{directive}/Metrics"), json!(vec![json!({"Name": "Sum"}); 101]), "more than 100"),
            (format!("{directive}/Metrics/0/Name"), json!("Nothing"), "no number"),
            (format!("{directive}/Metrics/0/Unit"), json!("ms"), "unit"),
            ("/Part".to_owned(), json!(3), "no text as its value"),
            ("/Lag".to_owned(), json!([]), "no number"),
            ("/Lag".to_owned(), json!(vec![1; 101]), "no number"),
            ("/Lag".to_owned(), json!(["1"]), "no number"),
            ("/Sum".to_owned(), json!("7"), "no number"),
            ("/account".to_owned(), json!("x".repeat(MOST_BYTES)), "256 KB"),
        ];
        for (place, value, words) in broken {
            let mut line = right();
            *line.pointer_mut(&place).expect("a place") = value;
            let found = problems(&line.to_string());
            assert!(found.iter().any(|problem| problem.contains(words)), "{place}: {found:?}");
        }
        assert!(problems("metrics").iter().any(|problem| problem.contains("no JSON object")));
    }
}
