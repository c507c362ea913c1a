//! Wide events: those that owe more than one range. Such an event is sealed first, with its plan: the deliveries that
//! it owes. Then the plan is sent range by range. Each range is noted before it is sent, so every receive of a message of
//! the event continues where the last one stopped.
//!
//! One sender at a time holds the event, until its invocation ends at the latest. In an invocation, wide events take
//! turns. What is left when the time is over is given back: that is not a failure, and the message comes again at once.
//!
//! The most that an event may owe, 20,000 deliveries of 256 KiB, takes 6 of the 20 receives (`docs/limits.md`). If all 20
//! are used up, the message is dead-lettered, and the audit sends the rest.
//!
//! Invariant: nothing that is owed is forgotten wherever a sender stops (tests:
//! `a_wide_event_goes_on_wherever_a_failure_stopped_it`, `a_wide_event_that_crashed_goes_on_where_it_stopped`,
//! `a_wide_event_that_outlasts_its_invocation_goes_on_in_the_next_one`).
//!
//! Invariant: the message of a wide event is acknowledged only once all is sent, whichever message of it comes (tests:
//! `a_second_message_of_a_wide_event_is_given_back_while_it_is_sent_and_goes_on_after`,
//! `a_wide_event_that_was_sealed_by_another_container_is_not_acknowledged_unsent`).
//!
//! Invariant: a delivery that may have been sent before is marked as such (tests:
//! `a_range_that_may_have_been_sent_is_sent_again_and_the_others_are_new`,
//! `what_the_audit_may_have_sent_is_not_new`).
//!
//! Invariant: wide events of one batch take turns, and an event that gets no turn comes back later (tests:
//! `wide_events_of_a_batch_take_turns`).

use std::time::Duration;

use domain::delivery::{Delivery, OutgoingDelivery, Purpose, Sending};
use domain::value::{AccountId, EventId, Timestamp};
use ports::{EntropyExt, PortResult, SealedEvent};
use runtime::telemetry::ErrorChain;
use serde_json::value::RawValue;
use tokio::sync::{Mutex, MutexGuard};
use tracing::{info, warn};

use crate::deps::Deps;
use crate::received::SPARE;

/// The most deliveries of a range. An event that owes no more is sent before it is sealed.
const RANGE: usize = 1_000;
/// The most bytes of bodies in a range: 128 of the largest. Ten such events of one batch are sent in an invocation.
const RANGE_BYTES: usize = 32 * 1024 * 1024;
/// The time that must be left to begin a range, which takes a few seconds.
const RANGE_TIME: Duration = Duration::from_secs(10);
/// A message whose sender has stopped comes again after this time.
const AT_ONCE: Duration = Duration::from_secs(1);
/// A message that got no turn comes again after this time and a random part of [`SPREAD`], so that the wide events of a
/// batch do not come back together.
const LATER: Duration = Duration::from_secs(60);
const SPREAD: Duration = Duration::from_secs(540);

/// How many deliveries a range of an event with this body has.
fn range_of(body: &RawValue) -> usize {
    (RANGE_BYTES / body.get().len().max(1)).clamp(1, RANGE)
}

/// Whether an event owes more than one range.
pub(crate) fn is_wide(owed: &[Delivery], body: &RawValue) -> bool {
    owed.len() > range_of(body)
}

/// The turns of the wide events of an invocation. The event that has the turn may also hold very many deliveries in memory.
#[derive(Debug, Default)]
pub(crate) struct Turns(Mutex<()>);

pub(crate) type Turn<'a> = MutexGuard<'a, ()>;

impl Turns {
    /// The turn, if no event has it.
    pub(crate) fn free(&self) -> Option<Turn<'_>> {
        self.0.try_lock().ok()
    }

    /// Waits for the turn, as long as there is time left to use it.
    pub(crate) async fn next(&self, deps: &Deps, deadline: Timestamp) -> Result<Turn<'_>, Duration> {
        let patience = || deadline.since(deps.clock.now()).saturating_sub(SPARE + RANGE_TIME);
        match tokio::time::timeout(patience(), self.0.lock()).await {
            Ok(turn) if !patience().is_zero() => Ok(turn),
            _ => {
                let chance = u32::from(u16::from_be_bytes(deps.entropy.bytes().unwrap_or_default()));
                Err(LATER + SPREAD * chance / u32::from(u16::MAX))
            }
        }
    }
}

/// How far a wide event was sent.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Went {
    ToTheEnd,
    /// Its message is to come again after this time.
    NotYet(Duration),
}

/// What is to be sent of a wide event, and until when.
pub(crate) struct Plan<'a> {
    pub(crate) account: &'a AccountId,
    pub(crate) event: &'a EventId,
    pub(crate) deliveries: &'a [Delivery],
    pub(crate) body: &'a RawValue,
    pub(crate) sealed_at: Timestamp,
    pub(crate) expires_at: Timestamp,
    pub(crate) deadline: Timestamp,
}

impl<'a> Plan<'a> {
    /// The first `planned` deliveries that the event owes.
    pub(crate) fn of(sealed: &'a SealedEvent, planned: usize, body: &'a RawValue, deadline: Timestamp) -> Self {
        Self {
            account: &sealed.account,
            event: &sealed.id,
            deliveries: &sealed.owed[..planned.min(sealed.owed.len())],
            body,
            sealed_at: sealed.sealed_at,
            expires_at: sealed.expires_at,
            deadline,
        }
    }
}

/// How long the message has to wait for another sender, if there is one.
pub(crate) fn wait_for(sending: &Sending, now: Timestamp) -> Option<Duration> {
    sending.is_held(now).then(|| sending.held_until.since(now) + AT_ONCE)
}

/// Sends what is left of a plan. `noted` is the progress in the table. If there is none, the deliveries before `begun` may
/// have been sent.
pub(crate) async fn send(deps: &Deps, plan: &Plan<'_>, mut noted: Option<Sending>, begun: usize) -> PortResult<Went> {
    let all = plan.deliveries.len();
    let mut at = noted.clone().unwrap_or_else(|| Sending::from(begun));
    if at.sent >= all {
        return Ok(Went::ToTheEnd);
    }
    if let Some(wait) = wait_for(&at, deps.clock.now()) {
        return Ok(Went::NotYet(wait));
    }
    loop {
        let now = deps.clock.now();
        let ends = at.sent >= all;
        if ends || plan.deadline.since(now) < SPARE + RANGE_TIME {
            let stopped = at.given_up(now);
            let is_noted = note(deps, plan, noted.as_ref(), &stopped).await?;
            if ends && is_noted {
                return Ok(Went::ToTheEnd);
            }
            let (account, event) = (plan.account.as_str(), plan.event.as_str());
            info!(
                counted = "wide_event",
                "account.id" = account,
                "event.id" = event,
                sent = at.sent,
                of = all,
                "a wide event was sent in part and will be continued"
            );
            return Ok(Went::NotYet(AT_ONCE));
        }
        let end = all.min(at.sent + range_of(plan.body));
        let begins = at.begin(end, plan.deadline);
        if !note(deps, plan, noted.as_ref(), &begins).await? {
            // Another sender was faster.
            return Ok(Went::NotYet(AT_ONCE));
        }
        if let Err(error) = send_range(deps, plan, &at, end).await {
            give_up(deps, plan, &begins).await;
            return Err(error);
        }
        at = begins.sent_to(end);
        noted = Some(begins);
    }
}

async fn note(deps: &Deps, plan: &Plan<'_>, before: Option<&Sending>, after: &Sending) -> PortResult<bool> {
    deps.events.note_sending(plan.account, plan.event, before, after, plan.expires_at).await
}

async fn send_range(deps: &Deps, plan: &Plan<'_>, at: &Sending, end: usize) -> PortResult<()> {
    let audited = deps.seals.may_be_audited(plan.sealed_at, deps.clock.now());
    let message = |(n, delivery)| {
        let purpose = if audited || n < at.begun { Purpose::Again } else { Purpose::New };
        OutgoingDelivery { delivery, purpose, body: plan.body, delay: Duration::ZERO }
    };
    let range = plan.deliveries.iter().enumerate().take(end).skip(at.sent);
    deps.deliveries.send_deliveries(&range.map(message).collect::<Vec<_>>()).await
}

/// Lets other senders continue. If this cannot be noted, they wait until this invocation would have ended.
async fn give_up(deps: &Deps, plan: &Plan<'_>, begins: &Sending) {
    if let Err(error) = note(deps, plan, Some(begins), &begins.given_up(deps.clock.now())).await {
        warn!("event.id" = plan.event.as_str(), error = %ErrorChain(&error), "a wide event could not be given up early");
    }
}
