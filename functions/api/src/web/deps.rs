//! The state of every handler: what the API asks of the outside, and its settings.

use std::sync::Arc;

use domain::destination::AddressPolicy;
use domain::value::Horizon;
use ports::{
    Accounts, ApiKeys, Clock, Deliveries, DeliveryQueue, Destinations, Entropy, EventQueue, FindRollUp, HostLookup,
    HttpSender, ListDeliveries, ListEvents, OweMore, Reckoning, Rejections, SeenScopes, Sessions, StartJob,
    Subscriptions, Transitions, Vault,
};

/// How much an account may configure.
#[derive(Debug, Clone, Copy)]
pub struct Limits {
    pub destinations: u32,
    pub subscriptions: u32,
}

pub struct Deps {
    pub accounts: Arc<dyn Accounts>,
    pub keys: Arc<dyn ApiKeys>,
    pub sessions: Arc<dyn Sessions>,
    pub jobs: Arc<dyn StartJob>,
    pub destinations: Arc<dyn Destinations>,
    pub subscriptions: Arc<dyn Subscriptions>,
    pub events: Arc<dyn OweMore>,
    pub event_list: Arc<dyn ListEvents>,
    pub event_queue: Arc<dyn EventQueue>,
    pub rejections: Arc<dyn Rejections>,
    pub deliveries: Arc<dyn Deliveries>,
    pub delivery_list: Arc<dyn ListDeliveries>,
    pub reckoning: Arc<dyn Reckoning>,
    pub roll_ups: Arc<dyn FindRollUp>,
    pub delivery_queue: Arc<dyn DeliveryQueue>,
    pub scopes: Arc<dyn SeenScopes>,
    pub transitions: Arc<dyn Transitions>,
    pub vault: Arc<dyn Vault>,
    pub hosts: Arc<dyn HostLookup>,
    /// Sends tests as deliveries are sent.
    pub sender: Arc<dyn HttpSender>,
    pub clock: Arc<dyn Clock>,
    pub entropy: Arc<dyn Entropy>,
    pub addresses: AddressPolicy,
    pub limits: Limits,
    /// After how long what was lost is looked for.
    pub horizon: Horizon,
    /// Where the page is, without a slash at the end; links begin with it.
    pub page_url: String,
}
