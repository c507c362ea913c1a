//! The flow of one event of a batch: is its account registered, was it sealed before, what does it owe, is it wide.

use std::time::Duration;

use domain::delivery::{OutgoingDelivery, Purpose};
use domain::event::{Event, RejectedEvent, Rejection, Unregistered, envelope};
use domain::routing::MOST_STEPS;
use domain::value::Timestamp;
use ports::{PortError, PortResult, Seal, Sealed, SealedEvent};
use runtime::metrics::Count;
use serde_json::value::RawValue;
use tracing::{info, warn};

use crate::deps::Deps;
use crate::owed::{Owed, owed};
use crate::places::Places;
use crate::received::{Handled, Received};
use crate::same::SameEvents;
use crate::wide::{self, Plan, Turn, Turns, Went};

/// What the records of one invocation share.
pub(crate) struct Invocation {
    pub(crate) deadline: Timestamp,
    pub(crate) same: SameEvents,
    pub(crate) turns: Turns,
    pub(crate) matching: Places,
}

pub(crate) async fn handle_event(
    deps: &Deps,
    invocation: &Invocation,
    record: &Received,
    event: &Event,
) -> PortResult<Handled> {
    if deps.accounts.find_account(&event.account).await?.is_none() {
        return unregistered(deps, record, event).await;
    }
    let body = envelope::build(event).map_err(|error| PortError::permanent("building the body", error))?;
    let digest = envelope::content_digest(body.get());
    let handling = Handling { deps, invocation, record, event, body: &body, digest };
    if let Some(seal) = deps.events.find_seal(&event.account, &event.id).await? {
        return handling.again(&seal, None).await;
    }
    let mut turn = None;
    loop {
        let owed = {
            let _place = invocation.matching.enter(event).await?;
            owed(deps, event).await?
        };
        let Ok(owed) = owed else { return reject(deps, record, &Rejection::costs_too_much(MOST_STEPS)).await };
        if !wide::is_wide(&owed.deliveries, &body) {
            return handling.narrow(owed).await;
        }
        if let Some(turn) = turn.take().or_else(|| invocation.turns.free()) {
            return handling.wide(owed, turn).await;
        }
        // What it owes and who listens take much memory, so it waits without them and is matched again.
        drop(owed);
        match invocation.turns.next(deps, invocation.deadline).await {
            Ok(next) => turn = Some(next),
            Err(wait) => return Ok(Handled::NotYet(wait)),
        }
    }
}

async fn unregistered(deps: &Deps, record: &Received, event: &Event) -> PortResult<Handled> {
    match deps.unregistered.policy {
        Unregistered::Reject => reject(deps, record, &Rejection::unknown_account(&event.account)).await,
        Unregistered::Ignore => {
            let (account, id) = (event.account.as_str(), event.id.as_str());
            info!(
                counted = "ignored",
                "account.id" = account,
                "event.id" = id,
                "an event of an unregistered account was acknowledged"
            );
            deps.unregistered.note(event, deps.clock.now()).await;
            Ok(Handled::Ignored)
        }
    }
}

/// An event of a registered account, with the body that receivers get.
#[derive(Clone, Copy)]
struct Handling<'a> {
    deps: &'a Deps,
    invocation: &'a Invocation,
    record: &'a Received,
    event: &'a Event,
    body: &'a RawValue,
    digest: [u8; 32],
}

impl<'a> Handling<'a> {
    /// Sends what the event owes, and then seals it.
    async fn narrow(self, owed: Owed) -> PortResult<Handled> {
        let deps = self.deps;
        let purpose = if self.record.repeated { Purpose::Again } else { Purpose::New };
        let message = |delivery| OutgoingDelivery { delivery, purpose, body: self.body, delay: Duration::ZERO };
        deps.deliveries.send_deliveries(&owed.deliveries.iter().map(message).collect::<Vec<_>>()).await?;
        let sealed = self.seal(owed);
        if !sealed.owed.is_empty() {
            deps.seals.note(&sealed).await?;
        }
        match deps.events.seal_event(&sealed).await? {
            Sealed::Sealed => {
                count(deps, &sealed);
                deps.scopes.note(self.event, deps.clock.now()).await;
                Ok(Handled::Sealed)
            }
            Sealed::Before { .. } => self.late(None).await,
        }
    }

    /// Seals the event, and then sends what it owes in ranges.
    async fn wide(self, owed: Owed, turn: Turn<'a>) -> PortResult<Handled> {
        let (deps, deadline) = (self.deps, self.invocation.deadline);
        let sealed = self.seal(owed);
        deps.seals.note(&sealed).await?;
        match deps.events.seal_plan(&sealed).await? {
            Sealed::Sealed => {
                count(deps, &sealed);
                deps.scopes.note(self.event, deps.clock.now()).await;
                let planned = sealed.owed.len();
                // An earlier receive may have sent some of it, if it owed less then.
                let begun = if self.record.repeated { planned } else { 0 };
                let plan = Plan::of(&sealed, planned, self.body, deadline);
                Ok(match wide::send(deps, &plan, None, begun).await? {
                    Went::ToTheEnd => Handled::Sealed,
                    Went::NotYet(wait) => Handled::NotYet(wait),
                })
            }
            Sealed::Before { .. } => self.late(Some(turn)).await,
        }
    }

    /// Handles an event that another container sealed in the meantime.
    async fn late(self, turn: Option<Turn<'a>>) -> PortResult<Handled> {
        match self.deps.events.find_seal(&self.event.account, &self.event.id).await? {
            Some(seal) => self.again(&seal, turn).await,
            None => Err(PortError::transient("reading a seal", "the event was sealed and is gone")),
        }
    }

    /// Handles an event whose id was sealed before: another event with this id is rejected, the same event is
    /// acknowledged, unless something of it is still to be sent.
    async fn again(self, seal: &Seal, turn: Option<Turn<'a>>) -> PortResult<Handled> {
        let (deps, event) = (self.deps, self.event);
        if seal.digest != self.digest {
            return reject(deps, self.record, &Rejection::id_reused(&event.id)).await;
        }
        let Some(planned) = seal.planned else { return Ok(Handled::Duplicate) };
        if let Some(sending) = deps.events.find_sending(&event.account, &event.id).await? {
            if sending.sent >= planned {
                return Ok(Handled::Duplicate);
            }
            if let Some(wait) = wide::wait_for(&sending, deps.clock.now()) {
                return Ok(Handled::NotYet(wait));
            }
        }
        let deadline = self.invocation.deadline;
        let _turn = match turn {
            Some(turn) => turn,
            None => match self.invocation.turns.next(deps, deadline).await {
                Ok(turn) => turn,
                Err(wait) => return Ok(Handled::NotYet(wait)),
            },
        };
        let sending = deps.events.find_sending(&event.account, &event.id).await?;
        let Some(sealed) = deps.events.find_event(&event.account, &event.id).await? else {
            return Err(PortError::transient("reading a plan", "the event was sealed and is gone"));
        };
        let plan = Plan::of(&sealed, planned, self.body, deadline);
        Ok(match wide::send(deps, &plan, sending, planned).await? {
            Went::ToTheEnd => Handled::Sealed,
            Went::NotYet(wait) => Handled::NotYet(wait),
        })
    }

    fn seal(self, owed: Owed) -> SealedEvent {
        let (event, now) = (self.event, self.deps.clock.now());
        SealedEvent {
            account: event.account.clone(),
            id: event.id.clone(),
            event_type: event.event_type,
            scope: event.scope.clone(),
            occurred_at: event.occurred_at,
            sealed_at: now,
            digest: self.digest,
            body: self.body.get().to_owned(),
            traceparent: event.traceparent,
            unmatched: owed.unmatched,
            owed: owed.deliveries,
            expires_at: now.plus(self.deps.retention),
        }
    }
}

/// Counts an event that this container sealed.
fn count(deps: &Deps, sealed: &SealedEvent) {
    let matched = if sealed.owed.is_empty() { Count::EventsUnmatched } else { Count::EventsMatched };
    for (count, more) in [(Count::EventsAccepted, 1), (matched, 1), (Count::DeliveriesOwed, sealed.owed.len())] {
        deps.metrics.add(count, more);
    }
}

/// Notes the event before its message is acknowledged. The line is what the alarm counts, so whatever raises the alarm
/// is in the operator's list.
pub(crate) async fn reject(deps: &Deps, record: &Received, rejection: &Rejection) -> PortResult<Handled> {
    let noted = RejectedEvent::new(&record.body, record.sent_at, rejection, deps.clock.now());
    deps.rejections.note_rejection(&noted, RejectedEvent::kept(&record.body)).await?;
    let (id, code) = (noted.id.as_str(), rejection.code.as_str());
    warn!(
        counted = "rejected",
        "rejected_event.id" = id,
        error_code = code,
        error_detail = %rejection.detail,
        "an event was rejected"
    );
    Ok(Handled::Rejected)
}
