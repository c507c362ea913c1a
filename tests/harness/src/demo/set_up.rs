//! The three ways of sending events to URLs that the demo shows.
//!
//! A set-up says which of the demo's events each URL should get. This is not derived from the subscriptions, because
//! matching them is the system's job, which the demo checks.

use crate::api_client::{Customer, NewSubscription, Operator};
use crate::failure::Result;
use crate::receiver::Receiver;
use crate::unique::unique;

/// One account and its set-up.
pub(super) struct SetUp {
    pub title: &'static str,
    pub customer: Customer,
    pub routes: Vec<Route>,
}

/// A URL, and the events it should get.
pub(super) struct Route {
    pub path: String,
    pub events: Vec<&'static str>,
}

impl SetUp {
    /// Every event of the account goes to the same URL.
    pub(super) async fn one_url(operator: &Operator, receiver: &Receiver) -> Result<Self> {
        let mut set_up = Self::new("one URL for everything", "demo-one-url", operator).await?;
        let everything = ["demo-sync-run-succeeded", "demo-sync-run-failed", "demo-insight-succeeded"];
        set_up.route(receiver, "everything", &everything, |subscription| subscription).await?;
        Ok(set_up)
    }

    /// Each kind of event goes to its own URL, chosen by table, by connection or by event type.
    pub(super) async fn a_url_per_event(operator: &Operator, receiver: &Receiver) -> Result<Self> {
        let mut set_up = Self::new("a URL per event", "demo-url-per-event", operator).await?;
        set_up
            .route(receiver, "invoices", &["demo-sync-run-succeeded"], |subscription| {
                subscription.event_types(&["sync_run.completed"]).scope("connection/xero/endpoint/invoices")
            })
            .await?;
        set_up
            .route(receiver, "hubspot", &["demo-sync-run-failed"], |subscription| {
                subscription.event_types(&["sync_run.completed"]).scope("connection/hubspot")
            })
            .await?;
        set_up
            .route(receiver, "insights", &["demo-insight-succeeded"], |subscription| {
                subscription.event_types(&["insight_population.completed"])
            })
            .await?;
        Ok(set_up)
    }

    /// One event goes to two URLs; the other events go nowhere.
    pub(super) async fn two_urls_for_one_event(operator: &Operator, receiver: &Receiver) -> Result<Self> {
        let mut set_up = Self::new("one event to two URLs", "demo-two-urls", operator).await?;
        for name in ["finance", "warehouse"] {
            set_up
                .route(receiver, name, &["demo-insight-succeeded"], |subscription| {
                    subscription.scope("connection/xero/insight/cash-flow")
                })
                .await?;
        }
        Ok(set_up)
    }

    async fn new(title: &'static str, account: &str, operator: &Operator) -> Result<Self> {
        Ok(Self { title, customer: operator.register(&unique(account)).await?, routes: Vec::new() })
    }

    /// Creates a destination with a subscription to everything, which `narrow` restricts.
    async fn route(
        &mut self,
        receiver: &Receiver,
        name: &str,
        events: &[&'static str],
        narrow: impl FnOnce(NewSubscription) -> NewSubscription,
    ) -> Result<()> {
        let path = format!("/{}/{name}", self.customer.account());
        let destination = self.customer.create_destination(name, &receiver.url(&path)).await?;
        receiver.expect_secret(&path, &destination.secret);
        self.customer.subscribe(&narrow(NewSubscription::to_everything(&destination.id).named(name))).await?;
        self.routes.push(Route { path, events: events.to_vec() });
        Ok(())
    }
}
