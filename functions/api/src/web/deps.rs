//! The state of every handler: the ports it uses, and the settings of the API.

use std::sync::Arc;

use domain::delivery::MessageLease;
use domain::destination::AddressPolicy;
use ports::{
    Accounts, ApiKeys, Clock, Deliveries, DeliveryQueue, Destinations, Entropy, EventQueue, FindRollUp, HostLookup,
    HttpSender, KeptAnswers, ListDeliveries, ListEvents, OweMore, Reckoning, Rejections, SeenScopes, Sessions,
    StartJob, Subscriptions, TestPlaces, Transitions, UnregisteredAccounts, Vault,
};

use crate::web::admission::Admission;

/// How many destinations and subscriptions an account may have.
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
    pub unregistered: Arc<dyn UnregisteredAccounts>,
    pub test_places: Arc<dyn TestPlaces>,
    pub deliveries: Arc<dyn Deliveries>,
    pub delivery_list: Arc<dyn ListDeliveries>,
    pub reckoning: Arc<dyn Reckoning>,
    pub roll_ups: Arc<dyn FindRollUp>,
    pub delivery_queue: Arc<dyn DeliveryQueue>,
    pub scopes: Arc<dyn SeenScopes>,
    pub transitions: Arc<dyn Transitions>,
    pub vault: Arc<dyn Vault>,
    pub kept_answers: Arc<dyn KeptAnswers>,
    pub hosts: Arc<dyn HostLookup>,
    /// Sends test payloads, in the same way as deliveries.
    pub sender: Arc<dyn HttpSender>,
    pub clock: Arc<dyn Clock>,
    pub entropy: Arc<dyn Entropy>,
    pub addresses: AddressPolicy,
    pub limits: Limits,
    /// Shared by the API and the page.
    pub admission: Arc<Admission>,
    /// How long after an event `redrive` looks for deliveries that were lost.
    pub lease: MessageLease,
    /// The public address of the API, if it is not API Gateway's own.
    pub public_url: Option<String>,
    /// The address of the page, without a slash at the end. Links to the page begin with it.
    pub page_url: String,
}
