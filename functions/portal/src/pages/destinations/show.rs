//! The page of one destination: its health and statistics, its settings, and the subscriptions that send to it.

use askama::Template;
use axum::extract::Path;
use axum::response::Response;
use futures_util::future::{OptionFuture, try_join3};
use serde::Deserialize;

use super::stats::Stats;
use super::words;
use crate::markup::address::{query, segment};
use crate::markup::shell::Shell;
use crate::markup::{html, icons, shown};
use crate::model::destination::{at, path};
use crate::model::places::Places;
use crate::model::{Destination, Listed, Subscription};
use crate::web::failure::Failure;
use crate::web::fields::{Fields, Query};
use crate::web::inner::Api;
use crate::web::render;
use crate::web::visitor::Visitor;

#[derive(Template)]
#[template(path = "destinations/show.html")]
struct Show {
    shell: Shell,
    destination: Destination,
    stats: Stats,
    subscriptions: Listed<Subscription>,
    places: Places,
    /// The address of the page with more subscriptions.
    more: Option<String>,
    recovery: Option<Recovery>,
}

/// A recovery job.
#[derive(Deserialize)]
struct Recovery {
    id: String,
    destination_id: String,
    status: String,
    progress: Progress,
    error: Option<String>,
}

#[derive(Deserialize)]
struct Progress {
    looked_at: u64,
    resent: u64,
    set_aside: u64,
}

pub async fn show(visitor: Visitor, Path(id): Path<String>, Query(fields): Query) -> Result<Response, Failure> {
    let api = &visitor.api;
    let address = at(&id);
    let job: OptionFuture<_> = fields.some("job").map(|job| recovery(api, job, &id)).into();
    let wanted = try_join3(api.get::<Destination>(&address), Stats::of(api, &id), subscriptions(api, &id, &fields));
    let (wanted, recovery) = futures_util::future::join(wanted, job).await;
    let (destination, stats, subscriptions) = wanted?;
    let places = Places::find(api, subscriptions.data.iter().map(|subscription| subscription.scope.as_str())).await?;
    let more = subscriptions.next_cursor.as_deref();
    let more = more.map(|cursor| format!("{}{}", path(&id), query([("cursor", cursor)])));
    let recovery = recovery.flatten();
    let done = done(fields.get("done"), &destination, recovery.as_ref());
    let shell = visitor.shell("Destinations", destination.name.as_str()).after(done);
    render::page(&Show { shell, destination, stats, subscriptions, places, more, recovery })
}

/// The notice after an action, if the destination is as it says.
fn done(word: &str, destination: &Destination, recovery: Option<&Recovery>) -> Option<&'static str> {
    let recovering = recovery.is_some_and(|job| matches!(job.status.as_str(), "queued" | "running"));
    match (word, destination.health.as_str()) {
        ("saved", _) => Some("Saved."),
        ("paused", _) if destination.paused => Some("Paused. What is owed is kept until you resume."),
        ("resumed", "healthy") if destination.draining => Some("Resumed. What was set aside is on its way."),
        ("tried_soon", "failing") if !destination.paused => {
            Some("It is tried within a minute. What was set aside follows when it takes that.")
        }
        ("recovering", _) if recovering && destination.takes_nothing().is_some() => {
            Some("Everything that was missed since then is being set aside. It is sent when the destination is back.")
        }
        ("recovering", _) if recovering => Some("Everything that was missed since then is being sent again."),
        _ => None,
    }
}

async fn subscriptions(api: &Api, id: &str, fields: &Fields) -> Result<Listed<Subscription>, Failure> {
    let cursor = fields.some("cursor").map(|cursor| ("cursor", cursor));
    let asked = query([("destination_id", id), ("limit", "20")].into_iter().chain(cursor));
    api.get(&format!("/v1/subscriptions{asked}")).await
}

/// The recovery job, if it belongs to this destination. The page is shown without it if it cannot be read.
async fn recovery(api: &Api, job: &str, destination: &str) -> Option<Recovery> {
    let found: Recovery = api.get(&format!("/v1/jobs/{}", segment(job))).await.ok()?;
    Some(found).filter(|found| found.destination_id == destination)
}
