//! Fills an account with a day of events and deliveries, through the API and the queue. Its receivers are healthy,
//! slow, down, gone or paused.
//!
//! It writes no row by itself, so the pictures show only what can happen.

use std::collections::HashMap;
use std::time::Duration;

use harness::api_client::{Customer, NewSubscription};
use harness::eventually::eventually;
use harness::producer::past_sample;
use harness::receiver::{Answer, Guard, Receiver};
use harness::{Deployment, Result};
use http::Method;
use serde_json::{Value, json};

/// How long it may take until all events are processed.
const SETTLING: Duration = Duration::from_secs(180);
/// Minutes between two events.
const PACE: i64 = 17;
const EVENTS: usize = 72;

/// Where events come from: a sample, the connection's id and name, and the id and name of the table or insight.
const PLACES: [(&str, &str, &str, &str, &str); 9] = [
    ("demo-sync-run-succeeded", "xero", "Xero (Acme Trading Ltd)", "invoices", "Invoices"),
    ("demo-sync-run-succeeded", "xero", "Xero (Acme Trading Ltd)", "bank-transactions", "Bank transactions"),
    ("demo-sync-run-failed", "hubspot", "HubSpot (Sales EMEA)", "contacts", "Contacts"),
    ("demo-sync-run-succeeded", "hubspot", "HubSpot (Sales EMEA)", "deals", "Deals"),
    ("demo-sync-run-succeeded", "shopify", "Shopify (acme-outdoor)", "orders", "Orders"),
    ("demo-sync-run-succeeded", "stripe", "Stripe (live)", "charges", "Charges"),
    ("demo-insight-succeeded", "xero", "Xero (Acme Trading Ltd)", "cash-flow", "Cash flow, next 90 days"),
    ("demo-insight-succeeded", "shopify", "Shopify (acme-outdoor)", "repeat-buyers", "Repeat buyers by cohort"),
    // Nobody has subscribed to this one.
    ("demo-sync-run-succeeded", "netsuite", "NetSuite (consolidation)", "journal-entries", "Journal entries"),
];

/// The account, and the ids of what is worth a picture.
pub struct Story {
    pub account: String,
    /// An account that has nothing yet.
    pub newcomer: String,
    /// One destination for each health.
    pub healthy: String,
    pub failing: String,
    pub paused: String,
    pub disabled: String,
    pub subscription: String,
    pub event: String,
    pub unmatched: String,
    /// One delivery for each status.
    pub deliveries: HashMap<String, String>,
    /// An address at a receiver that verifies nothing.
    pub trusting: String,
    /// Held because it closes its port when it is dropped.
    _receiver: Receiver,
}

impl Story {
    pub async fn tell(deployment: &Deployment) -> Result<Self> {
        let operator = deployment.operator()?;
        let customer = operator.register("acme-trading").await?;
        let newcomer = operator.register("newcomer").await?.account().to_owned();
        let receiver = Receiver::start().await?;
        let wiring = Wiring { customer: &customer, receiver: &receiver };
        let healthy = wiring.healthy().await?;
        let (failing, paused, disabled) = wiring.in_trouble().await?;
        wiring.with_hiccups().await?;
        let subscription = customer.list("/v1/subscriptions").await?.first().map(|first| text(first, "id"));
        let (event, unmatched) = push(deployment, &customer).await?;
        let deliveries = settle(&customer, &failing, &disabled).await?;
        await_statistics(&customer, &healthy).await?;
        Ok(Self {
            account: customer.account().to_owned(),
            newcomer,
            healthy,
            failing,
            paused,
            disabled,
            subscription: subscription.unwrap_or_default(),
            event,
            unmatched,
            deliveries,
            trusting: receiver.url("/trusting"),
            _receiver: receiver,
        })
    }
}

struct Wiring<'s> {
    customer: &'s Customer,
    receiver: &'s Receiver,
}

impl Wiring<'_> {
    async fn healthy(&self) -> Result<String> {
        self.receiver.guard("/billing", Guard::Verifies);
        let settings = json!({"description": "Posts invoices and payments to the books. Owned by Finance Systems.",
            "headers": {"x-environment": "production"}, "rate_limit": 50});
        let billing = self.destination("Billing", "/billing", settings).await?;
        self.subscribe(&billing, "Everything of Xero", &["*"], "connection/xero").await?;
        self.receiver
            .answer("/warehouse", [Answer::status(202).after(Duration::from_millis(640)).body("{\"queued\": true}")]);
        let warehouse =
            self.destination("Data warehouse loader", "/warehouse/hooks/synchub?region=eu-west-1", json!({})).await?;
        for connection in ["hubspot", "shopify", "stripe"] {
            let (name, scope) = (format!("Tables of {connection}"), format!("connection/{connection}"));
            self.subscribe(&warehouse, &name, &["sync_run.completed"], &scope).await?;
        }
        Ok(billing)
    }

    /// One that fails, one that is paused, and one that is gone.
    async fn in_trouble(&self) -> Result<(String, String, String)> {
        let page = "<html><head><title>502 Bad Gateway</title></head><body><h1>502 Bad Gateway</h1></body></html>";
        self.receiver.answer("/alerting", [Answer::status(502).header("content-type", "text/html").body(page)]);
        let failing = self.destination("Alerting", "/alerting", json!({})).await?;
        self.subscribe(&failing, "Orders and charges", &["sync_run.completed"], "connection/shopify").await?;
        self.subscribe(&failing, "Charges", &["sync_run.completed"], "connection/stripe").await?;
        let paused = self.destination("CRM import", "/crm", json!({"paused": true})).await?;
        self.subscribe(&paused, "Deals", &["sync_run.completed"], "connection/hubspot/endpoint/deals").await?;
        self.receiver.answer("/old", [Answer::status(410)]);
        let disabled = self.destination("Old integration (2024)", "/old/hooks", json!({})).await?;
        self.subscribe(&disabled, "Contacts", &["sync_run.completed"], "connection/hubspot/endpoint/contacts").await?;
        Ok((failing, paused, disabled))
    }

    /// One with a delivery that waits for its next attempt, and one that gives up at once.
    async fn with_hiccups(&self) -> Result<()> {
        let busy = Answer::status(503).header("retry-after", "120").body("{\"error\": \"maintenance until 10:30\"}");
        self.receiver.answer("/reports", [busy, Answer::status(200)]);
        let waits = json!({"retry_policy": [3600, 7200]});
        let reports = self.destination("Finance reports", "/reports", waits).await?;
        self.subscribe(&reports, "All insights", &["insight_population.completed"], "*").await?;
        let refused = Answer::status(404).body("{\"error\": \"no route for /erp/v1/hooks\"}");
        self.receiver.answer("/erp", [refused.clone(), refused, Answer::status(204)]);
        let erp = self.destination("ERP", "/erp/v1/hooks", json!({"retry_policy": "none"})).await?;
        self.subscribe(&erp, "Invoices", &["sync_run.completed"], "connection/xero/endpoint/invoices").await
    }

    async fn destination(&self, name: &str, path: &str, mut settings: Value) -> Result<String> {
        settings["name"] = json!(name);
        settings["url"] = json!(self.receiver.url(path));
        let created = self.customer.post("/v1/destinations", &settings).await?.expect_status(201)?;
        let path = path.split('?').next().unwrap_or(path);
        self.receiver.expect_secret(path, &text(&created, "secret"));
        Ok(text(&created, "id"))
    }

    async fn subscribe(&self, destination: &str, name: &str, types: &[&str], scope: &str) -> Result<()> {
        let subscription = NewSubscription::to_everything(destination).named(name).event_types(types).scope(scope);
        self.customer.subscribe(&subscription).await.map(drop)
    }
}

/// Pushes the events, the newest last. Returns the ids of one that matched and of one that did not.
async fn push(deployment: &Deployment, customer: &Customer) -> Result<(String, String)> {
    let (mut events, mut matched, mut unmatched) = (Vec::new(), String::new(), String::new());
    for number in 0..EVENTS {
        let (sample, connection, name, part, part_name) = PLACES[number % PLACES.len()];
        let back = PACE * i64::try_from(EVENTS - number).unwrap_or_default();
        let mut event = past_sample(sample, customer.account(), time::Duration::minutes(back))?;
        let kind = if event["data"]["endpoint"].is_object() { "endpoint" } else { "insight" };
        event["scope"] = json!(format!("connection/{connection}/{kind}/{part}"));
        event["data"]["connection"] = json!({"id": connection, "name": name, "service": connection});
        event["data"][kind]["id"] = json!(part);
        event["data"][kind]["name"] = json!(part_name);
        if kind == "endpoint" {
            event["data"][kind]["table"] = json!(format!("{connection}_{}", part.replace('-', "_")));
        }
        let id = text(&event, "id");
        match (connection, part) {
            ("netsuite", _) => unmatched = id,
            (_, "invoices") => matched = id,
            _ => {}
        }
        events.push(event);
    }
    deployment.producer().push_all(&events).await?;
    Ok((matched, unmatched))
}

/// Waits until no delivery is pending, and returns one of each status.
async fn settle(customer: &Customer, failing: &str, disabled: &str) -> Result<HashMap<String, String>> {
    let health = async |id: &str| {
        let destination =
            customer.call(Method::GET, &format!("/v1/destinations/{id}"), None).await?.expect_status(200)?;
        Ok(text(&destination, "health"))
    };
    eventually("receivers to be known to be down", SETTLING, async || {
        Ok((health(failing).await? == "failing" && health(disabled).await? == "disabled").then_some(()))
    })
    .await?;
    eventually("events to be accounted for", SETTLING, async || {
        let ledger = customer.get("/v1/ledger").await?.expect_status(200)?;
        // Changes of the destinations' health add operational events.
        let accepted = ledger["accepted"]["count"].as_u64().unwrap_or_default();
        if accepted < EVENTS as u64 || ledger["pending"]["count"] != 0 {
            return Ok(None);
        }
        let mut found = HashMap::new();
        for status in ["delivered", "retrying", "parked", "exhausted"] {
            let path = format!("/v1/deliveries?limit=1&status={status}");
            let page = customer.get(&path).await?.expect_status(200)?;
            found.extend(page["data"].get(0).map(|delivery| (status.to_owned(), text(delivery, "id"))));
        }
        Ok((found.len() == 4).then_some(found))
    })
    .await
}

/// Waits until a destination's deliveries are in its statistics, which are made each minute.
async fn await_statistics(customer: &Customer, destination: &str) -> Result<()> {
    let path = format!("/v1/destinations/{destination}/stats");
    eventually("a destination's statistics", SETTLING, async || {
        let stats = customer.get(&path).await?.expect_status(200)?;
        Ok(stats["delivered"].as_u64().is_some_and(|count| count > 0).then_some(()))
    })
    .await
}

fn text(value: &Value, field: &str) -> String {
    value[field].as_str().unwrap_or_default().to_owned()
}
