//! Test payloads: the sample of an event type, signed and sent exactly as a delivery is, and optionally three forged
//! requests that the receiver must refuse. A test is not a delivery and is not in the ledger. It takes one of five places
//! of its account, so receivers that never answer occupy only few instances of this function.
//!
//! [`domain::delivery::proof`] decides what is forged and what a response shows; `test_answer` defines the result.
//!
//! Invariant: a test is sent in the same way as a delivery, with an id that no delivery has, and writes nothing (tests:
//! `a_test_arrives_as_a_delivery_does_and_is_not_in_the_ledger`, `the_id_of_a_test_is_new_each_time_and_no_deliverys`,
//! `a_test_reads_the_destination_and_writes_nothing_but_its_place`,
//! `five_tests_of_an_account_are_made_at_once_and_one_more_is_told_when_to_come_back`).

use std::sync::Arc;
use std::time::Duration;

use axum::Json as Answer;
use axum::extract::State;
use axum::response::{IntoResponse, Response};
use domain::attempt::SigningSecret;
use domain::delivery::{Delivery, Judgement, NotRun, Probe, Sample, Trial};
use domain::destination::{DeliveryPath, Destination};
use domain::event::{Event, EventType, envelope};
use domain::value::{DestinationId, Timestamp};
use futures_util::future::try_join_all;
use ports::{EntropyExt, PortError, PortResult, TakenPlace};
use runtime::telemetry::ErrorChain;
use serde::Deserialize;
use tokio::time::Instant;
use tracing::warn;
use utoipa::ToSchema;

use super::find;
use super::test_answer::{Checked, TestView, Tried};
use crate::web::body::Json;
use crate::web::caller::Configurer;
use crate::web::named::Named;
use crate::web::problem::{Code, Problem};
use crate::web::{Deps, schemas};

/// How long a test may take; API Gateway stops waiting for a response after 30 s.
const WHOLE: Duration = Duration::from_secs(24);
/// How many tests of an account run at once. Each occupies an instance of this function until its receiver has answered.
const PLACES: u8 = 5;
/// How much longer than the test a place is held, in case it is not released.
const HELD: Duration = Duration::from_secs(5);
/// No further request is sent if less time than this is left.
const LEAST: Duration = Duration::from_secs(1);

/// A test to make.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct NewTest {
    /// The event type whose sample is sent.
    #[schema(value_type = schemas::EventType)]
    event_type: EventType,
    /// Which of its samples is sent: one of the type's `statuses`. Default: the first of them, the most common one.
    #[schema(example = "failed")]
    status: Option<String>,
    /// A path that is appended to the destination's URL, in the same way as a subscription's `path`.
    #[schema(value_type = Option<schemas::DeliveryPath>)]
    path: Option<DeliveryPath>,
    /// Whether three forged requests are sent as well, which a correct receiver refuses.
    #[serde(default)]
    prove: bool,
}

/// Send a test payload
///
/// Sends the sample of an event type, with `test: true`, signed and sent exactly like a delivery, and returns the request,
/// the response and a verdict. With `prove`, three forged requests follow if the good one was accepted: signed with another
/// secret, six minutes old, and altered after signing. A test takes at most 24 s, works for disabled destinations too, and
/// is not in the ledger. At most five tests of an account run at once; one more is refused with 429 until one has ended.
#[utoipa::path(
    post,
    path = "/v1/destinations/{id}/test",
    operation_id = "test_destination",
    tag = "destinations",
    params(("id" = schemas::DestinationId, Path)),
    request_body = NewTest,
    responses(
        (status = 200, description = "The test was made. `verdict` shows its result.", body = TestView),
        (status = 429, description = "`rate_limited`: the account has spent its budget, or five of its tests are running; try again after `retry-after` seconds. API Gateway refuses requests over the limit that all callers share.")
    )
)]
pub async fn send(
    Configurer(account): Configurer,
    State(deps): State<Arc<Deps>>,
    Named(id): Named<DestinationId>,
    Json(new): Json<NewTest>,
) -> Result<Response, Problem> {
    let ends = deadline();
    let destination = find(&deps, &account, &id).await?;
    let event = Event::sample(new.event_type, new.status.as_deref(), account, deps.clock.now())
        .map_err(|error| Problem::at(Code::ValidationFailed, "/status", error.to_string()))?;
    Ok(Answer(make(&deps, &destination, &event, new.path, new.prove, ends).await?).into_response())
}

/// When a test that starts now must have ended.
pub fn deadline() -> Instant {
    Instant::now() + WHOLE
}

/// Tests a destination with the sample `event`.
pub async fn make(
    deps: &Deps,
    destination: &Destination,
    event: &Event,
    path: Option<DeliveryPath>,
    prove: bool,
    ends: Instant,
) -> Result<TestView, Problem> {
    let (account, now) = (&destination.account, deps.clock.now());
    let until = now.plus(ends.saturating_duration_since(Instant::now()) + HELD);
    let place = match deps.test_places.take_test_place(account, now, until, PLACES).await? {
        TakenPlace::Taken(place) => place,
        TakenPlace::None { free_at } => {
            let detail = format!("{PLACES} tests of this account are running; try again when one has ended");
            return Err(Problem::rate_limited(detail, free_at.since(now).as_millis().div_ceil(1_000) as u64));
        }
    };
    let made = make_now(deps, destination, event, path, prove, ends).await;
    // If this fails, the place is free when its time has passed.
    if let Err(error) = deps.test_places.leave_test_place(account, place).await {
        warn!(error = %ErrorChain(&error), "the place of a test was not released");
    }
    made
}

async fn make_now(
    deps: &Deps,
    destination: &Destination,
    event: &Event,
    path: Option<DeliveryPath>,
    prove: bool,
    ends: Instant,
) -> Result<TestView, Problem> {
    let body = envelope::build_test(event).map_err(|error| PortError::permanent("building a sample's body", error))?;
    let secrets = live_secrets(deps, destination, deps.clock.now()).await?;
    let sample = Sample { destination: &destination.settings, secrets: &secrets, body: body.get() };
    let test = Test { deps, event, destination: &destination.id, path, sample, ends };
    let good = test.good().await?.ok_or_else(|| {
        Problem::new(Code::Unavailable, "preparing the test took so long that no time was left to run it; try again")
    })?;
    let checks = if prove { Some(test.prove(&good).await?) } else { None };
    Ok(TestView::new(event.id.clone(), good, checks))
}

/// The secrets that sign deliveries now. They are read for each test, so a rotation takes effect at once.
async fn live_secrets(deps: &Deps, destination: &Destination, now: Timestamp) -> PortResult<Vec<SigningSecret>> {
    let mut secrets = Vec::with_capacity(destination.secrets.len());
    for secret in destination.live_secrets(now) {
        secrets.push(deps.vault.open(&destination.account, &destination.id, &secret.sealed).await?);
    }
    Ok(secrets)
}

/// The values that all requests of one test share.
struct Test<'a> {
    deps: &'a Deps,
    event: &'a Event,
    destination: &'a DestinationId,
    path: Option<DeliveryPath>,
    sample: Sample<'a>,
    ends: Instant,
}

impl Test<'_> {
    /// A delivery only in form. Each has its own id, so that a receiver does not mistake one request for a repetition of
    /// another.
    fn delivery(&self) -> PortResult<Delivery> {
        let entropy = self.deps.entropy.bytes()?;
        Ok(Delivery::of_test(self.event, self.destination.clone(), self.path.clone(), &entropy))
    }

    async fn good(&self) -> PortResult<Option<Tried>> {
        self.attempt(self.sample.good(&self.delivery()?, self.deps.clock.now())).await
    }

    /// Makes one attempt in the time that is left; `None` if that is too little.
    async fn attempt(&self, mut trial: Trial) -> PortResult<Option<Tried>> {
        let started = Instant::now();
        let left = self.ends.saturating_duration_since(started);
        if left < LEAST {
            return Ok(None);
        }
        trial.request.timeout = trial.request.timeout.min(left);
        let exchange = self.deps.sender.exchange(&trial.request).await?;
        Ok(Some(Tried { trial, exchange, took: started.elapsed() }))
    }

    /// Sends the forged requests concurrently, if the good one was accepted.
    async fn prove(&self, good: &Tried) -> PortResult<Vec<Checked>> {
        let accepted = good.exchange.outcome.is_delivered();
        try_join_all(Probe::ALL.map(|probe| self.check(probe, accepted))).await
    }

    async fn check(&self, probe: Probe, run: bool) -> PortResult<Checked> {
        if !run {
            return Ok(Checked { probe, judgement: Judgement::not_run(NotRun::GoodNotAccepted), tried: None });
        }
        let stranger = SigningSecret::from_entropy(self.deps.entropy.bytes()?);
        let trial = self.sample.forged(probe, &self.delivery()?, stranger, self.deps.clock.now());
        let tried = self.attempt(trial).await?;
        let judgement = match &tried {
            Some(tried) => Judgement::of(probe, &tried.exchange.outcome),
            None => Judgement::not_run(NotRun::NoTimeLeft),
        };
        Ok(Checked { probe, judgement, tried })
    }
}
