//! Tests of [`super`]: how batches are made, and how a service that is scripted gets them.

use std::sync::atomic::AtomicUsize;
use std::sync::atomic::Ordering::SeqCst;

use domain::delivery::{Delivery, Purpose};
use domain::event::Event;
use domain::value::{DestinationId, Timestamp};
use futures_util::future::join_all;
use proptest::prelude::*;
use serde_json::value::RawValue;
use serde_json::{Value, json};
use testing::{account, event_text};

use super::*;
use crate::scripted::{Scripted, Service, refused};

proptest! {
    #![proptest_config(ProptestConfig::with_cases(40))]
    #[test]
    fn batches_keep_every_message_in_order_and_the_limits(sizes in proptest::collection::vec(1usize..400_000, 0..30)) {
        let (mut batch, mut batches) = (Batch::default(), Vec::new());
        for size in &sizes {
            batches.extend(batch.add(Outgoing { body: "x".repeat(*size), group: "dst".into(), delay: Duration::ZERO }));
        }
        batches.push(batch.messages);
        for batch in &batches {
            prop_assert!(batch.len() <= BATCH_ENTRIES);
            prop_assert!(batch.iter().map(Outgoing::bytes).sum::<usize>() <= BATCH_BYTES);
        }
        let kept: Vec<_> = batches.concat().iter().map(|message| message.body.len()).collect();
        prop_assert_eq!(kept, sizes);
    }
}

/// `count` sends that take a second each, and what is seen of them.
#[derive(Default)]
struct Sends {
    made: AtomicUsize,
    sending: AtomicUsize,
    most: AtomicUsize,
    most_made: AtomicUsize,
    sent: AtomicUsize,
}

impl Sends {
    fn batches(&self, count: usize) -> impl Iterator<Item = PortResult<usize>> {
        (0..count).map(|n| {
            let made = self.made.fetch_add(1, SeqCst) + 1;
            self.most_made.fetch_max(made - self.sent.load(SeqCst), SeqCst);
            Ok(n)
        })
    }

    async fn send(&self, batch: usize, failing: Option<usize>) -> PortResult<()> {
        self.most.fetch_max(self.sending.fetch_add(1, SeqCst) + 1, SeqCst);
        tokio::time::sleep(Duration::from_secs(1)).await;
        self.sending.fetch_sub(1, SeqCst);
        if Some(batch) == failing {
            return Err(PortError::transient("sending", "a failure was asked for"));
        }
        self.sent.fetch_add(1, SeqCst);
        Ok(())
    }
}

#[tokio::test(start_paused = true)]
async fn ten_batches_are_sent_at_once_over_all_sends_of_a_process_and_no_more_are_made() {
    let (sends, places) = (Sends::default(), Semaphore::new(BATCHES_AT_ONCE));
    let started = tokio::time::Instant::now();
    let wide = side_by_side(sends.batches(100), &places, |batch| sends.send(batch, None));
    let narrow = async {
        tokio::time::sleep(Duration::from_millis(1_500)).await;
        side_by_side(sends.batches(1), &places, |batch| sends.send(batch, None)).await?;
        Ok::<_, PortError>(started.elapsed().as_secs())
    };
    let (wide, narrow) = tokio::join!(wide, narrow);
    wide.expect("sent");
    assert!(narrow.expect("sent") <= 4, "it does not wait for the whole of a wide one");
    assert_eq!((sends.sent.load(SeqCst), started.elapsed().as_secs()), (101, 11));
    assert_eq!((sends.most.load(SeqCst), sends.most_made.load(SeqCst)), (10, 10));
}

#[tokio::test(start_paused = true)]
async fn a_batch_that_fails_fails_the_send_and_the_rest_is_not_begun() {
    let (sends, places) = (Sends::default(), Semaphore::new(BATCHES_AT_ONCE));
    side_by_side(sends.batches(100), &places, |batch| sends.send(batch, Some(3))).await.expect_err("a failure");
    assert!(sends.made.load(SeqCst) <= 20, "{}", sends.made.load(SeqCst));
    assert_eq!(places.available_permits(), BATCHES_AT_ONCE);
}

/// A queue, and the bodies that the calls since the last time had.
fn sent(service: &Service) -> Vec<Vec<String>> {
    let bodies = |asked: &Value| {
        let entries = asked["Entries"].as_array().expect("entries");
        entries.iter().map(|entry| entry["MessageBody"].as_str().expect("a body").to_owned()).collect()
    };
    service.take().iter().map(|(_, asked)| bodies(asked)).collect()
}

fn queue(service: &Service) -> SqsDeliveryQueue {
    SqsDeliveryQueue::new(&service.clients(), "https://sqs.example/1/deliveries".to_owned())
}

/// Every entry is taken, but those whose bodies contain `poor`, because of a fault that passes.
fn taken(asked: &Value) -> Scripted {
    let entries = asked["Entries"].as_array().expect("entries");
    let is_poor = |entry: &&Value| entry["MessageBody"].as_str().is_some_and(|body| body.contains("poor"));
    let (poor, good): (Vec<_>, Vec<_>) = entries.iter().partition(is_poor);
    let good: Vec<_> =
        good.iter().map(|one| json!({"Id": one["Id"], "MessageId": "1", "MD5OfMessageBody": ""})).collect();
    let poor: Vec<_> = poor.iter().map(|one| json!({"Id": one["Id"], "Code": "Slow", "SenderFault": false})).collect();
    Some((200, json!({"Successful": good, "Failed": poor})))
}

/// Sends for each event as many messages as it owes, with a body of that many bytes and a word, all at once.
async fn send(queue: &SqsDeliveryQueue, events: &[(usize, usize, &str)]) -> Vec<PortResult<()>> {
    let sends = events.iter().enumerate().map(|(n, (owed, bytes, word))| async move {
        let text = event_text(&account("acme"), &format!("evt-{n}"));
        let event = Event::parse(&text, Timestamp::from_unix_ms(1_795_426_200_000)).map_err(|r| r.detail);
        let event = event.expect("an event");
        let to = |n: usize| DestinationId::from_entropy([u8::try_from(n % 250).unwrap_or_default(); 10]);
        let owed: Vec<_> = (0..*owed).map(|n| Delivery::of_event(&event, to(n), None)).collect();
        let body = RawValue::from_string(format!("\"{word}{}\"", "x".repeat(*bytes))).expect("JSON");
        let message =
            |delivery| OutgoingDelivery { delivery, purpose: Purpose::New, body: &body, delay: Duration::ZERO };
        queue.send_deliveries(&owed.iter().map(message).collect::<Vec<_>>()).await
    });
    join_all(sends).await
}

#[tokio::test(start_paused = true)]
async fn sends_fill_batches_together_and_one_that_is_not_taken_fails_alone() {
    let service = Service::new(|_, asked| taken(asked));
    let queue = queue(&service);
    // Ten events that owe one, three, and 13 each. Of the last ones, not all have places at one moment.
    for (owed, calls) in [(1, 1), (3, 3), (13, 14)] {
        let results = send(&queue, &[(owed, 10, "good"); 10]).await;
        assert!(results.iter().all(Result::is_ok), "{results:?}");
        let sent = sent(&service);
        assert_eq!((sent.len(), sent.concat().len()), (calls, owed * 10));
    }
    let mut events = [(1, 10, "good"); 10];
    events[3].2 = "poor";
    let results = send(&queue, &events).await;
    let failed: Vec<_> = (0..10).filter(|n| results[*n].is_err()).collect();
    assert_eq!(failed, [3]);
    assert!(matches!(results[3], Err(PortError::Transient { .. })), "{:?}", results[3]);
    let sent = sent(&service);
    assert_eq!(sent.iter().map(Vec::len).collect::<Vec<_>>(), [10, 1, 1, 1], "it was offered again alone");
}

#[tokio::test(start_paused = true)]
async fn what_is_too_large_together_goes_out_apart() {
    let service = Service::new(|_, asked| taken(asked));
    let queue = queue(&service);
    let results = send(&queue, &[(3, 250_000, "good"); 4]).await;
    assert!(results.iter().all(Result::is_ok), "{results:?}");
    let sizes = |bodies: &Vec<String>| (bodies.len(), bodies.iter().map(String::len).sum::<usize>());
    let sent: Vec<_> = sent(&service).iter().map(sizes).collect();
    assert_eq!(sent.iter().map(|(messages, _)| *messages).collect::<Vec<_>>(), [4, 4, 4]);
    assert!(sent.iter().all(|(_, bytes)| *bytes <= BATCH_BYTES), "{sent:?}");
}

#[tokio::test(start_paused = true)]
async fn a_call_that_fails_is_a_passing_error_of_each_send() {
    // It is throttled, or never answered.
    let throttled: fn(&str, &Value) -> Scripted = |_, _| refused(400, "RequestThrottled");
    let hangs: fn(&str, &Value) -> Scripted = |_, _| None;
    for script in [throttled, hangs] {
        let started = tokio::time::Instant::now();
        let service = Service::new(script);
        let results = send(&queue(&service), &[(1, 10, "good"); 10]).await;
        assert!(results.iter().all(|result| matches!(result, Err(PortError::Transient { .. }))), "{results:?}");
        assert!(started.elapsed() < Duration::from_secs(5), "{:?}", started.elapsed());
        assert!(sent(&service).iter().all(|bodies| bodies.len() == 10));
    }
    // If a message makes the whole call impossible, it fails alone.
    let service = Service::new(|_, asked| match asked["Entries"].to_string().contains("poor") {
        true => refused(400, "InvalidMessageContents"),
        false => taken(asked),
    });
    let mut events = [(1, 10, "good"); 10];
    events[7].2 = "poor";
    let results = send(&queue(&service), &events).await;
    assert!(matches!(results[7], Err(PortError::Permanent { .. })), "{:?}", results[7]);
    assert_eq!(results.iter().filter(|result| result.is_ok()).count(), 9);
}

#[tokio::test(start_paused = true)]
async fn a_wide_event_slows_no_narrow_one_and_no_more_batches_are_made_than_may_be() {
    let service = Service::new(|_, asked| taken(asked));
    let queue = queue(&service);
    let results = send(&queue, &[(995, 10, "wide"), (1, 10, "narrow"), (1, 10, "narrow")]).await;
    assert!(results.iter().all(Result::is_ok), "{results:?}");
    let sent = sent(&service);
    assert_eq!((sent.len(), sent.concat().len()), (101, 997));
    let narrow = sent.iter().position(|bodies| bodies.iter().any(|body| body.contains("narrow")));
    assert!(narrow.is_some_and(|at| at <= 20), "{narrow:?}");
    assert_eq!(queue.places.available_permits(), BATCHES_AT_ONCE);
}

#[tokio::test(start_paused = true)]
async fn an_event_has_its_traceparent_as_an_attribute_and_without_one_it_has_none() {
    let service = Service::new(|_, _| Some((200, json!({"MessageId": "1", "MD5OfMessageBody": ""}))));
    let queue = SqsEventQueue::new(&service.clients(), "https://sqs.example/1/events".to_owned());
    let parent = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-00";
    for traceparent in [None, parent.parse().ok()] {
        queue.send_event(&account("acme"), "{}", traceparent).await.expect("sent");
    }
    let asked: Vec<_> = service.take().into_iter().map(|(_, asked)| asked).collect();
    let before = json!({"QueueUrl": "https://sqs.example/1/events", "MessageBody": "{}", "MessageGroupId": "acme"});
    let mut with = before.clone();
    with["MessageAttributes"] = json!({"traceparent": {"DataType": "String", "StringValue": parent}});
    assert_eq!(asked, [before, with]);
}
