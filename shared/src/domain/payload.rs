//! What the `data` of each event type must hold. Only checked, never rebuilt: receivers get the producer's own bytes,
//! with every extra field in them.

use std::collections::HashMap;

use serde::Deserialize;
use serde::de::IgnoredAny;

use super::event_type::EventType;
use super::timestamp::Timestamp;

/// Checks `data` against its event type; the error is `(path, reason)`, the path being dotted and relative to `data`.
pub fn check(event_type: EventType, data: &str) -> Result<(), (String, String)> {
    match event_type {
        EventType::SyncRunCompleted => parse::<SyncRunCompleted>(data),
        EventType::InsightPopulationCompleted => parse::<InsightPopulationCompleted>(data),
    }
}

fn parse<'de, T: Deserialize<'de>>(data: &'de str) -> Result<(), (String, String)> {
    let mut deserializer = serde_json::Deserializer::from_str(data);
    match serde_path_to_error::deserialize::<_, T>(&mut deserializer) {
        Ok(_) => Ok(()),
        Err(error) => Err((error.path().to_string(), error.inner().to_string())),
    }
}

/// A required field that may be `null`: left out, it is an error.
fn nullable<'de, D, T>(deserializer: D) -> Result<Option<T>, D::Error>
where
    D: serde::Deserializer<'de>,
    T: Deserialize<'de>,
{
    Option::deserialize(deserializer)
}

macro_rules! shape {
    ($(#[$doc:meta])* $name:ident { $($(#[$attr:meta])* $field:ident: $type:ty),* $(,)? }) => {
        $(#[$doc])*
        #[derive(Deserialize)]
        #[expect(dead_code, reason = "the fields are checked by being parsed")]
        struct $name {
            $($(#[$attr])* $field: $type,)*
            /// Takes every other field; with it, serde reads the shape from an object only, never from an array.
            #[serde(flatten)]
            other: HashMap<String, IgnoredAny>,
        }
    };
}

shape!(SyncRunCompleted {
    run_id: String,
    connection: Connection,
    endpoint: Endpoint,
    status: Status,
    trigger: Trigger,
    started_at: Timestamp,
    completed_at: Timestamp,
    duration_ms: u64,
    records: SyncedRecords,
    #[serde(deserialize_with = "nullable")]
    error: Option<RunError>,
    #[serde(deserialize_with = "nullable")]
    next_run_at: Option<Timestamp>,
});
shape!(InsightPopulationCompleted {
    run_id: String,
    connection: Connection,
    insight: Insight,
    status: Status,
    started_at: Timestamp,
    completed_at: Timestamp,
    duration_ms: u64,
    records: WrittenRecords,
    #[serde(deserialize_with = "nullable")]
    error: Option<RunError>,
    #[serde(deserialize_with = "nullable")]
    next_run_at: Option<Timestamp>,
});
shape!(Connection { id: String, name: String, service: String });
shape!(Endpoint { id: String, name: String, table: String });
shape!(Insight { id: String, name: String });
shape!(SyncedRecords { read: u64, inserted: u64, updated: u64, deleted: u64 });
shape!(WrittenRecords { written: u64 });
shape!(RunError { code: String, message: String, retryable: bool });

#[derive(Deserialize)]
#[serde(rename_all = "snake_case")]
enum Status {
    Succeeded,
    Failed,
    Partial,
}

#[derive(Deserialize)]
#[serde(rename_all = "snake_case")]
enum Trigger {
    Schedule,
    Manual,
    Backfill,
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    fn sync_run() -> Value {
        json!({
            "run_id": "run_1", "connection": {"id": "xero", "name": "Xero", "service": "xero"},
            "endpoint": {"id": "invoices", "name": "Invoices", "table": "xero_invoices"},
            "status": "failed", "trigger": "schedule",
            "started_at": "2026-11-23T09:00:00Z", "completed_at": "2026-11-23T09:01:00Z", "duration_ms": 60000,
            "records": {"read": 1, "inserted": 1, "updated": 0, "deleted": 0},
            "error": {"code": "timeout", "message": "no answer", "retryable": true}, "next_run_at": null
        })
    }

    #[track_caller]
    fn check_sync_run(change: impl FnOnce(&mut Value), expected: Result<(), (&str, &str)>) {
        let mut data = sync_run();
        change(&mut data);
        let got = check(EventType::SyncRunCompleted, &data.to_string());
        match (got, expected) {
            (Ok(()), Ok(())) => {}
            (Err((path, reason)), Err((wanted_path, wanted))) => {
                assert_eq!(path, wanted_path, "{reason}");
                assert!(reason.contains(wanted), "{reason}");
            }
            (got, expected) => panic!("{got:?} instead of {expected:?}"),
        }
    }

    #[test]
    fn data_is_checked_field_by_field() {
        check_sync_run(|_| {}, Ok(()));
        check_sync_run(|d| d["extra"] = json!({"anything": [1, "two"]}), Ok(()));
        check_sync_run(|d| d["connection"]["extra"] = json!(1), Ok(()));
        check_sync_run(|d| d["error"] = Value::Null, Ok(()));
        check_sync_run(|d| d["status"] = json!("done"), Err(("status", "unknown variant `done`")));
        check_sync_run(|d| d["trigger"] = json!(1), Err(("trigger", "")));
        check_sync_run(|d| d["duration_ms"] = json!(-1), Err(("duration_ms", "invalid value")));
        check_sync_run(|d| d["records"]["read"] = json!("1"), Err(("records.read", "invalid type: string")));
        check_sync_run(|d| d["completed_at"] = json!("noon"), Err(("completed_at", "must be an RFC 3339 time")));
        check_sync_run(
            |d| d["connection"] = json!(["xero", "Xero", "xero"]),
            Err(("connection", "invalid type: sequence")),
        );
        check_sync_run(|d| d["error"] = json!({"code": "x"}), Err(("error", "missing field `message`")));
    }

    #[test]
    fn every_field_is_required_even_those_that_may_be_null() {
        for field in sync_run().as_object().expect("an object").keys() {
            let expected = format!("missing field `{field}`");
            check_sync_run(
                |d| {
                    d.as_object_mut().expect("an object").remove(field);
                },
                Err((".", &expected)),
            );
        }
    }

    #[test]
    fn an_insight_names_its_insight_and_what_was_written() {
        let mut data = sync_run();
        data["insight"] = json!({"id": "cash-flow", "name": "Cash flow"});
        data["records"] = json!({"written": 12});
        assert_eq!(check(EventType::InsightPopulationCompleted, &data.to_string()), Ok(()));
        data["records"] = json!({"read": 12});
        let error = check(EventType::InsightPopulationCompleted, &data.to_string());
        assert_eq!(error.map_err(|(path, _)| path), Err("records".to_owned()));
    }
}
