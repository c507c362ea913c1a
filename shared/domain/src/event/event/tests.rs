//! How events are parsed, and how they are refused.

use serde_json::{Value, json};

use super::*;

fn now() -> Timestamp {
    Timestamp::parse("2026-11-23T09:30:00Z").expect("a time")
}

fn insight() -> Value {
    json!({
        "id": "evt-1", "type": "insight_population.completed", "account": "acme",
        "scope": "connection/xero/insight/cash-flow", "occurred_at": "2026-11-23T09:29:00Z",
        "data": {
            "run_id": "run_1", "connection": {"id": "xero", "name": "Xero", "service": "xero"},
            "insight": {"id": "cash-flow", "name": "Cash flow"}, "status": "succeeded",
            "started_at": "2026-11-23T09:28:00Z", "completed_at": "2026-11-23T09:29:00Z", "duration_ms": 60000,
            "records": {"written": 3}, "error": null, "next_run_at": "2026-11-23T10:28:00Z"
        }
    })
}

#[track_caller]
fn check(text: &str, code: RejectionCode, detail: &str) {
    match Event::parse(text, now()) {
        Ok(event) => panic!("{event:?} was accepted"),
        Err(rejection) => {
            assert_eq!(rejection.code, code, "{}", rejection.detail);
            assert!(rejection.detail.contains(detail), "{:?} has no {detail:?}", rejection.detail);
        }
    }
}

#[track_caller]
fn check_changed(field: &str, value: Value, code: RejectionCode, detail: &str) {
    let mut event = insight();
    event[field] = value;
    check(&event.to_string(), code, detail);
}

#[test]
fn a_valid_event_keeps_the_bytes_of_its_data() {
    let text =
        insight().to_string().replacen(r#""records":{"written":3}"#, r#""records" : { "written":3 , "é":"é" }"#, 1);
    let event = Event::parse(&text, now()).expect("valid");
    assert!(text.contains(event.data.get()));
    assert!(event.data.get().contains(r#""records" : { "written":3 , "é":"é" }"#));
    assert_eq!(event.id.as_str(), "evt-1");
}

#[test]
fn a_refusal_names_the_field_and_the_reason() {
    use RejectionCode::*;
    check("", MalformedJson, "not valid JSON");
    check("{", MalformedJson, "not valid JSON");
    check(&format!("{} x", insight()), MalformedJson, "trailing characters");
    check("[]", InvalidEvent, "must be a JSON object");
    check("{}", InvalidEvent, "missing field `id`");
    check_changed("id", json!("run.7"), InvalidEvent, "id: character '.' is not allowed");
    check_changed("id", json!(7), InvalidEvent, "id: invalid type: integer");
    check_changed("account", json!(""), InvalidEvent, "account: must have 1 to 64 characters");
    check_changed("type", json!("sync_run.exploded"), UnknownEventType, "type: unknown event type");
    check_changed("scope", json!("xero"), InvalidEvent, "scope: must be `*`");
    check_changed("scope", json!("*"), InvalidEvent, "scope: insight_population.completed events have the scope");
    check_changed("occurred_at", json!("2016-11-23T09:29:00Z"), OccurredAtOutOfRange, "occurred_at: 2016");
    check_changed(
        "occurred_at",
        json!("2036-11-23T09:29:00Z"),
        OccurredAtOutOfRange,
        "an hour after the event was sent",
    );
    check_changed("data", json!([]), InvalidEvent, "data: ");
    check_changed("data", Value::Null, InvalidEvent, "data: ");
    check_changed("occured_at", json!(1), InvalidEvent, "unknown field `occured_at`");
    check_changed("data", json!({"run_id": 1}), InvalidEvent, "data: missing fields `connection`");
    check_changed("data", json!({"run_id": 1}), InvalidEvent, "; data.run_id: must be of type string, not number");
}

#[test]
fn every_sample_is_a_valid_event() {
    for event_type in EventType::all() {
        for status in event_type.statuses() {
            let account = "acme".parse().expect("an account");
            let event = Event::sample(event_type, Some(status), account, now()).expect("a sample");
            let text = json!({
                "id": event.id, "type": event_type, "account": event.account, "scope": event.scope,
                "occurred_at": event.occurred_at, "data": event.data
            });
            let read = Event::parse(&text.to_string(), now()).map_err(|rejection| rejection.detail);
            assert!(read.is_ok(), "{event_type} {status}: {read:?}");
        }
    }
}

#[track_caller]
fn check_pointer(change: impl FnOnce(&mut Value), pointer: &str, reason: &str) {
    let mut event = insight();
    change(&mut event);
    let rejection = Event::parse(&event.to_string(), now()).expect_err("a rejection");
    assert_eq!(rejection.pointer, pointer);
    assert!(rejection.reason().starts_with(reason), "{}", rejection.reason());
}

#[test]
fn a_refusal_points_at_the_field() {
    check_pointer(|e| e["type"] = json!("x"), "/type", "unknown event type \"x\"");
    check_pointer(|e| e["scope"] = json!("*"), "/scope", "insight_population.completed events have");
    check_pointer(|e| e["occurred_at"] = json!("2016-11-23T09:29:00Z"), "/occurred_at", "2016-11-23T");
    check_pointer(|e| e["occurred_at"] = json!("noon"), "/occurred_at", "must be an RFC 3339 time");
    check_pointer(|e| e["data"] = json!([]), "/data", "");
    check_pointer(
        |e| e["data"]["records"]["written"] = json!("3"),
        "/data/records/written",
        "must be of type integer, not string",
    );
    check_pointer(|e| e["extra"] = json!(1), "/extra", "unknown field `extra`");
    check_pointer(|e| e["a.b/c~d"] = json!(1), "/a.b~1c~0d", "unknown field `a.b/c~d`");
    check_pointer(|e| e["x: y"] = json!(1), "/x: y", "unknown field `x: y`");
    check_pointer(|e| e["id"] = json!(""), "/id", "must have 1 to 128 characters");
}

#[test]
fn a_refusal_repeats_nothing_that_was_sent() {
    let payload = "hunter2 ".repeat(1_000);
    let twice = json!(insight().to_string()).to_string();
    check(&twice, RejectionCode::InvalidEvent, "must be a JSON object, not a string");
    let mut events = vec![twice, json!(payload).to_string(), json!([payload]).to_string(), format!("{payload}{{")];
    for field in ["id", "type", "account", "scope", "occurred_at", "data"] {
        for value in [json!(payload), json!({ "a": payload }), json!([payload])] {
            let mut event = insight();
            event[field] = value;
            events.push(event.to_string());
        }
    }
    for field in ["run_id", "status", "started_at", "duration_ms", "connection", "records", "error"] {
        for value in [json!([payload]), json!({ "a": payload }), json!(payload)] {
            let mut event = insight();
            event["data"][field] = value;
            events.push(event.to_string());
        }
    }
    let refused = events.iter().filter_map(|text| Event::parse(text, now()).err()).collect::<Vec<_>>();
    assert!(refused.len() > 20, "{}", refused.len());
    for rejection in refused {
        assert!(rejection.detail.matches("hunter2").count() < 14, "{}", rejection.detail);
        assert!(rejection.detail.chars().count() < 1_300, "{}", rejection.detail);
    }
    for key in
        [&format!("{payload}whk_acme.0123.hidden"), "whsec_hiddenMfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw", "whk_a.b.hidden"]
    {
        let mut event = insight();
        event[key] = json!(1);
        let rejection = Event::parse(&event.to_string(), now()).expect_err("a rejection");
        assert!(rejection.detail.contains("unknown field"), "{}", rejection.detail);
        assert!(rejection.detail.chars().count() < 1_300, "{}", rejection.detail);
        assert!(!format!("{rejection:?}").contains("hidden"), "{rejection:?}");
    }
}

#[test]
fn a_key_that_comes_twice_is_refused_wherever_it_is() {
    let text = insight().to_string();
    for (from, to, pointer) in [
        (r#""id":"evt-1""#, r#""id":"evt-1","id":"evt-1""#, "/id"),
        (r#""written":3"#, r#""written":3,"written":3"#, "/data/records/written"),
        (r#""written":3"#, r#""written":3,"more":[{"a.b/c":{"d":1,"d":1}}]"#, "/data/records/more/0/a.b~1c/d"),
    ] {
        let rejection = Event::parse(&text.replacen(from, to, 1), now()).expect_err("a rejection");
        assert_eq!((rejection.code, rejection.pointer.as_str()), (RejectionCode::InvalidEvent, pointer));
        assert!(rejection.reason().ends_with("is there twice; give it once"), "{}", rejection.detail);
    }
}

/// `data` may have 127 levels, and the event adds one: `serde_json` cannot read an event of that depth in one go.
#[test]
fn a_key_that_comes_twice_below_the_deepest_place_is_refused() {
    let parse = |levels: usize, after: &str| {
        // `data` itself is one level.
        let deep = format!(r#""data":{{"extra":{}{},{after}"#, "[".repeat(levels - 1), "]".repeat(levels - 1));
        Event::parse(&insight().to_string().replacen(r#""data":{"#, &deep, 1), now())
    };
    for levels in [125, 126, 127] {
        assert!(parse(levels, "").is_ok(), "{levels}");
        for (twice, pointer) in [(r#""more":1,"more":2,"#, "/data/more"), (r#""run_id":"a","#, "/data/run_id")] {
            let rejection = parse(levels, twice).expect_err("a rejection");
            assert_eq!((rejection.pointer.as_str(), rejection.reason()), (pointer, "is there twice; give it once"));
        }
    }
    for (levels, reason) in [(128, "recursion limit exceeded"), (255, "recursion limit exceeded"), (256, "too deep")] {
        let rejection = parse(levels, "").expect_err("a rejection");
        assert_eq!(rejection.code, RejectionCode::InvalidEvent);
        assert!(rejection.pointer.starts_with("/data/extra/0/0/0"), "{}", rejection.pointer);
        assert!(rejection.reason().contains(reason), "{levels}: {}", rejection.reason());
    }
}

#[test]
fn a_number_of_any_size_is_accepted_and_kept() {
    let numbers = r#"[12345678901234567890123,1.10,1E+2,-0,1e400,-1e-400]"#;
    let text = insight().to_string().replacen(r#""written":3"#, &format!(r#""written":3,"extra":{numbers}"#), 1);
    let event = Event::parse(&text, now()).map_err(|rejection| rejection.detail).expect("valid");
    assert!(event.data.get().contains(numbers));
}

#[test]
fn a_missing_account_is_named() {
    let mut event = insight();
    event.as_object_mut().expect("an object").remove("account");
    check(&event.to_string(), RejectionCode::InvalidEvent, "missing field `account`");
}

#[test]
fn the_size_limit_is_exact() {
    let mut event = insight();
    let overhead = {
        event["data"]["x"] = json!("");
        event.to_string().len()
    };
    event["data"]["x"] = json!("y".repeat(MAX_EVENT_BYTES - overhead));
    assert_eq!(event.to_string().len(), MAX_EVENT_BYTES);
    assert!(Event::parse(&event.to_string(), now()).is_ok());
    event["data"]["x"] = json!("y".repeat(MAX_EVENT_BYTES - overhead + 1));
    check(&event.to_string(), RejectionCode::EventTooLarge, "262145 bytes");
}
