//! What the forged requests are, and what each answer to them shows.

use serde_json::Value;

use super::*;
use crate::attempt::signature::signature;
use crate::event::{Event, EventType, envelope, payload};
use crate::value::DestinationId;

const NOW: u64 = 1_795_426_200_000;

fn event(event_type: EventType, status: &str) -> Event {
    let account = "acme".parse().expect("an account");
    Event::sample(event_type, Some(status), account, Timestamp::from_unix_ms(NOW)).expect("a sample")
}

#[track_caller]
fn check_altered(body: &str, expected: &str) {
    assert_eq!(altered(body), expected);
}

#[test]
fn the_last_number_is_altered_and_what_only_looks_like_one_is_not() {
    check_altered(r#"{"a":1}"#, r#"{"a":2}"#);
    check_altered(r#"{"a":9}"#, r#"{"a":8}"#);
    check_altered(r#"{"a":10,"b":"7"}"#, r#"{"a":11,"b":"7"}"#);
    check_altered(r#"{"a":0.5,"b":"\u00e9","c\"4":"\\"}"#, r#"{"a":0.6,"b":"\u00e9","c\"4":"\\"}"#);
    check_altered(r#"{"a":-1.5e3,"é":null}"#, r#"{"a":-1.5e4,"é":null}"#);
    check_altered(r#"{"a":"7"}"#, r#"{"a":"7"} "#);
}

#[test]
fn every_sample_altered_is_as_long_and_as_valid_and_says_something_else() {
    for event_type in EventType::all() {
        for status in event_type.statuses() {
            let body = envelope::build_test(&event(event_type, status)).expect("a body");
            let other = altered(body.get());
            let parse = |text: &str| serde_json::from_str::<Value>(text).expect("JSON");
            let (before, after) = (parse(body.get()), parse(&other));
            assert_eq!(body.get().len(), other.len());
            assert_ne!(before["data"], after["data"], "{event_type} {status}");
            assert_eq!(payload::check(event_type, &after["data"].to_string()).map_err(|faults| faults.len()), Ok(()));
        }
    }
}

/// The headers that a receiver verifies with, and whether `secret` verifies the request.
fn verifies(trial: &Trial, secret: &SigningSecret) -> bool {
    let header = |name: &str| {
        let found = trial.request.headers.iter().find(|(n, _)| n == name);
        found.map(|(_, value)| value.clone()).unwrap_or_default()
    };
    let timestamp = header("webhook-timestamp").parse().expect("a time");
    let expected = signature(secret, &header("webhook-id"), timestamp, &trial.request.body);
    header("webhook-signature").split(' ').any(|each| each == expected)
}

#[test]
fn each_forged_request_is_wrong_in_one_thing_only() {
    let destination = r#"{"name":"d","url":"https://example.com/hooks","headers":{"x-team":"data"}}"#;
    let destination = serde_json::from_str(destination).expect("settings");
    let (ours, stranger) = (SigningSecret::from_entropy([1; 32]), SigningSecret::from_entropy([2; 32]));
    let event = event("sync_run.completed".parse().expect("a type"), "failed");
    let body = envelope::build_test(&event).expect("a body");
    let path = Some("/a".to_owned().try_into().expect("a path"));
    let delivery = Delivery::of_test(&event, DestinationId::from_entropy([1; 10]), path, &[7; 15]);
    let sample = Sample { destination: &destination, secrets: std::slice::from_ref(&ours), body: body.get() };
    let now = Timestamp::from_unix_ms(NOW);

    let good = sample.good(&delivery, now);
    assert!(verifies(&good, &ours));
    assert_eq!(good.signed_text, format!("{}.1795426200.{}", delivery.id, body.get()));
    assert_eq!(good.request, sign(&delivery, &destination, body.get(), std::slice::from_ref(&ours), 1, now));
    assert_eq!(good.request.url.to_string(), "https://example.com/hooks/a");

    for (probe, differing) in [
        (Probe::WrongSignature, vec!["webhook-signature"]),
        (Probe::OldTimestamp, vec!["webhook-timestamp", "webhook-signature"]),
        (Probe::AlteredBody, vec![]),
    ] {
        let forged = sample.forged(probe, &delivery, stranger.clone(), now);
        let pairs = forged.request.headers.iter().zip(&good.request.headers);
        let differences: Vec<_> = pairs.filter(|(a, b)| a != b).map(|(a, _)| a.0.as_ref()).collect();
        assert_eq!(differences, differing, "{probe:?}");
        assert_eq!(forged.request.body == good.request.body, probe != Probe::AlteredBody);
        assert_eq!(verifies(&forged, &ours), probe == Probe::OldTimestamp, "{probe:?}");
        assert_eq!(verifies(&forged, &stranger), probe == Probe::WrongSignature, "{probe:?}");
        assert_eq!((&forged.request.url, forged.request.timeout), (&good.request.url, good.request.timeout));
        let at = if probe == Probe::OldTimestamp { 1_795_425_840 } else { 1_795_426_200 };
        assert_eq!(forged.signed_text, signed_text(delivery.id.as_str(), at, body.get()), "{probe:?}");
    }
}

fn answered(status: u16) -> Outcome {
    Outcome::from_answer(status, None, String::new())
}

#[track_caller]
fn check_judged(outcome: &Outcome, passed: bool, detail: &str) {
    for probe in Probe::ALL {
        let judged = Judgement::of(probe, outcome);
        assert_eq!(judged.passed, passed, "{outcome:?}");
        assert!(judged.detail.contains(detail), "{:?} has no {detail:?}", judged.detail);
    }
}

#[test]
fn only_a_4xx_that_is_about_the_request_is_a_refusal() {
    check_judged(&answered(400), true, "answered 400: refused");
    check_judged(&answered(401), true, "answered 401: refused");
    check_judged(&answered(422), true, "answered 422: refused");
    check_judged(&answered(499), true, "answered 499: refused");
    check_judged(&answered(408), false, "says nothing about the signature");
    check_judged(&answered(429), false, "says nothing about the signature");
    check_judged(&answered(200), false, "answered 200: it accepted");
    check_judged(&answered(302), false, "answered 302, which is not a refusal");
    check_judged(&answered(500), false, "answered 500, which is not a refusal");
    check_judged(&Outcome::TimedOut, false, "did not answer in time");
    check_judged(&Outcome::Unreachable { reason: "reset".into() }, false, "(reset)");
    check_judged(&Outcome::Blocked { host: "h".into(), address: None }, false, "was not called");
}

#[test]
fn what_is_accepted_wrongly_says_what_to_mend() {
    for (probe, detail) in [
        (Probe::WrongSignature, "constant time"),
        (Probe::OldTimestamp, "five minutes"),
        (Probe::AlteredBody, "as they arrived"),
    ] {
        let judged = Judgement::of(probe, &answered(204));
        assert!(!judged.passed && judged.detail.contains(detail), "{judged:?}");
    }
}

#[track_caller]
fn check_concluded(good: &Outcome, statuses: [u16; 3], expected: (bool, &str)) {
    let probes = [Probe::WrongSignature, Probe::OldTimestamp, Probe::AlteredBody];
    let judged = |(probe, status)| (probe, Judgement::of(probe, &answered(status)).passed);
    let checks: Vec<_> = probes.into_iter().zip(statuses).map(judged).collect();
    let (proven, detail) = conclude(good, &checks);
    assert_eq!((proven, detail.as_str()), expected);
}

#[test]
fn a_receiver_is_proven_when_it_accepts_the_good_request_and_refuses_all_three() {
    let all = "it accepts the good request and refuses all three forged ones";
    check_concluded(&answered(204), [401, 400, 403], (true, all));
    check_concluded(&answered(204), [401, 200, 403], (false, "not proven: see old_timestamp"));
    check_concluded(&answered(204), [200, 401, 200], (false, "not proven: see wrong_signature, altered_body"));
    let first = "not proven: the good request was not accepted; fix that first";
    check_concluded(&answered(401), [401, 401, 401], (false, first));
    check_concluded(&Outcome::TimedOut, [401, 401, 401], (false, first));
}

#[track_caller]
fn check_advice(outcome: &Outcome, expected: &str) {
    let advice = advise(outcome, Duration::from_secs(15));
    assert!(advice.contains(expected), "{advice:?} has no {expected:?}");
}

#[test]
fn every_outcome_says_what_to_do() {
    check_advice(&answered(204), "answered 204: deliveries are accepted");
    check_advice(&answered(308), "give the destination the URL that it leads to");
    check_advice(&answered(401), "current secret");
    check_advice(&answered(404), "check the destination's URL and the path");
    check_advice(&answered(410), "gone for good");
    check_advice(&answered(429), "try again later");
    check_advice(&answered(422), "its answer may say why");
    check_advice(&answered(503), "in its log");
    check_advice(&Outcome::TimedOut, "within 15 s");
    let foreign = Outcome::answered_without("HTTP", "SSH-2.0");
    check_advice(&foreign, "answered, but not with HTTP: SSH-2.0; check the URL's scheme and port");
    check_judged(&foreign, false, "answered, but not with HTTP: SSH-2.0; answer 401");
    check_advice(
        &Outcome::Unreachable { reason: "connection refused".into() },
        "(connection refused); check the URL's host",
    );
    let address = Some("10.0.0.1".parse().expect("an address"));
    check_advice(&Outcome::Blocked { host: "in.example".into(), address }, "in.example (10.0.0.1) is never called");
}
