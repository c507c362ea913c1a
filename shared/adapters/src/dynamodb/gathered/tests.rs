//! Tests of [`super`], against a table that is scripted.

use async_trait::async_trait;
use domain::attempt::{Exchange, Outcome};
use domain::delivery::{DeliveryRecord, DeliveryState, OutgoingDelivery, Purpose, SignedRequest};
use domain::event::{Event, envelope};
use domain::value::{EventId, Timestamp};
use futures_util::future::join_all;
use ports::{
    Deliveries, DeliveryQueue, Events, HttpSender, PortError, PortResult, Postpone, Sealed, SealedEvent, WideEvents,
};
use serde_json::value::RawValue;
use serde_json::{Value, json};
use testing::{account, destination, event_text, record, sealed};
use tokio::time::{Duration, Instant};

use crate::DynamoStore;
use crate::scripted::{Scripted, Service, refused};

fn store(service: &Service) -> DynamoStore {
    DynamoStore::new(&service.clients(), "the-table".to_owned())
}

/// Ten deliveries that were just attempted.
fn records() -> Vec<DeliveryRecord> {
    let to = destination(&account("acme"), 1, "https://example.com/");
    (0..10).map(|n| record(&to, &format!("evt-{n}"), 1, DeliveryState::Delivered)).collect()
}

fn events() -> Vec<SealedEvent> {
    let now = Timestamp::from_unix_ms(1_795_426_200_000);
    let of = |n| Event::parse(&event_text(&account("acme"), &format!("evt-{n}")), now).map_err(|r| r.detail);
    (0..10).map(|n| sealed(&of(n).expect("an event"), Vec::new(), now)).collect()
}

/// The answers of a call with statements, the `n`th with this error.
fn but(asked: &Value, errors: &[(usize, &str)]) -> Scripted {
    let statements = asked["Statements"].as_array().map_or(0, Vec::len);
    let mut answers = vec![json!({ "TableName": "the-table" }); statements];
    for (n, code) in errors {
        answers[*n] = json!({ "Error": { "Code": code, "Message": "as asked for by a test" } });
    }
    Some((200, json!({ "Responses": answers })))
}

async fn create(store: &DynamoStore, records: &[DeliveryRecord]) -> Vec<Result<bool, PortError>> {
    join_all(records.iter().map(|record| store.create_delivery(record))).await
}

/// The item that a statement inserts: its names, each with its parameter.
fn item_of(statement: &Value) -> Value {
    let text = statement["Statement"].as_str().expect("a statement");
    let (head, names) = text.split_once('{').expect("names");
    assert_eq!(head, r#"INSERT INTO "the-table" VALUE "#);
    let names: Vec<_> = names.trim_end_matches('}').split(", ").collect();
    let parameters = statement["Parameters"].as_array().expect("parameters");
    assert_eq!(names.len(), parameters.len());
    let name = |text: &str| text.strip_prefix('\'').and_then(|text| text.strip_suffix("': ?")).map(str::to_owned);
    names.into_iter().map(|text| name(text).expect("a name")).zip(parameters.iter().cloned()).collect()
}

#[tokio::test]
async fn of_ten_rows_each_is_written_refused_or_fails_on_its_own() {
    let service = Service::new(|operation, asked| match operation {
        "BatchExecuteStatement" => but(
            asked,
            &[
                (1, "DuplicateItem"),
                (2, "ThrottlingError"),
                (3, "ProvisionedThroughputExceeded"),
                (4, "InternalServerError"),
                (5, "ValidationError"),
                (6, "AccessDenied"),
                (7, "SomethingThatNobodyKnowsYet"),
            ],
        ),
        // Alone, the row is written, exists, or is told why it cannot be.
        "PutItem" => match asked["Item"]["sk"]["S"].as_str().unwrap_or_default() {
            sk if sk == sk_of(3) => refused(400, "ConditionalCheckFailedException"),
            sk if sk == sk_of(5) => refused(400, "ValidationException"),
            sk if sk == sk_of(6) => refused(400, "AccessDeniedException"),
            _ => Some((200, json!({}))),
        },
        other => panic!("{other} was not expected"),
    });
    let results = create(&store(&service), &records()).await;
    let told: Vec<_> = results
        .iter()
        .map(|result| match result {
            Ok(true) => "written",
            Ok(false) => "exists",
            Err(PortError::Transient { .. }) => "not now",
            Err(PortError::Permanent { .. }) => "never",
        })
        .collect();
    let expected =
        ["written", "exists", "written", "exists", "written", "never", "not now", "written", "written", "written"];
    assert_eq!(told, expected);
    let calls = service.take();
    let operations: Vec<_> = calls.iter().map(|(operation, _)| operation.as_str()).collect();
    assert_eq!(operations, [&["BatchExecuteStatement"][..], &["PutItem"; 6]].concat(), "one for each that failed");
    let statements = calls[0].1["Statements"].as_array().expect("statements");
    let items: Vec<_> = statements.iter().map(item_of).collect();
    let keys: Vec<_> = items.iter().map(|item| item["sk"]["S"].as_str().expect("a text")).collect();
    assert_eq!(keys, (0..10).map(sk_of).collect::<Vec<_>>());
    for (_, asked) in &calls[1..] {
        assert_eq!(asked["ConditionExpression"], "attribute_not_exists(pk)");
        assert!(
            items.contains(&asked["Item"]),
            "a statement costs what the call for one does: it writes the same item"
        );
    }
}

/// Answers each request after its time-out.
struct Slow;

#[async_trait]
impl HttpSender for Slow {
    async fn exchange(&self, request: &SignedRequest) -> PortResult<Exchange> {
        tokio::time::sleep(request.timeout).await;
        Ok(Exchange { outcome: Outcome::from_answer(204, None, String::new()), answer: None })
    }
}

#[tokio::test(start_paused = true)]
async fn attempts_that_end_at_about_the_same_time_are_recorded_together_and_a_slow_one_holds_up_none() {
    let service = Service::new(|operation, asked| match operation {
        "BatchExecuteStatement" => but(asked, &[]),
        _ => Some((200, json!({}))),
    });
    let (store, records, started) = (store(&service), records(), Instant::now());
    let sender = store.counting(Slow);
    let url = destination(&account("acme"), 1, "https://example.com/").settings.url;
    let attempt = async |n: usize, millis: u64| {
        let (url, timeout) = (url.join(None), Duration::from_millis(millis));
        sender
            .send(&SignedRequest { url, headers: Vec::new(), body: String::new(), timeout })
            .await
            .expect("an outcome");
        assert!(store.create_delivery(&records[n]).await.expect("an answer"));
        started.elapsed().as_millis()
    };
    // All ten, then nine and one that takes 15 s: the first ones wait for 5 ms at most.
    let took = join_all((0..10).map(|n| attempt(n, 20 + n as u64))).await;
    assert!(took.iter().all(|took| (26..=31).contains(took)), "{took:?}");
    assert!(service.operations().len() <= 2);
    let began = started.elapsed().as_millis();
    let took = join_all((0..10).map(|n| attempt(n, if n == 9 { 15_000 } else { 20 }))).await;
    assert!(took[..9].iter().all(|took| took - began == 26), "{took:?} {began}");
    assert_eq!(service.operations(), ["BatchExecuteStatement", "PutItem"]);
    let began = started.elapsed().as_millis();
    let took = join_all((0..10).map(|n| attempt(n, 20))).await;
    assert!(took.iter().all(|took| took - began == 21), "{took:?} {began}");
    assert_eq!(service.operations(), ["BatchExecuteStatement"]);
    assert_eq!(attempt(0, 20).await - began, 42, "who is alone waits for nobody");
    assert_eq!(service.operations(), ["PutItem"]);
}

/// The sort key of the nth row.
fn sk_of(n: usize) -> String {
    format!("DLV#{}", records()[n].delivery.id)
}

#[tokio::test(start_paused = true)]
async fn a_call_that_fails_writes_for_nobody_and_may_be_made_again() {
    // It is throttled as a whole, denied, or never answered.
    let denied: fn(&str, &Value) -> Scripted = |_, _| refused(400, "AccessDeniedException");
    let throttled: fn(&str, &Value) -> Scripted = |_, _| refused(400, "ThrottlingException");
    let hangs: fn(&str, &Value) -> Scripted = |_, _| None;
    for script in [denied, throttled, hangs] {
        let service = Service::new(script);
        let started = Instant::now();
        let results = create(&store(&service), &records()).await;
        assert!(results.iter().all(|result| matches!(result, Err(PortError::Transient { .. }))), "{results:?}");
        assert!(started.elapsed() < Duration::from_secs(5), "{:?}", started.elapsed());
        let operations = service.operations();
        assert!(operations.iter().all(|operation| operation == "BatchExecuteStatement"), "{operations:?}");
    }
    // If it is refused for what is in it, each row is told alone.
    let service = Service::new(|operation, _| match operation {
        "BatchExecuteStatement" => refused(400, "ValidationException"),
        _ => Some((200, json!({}))),
    });
    let results = create(&store(&service), &records()).await;
    assert!(results.iter().all(|result| matches!(result, Ok(true))), "{results:?}");
    assert_eq!(service.operations().len(), 11);
}

#[tokio::test]
async fn two_rows_with_one_key_are_written_once() {
    let service = Service::new(|operation, asked| match operation {
        "PutItem" => refused(400, "ConditionalCheckFailedException"),
        _ => but(asked, &[]),
    });
    let mut twice = records();
    twice.truncate(3);
    twice[1] = twice[0].clone();
    let results = create(&store(&service), &twice).await;
    assert!(matches!(results[..], [Ok(true), Ok(false), Ok(true)]), "{results:?}");
    assert_eq!(service.take()[0].1["Statements"].as_array().map(Vec::len), Some(2));
}

#[tokio::test]
async fn ten_events_are_sealed_with_one_call_and_one_that_was_sealed_tells_its_digest() {
    let before = envelope::content_digest("another body");
    let row = json!({
        "pk": {"S": "p"}, "sk": {"S": "s"}, "digest": {"B": data_encoding::BASE64.encode(&before)}
    });
    let service = Service::new(move |operation, asked| match operation {
        "BatchExecuteStatement" => but(asked, &[(4, "DuplicateItem")]),
        "GetItem" => Some((200, json!({ "Item": row }))),
        other => panic!("{other} was not expected"),
    });
    let (store, events) = (store(&service), events());
    let results = join_all(events.iter().map(|event| store.seal_event(event))).await;
    for (n, result) in results.into_iter().enumerate() {
        let expected = if n == 4 { Sealed::Before { digest: before } } else { Sealed::Sealed };
        assert_eq!(result.expect("an answer"), expected);
    }
    assert_eq!(service.operations(), ["BatchExecuteStatement", "GetItem"]);
    // A body in a row of its own is written before.
    let service = Service::new(|operation, asked| match operation {
        "BatchExecuteStatement" => but(asked, &[]),
        _ => Some((200, json!({}))),
    });
    let long = SealedEvent { body: "x".repeat(3_000), ..events[0].clone() };
    let store = DynamoStore::new(&service.clients(), "the-table".to_owned());
    assert_eq!(store.seal_event(&long).await.expect("an answer"), Sealed::Sealed);
    assert_eq!(service.operations(), ["PutItem", "PutItem"]);
}

/// Takes as many milliseconds for a send as it has messages.
struct SlowQueue;

#[async_trait]
impl Postpone for SlowQueue {
    async fn postpone(&self, _receipt: &str, _wait: Duration) -> PortResult<()> {
        Ok(())
    }
}

#[async_trait]
impl DeliveryQueue for SlowQueue {
    async fn send_deliveries(&self, messages: &[OutgoingDelivery<'_>]) -> PortResult<()> {
        tokio::time::sleep(Duration::from_millis(messages.len() as u64)).await;
        Ok(())
    }
}

#[tokio::test(start_paused = true)]
async fn events_whose_sends_end_at_about_the_same_time_are_sealed_together() {
    let service = Service::new(|operation, asked| match operation {
        "BatchExecuteStatement" => but(asked, &[]),
        _ => Some((200, json!({}))),
    });
    let (store, events, records) = (store(&service), events(), records());
    let queue = store.counting(SlowQueue);
    let body = RawValue::from_string("{}".to_owned()).expect("JSON");
    let (delivery, delay) = (&records[0].delivery, Duration::ZERO);
    let message = || OutgoingDelivery { delivery, purpose: Purpose::New, body: &body, delay };
    let handle = async |event: &SealedEvent, owed: usize| {
        let messages: Vec<_> = (0..owed).map(|_| message()).collect();
        queue.send_deliveries(&messages).await.expect("sent");
        assert_eq!(store.seal_event(event).await.expect("an answer"), Sealed::Sealed);
    };
    join_all(events.iter().zip([20, 20, 20, 21, 21, 21, 23, 23, 500]).map(|(event, owed)| handle(event, owed))).await;
    assert_eq!(service.operations(), ["BatchExecuteStatement", "PutItem"]);
}

#[tokio::test]
async fn ten_rows_are_looked_up_with_one_call_and_what_is_left_out_alone() {
    // The first was sealed, the second cannot be read, the third is left out, and the others do not exist.
    let service = Service::new(|operation, asked| {
        let row = |key: &Value, digest: Value| json!({"pk": key["pk"], "sk": key["sk"], "digest": digest});
        match operation {
            "BatchGetItem" => {
                let asked = &asked["RequestItems"]["the-table"];
                assert_eq!(asked["ConsistentRead"], true);
                let keys = &asked["Keys"];
                let digest = json!({"B": data_encoding::BASE64.encode(&[7; 32])});
                let found = json!([row(&keys[1], json!({"S": "no digest"})), row(&keys[0], digest)]);
                let left = json!({"the-table": {"Keys": [keys[2]]}});
                Some((200, json!({"Responses": {"the-table": found}, "UnprocessedKeys": left})))
            }
            "GetItem" => {
                let digest = json!({"B": data_encoding::BASE64.encode(&[8; 32])});
                Some((200, json!({"Item": row(&asked["Key"], digest)})))
            }
            other => panic!("{other} was not expected"),
        }
    });
    let (store, acme) = (store(&service), account("acme"));
    let ids: Vec<EventId> = (0..10).map(|n| format!("evt-{n}").parse().expect("an id")).collect();
    // One of them is asked for twice, which the service would refuse.
    let asked = [0, 1, 2, 3, 4, 5, 6, 7, 8, 0].map(|n: usize| store.find_seal(&acme, &ids[n]));
    let results = join_all(asked).await;
    let digest = |n: usize| results[n].as_ref().map(|seal| seal.as_ref().map(|seal| seal.digest)).ok();
    assert_eq!(digest(0), Some(Some([7; 32])));
    assert!(matches!(results[1], Err(PortError::Permanent { .. })), "{:?}", results[1]);
    assert_eq!(digest(2), Some(Some([8; 32])));
    assert!((3..9).all(|n| digest(n) == Some(None)));
    assert_eq!(digest(9), Some(Some([7; 32])));
    let calls = service.take();
    assert_eq!(calls.len(), 2);
    assert_eq!(calls[0].1["RequestItems"]["the-table"]["Keys"].as_array().map(Vec::len), Some(9));
}
