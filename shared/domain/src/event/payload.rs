//! Checks an event's `data` against the JSON Schema of its type. `data` is only checked and never rebuilt: receivers
//! get the producer's own bytes, with every extra field. The schema does not look at extra fields, so the check
//! does not keep them: once parsed, they can take a hundred times the memory of their text.

use std::collections::BTreeMap;
use std::sync::LazyLock;

use serde_json::Value;

use super::event_type::EventType;
use super::fault::Fault;
use super::schema::Schema;
use crate::value::json;
use crate::value::known::Known;
use crate::value::place::Place;

/// How many faults are reported at once.
const MAX_FAULTS: usize = 5;

/// Checks `data` against its event type. Reports at most five faults, sorted by their pointers.
pub fn check(event_type: EventType, data: &str) -> Result<(), Vec<Fault>> {
    let Some((schema, known)) = SCHEMAS.get(&event_type) else {
        let reason = format!("the catalogue's schema of {event_type} cannot be used");
        return Err(vec![Fault::new(Place::of("data"), reason)]);
    };
    let data = read(data, known).map_err(|fault| vec![fault])?;
    let mut faults = schema.faults(&data);
    if faults.is_empty() {
        return Ok(());
    }
    faults.sort_by_key(|fault| fault.place.pointer());
    faults.truncate(MAX_FAULTS);
    Err(faults)
}

/// The fields of `data` that the catalogue describes. This does not fail for an event that was checked.
pub fn described(event_type: EventType, data: &str) -> serde_json::Result<Value> {
    match SCHEMAS.get(&event_type) {
        Some((_, known)) => known.read(data).or_else(|_| json::value(data)),
        None => json::value(data),
    }
}

/// The catalogue's schemas, with the fields that each looks at. They are read when the first event is checked. A schema that
/// cannot be read is left out, so that it does not break the other types; the tests fail for it.
static SCHEMAS: LazyLock<BTreeMap<EventType, (Schema, Known)>> = LazyLock::new(|| {
    let schema = |event_type: EventType| serde_json::from_str::<Schema>(event_type.schema().get()).ok();
    let both = |schema: Schema| {
        let known = schema.known();
        (schema, known)
    };
    EventType::all().filter_map(|t| schema(t).map(|schema| (t, both(schema)))).collect()
});

/// The fields of `data` that the schema looks at. Repeated keys were refused before. If these fields cannot be read, all of
/// `data` is read, so that the reason is the same as for a complete read.
fn read(data: &str, known: &Known) -> Result<Value, Fault> {
    known.read(data).or_else(|_| json::value(data)).map_err(|error| {
        // This happens only with JSON that no reader can read, such as one half of a surrogate pair.
        let mut again = serde_json::Deserializer::from_str(data);
        let place = serde_path_to_error::deserialize::<_, Value>(&mut again).err();
        let place = place.map_or_else(Place::default, |error| Place::from(error.path()));
        Fault::new(place.within(Place::of("data")), json::reason(&error))
    })
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn event_type(name: &str) -> EventType {
        name.parse().expect("a type")
    }

    fn sync_run() -> Value {
        let sample = event_type("sync_run.completed").sample(Some("failed")).expect("a sample");
        serde_json::from_str(sample.data.get()).expect("JSON")
    }

    fn detail(event_type: EventType, data: &str) -> Result<(), String> {
        let line = |fault: &Fault| format!("{}: {}", fault.place, fault.reason);
        check(event_type, data).map_err(|faults| faults.iter().map(line).collect::<Vec<_>>().join("; "))
    }

    #[track_caller]
    fn check_text(data: &str, expected: Result<(), &str>) {
        assert_eq!(detail(event_type("sync_run.completed"), data), expected.map_err(str::to_owned));
    }

    #[track_caller]
    fn check_sync_run(change: impl FnOnce(&mut Value), expected: Result<(), &str>) {
        let mut data = sync_run();
        change(&mut data);
        check_text(&data.to_string(), expected);
    }

    #[test]
    fn data_is_checked_field_by_field() {
        const TIME: &str = "must be an RFC 3339 time of 1970 or later, such as 2026-11-23T09:30:00Z";
        check_sync_run(|_| {}, Ok(()));
        check_sync_run(|d| d["extra"] = json!({"anything": [1, "two", -3, 0.5, true, null]}), Ok(()));
        check_sync_run(|d| d["connection"]["extra"] = json!(1), Ok(()));
        check_sync_run(|d| d["error"] = Value::Null, Ok(()));
        check_sync_run(
            |d| d["status"] = json!("done"),
            Err(r#"data.status: must be one of "succeeded", "failed", "partial""#),
        );
        check_sync_run(|d| d["duration_ms"] = json!(-1), Err("data.duration_ms: must be at least 0"));
        check_sync_run(
            |d| d["duration_ms"] = json!(1u64 << 53),
            Err("data.duration_ms: must be at most 9007199254740991"),
        );
        check_sync_run(|d| d["duration_ms"] = json!(1.5), Err("data.duration_ms: must be of type integer, not number"));
        check_sync_run(
            |d| d["records"]["read"] = json!("1"),
            Err("data.records.read: must be of type integer, not string"),
        );
        check_sync_run(|d| d["completed_at"] = json!("noon"), Err(&format!("data.completed_at: {TIME}")));
        check_sync_run(|d| d["next_run_at"] = json!("1969-12-31T23:59:59Z"), Err(&format!("data.next_run_at: {TIME}")));
        check_sync_run(
            |d| d["connection"] = json!(["xero", "Xero", "xero"]),
            Err("data.connection: must be of type object, not array"),
        );
        check_sync_run(|d| d["error"] = json!({"code": "x"}), Err("data.error: missing fields `message`, `retryable`"));
        check_sync_run(|d| d["error"] = json!("x"), Err("data.error: must be of type null or object, not string"));
        check_sync_run(|d| *d = json!([]), Err("data: must be of type object, not array"));
        check_sync_run(|d| *d = Value::Null, Err("data: must be of type object, not null"));
    }

    #[test]
    fn the_catalogues_schemas_look_at_what_they_describe_and_at_nothing_else() {
        fn check(event_type: EventType, schema: &Value) {
            assert!(schema.get("maxItems").is_none() || schema.get("items").is_some(), "{event_type}");
            let required = schema["required"].as_array().into_iter().flatten().filter_map(Value::as_str);
            required.for_each(|name| assert!(schema["properties"][name].is_object(), "{event_type}: {name}"));
            schema["properties"].as_object().into_iter().flatten().for_each(|(_, of)| check(event_type, of));
            schema.get("items").into_iter().for_each(|of| check(event_type, of));
        }
        for event_type in EventType::all() {
            assert!(SCHEMAS.contains_key(&event_type), "{event_type}: teach `Schema` its keywords");
            check(event_type, &serde_json::from_str(event_type.schema().get()).expect("JSON"));
        }
    }

    #[test]
    fn what_the_catalogue_describes_is_read_without_the_rest() {
        let mut data = sync_run();
        let described = |data: &Value| described(event_type("sync_run.completed"), &data.to_string()).expect("JSON");
        assert_eq!(described(&data), data);
        let expected = data.clone();
        data["more"] = json!([{ "a": 1 }]);
        data["connection"]["more"] = json!(1);
        assert_eq!(described(&data), expected);
    }

    #[test]
    fn several_faults_are_told_at_once_but_not_many() {
        check_sync_run(
            |d| {
                d["run_id"] = json!(7);
                d["endpoint"] = json!({"id": "invoices", "name": "Invoices"});
            },
            Err("data.endpoint: missing field `table`; data.run_id: must be of type string, not number"),
        );
        check_sync_run(
            |d| d.as_object_mut().expect("an object").values_mut().for_each(|value| *value = json!(true)),
            Err(concat!(
                "data.completed_at: must be of type string, not boolean; ",
                "data.connection: must be of type object, not boolean; ",
                "data.duration_ms: must be of type integer, not boolean; ",
                "data.endpoint: must be of type object, not boolean; ",
                "data.error: must be of type null or object, not boolean"
            )),
        );
    }

    #[test]
    fn every_field_is_required_even_those_that_may_be_null() {
        for field in sync_run().as_object().expect("an object").keys() {
            let expected = format!("data: missing field `{field}`");
            check_sync_run(
                |d| {
                    d.as_object_mut().expect("an object").remove(field);
                },
                Err(&expected),
            );
        }
    }

    #[test]
    fn what_a_reader_could_not_take_is_refused() {
        let changed = |from: &str, to: &str| sync_run().to_string().replacen(from, to, 1);
        let surrogate = detail(event_type("sync_run.completed"), &changed("Invoices", r"\ud800"));
        assert!(surrogate.as_ref().is_err_and(|e| e.starts_with("data.endpoint.name: ")), "{surrogate:?}");
        let nested = |levels| {
            json!({"extra": 1}).to_string().replace('1', &format!("{}{}", "[".repeat(levels), "]".repeat(levels)))
        };
        let deep = |levels| {
            detail(
                event_type("sync_run.completed"),
                &changed("{", &format!("{},", nested(levels).trim_end_matches('}'))),
            )
        };
        assert_eq!(deep(126), Ok(()));
        assert!(deep(127).is_err_and(|e| e.contains("recursion limit exceeded")));
    }

    #[test]
    fn an_insight_names_its_insight_and_what_was_written() {
        let mut data = sync_run();
        data["insight"] = json!({"id": "cash-flow", "name": "Cash flow"});
        data["records"] = json!({"written": 12});
        let insight = event_type("insight_population.completed");
        assert_eq!(detail(insight, &data.to_string()), Ok(()));
        data["records"] = json!({"read": 12});
        assert_eq!(detail(insight, &data.to_string()), Err("data.records: missing field `written`".to_owned()));
    }
}
