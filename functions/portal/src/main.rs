//! Wires `portal` to AWS. All of its logic is in the library beside this file, and in the API's.

use std::sync::Arc;

use api::{Deps, Limits};
use lambda_http::Error;
use shared::adapters::{
    AwsClients, DynamoStore, KmsVault, ReqwestSender, SqsDeliveryQueue, SqsEventQueue, SystemClock, SystemEntropy,
    SystemHosts,
};
use shared::config::{FromEnvironment, PortalConfig};
use shared::telemetry;

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Error> {
    let PortalConfig { api: config, frame_ancestors } = PortalConfig::from_env()?;
    telemetry::start(&config.log_level);
    let aws = AwsClients::from_env().await;
    let (clock, entropy) = (Arc::new(SystemClock), Arc::new(SystemEntropy));
    let store = Arc::new(DynamoStore::new(&aws, config.table));
    let deps = Deps {
        accounts: store.clone(),
        keys: store.clone(),
        sessions: store.clone(),
        jobs: store.clone(),
        destinations: store.clone(),
        subscriptions: store.clone(),
        events: store.clone(),
        event_list: store.clone(),
        rejections: store.clone(),
        event_queue: Arc::new(SqsEventQueue::new(&aws, config.events_queue)),
        deliveries: store.clone(),
        delivery_list: store.clone(),
        reckoning: store.clone(),
        roll_ups: store.clone(),
        delivery_queue: Arc::new(SqsDeliveryQueue::new(&aws, config.deliveries_queue)),
        scopes: store.clone(),
        transitions: store.clone(),
        vault: Arc::new(KmsVault::new(&aws, config.secrets_key, store, entropy.clone())),
        hosts: Arc::new(SystemHosts),
        sender: Arc::new(ReqwestSender::new(config.addresses.clone(), clock.clone())?),
        clock,
        entropy,
        addresses: config.addresses,
        limits: Limits { destinations: config.max_destinations, subscriptions: config.max_subscriptions },
        horizon: config.horizon,
        page_url: config.page_url,
    };
    lambda_http::run(portal::router(deps, &frame_ancestors)).await
}
