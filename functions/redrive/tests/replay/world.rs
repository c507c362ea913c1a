//! An account with a destination and a subscription over the in-memory store, events of its past, and runs of `redrive`.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use domain::delivery::{Delivery, Job, JobStatus, Purpose, Replay, Replayed};
use domain::destination::Destination;
use domain::event::{Event, envelope};
use domain::routing::Subscription;
use domain::value::{DeliveryId, EventId, JobId, Timestamp};
use lambda_runtime::{Context, LambdaEvent};
use ports::{Accounts, Clock, Destinations, Events, FindJob, SealedEvent, StartJob, Subscriptions, UnmatchedReason};
use redrive::{Deps, handle};
use serde_json::{Value, json};
use testing::{MemoryQueue, MemoryStore, TestClock, account, destination, event_text, subscription};

use crate::over_memory::deps;

pub const INVOICES: &str = "connection/xero/endpoint/invoices";
pub const MINUTE: Duration = Duration::from_secs(60);

pub struct World {
    pub store: Arc<MemoryStore>,
    pub clock: Arc<TestClock>,
    pub queue: Arc<MemoryQueue>,
    pub deps: Arc<Deps>,
    pub target: Destination,
    pub subscription: Subscription,
}

/// An account with one destination, at most one delivery a second, so that the part of a minute is 60, and a
/// subscription to succeeded runs of the table `invoices` with these further settings.
pub async fn world(more: Value) -> World {
    let (store, clock) = (Arc::new(MemoryStore::default()), Arc::new(TestClock::new()));
    let queue = Arc::new(MemoryQueue::default());
    store.create_account(&account("acme"), clock.now()).await.expect("created");
    let mut target = destination(&account("acme"), 1, "https://a.example/");
    target.settings.rate_limit = 1.try_into().ok();
    store.create_destination(&target, 10).await.expect("created");
    let mut settings = json!({
        "name": "late", "destination_id": target.id, "event_types": ["sync_run.completed"],
        "scope": "connection/xero", "path": "/late", "condition": {"status": ["succeeded"]}
    });
    settings.as_object_mut().expect("an object").extend(more.as_object().expect("an object").clone());
    let settings = serde_json::from_value(settings).expect("settings");
    let subscription = Subscription { settings, ..subscription(&target, 1, &["*"], "*", None) };
    store.create_subscription(&subscription, 10).await.expect("created");
    let deps = Arc::new(deps(&store, &queue, &Arc::default(), &clock));
    let world = World { store, clock, queue, deps, target, subscription };
    // The first run begins the audit.
    world.run().await.expect("a run");
    world
}

impl World {
    pub async fn run(&self) -> Result<(), lambda_runtime::Error> {
        let mut context = Context::default();
        context.deadline = self.clock.now().plus(MINUTE).unix_ms();
        handle(Arc::clone(&self.deps), LambdaEvent::new(Value::Null, context)).await
    }

    /// Seals an event of this status at this place, which owes deliveries to these paths of the destination.
    pub async fn seal(&self, id: &str, scope: &str, status: &str, paths: &[&str]) {
        let mut text: Value = serde_json::from_str(&event_text(&self.target.account, id)).expect("JSON");
        (text["scope"], text["data"]["status"]) = (json!(scope), json!(status));
        if status == "failed" {
            text["data"]["error"] = json!({"code": "x", "message": "x", "retryable": true});
        }
        let (endpoint, connection) = (scope.rsplit('/').next(), scope.split('/').nth(1));
        (text["data"]["endpoint"]["id"], text["data"]["connection"]["id"]) = (json!(endpoint), json!(connection));
        let event = Event::parse(&text.to_string(), self.clock.now()).map_err(|r| r.detail).expect("an event");
        let path = |path: &&str| Some((*path).to_owned().try_into().expect("a path"));
        let owed = paths.iter().map(|to| Delivery::of_event(&event, self.target.id.clone(), path(to))).collect();
        let body = envelope::build(&event).expect("a body").get().to_owned();
        self.seal_body(event, body, owed).await;
    }

    pub async fn seal_body(&self, event: Event, body: String, owed: Vec<Delivery>) {
        let sealed = SealedEvent {
            account: event.account,
            id: event.id,
            event_type: event.event_type,
            scope: event.scope,
            occurred_at: event.occurred_at,
            sealed_at: event.occurred_at,
            digest: envelope::content_digest(&body),
            body,
            traceparent: event.traceparent,
            unmatched: owed.is_empty().then_some(UnmatchedReason::NoSubscription),
            owed,
            expires_at: self.clock.now().plus(MINUTE * 60 * 24),
        };
        self.store.seal_event(&sealed).await.expect("sealed");
    }

    pub async fn seal_matching(&self, count: usize) {
        for n in 0..count {
            self.seal(&format!("evt-{n}"), INVOICES, "succeeded", &[]).await;
        }
    }

    pub async fn start(&self) -> JobId {
        self.start_span(Timestamp::from_unix_ms(0), self.clock.now()).await
    }

    pub async fn start_span(&self, since: Timestamp, until: Timestamp) -> JobId {
        let (account, subscription_id) = (self.target.account.clone(), self.subscription.id.clone());
        let replay = Replay { account, subscription_id, since, until };
        let job = Job::replay(replay, self.clock.now());
        let started = self.store.start_job(&job, 20).await.expect("started").expect("not too many");
        self.clock.advance(MINUTE);
        started.id
    }

    pub async fn job(&self, id: &JobId) -> Job {
        self.store.find_job(id).await.expect("an answer").expect("the job")
    }

    /// Status, and how many events were looked at, with their results.
    pub async fn told(&self, id: &JobId) -> (JobStatus, u64, Replayed) {
        let job = self.job(id).await;
        (job.status, job.done, Replayed { to: None, ..job.replayed.expect("a replay") })
    }

    pub async fn event(&self, id: &str) -> SealedEvent {
        let id: EventId = id.parse().expect("an id");
        self.store.find_event(&self.target.account, &id).await.expect("an answer").expect("the event")
    }

    /// What was sent, each with the body of its event.
    pub fn sent(&self) -> Vec<DeliveryId> {
        let sent = self.queue.take_sent().into_iter();
        sent.map(|message| {
            assert_eq!(message.purpose, Purpose::Again);
            assert!(message.body.get().contains(&format!("\"{}\"", message.delivery.event)));
            message.delivery.id
        })
        .collect()
    }

    /// The books balance: each row belongs to a delivery that its event owes once, and each event that owes something
    /// counts as matched.
    pub fn check_books(&self, context: &str) {
        let mut owed = BTreeSet::new();
        for event in self.store.events() {
            assert_eq!(event.unmatched.is_none(), !event.owed.is_empty(), "{context}: {}", event.id);
            for delivery in event.owed {
                assert!(owed.insert(delivery.id), "{context}: {} is owed twice", event.id);
            }
        }
        let rows: BTreeSet<_> = self.store.deliveries().into_iter().map(|row| row.delivery.id).collect();
        assert_eq!(rows, owed, "{context}");
    }
}
