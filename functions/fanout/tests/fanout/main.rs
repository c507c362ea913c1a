//! `fanout` over in-memory ports: what it sends, seals, rejects and gives back.

#![expect(clippy::expect_used, reason = "helpers of tests may fail them")]

mod conditions;
mod metrics;
mod rejections;
mod same;
mod traces;
mod unregistered;
mod wide;

use std::sync::Arc;
use std::time::Duration;

use aws_lambda_events::event::sqs::{SqsEvent, SqsMessage};
use domain::destination::{ChangedTo, HealthChange};
use domain::event::{RejectionCode, Scope, Unregistered};
use domain::operational;
use domain::value::{AccountId, Horizon, Timestamp};
use fanout::{Deps, ScopeNotes, Seals, UnregisteredEvents, handle};
use lambda_runtime::{Context, LambdaEvent};
use ports::{Accounts, AwaitedPlace, AwaitedRuns, Clock, Destinations, SeenScopes, Subscriptions};
use runtime::cache::Cached;
use runtime::metrics::Metrics;
use testing::{
    MemoryQueue, MemoryStore, MetricLines, TestClock, TestEntropy, account, destination, event_text, subscription,
};

struct World {
    store: Arc<MemoryStore>,
    queue: Arc<MemoryQueue>,
    clock: Arc<TestClock>,
    deps: Arc<Deps>,
    metrics: MetricLines,
    acme: AccountId,
}

/// The account `acme` with two destinations: one receives everything, the other the table `invoices` at a path of its
/// own.
async fn world() -> World {
    let (store, queue) = (Arc::new(MemoryStore::default()), Arc::new(MemoryQueue::default()));
    let (clock, acme) = (Arc::new(TestClock::new()), account("acme"));
    store.create_account(&acme, clock.now()).await.expect("created");
    let (all, table) = (destination(&acme, 1, "https://a.example/"), destination(&acme, 2, "https://b.example/"));
    for one in [&all, &table] {
        store.create_destination(one, 10).await.expect("created");
    }
    let invoices = "connection/xero/endpoint/invoices";
    for one in [subscription(&all, 1, &["*"], "*", None), subscription(&table, 2, &["*"], invoices, Some("/sync"))] {
        store.create_subscription(&one, 10).await.expect("created");
    }
    store.take_calls();
    let lines = MetricLines::default();
    let metrics = Arc::new(Metrics::new("synchub-webhooks", clock.clone(), lines.sink()));
    let cached = Arc::new(Cached::new(Arc::clone(&store), clock.clone(), &metrics));
    let deps = Arc::new(Deps {
        accounts: cached.clone(),
        listeners: cached,
        transitions: store.clone(),
        awaited_runs: store.clone(),
        events: store.clone(),
        deliveries: queue.clone(),
        queue: queue.clone(),
        rejections: store.clone(),
        unregistered: UnregisteredEvents::new(store.clone(), Unregistered::Ignore),
        scopes: ScopeNotes::new(store.clone()),
        seals: Seals::new(store.clone(), Horizon::default()),
        clock: clock.clone(),
        entropy: Arc::new(TestEntropy::default()),
        retention: Duration::from_secs(86_400),
        metrics,
    });
    World { store, queue, clock, deps, metrics: lines, acme }
}

fn sample(text: &str) -> SqsEvent {
    serde_json::from_str(text).expect("a sample")
}

fn batch(bodies: &[String]) -> SqsEvent {
    let mut event = SqsEvent::default();
    event.records = (1..).zip(bodies).map(|(n, body)| record(n, body)).collect();
    event
}

fn record(n: u32, body: &str) -> SqsMessage {
    let mut message = SqsMessage::default();
    message.message_id = Some(format!("message-{n}"));
    message.receipt_handle = Some(format!("receipt-{n}"));
    message.body = Some(body.to_owned());
    message
}

impl World {
    /// Handles the batch and returns the ids of the records to be received again.
    async fn handle(&self, event: SqsEvent) -> Vec<String> {
        let event = LambdaEvent::new(event, self.context());
        let answer = handle(Arc::clone(&self.deps), event).await.expect("handled");
        answer.batch_item_failures.into_iter().map(|failure| failure.item_identifier).collect()
    }

    /// An invocation with a minute left.
    fn context(&self) -> Context {
        let mut context = Context::default();
        context.deadline = self.clock.now().plus(Duration::from_secs(60)).unix_ms();
        context
    }

    fn sealed(&self) -> Vec<(String, usize)> {
        self.store.events().into_iter().map(|event| (event.id.to_string(), event.owed.len())).collect()
    }
}

#[tokio::test]
async fn every_event_is_sent_to_those_who_listen_and_sealed_with_what_it_owes() {
    let world = world().await;
    let again = world.handle(sample(include_str!("../../../../events/fanout-two-events.json"))).await;
    assert!(again.is_empty());
    assert_eq!(world.sealed(), [("evt-insight-1".to_owned(), 1), ("evt-sync-1".to_owned(), 2)]);
    let sent = world.queue.take_sent();
    let owed: Vec<_> = world.store.events().into_iter().flat_map(|event| event.owed).collect();
    assert_eq!(sent.len(), 3);
    for message in &sent {
        assert!(owed.contains(&message.delivery));
        let event = world.store.events().into_iter().find(|e| e.id == message.delivery.event).expect("sealed");
        assert_eq!(event.body, message.body.get());
    }
    let paths: Vec<_> = sent.iter().filter_map(|m| m.delivery.path.as_ref()).map(|path| path.as_str()).collect();
    assert_eq!(paths, ["/sync"]);
}

#[tokio::test]
async fn an_event_about_a_destination_goes_to_who_asked_for_it_by_name_and_never_to_that_destination() {
    let world = world().await;
    let about = destination(&world.acme, 1, "https://a.example/");
    for (n, to) in [(8, &about), (9, &destination(&world.acme, 2, "https://b.example/"))] {
        let one = subscription(to, n, &["destination.disabled"], "*", None);
        world.store.create_subscription(&one, 10).await.expect("created");
    }
    let (to, at) = (ChangedTo::Gone, world.clock.now());
    let change = HealthChange { to, at, failing_since: at, failures: 0, by_operational: false };
    let event = operational::changed(&about, &change).event.expect("an event");
    assert!(world.handle(batch(&[event.text(), event.text()])).await.is_empty());
    assert_eq!(world.sealed(), [(event.id().to_string(), 1)]);
    let sent: Vec<_> = world.queue.take_sent().into_iter().map(|message| message.delivery.destination).collect();
    assert!(!sent.is_empty() && !sent.contains(&about.id), "{sent:?}");
    // It comes again, as after a failed alert: it is the same event.
    assert!(world.handle(batch(&[event.text()])).await.is_empty());
    assert!(world.queue.take_sent().is_empty() && world.store.rejections().is_empty());
}

#[tokio::test]
async fn the_next_run_is_awaited_where_somebody_asked_and_nowhere_else() {
    let world = world().await;
    let text = |id: &str| event_text(&world.acme, id);
    world.handle(batch(&[text("evt-before")])).await;
    let awaited = || world.store.take_calls().into_iter().filter(|call| *call == "await_run").count();
    assert_eq!(awaited(), 0);
    let target = destination(&world.acme, 1, "https://a.example/");
    let watching = subscription(&target, 8, &["sync_run.missed"], "connection/xero", None);
    world.store.create_subscription(&watching, 10).await.expect("created");
    world.clock.advance(Duration::from_secs(10));
    let owed = |id: &str| world.sealed().into_iter().find(|(sealed, _)| sealed == id).expect("sealed").1;
    world.handle(batch(&[text("evt-after")])).await;
    assert_eq!((awaited(), owed("evt-after")), (1, owed("evt-before")), "it is owed no run that came");
    let at = AwaitedPlace {
        account: world.acme.clone(),
        event_type: "sync_run.completed".parse().expect("a type"),
        place: "connection/xero/endpoint/invoices".parse().expect("a scope"),
    };
    let run = world.store.find_awaited_run(&at).await.expect("an answer").expect("a run");
    let announced: Timestamp = serde_json::from_str(r#""2026-11-23T10:28:00Z""#).expect("a time");
    assert_eq!(run.look_at, Some(announced.plus(Duration::from_secs(900))));

    // The run is awaited before the event is sealed, so a failure does not lose it.
    world.store.fail("await_run", 1);
    assert_eq!(world.handle(batch(&[text("evt-failing")])).await, ["message-1"]);
    assert!(world.sealed().iter().all(|(id, _)| id != "evt-failing"));
}

#[tokio::test]
async fn a_malformed_event_is_rejected_alone() {
    use RejectionCode::{InvalidEvent, MalformedJson, OccurredAtOutOfRange, UnknownEventType};
    let world = world().await;
    let again = world.handle(sample(include_str!("../../../../events/fanout-bad-among-good.json"))).await;
    assert!(again.is_empty());
    assert_eq!(world.sealed(), [("evt-good-1".to_owned(), 2), ("evt-good-2".to_owned(), 2)]);
    let mut rejected: Vec<_> = world.store.rejections().into_iter().map(|(why, _)| (why.code, why.detail)).collect();
    rejected.sort_by(|a, b| a.1.cmp(&b.1));
    let expected = [
        (InvalidEvent, "data.records.inserted: "),
        (InvalidEvent, "id: character '.'"),
        (InvalidEvent, "missing field `account`"),
        (OccurredAtOutOfRange, "occurred_at: 2016"),
        (MalformedJson, "the event is not valid JSON"),
        (UnknownEventType, "type: unknown event type"),
    ];
    assert_eq!(rejected.len(), expected.len());
    for ((code, detail), (wanted, beginning)) in rejected.iter().zip(expected) {
        assert_eq!(*code, wanted, "{detail}");
        assert!(detail.starts_with(beginning), "{detail}");
    }
}

#[tokio::test]
async fn an_event_over_256_kib_is_rejected_whole() {
    let world = world().await;
    let text = event_text(&world.acme, "evt-big").replace("\"run_1\"", &format!("\"{}\"", "x".repeat(256 * 1024)));
    let again = world.handle(batch(&[text.clone(), event_text(&world.acme, "evt-1")])).await;
    assert!(again.is_empty());
    let rejected = world.store.rejections();
    assert_eq!(rejected.len(), 1);
    assert_eq!((rejected[0].0.code, rejected[0].1.as_str()), (RejectionCode::EventTooLarge, text.as_str()));
    assert_eq!(world.sealed(), [("evt-1".to_owned(), 2)]);
}

#[tokio::test]
async fn an_event_is_judged_by_when_it_was_sent_not_by_how_long_it_waited() {
    let world = world().await;
    let mut event = batch(&[event_text(&world.acme, "evt-1").replace("2026-11-23T09:29:00Z", "2026-01-01T00:00:00Z")]);
    let sent_ms = "1767225700000"; // 2026-01-01T00:01:40Z
    event.records[0].attributes.insert("SentTimestamp".into(), sent_ms.into());
    world.handle(event).await;
    assert_eq!(world.sealed(), [("evt-1".to_owned(), 2)]);
}

#[tokio::test]
async fn an_event_that_matches_nothing_is_sealed_with_the_reason() {
    let world = world().await;
    let other = account("quiet");
    world.store.create_account(&other, TestClock::new().now()).await.expect("created");
    world.handle(batch(&[event_text(&other, "evt-1")])).await;
    let events = world.store.events();
    assert_eq!((events.len(), events[0].owed.len()), (1, 0));
    assert_eq!(events[0].unmatched.map(|reason| reason.as_str()), Some("no_subscription"));
}

#[tokio::test]
async fn the_same_event_again_is_acknowledged_and_sends_nothing() {
    let world = world().await;
    let text = event_text(&world.acme, "evt-1");
    world.handle(batch(std::slice::from_ref(&text))).await;
    world.queue.take_sent();
    // With other white space outside `data` it is the same event.
    assert!(world.handle(batch(&[format!(" {text} ")])).await.is_empty());
    assert!(world.queue.take_sent().is_empty() && world.store.rejections().is_empty());
}

#[tokio::test]
async fn other_content_under_a_used_id_is_rejected() {
    let world = world().await;
    let text = event_text(&world.acme, "evt-1");
    world.handle(batch(&[text.clone(), text.replace("60000", "60001")])).await;
    let rejected = world.store.rejections();
    assert_eq!(rejected.len(), 1);
    assert_eq!(rejected[0].0.code, RejectionCode::IdReused);
    assert_eq!(world.sealed(), [("evt-1".to_owned(), 2)]);
}

#[tokio::test]
async fn an_event_whose_deliveries_were_not_all_sent_is_not_sealed_and_comes_again_under_the_same_ids() {
    let world = world().await;
    let event = batch(&[event_text(&world.acme, "evt-1")]);
    world.queue.break_sends(1);
    assert_eq!(world.handle(event.clone()).await, ["message-1"]);
    assert!(world.sealed().is_empty());
    let first = world.queue.take_sent();
    assert_eq!(first.len(), 1);
    assert!(world.handle(event).await.is_empty());
    let second = world.queue.take_sent();
    assert_eq!(second.len(), 2);
    assert!(second.iter().any(|message| message.delivery == first[0].delivery));
}

#[tokio::test]
async fn a_failure_at_any_step_gives_back_only_its_own_record() {
    for method in ["find_account", "find_seal", "find_listeners", "seal_event"] {
        let world = world().await;
        world.store.fail(method, 1);
        let bad = world.handle(batch(&[event_text(&world.acme, "evt-1")])).await;
        assert_eq!(bad, ["message-1"], "{method}");
        let again = world.handle(batch(&[event_text(&world.acme, "evt-1"), event_text(&world.acme, "evt-2")])).await;
        assert!(again.is_empty(), "{method}");
        assert_eq!(world.sealed(), [("evt-1".to_owned(), 2), ("evt-2".to_owned(), 2)], "{method}");
    }
}

#[tokio::test]
async fn what_failed_comes_back_in_seconds_and_an_event_that_was_handled_is_not_hidden() {
    let world = world().await;
    for (receives, least) in [(1, 2), (2, 4), (5, 32), (20, 600)] {
        let id = |n: u32| format!("evt-{receives}-{n}");
        let mut event = batch(&[event_text(&world.acme, &id(1)), event_text(&world.acme, &id(2))]);
        for record in &mut event.records {
            record.attributes.insert("ApproximateReceiveCount".into(), receives.to_string());
        }
        world.store.fail("find_seal", 1);
        assert_eq!(world.handle(event).await, ["message-1"]);
        let (receipt, wait) = world.queue.take_postponed().pop().expect("postponed");
        assert_eq!(receipt, "receipt-1");
        let (least, wait) = (Duration::from_secs(least), wait);
        assert!(least <= wait && wait <= least * 6 / 5, "{wait:?} after {receives}");
        assert!(world.queue.take_postponed().is_empty());
    }
    // If hiding fails too, the queue's visibility timeout applies.
    world.store.fail("find_seal", 1);
    world.queue.break_postponements(1);
    assert_eq!(world.handle(batch(&[event_text(&world.acme, "evt-stuck")])).await, ["message-1"]);
}

#[tokio::test(start_paused = true)]
async fn an_event_that_outlasts_the_invocation_is_given_back_before_it_ends() {
    let world = world().await;
    world.queue.slow_down(Duration::from_secs(30));
    let started = tokio::time::Instant::now();
    // The first event is owed to two destinations and takes a minute to send; the second is owed to one.
    let bills = event_text(&world.acme, "evt-narrow").replace("endpoint/invoices", "endpoint/bills");
    let again = world.handle(batch(&[event_text(&world.acme, "evt-wide"), bills])).await;
    assert_eq!((again, started.elapsed().as_secs()), (vec!["message-1".to_owned()], 55));
    assert_eq!(world.sealed(), [("evt-narrow".to_owned(), 1)]);
    assert_eq!(world.queue.take_postponed().len(), 1);
}

#[tokio::test]
async fn a_record_without_an_id_fails_the_whole_batch() {
    let world = world().await;
    let mut event = batch(&[event_text(&world.acme, "evt-1")]);
    event.records[0].message_id = None;
    assert!(handle(Arc::clone(&world.deps), LambdaEvent::new(event, world.context())).await.is_err());
}

#[tokio::test]
async fn a_second_event_of_the_same_kind_costs_one_read_and_one_row() {
    let world = world().await;
    world.handle(batch(&[event_text(&world.acme, "evt-1")])).await;
    world.store.take_calls();
    world.handle(batch(&[event_text(&world.acme, "evt-2")])).await;
    assert_eq!(world.store.take_calls(), ["find_seal", "seal_event"]);
}

#[tokio::test]
async fn a_scope_is_noted_once_an_hour_and_an_event_of_a_known_one_costs_nothing_more() {
    let world = world().await;
    let noted = |world: &World| world.store.take_calls().into_iter().filter(|call| *call == "note_scope").count();
    world.handle(batch(&["evt-1", "evt-2", "evt-3"].map(|id| event_text(&world.acme, id)))).await;
    assert_eq!(noted(&world), 1, "once for a batch");
    world.clock.advance(Duration::from_secs(3_599));
    world.handle(batch(&[event_text(&world.acme, "evt-4")])).await;
    assert_eq!(noted(&world), 0);
    world.clock.advance(Duration::from_secs(1));
    world.handle(batch(&[event_text(&world.acme, "evt-5")])).await;
    assert_eq!(noted(&world), 1);
    let bills = event_text(&world.acme, "evt-6").replace("endpoint/invoices", "endpoint/bills");
    world.handle(batch(&[bills])).await;
    assert_eq!(noted(&world), 1, "another scope");
    world.handle(batch(&[event_text(&world.acme, "evt-1")])).await;
    assert_eq!(noted(&world), 0, "a duplicate tells nothing");
    let seen = world.store.list_scopes(&world.acme, &Scope::Everything, None, 10).await.expect("a list");
    let scopes: Vec<_> = seen.iter().map(|seen| seen.scope.to_string()).collect();
    assert_eq!(scopes, ["connection/xero/endpoint/bills", "connection/xero/endpoint/invoices"]);
}

#[tokio::test]
async fn a_scope_that_could_not_be_noted_fails_no_event_and_is_noted_with_the_next() {
    let world = world().await;
    world.store.fail("note_scope", 1);
    assert!(world.handle(batch(&[event_text(&world.acme, "evt-1")])).await.is_empty());
    assert_eq!(world.sealed(), [("evt-1".to_owned(), 2)]);
    assert!(world.store.list_scopes(&world.acme, &Scope::Everything, None, 10).await.expect("a list").is_empty());
    world.handle(batch(&[event_text(&world.acme, "evt-2")])).await;
    assert_eq!(world.store.list_scopes(&world.acme, &Scope::Everything, None, 10).await.expect("a list").len(), 1);
}
