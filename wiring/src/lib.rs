//! The only crate, apart from tests, that uses adapters. Each of its programs reads the configuration, connects to AWS
//! and runs the library of one function; none has logic of its own. This file builds what several of them need.

use std::sync::Arc;

use adapters::{
    AwsClients, DynamoStore, HyperSender, KmsVault, SqsDeliveryQueue, SqsEventQueue, SystemClock, SystemEntropy,
    SystemHosts,
};
use api::{Admission, Allowance, Deps, Limits};
use lambda_runtime::Error;
use runtime::config::ApiConfig;
use runtime::metrics::{Count, Metrics};

/// Counts the start of an instance that answers requests. It counts nothing else, so the line is written at once.
pub fn tell_of_cold_start(namespace: &str) {
    let metrics = Metrics::to_log(namespace, Arc::new(SystemClock));
    metrics.add(Count::ColdStarts, 1);
    metrics.write();
}

/// What the API needs from AWS: for `api` itself, and for `portal`, which contains the API.
///
/// # Errors
/// If the HTTP client cannot be built, for example without a certificate that the system trusts.
pub fn api_deps(config: ApiConfig) -> Result<Deps, Error> {
    let aws = AwsClients::from_env();
    let (clock, entropy) = (Arc::new(SystemClock), Arc::new(SystemEntropy));
    let store = Arc::new(DynamoStore::new(&aws, config.table));
    let allowance = Allowance { units: config.units, events: config.events };
    let admission = Admission::new(store.clone(), clock.clone(), allowance);
    let vault = Arc::new(KmsVault::new(&aws, config.secrets_key, store.clone(), entropy.clone()));
    Ok(Deps {
        accounts: store.clone(),
        keys: store.clone(),
        sessions: store.clone(),
        jobs: store.clone(),
        destinations: store.clone(),
        subscriptions: store.clone(),
        events: store.clone(),
        event_list: store.clone(),
        rejections: store.clone(),
        unregistered: store.clone(),
        test_places: store.clone(),
        event_queue: Arc::new(SqsEventQueue::new(&aws, config.events_queue)),
        deliveries: store.clone(),
        delivery_list: store.clone(),
        reckoning: store.clone(),
        roll_ups: store.clone(),
        delivery_queue: Arc::new(SqsDeliveryQueue::new(&aws, config.deliveries_queue)),
        scopes: store.clone(),
        transitions: store,
        kept_answers: vault.clone(),
        vault,
        hosts: Arc::new(SystemHosts),
        sender: Arc::new(HyperSender::new(config.addresses.clone(), clock.clone())?),
        clock,
        entropy,
        addresses: config.addresses,
        admission: Arc::new(admission),
        limits: Limits { destinations: config.max_destinations, subscriptions: config.max_subscriptions },
        lease: config.lease,
        page_url: config.page_url,
        public_url: config.public_url,
    })
}
