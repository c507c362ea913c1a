//! Wide events: sealed first, and sent in ranges over as many receives as that takes.

use std::collections::BTreeSet;
use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, Ordering};

use async_trait::async_trait;
use domain::delivery::{DeliveryMessage, OutgoingDelivery, Purpose};
use domain::value::{DestinationId, SubscriptionId};
use ports::{DeliveryQueue, Events, PortResult, Postpone, Reckoning, SealedEvent, WideEvents};

use super::*;

/// More than one range, and no whole number of them.
const WIDE: usize = 2_500;

/// A queue that takes a while by the clock of the test.
struct SlowQueue {
    queue: Arc<MemoryQueue>,
    clock: Arc<TestClock>,
    send_ms: AtomicU64,
}

#[async_trait]
impl DeliveryQueue for SlowQueue {
    async fn send_deliveries(&self, messages: &[OutgoingDelivery<'_>]) -> PortResult<()> {
        self.clock.advance(Duration::from_millis(self.send_ms.load(Ordering::SeqCst)));
        // Other tasks run in the meantime.
        tokio::task::yield_now().await;
        self.queue.send_deliveries(messages).await
    }
}

#[async_trait]
impl Postpone for SlowQueue {
    async fn postpone(&self, receipt: &str, wait: Duration) -> PortResult<()> {
        self.queue.postpone(receipt, wait).await
    }
}

/// A world in which the events of `acme` about insights are owed to [`WIDE`] destinations and to those of [`world`].
async fn wide_world() -> (World, Arc<SlowQueue>) {
    let mut world = world().await;
    for n in 0..u16::try_from(WIDE - 1).expect("a number") {
        let mut one =
            subscription(&destination(&world.acme, 9, "https://w.example/"), 1, &["*"], "connection/wide", None);
        let [a, b] = n.to_be_bytes();
        let entropy = [7, 0, 0, 0, 0, 0, 0, 0, a, b];
        one.id = SubscriptionId::from_entropy(entropy);
        one.settings.destination_id = DestinationId::from_entropy(entropy);
        world.store.put_subscription(one);
    }
    let queue = SlowQueue { queue: world.queue.clone(), clock: world.clock.clone(), send_ms: AtomicU64::new(0) };
    let queue = Arc::new(queue);
    let deps = Arc::get_mut(&mut world.deps).expect("nobody else has it");
    deps.deliveries = queue.clone();
    (world, queue)
}

fn wide_text(world: &World, id: &str) -> String {
    event_text(&world.acme, id)
        .replace("connection/xero", "connection/wide")
        .replace("\"id\":\"xero\"", "\"id\":\"wide\"")
}

/// A batch whose records were received this often.
fn received(receives: u32, bodies: &[String]) -> SqsEvent {
    let mut event = batch(bodies);
    for record in &mut event.records {
        record.attributes.insert("ApproximateReceiveCount".into(), receives.to_string());
    }
    event
}

impl World {
    async fn event(&self, id: &str) -> SealedEvent {
        let found = self.store.find_event(&self.acme, &id.parse().expect("an id")).await;
        found.expect("an answer").expect("the event")
    }

    async fn sent_of(&self, id: &str) -> Option<usize> {
        let found = self.store.find_sending(&self.acme, &id.parse().expect("an id")).await;
        found.expect("an answer").map(|sending| sending.sent)
    }

    /// Checks that everything was sent, and returns how many deliveries were sent again.
    async fn check_sent(&self, id: &str, sent: &[DeliveryMessage]) -> usize {
        let event = self.event(id).await;
        assert_eq!(event.owed.len(), WIDE);
        let distinct: BTreeSet<_> = sent.iter().map(|message| &message.delivery.id).collect();
        assert!(event.owed.iter().all(|owed| distinct.contains(&owed.id)), "{} of {WIDE}", distinct.len());
        assert!(sent.iter().all(|message| message.body.get() == event.body));
        sent.len() - WIDE
    }
}

fn purposes(sent: &[DeliveryMessage]) -> (usize, usize) {
    let new = sent.iter().filter(|message| message.purpose == Purpose::New).count();
    (new, sent.iter().filter(|message| message.purpose == Purpose::Again).count())
}

#[tokio::test]
async fn a_wide_event_is_sealed_first_and_costs_a_note_for_each_range() {
    let (world, _) = wide_world().await;
    world.handle(received(1, &[event_text(&world.acme, "evt-warm")])).await;
    world.queue.take_sent();
    world.store.take_calls();
    assert!(world.handle(received(1, &[wide_text(&world, "evt-1")])).await.is_empty());
    let calls: Vec<_> = world.store.take_calls().into_iter().filter(|call| *call != "find_listeners").collect();
    let notes = ["note_sending"; 4];
    assert_eq!(calls, [&["find_seal", "seal_plan", "note_scope"][..], &notes].concat());
    let sent = world.queue.take_sent();
    assert_eq!(world.check_sent("evt-1", &sent).await, 0);
    assert_eq!(purposes(&sent), (WIDE, 0));
    world.store.take_calls();
    // Again, it is a duplicate.
    assert!(world.handle(received(1, &[wide_text(&world, "evt-1")])).await.is_empty());
    assert_eq!(world.store.take_calls(), ["find_seal", "find_sending"]);
    let other = wide_text(&world, "evt-1").replace("60000", "60001");
    assert!(world.handle(received(1, &[other])).await.is_empty());
    assert!(world.queue.take_sent().is_empty());
    assert_eq!(world.store.rejections().len(), 1);
}

#[tokio::test]
async fn an_event_with_a_large_body_is_wide_sooner() {
    let (world, _) = wide_world().await;
    let mut few = event_text(&world.acme, "evt-1").replace("\"run_1\"", &format!("\"{}\"", "x".repeat(200_000)));
    for n in 0..200_u8 {
        let mut one =
            subscription(&destination(&world.acme, 9, "https://f.example/"), 1, &["*"], "connection/xero", None);
        one.id = SubscriptionId::from_entropy([8, n, 0, 0, 0, 0, 0, 0, 0, 0]);
        one.settings.destination_id = DestinationId::from_entropy([8, n, 0, 0, 0, 0, 0, 0, 0, 0]);
        world.store.put_subscription(one);
    }
    assert!(world.handle(received(1, &[few.clone()])).await.is_empty());
    assert!(world.store.take_calls().contains(&"seal_plan"));
    few = event_text(&world.acme, "evt-2");
    assert!(world.handle(received(1, &[few])).await.is_empty());
    assert!(!world.store.take_calls().contains(&"seal_plan"), "a small one is not");
    assert_eq!(world.queue.take_sent().len(), 2 * 202);
}

#[tokio::test]
async fn a_wide_event_goes_on_wherever_a_failure_stopped_it() {
    for method in ["note_seal", "seal_plan", "note_sending", "find_seal", "find_sending", "find_event"] {
        for (times, again) in [(1, None), (2, None), (1, Some("note_sending")), (0, Some("find_event"))] {
            let (world, _) = wide_world().await;
            let text = [wide_text(&world, "evt-1")];
            world.store.fail(method, times);
            world.queue.break_sends(2);
            let (mut sent, mut receives) = (Vec::new(), 1);
            while !world.handle(received(receives, &text)).await.is_empty() {
                sent.extend(world.queue.take_sent());
                receives += 1;
                assert!(receives < 20, "{method}");
                if let Some(again) = again.filter(|_| receives < 4) {
                    world.store.fail(again, 1);
                }
                // Longer than any sender holds it.
                world.clock.advance(Duration::from_secs(61));
            }
            sent.extend(world.queue.take_sent());
            world.check_sent("evt-1", &sent).await;
            assert_eq!(world.sent_of("evt-1").await, Some(WIDE), "{method}");
        }
    }
}

#[tokio::test]
async fn after_a_failure_of_ours_the_next_receive_goes_on_at_once() {
    let (world, _) = wide_world().await;
    let text = [wide_text(&world, "evt-1")];
    world.queue.break_sends(1);
    assert_eq!(world.handle(received(1, &text)).await, ["message-1"]);
    assert!(world.handle(received(2, &text)).await.is_empty());
    let sent = world.queue.take_sent();
    assert_eq!(world.check_sent("evt-1", &sent).await, 500, "half of the first range");
    assert_eq!(world.queue.take_postponed().len(), 1);
}

#[tokio::test]
async fn a_wide_event_that_outlasts_its_invocation_goes_on_in_the_next_one() {
    let (world, queue) = wide_world().await;
    // Two ranges, and no more, begin before 45 s have passed.
    queue.send_ms.store(30_000, Ordering::SeqCst);
    let text = [wide_text(&world, "evt-1")];
    assert_eq!(world.handle(received(1, &text)).await, ["message-1"]);
    assert_eq!(world.sent_of("evt-1").await, Some(2_000));
    // If no message came any more, the audit would find the event by its note, and everything that it owes.
    assert_eq!(world.store.seal_notes_left().len(), 1);
    let ids = ["evt-1".parse().expect("an id")];
    let owed = world.store.find_owed(&world.acme, &ids).await.expect("an answer");
    assert_eq!(owed[0].1.len(), WIDE);
    let postponed = ("receipt-1".to_owned(), Duration::from_secs(1));
    assert_eq!(world.queue.take_postponed(), [postponed], "it comes again soon, also after many receives");
    assert!(world.handle(received(2, &text)).await.is_empty());
    let sent = world.queue.take_sent();
    assert_eq!(world.check_sent("evt-1", &sent).await, 0, "nothing was sent twice");
    assert_eq!(purposes(&sent), (WIDE, 0));
}

#[tokio::test]
async fn a_wide_event_that_crashed_goes_on_where_it_stopped() {
    let (world, _) = wide_world().await;
    let text = [wide_text(&world, "evt-1")];
    // The process dies within the second range: it gives up nothing.
    let handled = handle(Arc::clone(&world.deps), LambdaEvent::new(received(1, &text), world.context()));
    tokio::select! {
        biased;
        () = async { while world.sent_of("evt-1").await != Some(1_000) { tokio::task::yield_now().await; } } => {}
        _ = handled => panic!("it was not interrupted"),
    }
    let first = world.queue.take_sent().len();
    assert!((1_000..WIDE).contains(&first), "{first}");
    tokio::task::yield_now().await;
    assert_eq!(world.handle(received(2, &text)).await, ["message-1"], "it is held");
    world.clock.advance(Duration::from_secs(60));
    assert!(world.handle(received(3, &text)).await.is_empty());
    let sent = world.queue.take_sent();
    assert_eq!(sent.len(), 1_500, "the first range is not repeated");
    assert_eq!(purposes(&sent), (500, 1_000), "the second range may have been sent");
}

#[tokio::test]
async fn a_range_that_may_have_been_sent_is_sent_again_and_the_others_are_new() {
    let (world, _) = wide_world().await;
    let text = [wide_text(&world, "evt-1")];
    world.queue.break_sends(1);
    assert_eq!(world.handle(received(1, &text)).await, ["message-1"]);
    assert_eq!(purposes(&world.queue.take_sent()), (500, 0));
    assert!(world.handle(received(2, &text)).await.is_empty());
    assert_eq!(purposes(&world.queue.take_sent()), (1_500, 1_000));
    // If an earlier receive, before the seal, may have sent something, then any delivery may have been sent.
    assert!(world.handle(received(2, &[wide_text(&world, "evt-2")])).await.is_empty());
    assert_eq!(purposes(&world.queue.take_sent()), (0, WIDE));
}

#[tokio::test]
async fn what_the_audit_may_have_sent_is_not_new() {
    let (world, queue) = wide_world().await;
    queue.send_ms.store(30_000, Ordering::SeqCst);
    let text = [wide_text(&world, "evt-1")];
    assert_eq!(world.handle(received(1, &text)).await, ["message-1"]);
    world.queue.take_sent();
    world.clock.advance(Duration::from_secs(2 * 3_600));
    assert!(world.handle(received(2, &text)).await.is_empty());
    assert_eq!(purposes(&world.queue.take_sent()), (0, 500));
}

#[tokio::test]
async fn a_second_message_of_a_wide_event_is_given_back_while_it_is_sent_and_goes_on_after() {
    let (world, queue) = wide_world().await;
    queue.send_ms.store(1_000, Ordering::SeqCst);
    let text = [wide_text(&world, "evt-1")];
    let second = async {
        while world.sent_of("evt-1").await != Some(1_000) {
            tokio::task::yield_now().await;
        }
        world.handle(received(1, &text)).await
    };
    let (first, second) = tokio::join!(world.handle(received(1, &text)), second);
    assert_eq!((first, second), (vec![], vec!["message-1".to_owned()]));
    let (_, wait) = world.queue.take_postponed().pop().expect("postponed");
    assert!(Duration::from_secs(55) < wait && wait <= Duration::from_secs(61), "{wait:?}");
    assert_eq!(world.check_sent("evt-1", &world.queue.take_sent()).await, 0);
    // When it comes again, all was sent.
    assert!(world.handle(received(2, &text)).await.is_empty());
    assert!(world.queue.take_sent().is_empty());

    // If the first message is lost on the way, the second one sends the rest.
    queue.send_ms.store(30_000, Ordering::SeqCst);
    let text = [wide_text(&world, "evt-2")];
    assert_eq!(world.handle(received(1, &text)).await, ["message-1"]);
    assert!(world.handle(received(1, &text)).await.is_empty());
    assert_eq!(world.check_sent("evt-2", &world.queue.take_sent()).await, 0);
}

/// The queue of a container. While it sends for the first time, another container handles the same event.
struct Meanwhile {
    queue: Arc<MemoryQueue>,
    other: Arc<Deps>,
    event: Mutex<Option<LambdaEvent<SqsEvent>>>,
}

#[async_trait]
impl DeliveryQueue for Meanwhile {
    async fn send_deliveries(&self, messages: &[OutgoingDelivery<'_>]) -> PortResult<()> {
        let event = self.event.lock().expect("a lock").take();
        if let Some(event) = event {
            handle(Arc::clone(&self.other), event).await.expect("handled");
        }
        self.queue.send_deliveries(messages).await
    }
}

#[async_trait]
impl Postpone for Meanwhile {
    async fn postpone(&self, receipt: &str, wait: Duration) -> PortResult<()> {
        self.queue.postpone(receipt, wait).await
    }
}

#[tokio::test]
async fn a_wide_event_that_was_sealed_by_another_container_is_not_acknowledged_unsent() {
    let (wide, queue) = wide_world().await;
    queue.send_ms.store(30_000, Ordering::SeqCst);
    let text = [wide_text(&wide, "evt-1")];
    // This container does not know the many subscriptions yet, so the event is not wide here.
    let mut narrow = world().await;
    let event = Mutex::new(Some(LambdaEvent::new(received(1, &text), wide.context())));
    let meanwhile = Meanwhile { queue: narrow.queue.clone(), other: Arc::clone(&wide.deps), event };
    let deps = Arc::get_mut(&mut narrow.deps).expect("nobody else has it");
    (deps.events, deps.deliveries) = (wide.store.clone(), Arc::new(meanwhile));
    assert_eq!(narrow.handle(received(1, &text)).await, ["message-1"], "by its clock, the other one holds it");
    assert_eq!(narrow.queue.take_sent().len(), 1);
    narrow.clock.advance(Duration::from_secs(61));
    assert!(narrow.handle(received(2, &text)).await.is_empty());
    assert_eq!(narrow.queue.take_sent().len(), 500, "what the other one left");
    assert_eq!(wide.sent_of("evt-1").await, Some(WIDE));
}

#[tokio::test(start_paused = true)]
async fn wide_events_of_a_batch_take_turns() {
    let (world, queue) = wide_world().await;
    let ids = ["evt-1", "evt-2", "evt-3"];
    let texts = ids.map(|id| wide_text(&world, id));
    // The first takes all the time there is.
    queue.send_ms.store(30_000, Ordering::SeqCst);
    let narrow = event_text(&world.acme, "evt-narrow");
    let again = world.handle(received(1, &[&texts[..], &[narrow]].concat())).await;
    assert_eq!(again, ["message-1", "message-2", "message-3"], "a narrow one waits for none");
    let mut postponed = world.queue.take_postponed();
    postponed.sort();
    let waits: Vec<_> = postponed.into_iter().map(|(_, wait)| wait.as_secs()).collect();
    assert!(waits[0] == 1 && waits[1..].iter().all(|wait| (60..=600).contains(wait)), "{waits:?}");
    assert_eq!(world.sealed().into_iter().filter(|(_, owed)| *owed == WIDE).count(), 1, "the others have not begun");
    // With time for all, all are sent in one invocation.
    queue.send_ms.store(100, Ordering::SeqCst);
    assert!(world.handle(received(2, &texts)).await.is_empty());
    let sent = world.queue.take_sent();
    for id in ids {
        let of: Vec<_> = sent.iter().filter(|message| message.delivery.event.as_str() == id).cloned().collect();
        assert_eq!(world.check_sent(id, &of).await, 0);
    }
}
