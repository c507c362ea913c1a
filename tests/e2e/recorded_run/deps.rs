//! The dependencies of the functions: the real adapters of the table, the queues, the topic and the key; and time,
//! random bytes, host names and receivers in memory.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use adapters::{AwsClients, DynamoStore, KmsVault, SnsAlerts, SqsDeliveryQueue, SqsEventQueue};
use api::{Admission, Allowance, Limits};
use domain::attempt::RetryPolicy;
use domain::delivery::MessageLease;
use domain::destination::AddressPolicy;
use domain::event::Unregistered;
use domain::value::Horizon;
use runtime::cache::Cached;
use testing::{FixedHosts, MemoryHandOut, TestClock, TestEntropy};

use crate::aws::{DELIVERIES, EVENTS, KEY, TOPIC};
use crate::sender::TimedSender;

const RETENTION: Duration = Duration::from_secs(30 * 86_400);

pub struct Ports {
    /// For everything except the table.
    pub aws: AwsClients,
    pub store: Arc<DynamoStore>,
    pub sender: Arc<TimedSender>,
    pub clock: Arc<TestClock>,
    pub entropy: Arc<TestEntropy>,
}

impl Ports {
    fn vault(&self) -> Arc<KmsVault> {
        Arc::new(KmsVault::new(&self.aws, KEY.to_owned(), self.store.clone(), self.entropy.clone()))
    }

    fn deliveries(&self) -> Arc<SqsDeliveryQueue> {
        Arc::new(SqsDeliveryQueue::new(&self.aws, DELIVERIES.to_owned()))
    }

    fn events(&self) -> Arc<SqsEventQueue> {
        Arc::new(SqsEventQueue::new(&self.aws, EVENTS.to_owned()))
    }

    pub fn authorizer(&self) -> authorizer::Deps {
        let store = &self.store;
        let (accounts, keys, sessions) = (store.clone(), store.clone(), store.clone());
        authorizer::Deps { accounts, keys, sessions, clock: self.clock.clone() }
    }

    /// For the API, and for the page that contains it.
    pub fn api(&self) -> api::Deps {
        let (store, loopback) = (&self.store, vec!["127.0.0.1".parse().expect("an address")]);
        api::Deps {
            accounts: store.clone(),
            keys: store.clone(),
            sessions: store.clone(),
            jobs: store.clone(),
            destinations: store.clone(),
            subscriptions: store.clone(),
            events: store.clone(),
            event_list: store.clone(),
            event_queue: self.events(),
            rejections: store.clone(),
            unregistered: store.clone(),
            test_places: store.clone(),
            deliveries: store.clone(),
            delivery_list: store.clone(),
            reckoning: store.clone(),
            roll_ups: store.clone(),
            delivery_queue: self.deliveries(),
            scopes: store.clone(),
            transitions: store.clone(),
            vault: self.vault(),
            kept_answers: self.vault(),
            hosts: Arc::new(FixedHosts(BTreeMap::from([("internal.example".to_owned(), loopback)]))),
            sender: self.sender.clone(),
            clock: self.clock.clone(),
            entropy: self.entropy.clone(),
            addresses: AddressPolicy::new("", false, vec!["page.example".into()]).expect("a policy"),
            limits: Limits { destinations: 12, subscriptions: 20 },
            admission: self.admission(),
            lease: MessageLease::default(),
            page_url: "https://page.example".into(),
            public_url: None,
        }
    }

    fn admission(&self) -> Arc<Admission> {
        let much = "100000".parse().expect("a budget");
        let allowance = Allowance { units: much, events: much };
        Arc::new(Admission::new(self.store.clone(), self.clock.clone(), allowance))
    }

    pub fn fanout(&self) -> fanout::Deps {
        let store = &self.store;
        let cached = Arc::new(Cached::new(store.clone(), self.clock.clone(), &Arc::default()));
        fanout::Deps {
            accounts: cached.clone(),
            listeners: cached,
            transitions: store.clone(),
            awaited_runs: store.clone(),
            events: store.clone(),
            rejections: store.clone(),
            unregistered: fanout::UnregisteredEvents::new(store.clone(), Unregistered::Ignore),
            scopes: fanout::ScopeNotes::new(store.clone()),
            seals: fanout::Seals::new(store.clone(), Horizon::default()),
            deliveries: self.deliveries(),
            queue: self.events(),
            clock: self.clock.clone(),
            entropy: self.entropy.clone(),
            retention: RETENTION,
            metrics: Arc::default(),
        }
    }

    pub fn deliver(&self) -> deliver::Deps {
        let store = &self.store;
        deliver::Deps {
            accounts: store.clone(),
            destinations: Arc::new(Cached::new(store.clone(), self.clock.clone(), &Arc::default())),
            vault: self.vault(),
            deliveries: store.clone(),
            paces: store.clone(),
            turns: deliver::Turns::default(),
            queue: self.deliveries(),
            sender: self.sender.clone(),
            clock: self.clock.clone(),
            entropy: self.entropy.clone(),
            rows: deliver::Rows::default(),
            retries: RetryPolicy::default(),
            lease: MessageLease::default(),
            retention: RETENTION,
            metrics: Arc::default(),
        }
    }

    pub fn redrive(&self) -> redrive::Deps {
        let store = &self.store;
        redrive::Deps {
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
            queue: self.deliveries(),
            event_queue: self.events(),
            alerts: Arc::new(SnsAlerts::new(&self.aws, TOPIC.to_owned())),
            alerted: redrive::Alerted::default(),
            audited: redrive::Audited::default(),
            jobs: store.clone(),
            accounts: store.clone(),
            purge: store.clone(),
            clock: self.clock.clone(),
            entropy: self.entropy.clone(),
            // It always has enough time.
            hand_out: Arc::new(MemoryHandOut::default()),
            units: 0,
            horizon: Horizon::default(),
            lease: MessageLease::default(),
            retention: RETENTION,
            metrics: Arc::default(),
        }
    }
}
