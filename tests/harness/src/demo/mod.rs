//! The demo: three accounts, each with a different way of sending events to URLs, get three events each. A table shows
//! what arrived.
//!
//! Everything uses the public interfaces: accounts, destinations and subscriptions go through the API, events through
//! the queue, and deliveries to a receiver that verifies signatures. DynamoDB is read only to see when everything has
//! been delivered.

mod playground;
mod set_up;
mod table;

use std::time::Duration;

pub use self::playground::{Playground, TemporaryFile, tell_story};
use self::set_up::SetUp;
use self::table::{Line, table};
use crate::deployment::Deployment;
use crate::eventually::eventually;
use crate::failure::Result;
use crate::producer::fresh_sample;
use crate::receiver::{Received, Receiver};

/// The events of each account: files in `events/`.
const EVENTS: [&str; 3] = ["demo-sync-run-succeeded", "demo-sync-run-failed", "demo-insight-succeeded"];
/// How long a delivery may take, including the start of the functions.
const ARRIVING: Duration = Duration::from_secs(60);

/// The result of the demo.
#[derive(Debug)]
pub struct Report {
    /// The table, ready to be printed.
    pub table: String,
    /// How many deliveries were expected.
    pub expected: usize,
    /// How many of them arrived with a valid signature.
    pub verified: usize,
    /// How many requests arrived that were not expected.
    pub unexpected: usize,
    /// The account in which one URL gets everything.
    pub account: String,
}

impl Report {
    pub fn is_complete(&self) -> bool {
        self.expected > 0 && self.verified == self.expected && self.unexpected == 0
    }
}

/// Waits until the ledger of an account shows that all its events were accepted and everything they owe was delivered.
async fn await_end(deployment: &Deployment, account: &str) -> Result<()> {
    eventually(&format!("the ledger of {account} to close"), ARRIVING, async || {
        let ledger = deployment.ledger(account).await?;
        let closed = ledger.events.len() == EVENTS.len() && ledger.count("delivered") == ledger.owed;
        Ok(closed.then_some(()))
    })
    .await
}

/// Configures the three set-ups, pushes their events and waits for the deliveries.
pub async fn run(deployment: &Deployment, receiver: &Receiver) -> Result<Report> {
    let operator = deployment.operator()?;
    eprintln!("configuring three accounts through {} ...", deployment.api_url());
    let set_ups = [
        SetUp::one_url(&operator, receiver).await?,
        SetUp::a_url_per_event(&operator, receiver).await?,
        SetUp::two_urls_for_one_event(&operator, receiver).await?,
    ];

    eprintln!("pushing {} events ...", set_ups.len() * EVENTS.len());
    let (mut events, mut lines) = (Vec::new(), Vec::new());
    for set_up in &set_ups {
        for name in EVENTS {
            let event = fresh_sample(name, set_up.customer.account())?;
            let destinations = set_up.routes.iter().filter(|route| route.events.contains(&name));
            lines.extend(destinations.map(|route| Line::expected(set_up.title, name, &event, &route.path)));
            events.push(event);
        }
    }
    deployment.producer().push_all(&events).await?;

    eprintln!("waiting for {} deliveries ...", lines.len());
    let all_there = |requests: &[Received]| lines.iter().all(|line| line.find(requests).is_some());
    if receiver.await_requests("the demo's deliveries", ARRIVING, all_there).await.is_ok() {
        // Events without a subscription may still be on their way. If not all arrived, the table shows which.
        for set_up in &set_ups {
            await_end(deployment, set_up.customer.account()).await?;
        }
    }
    let requests = receiver.requests();
    let lines: Vec<Line> = lines.into_iter().map(|line| line.filled_from(&requests)).collect();
    Ok(Report {
        table: table(&lines),
        expected: lines.len(),
        verified: lines.iter().filter(|line| line.is_verified()).count(),
        unexpected: requests.iter().filter(|request| !lines.iter().any(|line| line.is_about(request))).count(),
        account: set_ups[0].customer.account().to_owned(),
    })
}
