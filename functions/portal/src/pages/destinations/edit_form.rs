//! The values in the form of a destination, and the merge patch that they mean.

use serde_json::{Map, Value, json};

use crate::model::Destination;
use crate::model::faults::{Faults, UNREADABLE};
use crate::web::fields::Fields;

/// The settings as text, as they are in the form.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Typed {
    pub name: String,
    pub url: String,
    pub description: String,
    /// One line for each header: `name: value`.
    pub headers: String,
    pub timeout_seconds: String,
    pub rate_limit: String,
    /// The name of a retry policy, or `own`.
    pub retry: String,
    /// The waits of an own policy, in seconds.
    pub waits: String,
}

impl From<&Destination> for Typed {
    fn from(destination: &Destination) -> Self {
        let (retry, waits) = match &destination.retry_policy {
            Value::Array(waits) => {
                ("own".to_owned(), waits.iter().map(Value::to_string).collect::<Vec<_>>().join(", "))
            }
            Value::String(name) => (name.clone(), String::new()),
            _ => Default::default(),
        };
        Self {
            name: destination.name.clone(),
            url: destination.url.clone(),
            description: destination.description.clone(),
            headers: destination.header_lines().join("\n"),
            timeout_seconds: destination.timeout_seconds.to_string(),
            rate_limit: destination.rate_limit.map(|limit| limit.to_string()).unwrap_or_default(),
            retry,
            waits,
        }
    }
}

impl From<&Fields> for Typed {
    fn from(fields: &Fields) -> Self {
        // Browsers send line breaks as CR and LF.
        let get = |name| fields.get(name).replace('\r', "");
        Self {
            name: get("name"),
            url: get("url"),
            description: get("description"),
            headers: get("headers"),
            timeout_seconds: get("timeout_seconds"),
            rate_limit: get("rate_limit"),
            retry: get("retry"),
            waits: get("waits"),
        }
    }
}

impl Typed {
    /// The text for a field of the API's body.
    pub fn get(&self, field: &str) -> &str {
        match field {
            "name" => &self.name,
            "url" => &self.url,
            "description" => &self.description,
            "headers" => &self.headers,
            "timeout_seconds" => &self.timeout_seconds,
            "rate_limit" => &self.rate_limit,
            "retry_policy" if self.retry == "own" => &self.waits,
            "retry_policy" => &self.retry,
            _ => "",
        }
    }

    /// The merge patch that gives the destination these settings, and the faults that prevent it: with any, the API refuses the
    /// patch.
    pub fn patch(&self, now: &Destination) -> (Value, Faults) {
        let mut faults = Faults::default();
        let patch = json!({
            "name": self.name,
            "url": self.url,
            "description": self.description,
            "headers": self.header_patch(now, &mut faults),
            "timeout_seconds": faults.number("timeout_seconds", &self.timeout_seconds),
            "rate_limit": faults.number("rate_limit", &self.rate_limit),
            "retry_policy": self.retry_policy(&mut faults),
        });
        (patch, faults)
    }

    /// The typed headers, and `null` for those that were removed.
    fn header_patch(&self, now: &Destination, faults: &mut Faults) -> Value {
        let (mut patch, before) = (Map::new(), faults.count());
        for (number, line) in (1..).zip(self.headers.lines()).filter(|(_, line)| !line.trim().is_empty()) {
            let Some((name, value)) = line.split_once(':') else {
                faults.add("headers", format!("line {number}: write a header as `name: value`"));
                continue;
            };
            let name = name.trim().to_ascii_lowercase();
            if patch.insert(name.clone(), json!(value.trim())).is_some() {
                faults.add("headers", format!("line {number}: {name:?} is there twice"));
            }
        }
        for name in now.headers.keys() {
            patch.entry(name.clone()).or_insert(Value::Null);
        }
        if faults.count() == before { Value::Object(patch) } else { UNREADABLE }
    }

    fn retry_policy(&self, faults: &mut Faults) -> Value {
        if self.retry != "own" {
            return json!(self.retry);
        }
        let waits = self.waits.split([',', ' ', '\n', ';']).filter(|wait| !wait.is_empty());
        let waits = (1..).zip(waits).map(|(number, wait)| match wait.parse::<u64>() {
            Ok(seconds) => json!(seconds),
            Err(_) => {
                faults.add("retry_policy", format!("number {number}: must be a whole number of seconds"));
                UNREADABLE
            }
        });
        waits.collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn destination() -> Destination {
        serde_json::from_value(json!({
            "id": "dst_3nsbni63mt516r6t", "name": "d", "url": "https://example.com/", "description": "",
            "headers": {"x-team": "data", "x-old": "1"}, "paused": false, "timeout_seconds": 15, "rate_limit": null,
            "retry_policy": [10, 60], "health": "healthy", "failing_since": null, "next_probe_at": null, "held_until": null,
            "disabled_reason": null, "draining": false, "secrets": [], "created_at": "2026-11-23T09:30:00.000Z"
        }))
        .expect("a destination")
    }

    #[track_caller]
    fn check(typed: &Typed, field: &str, expected: Result<Value, &str>) {
        let (patch, faults) = typed.patch(&destination());
        let fault = faults.at(field);
        assert_eq!(fault.map_or_else(|| Ok(patch[field].clone()), Err), expected);
    }

    #[track_caller]
    fn check_headers(typed: &str, expected: Result<Value, &str>) {
        let typed = Typed { headers: typed.to_owned(), ..Typed::from(&destination()) };
        check(&typed, "headers", expected);
    }

    #[test]
    fn headers_are_lines_and_those_taken_out_are_null() {
        check_headers("x-team: data\nx-old: 1", Ok(json!({"x-team": "data", "x-old": "1"})));
        check_headers("\n X-Team :a: b \n\nx-new:", Ok(json!({"x-team": "a: b", "x-new": "", "x-old": null})));
        check_headers("", Ok(json!({"x-team": null, "x-old": null})));
        check_headers("x-team: 1\nX-TEAM: 2", Err("line 2: \"x-team\" is there twice"));
        check_headers("x-team: 1\n\nno header", Err("line 3: write a header as `name: value`"));
    }

    #[track_caller]
    fn check_waits(typed: &str, expected: Result<Value, &str>) {
        let typed = Typed { waits: typed.to_owned(), ..Typed::from(&destination()) };
        check(&typed, "retry_policy", expected);
    }

    #[test]
    fn own_waits_are_numbers() {
        check_waits("10, 60;5\n7", Ok(json!([10, 60, 5, 7])));
        check_waits("", Ok(json!([])));
        check_waits("10, 1h", Err("number 2: must be a whole number of seconds"));
    }
}
