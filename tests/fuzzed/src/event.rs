//! `event`: the text of a message that a producer pushed.

use std::collections::BTreeSet;

use domain::event::rejected_event::KEPT_BYTES;
use domain::event::{Event, MAX_EVENT_BYTES, RejectedEvent, Rejection, SeenScope, envelope, payload};
use domain::routing::{AwaitedRun, Grace, Run};
use domain::value::keys::check_keys;
use domain::value::{json, without_secrets};
use serde_json::{Value, json};

use crate::input::{depth, is_part, now, text};
use crate::json::has_a_key_twice;

pub(crate) fn check(input: &[u8]) {
    let Some(text) = text(input) else { return };
    match Event::parse(text, now()) {
        Ok(event) => accepted(text, &event),
        Err(rejection) => refused(text, &rejection),
    }
}

fn accepted(text: &str, event: &Event) {
    assert!(text.len() <= MAX_EVENT_BYTES && text.contains(event.data.get()));
    assert!(check_keys(text).is_ok() && has_a_key_twice(text) != Some(true));
    assert!(event.event_type.happens_at(&event.scope));
    // Receivers get the producer's bytes, in JSON that a reader can read.
    let body = envelope::build(event).expect("a body");
    assert_eq!(envelope::data_of(body.get()).expect("data").get(), event.data.get());
    // The same event in our own words is the same event.
    let written = json!({
        "id": event.id, "type": event.event_type, "account": event.account, "scope": event.scope,
        "occurred_at": event.occurred_at, "data": null
    });
    let written = written.to_string().replace(":null", &format!(":{}", event.data.get()));
    if written.len() <= MAX_EVENT_BYTES {
        let again = Event::parse(&written, now()).map_err(|rejection| rejection.detail).expect("the same event");
        assert_eq!(envelope::build(&again).expect("a body").get(), body.get());
    }
    let described = payload::described(event.event_type, event.data.get()).expect("data that was checked");
    let whole = json::value(event.data.get()).expect("data that was checked");
    assert!(is_part(&described, &whole), "{described} of {whole}");
    // The body is one level deeper than its data.
    assert!(json::value(body.get()).is_ok() || depth(&whole) == 127, "receivers cannot read it");
    noted(event, &described);
}

/// What is noted of an event besides its deliveries.
fn noted(event: &Event, data: &Value) {
    if let Some(seen) = SeenScope::of_event(event, now()) {
        assert!(seen.connection_name.chars().count() <= 128 && seen.service.chars().count() <= 128);
        if let Some(name) = data["connection"]["name"].as_str() {
            assert!(name.starts_with(&seen.connection_name), "{name} is noted as {}", seen.connection_name);
        }
    }
    let _ = Run::of_event(&event.id, data);
    let grace: Grace = serde_json::from_value(json!(60)).expect("a grace");
    if let Some(awaited) = AwaitedRun::after(event, data, grace, now()) {
        let (missed, _) = awaited.missed(&BTreeSet::from([grace]), now());
        for own in missed {
            json::read(&own.data).expect("data of ours");
        }
    }
}

fn refused(text: &str, rejection: &Rejection) {
    assert!(rejection.detail.chars().count() <= 1_300, "{}", rejection.detail.len());
    assert!(rejection.pointer.len() <= 1_000 && rejection.detail.ends_with(rejection.reason()));
    assert_eq!(without_secrets(&rejection.detail), rejection.detail);
    if let Ok(value) = json::value(text)
        && !rejection.pointer.contains('…')
        && check_keys(text).is_ok()
    {
        assert!(value.pointer(&rejection.pointer).is_some(), "{} points nowhere", rejection.pointer);
    }
    let noted = RejectedEvent::new(text, now(), rejection, now());
    assert!(noted.detail.len() <= 1_000 && RejectedEvent::kept(text).len() <= KEPT_BYTES);
    assert_eq!(noted.id.sent_at(), now());
}
