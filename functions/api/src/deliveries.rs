//! What became of deliveries, attempt by attempt. Those without a row yet are pending; they are seen at their event only.

use std::sync::Arc;

use axum::Json as Answer;
use axum::extract::State;
use axum::response::{IntoResponse, Response};
use serde::Serialize;
use shared::domain::delivery::{Attempt, Delivery, DeliveryRecord, DeliveryState};
use shared::domain::destination::DeliveryPath;
use shared::domain::event_type::EventType;
use shared::domain::id::{AccountId, DeliveryId, DestinationId, EventId};
use shared::domain::outcome::Outcome;
use shared::domain::scope::Scope;
use shared::domain::timestamp::Timestamp;
use shared::ports::PortResult;

use crate::Deps;
use crate::caller::Reader;
use crate::filters::Filters;
use crate::named::{Kind, Named};
use crate::newest_first::NewestFirst;
use crate::pages::PageRequest;
use crate::problem::Problem;

/// How many destinations are read at a time.
const DESTINATIONS: usize = 100;
/// What a delivery in the list can be.
const STATUSES: [&str; 5] = ["delivered", "retrying", "parked", "exhausted", "cancelled"];

#[derive(Serialize)]
struct DeliveryView<Attempts> {
    id: DeliveryId,
    event_id: EventId,
    #[serde(rename = "type")]
    event_type: EventType,
    /// Not kept for the oldest deliveries.
    scope: Option<Scope>,
    destination_id: DestinationId,
    path: Option<DeliveryPath>,
    status: &'static str,
    /// When the next attempt is due, while it is retrying.
    due_at: Option<Timestamp>,
    attempt_count: usize,
    #[serde(flatten)]
    attempts: Attempts,
}

impl<Attempts> DeliveryView<Attempts> {
    fn new(record: DeliveryRecord, attempts: impl FnOnce(Vec<Attempt>) -> Attempts) -> Self {
        let Delivery { id, event, event_type, scope, destination, path, account: _ } = record.delivery;
        let due_at = if let DeliveryState::Retrying { due_at } = record.state { Some(due_at) } else { None };
        Self {
            id,
            event_id: event,
            event_type,
            scope,
            destination_id: destination,
            path,
            status: record.state.as_str(),
            due_at,
            attempt_count: record.attempts.len(),
            attempts: attempts(record.attempts),
        }
    }
}

/// In the list: the last attempt, in short.
#[derive(Serialize)]
struct LastAttempt {
    last_attempt: Option<AttemptItem>,
}

#[derive(Serialize)]
struct AttemptItem {
    at: Timestamp,
    duration_ms: u64,
    outcome: &'static str,
    status_code: Option<u16>,
}

impl From<&Attempt> for AttemptItem {
    fn from(attempt: &Attempt) -> Self {
        Self {
            at: attempt.at,
            duration_ms: u64::try_from(attempt.took.as_millis()).unwrap_or(u64::MAX),
            outcome: attempt.outcome.as_str(),
            status_code: attempt.outcome.status(),
        }
    }
}

/// On its own: every attempt, in full.
#[derive(Serialize)]
struct AllAttempts {
    attempts: Vec<AttemptView>,
}

#[derive(Serialize)]
struct AttemptView {
    number: u32,
    #[serde(flatten)]
    item: AttemptItem,
    error: Option<String>,
    retry_after_s: Option<u64>,
    response_excerpt: Option<String>,
}

impl From<Attempt> for AttemptView {
    fn from(attempt: Attempt) -> Self {
        let (number, item, error) = (attempt.number, AttemptItem::from(&attempt), attempt.outcome.error());
        let (retry_after, excerpt) = match attempt.outcome {
            Outcome::Refused { retry_after, excerpt, .. } => (retry_after, excerpt),
            _ => (None, String::new()),
        };
        let response_excerpt = Some(excerpt).filter(|text| !text.is_empty());
        Self { number, item, error, retry_after_s: retry_after.map(|wait| wait.as_secs()), response_excerpt }
    }
}

pub async fn list(
    Reader(account): Reader,
    State(deps): State<Arc<Deps>>,
    page: PageRequest,
    mut filters: Filters,
) -> Result<Response, Problem> {
    let destination = filters.take::<DestinationId>("destination_id")?;
    let status = filters.take_word("status", &STATUSES)?;
    let event_type = filters.take::<EventType>("type")?;
    let scope = filters.take::<Scope>("scope")?;
    let span = filters.take_span()?;
    filters.finish()?;
    let now = deps.clock.now();
    let matches = |record: &DeliveryRecord| {
        let within = |wanted: &Scope| match &record.delivery.scope {
            Some(scope) => wanted.contains(scope),
            None => *wanted == Scope::Everything,
        };
        record.expires_at > now
            && status.is_none_or(|wanted| record.state.as_str() == wanted)
            && event_type.is_none_or(|wanted| record.delivery.event_type == wanted)
            && scope.as_ref().is_none_or(within)
    };
    let after = page.after()?;
    let destinations = match destination {
        Some(one) => vec![one],
        None => all_destinations(&deps, &account).await?,
    };
    let mut deliveries = NewestFirst::begin(deps, account, destinations, span, after.as_ref(), page.to_read()).await?;
    let mut sieve = page.sieve();
    while let Some(record) = deliveries.next().await? {
        if !sieve.offer(record.delivery.id.clone(), Some(record).filter(matches).map(item)) {
            break;
        }
    }
    Ok(Answer(sieve.page()).into_response())
}

fn item(record: DeliveryRecord) -> DeliveryView<LastAttempt> {
    DeliveryView::new(record, |attempts| LastAttempt { last_attempt: attempts.last().map(AttemptItem::from) })
}

async fn all_destinations(deps: &Deps, account: &AccountId) -> PortResult<Vec<DestinationId>> {
    let mut all: Vec<DestinationId> = Vec::new();
    loop {
        let page = deps.destinations.list_destinations(account, all.last(), DESTINATIONS).await?;
        let last = page.len() < DESTINATIONS;
        all.extend(page.into_iter().map(|destination| destination.id));
        if last {
            return Ok(all);
        }
    }
}

pub async fn read(
    Reader(account): Reader,
    State(deps): State<Arc<Deps>>,
    Named(id): Named<DeliveryId>,
) -> Result<Response, Problem> {
    let now = deps.clock.now();
    let found = deps.deliveries.find_delivery(&account, &id).await?.filter(|record| record.expires_at > now);
    let all = |attempts: Vec<Attempt>| AllAttempts { attempts: attempts.into_iter().map(AttemptView::from).collect() };
    Ok(Answer(DeliveryView::new(found.ok_or_else(DeliveryId::not_found)?, all)).into_response())
}
