//! The functions over their real adapters, whose calls [`World`] answers.

use std::sync::Arc;
use std::time::Duration;

use adapters::{
    AwsClients, DynamoStore, SnsAlerts, SnsHandOut, SqsDeliveryQueue, SqsEventQueue, SystemClock, SystemEntropy,
};
use aws_sdk_sqs::config::{BehaviorVersion, Credentials, Region, SharedCredentialsProvider};
use aws_smithy_runtime_api::client::http::SharedHttpClient;
use aws_types::SdkConfig;
use domain::delivery::MessageLease;
use domain::event::Unregistered;
use domain::value::{Horizon, Timestamp};
use fanout::{ScopeNotes, Seals, UnregisteredEvents};
use ports::Clock;
use redrive::{Alerted, Audited};
use runtime::cache::Cached;

use super::world::World;

const RETENTION: Duration = Duration::from_secs(86_400);

fn clients(world: &World) -> AwsClients {
    let config = SdkConfig::builder()
        .behavior_version(BehaviorVersion::latest())
        .region(Region::from_static("local"))
        .credentials_provider(SharedCredentialsProvider::new(Credentials::new("key", "secret", None, None, "bench")))
        .http_client(SharedHttpClient::new(world.clone()))
        .build();
    AwsClients::from_config(config)
}

fn url() -> String {
    "https://sqs.local/queue".to_owned()
}

pub(super) fn of_fanout(world: &World) -> Arc<fanout::Deps> {
    let (aws, clock) = (clients(world), Arc::new(SystemClock));
    let store = Arc::new(DynamoStore::new(&aws, "table".to_owned()));
    let cached = Arc::new(Cached::new(store.clone(), clock.clone(), &Arc::default()));
    Arc::new(fanout::Deps {
        accounts: cached.clone(),
        listeners: cached,
        transitions: store.clone(),
        awaited_runs: store.clone(),
        events: store.clone(),
        rejections: store.clone(),
        unregistered: UnregisteredEvents::new(store.clone(), Unregistered::Ignore),
        scopes: ScopeNotes::new(store.clone()),
        seals: Seals::new(store, Horizon::default()),
        deliveries: Arc::new(SqsDeliveryQueue::new(&aws, url())),
        queue: Arc::new(SqsEventQueue::new(&aws, url())),
        clock,
        entropy: Arc::new(SystemEntropy),
        retention: RETENTION,
        metrics: Arc::default(),
    })
}

/// A clock that is ahead.
struct Ahead(Duration);

impl Clock for Ahead {
    fn now(&self) -> Timestamp {
        SystemClock.now().plus(self.0)
    }
}

pub(super) fn of_redrive(world: &World, later: Duration) -> Arc<redrive::Deps> {
    let aws = clients(world);
    let store = Arc::new(DynamoStore::new(&aws, "table".to_owned()));
    let topic = || "arn:aws:sns:local:1:topic".to_owned();
    Arc::new(redrive::Deps {
        waiting: store.clone(),
        destinations: store.clone(),
        destination_list: store.clone(),
        deliveries: store.clone(),
        delivery_list: store.clone(),
        events: store.clone(),
        event_list: store.clone(),
        paces: store.clone(),
        awaited_runs: store.clone(),
        subscriptions: store.clone(),
        transitions: store.clone(),
        audit: store.clone(),
        reckoning: store.clone(),
        roll_ups: store.clone(),
        queue: Arc::new(SqsDeliveryQueue::new(&aws, url())),
        event_queue: Arc::new(SqsEventQueue::new(&aws, url())),
        alerts: Arc::new(SnsAlerts::new(&aws, topic())),
        alerted: Alerted::default(),
        audited: Audited::default(),
        jobs: store.clone(),
        accounts: store.clone(),
        purge: store,
        clock: Arc::new(Ahead(later)),
        entropy: Arc::new(SystemEntropy),
        hand_out: Arc::new(SnsHandOut::new(&aws, topic())),
        units: 0,
        horizon: Horizon::default(),
        lease: MessageLease::default(),
        retention: RETENTION,
        metrics: Arc::default(),
    })
}
