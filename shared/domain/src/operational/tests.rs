//! Notices are valid, always the same, and contain nothing that others may not see.

use std::collections::BTreeSet;
use std::time::Duration;

use serde_json::value::RawValue;

use super::*;
use crate::attempt::Attempt;
use crate::attempt::Outcome;
use crate::delivery::{Delivery, DeliveryRecord, End, Exhaustion, Held};
use crate::destination::Health;
use crate::event::Event;

const NOW_MS: u64 = 1_795_426_200_000;

fn at(seconds: u64) -> Timestamp {
    Timestamp::from_unix_ms(NOW_MS + seconds * 1_000)
}

/// Its URL contains secrets.
fn destination() -> Destination {
    let settings = r#"{"name":"Büro \"7\"\uffff","url":"https://hooks.example:8443/t0ken/x?key=t0ken"}"#;
    Destination {
        id: DestinationId::from_entropy([1; 10]),
        account: "a".repeat(64).parse().expect("an account"),
        settings: serde_json::from_str(settings).expect("settings"),
        secrets: Vec::new(),
        created_at: at(0),
        updated_at: at(0),
        version: 1,
        health: Health::default(),
    }
}

fn change(to: ChangedTo) -> HealthChange {
    HealthChange { to, at: at(100), failing_since: at(40), failures: 5, by_operational: false }
}

const CHANGES: [ChangedTo; 4] = [ChangedTo::Failing, ChangedTo::Recovered, ChangedTo::Gone, ChangedTo::GivenUp];

fn given_up_at(why: Exhaustion, tell_at: Timestamp) -> Held {
    Held::Ended { how: End::Exhausted(why), tell_at: Some(tell_at) }
}

fn record(attempts: u32) -> DeliveryRecord {
    let event = Event {
        id: "evt-1".parse().expect("an id"),
        event_type: "sync_run.completed".parse().expect("a type"),
        account: destination().account,
        scope: "connection/xero/endpoint/invoices".parse().expect("a scope"),
        occurred_at: at(0),
        data: RawValue::from_string(r#"{"x":"t0ken"}"#.into()).expect("JSON"),
        traceparent: None,
    };
    let attempt = |number| Attempt {
        number,
        at: at(u64::from(number)),
        took: Duration::from_millis(12),
        outcome: Outcome::from_answer(503, None, "t0ken".into()),
        probe: false,
    };
    DeliveryRecord {
        delivery: Delivery::of_event(&event, destination().id, None),
        held: given_up_at(Exhaustion::Schedule, at(200)),
        attempts: (1..=attempts).map(attempt).collect::<Vec<_>>().into(),
        recovered_by_audit: false,
        expires_at: at(1_000),
    }
}

fn about_to_expire() -> Expiring {
    let named = vec![record(0).delivery.id];
    Expiring { at: at(100), first_at: at(86_500), count: 1, more: false, named, operational: false }
}

fn notices() -> Vec<Notice> {
    let changes = CHANGES.map(|to| changed(&destination(), &change(to)));
    let given_up = [record(0), record(10)].map(|record| exhausted(&record, Some(&destination())));
    let deleted = [exhausted(&record(3), None)];
    let soon = [expiring(&destination(), &about_to_expire())];
    changes.into_iter().chain(given_up).chain(deleted).chain(soon).collect()
}

#[test]
fn every_event_is_one_of_the_catalogue_and_valid() {
    let mut made = BTreeSet::new();
    for notice in notices() {
        let event = notice.event.expect("an event");
        let read = Event::parse(&event.text(), at(300)).map_err(|rejection| rejection.detail).expect("valid");
        assert!(read.event_type.is_operational());
        assert_eq!((read.id.clone(), read.account, read.scope), (event.id(), event.account, Scope::Everything));
        let data: Value = serde_json::from_str(read.data.get()).expect("JSON");
        assert!(is_about(read.event_type, &data, &destination().id));
        made.insert((read.event_type, data["status"].as_str().expect("a status").to_owned()));
    }
    let catalogue = EventType::all().filter(|t| t.is_operational());
    let catalogue = catalogue.flat_map(|t| t.statuses().map(move |status| (t, status.to_owned())));
    assert_eq!(made, catalogue.collect());
}

#[test]
fn the_samples_have_the_fields_of_what_is_sent() {
    for event in notices().into_iter().filter_map(|notice| notice.event) {
        let event_type: EventType = event.event_type.parse().expect("a type");
        let data: Value = serde_json::from_str(&event.data).expect("JSON");
        let sample = event_type.sample(data["status"].as_str()).expect("a sample");
        let sample: Value = serde_json::from_str(sample.data.get()).expect("JSON");
        let names = |value: &Value| value.as_object().expect("an object").keys().cloned().collect::<BTreeSet<_>>();
        assert_eq!(names(&data), names(&sample), "{event_type}");
    }
}

#[test]
fn what_happened_once_is_the_same_event_and_every_part_makes_it_another() {
    let id =
        |destination: &Destination, change: &HealthChange| changed(destination, change).event.expect("an event").id();
    let (known, happened) = (destination(), change(ChangedTo::Failing));
    let base = id(&known, &happened);
    assert_eq!(base, id(&known, &happened));
    assert!(base.as_str().starts_with("evt_destination-failing_") && base.as_str().len() <= 128);
    assert_eq!(base.as_str().parse(), Ok(base.clone()));
    let mut renamed = known.clone();
    renamed.settings.name = "Other".to_owned().try_into().expect("a name");
    let other_account = Destination { account: "b".parse().expect("an account"), ..known.clone() };
    let other = Destination { id: DestinationId::from_entropy([2; 10]), ..known.clone() };
    for different in [
        id(&known, &change(ChangedTo::Recovered)),
        id(&known, &HealthChange { at: at(101), ..happened }),
        id(&known, &HealthChange { failing_since: at(41), ..happened }),
        id(&renamed, &happened),
        id(&other_account, &happened),
        id(&other, &happened),
    ] {
        assert_ne!(different, base);
    }
    // A report that failed and is looked at again later is the same event.
    let again = record(10).told(Some(at(500)));
    assert_eq!(exhausted(&again, None).event, exhausted(&record(10), None).event);
}

#[test]
fn what_an_operational_event_brought_about_is_told_to_people_only() {
    for to in CHANGES {
        let by_operational = HealthChange { by_operational: true, ..change(to) };
        let (told, usual) = (changed(&destination(), &by_operational), changed(&destination(), &change(to)));
        assert_eq!((told.event, told.alert), (None, usual.alert));
    }
    let by_operational = Expiring { operational: true, ..about_to_expire() };
    assert_eq!(expiring(&destination(), &by_operational).event, None);
    let mut record = record(10);
    record.delivery.event_type = "delivery.exhausted".parse().expect("a type");
    assert_eq!(exhausted(&record, Some(&destination())).event, None);
}

fn reason(event: &OwnEvent) -> String {
    let data: Value = serde_json::from_str(&event.data).expect("JSON");
    data["reason"].as_str().expect("text").to_owned()
}

#[test]
fn one_whose_event_was_forgotten_was_given_up_then_and_says_so() {
    let event = |record: &DeliveryRecord| exhausted(record, None).event.expect("an event");
    assert_eq!(event(&record(2)).occurred_at, Timestamp::from_unix_ms(NOW_MS + 2_012));
    assert_eq!(reason(&event(&record(2))), "the last attempt of its schedule failed");
    for attempts in [0, 2] {
        let late = record(attempts).held(given_up_at(Exhaustion::Expired { at: at(86_500) }, at(86_500)));
        assert_eq!(event(&late).occurred_at, at(86_500));
        assert!(reason(&event(&late)).contains("not kept any more"));
        // A report that failed and is looked at again later is the same event.
        assert_eq!(event(&late.told(Some(at(90_000)))), event(&late));
    }
}

#[test]
fn nothing_secret_is_told_to_anybody() {
    for notice in notices() {
        let told = format!("{:?}", notice.alert) + &notice.event.expect("an event").text();
        assert!(!told.contains("t0ken") && !told.contains("8443"), "{told}");
        assert!(told.contains("hooks.example") || told.contains("which was deleted"), "{told}");
    }
}

#[test]
fn an_alert_has_a_subject_that_is_taken_and_says_what_to_do() {
    for Notice { alert, event } in notices() {
        let event = event.expect("an event");
        let taken = |text: &str| !text.contains(['\u{FFFE}', '\u{FFFF}']);
        assert!(taken(&alert.text) && taken(&event.text()));
        assert!(alert.subject.len() <= alert::MAX_SUBJECT && alert.subject.is_ascii(), "{}", alert.subject);
        assert!(alert.subject.contains(destination().id.as_str()), "{}", alert.subject);
        assert!(alert.text.contains("\n\nTo do: ") && alert.text.contains(destination().account.as_str()));
        assert_eq!((alert.event_type, &alert.account), (event.event_type, &event.account));
        assert_eq!(alert.destination, destination().id);
    }
    let gone = changed(&destination(), &change(ChangedTo::Gone)).alert;
    assert!(gone.subject.starts_with("SyncHub: destination disabled: dst_"), "{}", gone.subject);
    let name = format!("Destination \"Büro \"7\"\u{FFFD}\" ({}, at hooks.example) of account a", destination().id);
    assert!(gone.text.starts_with(&name), "{}", gone.text);
    assert!(gone.text.contains("it answered 410 Gone.") && gone.text.contains("/resume"), "{}", gone.text);
}
