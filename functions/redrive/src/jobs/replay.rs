//! Matches the events of a time span with a present subscription, newest first, and sends its destination the
//! deliveries that they did not owe it yet, at the rate of a drain. It continues where it stopped.
//!
//! As in the API's replay of one event, each new delivery first gets a row, from which it is sent again if its message
//! is lost, because the audit will not visit the event again. Then it is added to what the event owes. After a crash in
//! between, the replay looks at the event again and finds the row.
//!
//! Invariant: a replay adds and sends each delivery once, wherever it is interrupted, and only those that were not owed
//! (tests:
//! `what_matches_and_was_not_owed_is_sent_once_and_owed_from_then_on`,
//! `a_crash_at_any_step_of_a_replay_owes_everything_once_and_loses_nothing`).
//!
//! Invariant: a replay sends no faster than a drain (tests: `a_wide_span_is_replayed_in_portions_and_in_slices`).

use std::sync::Arc;

use domain::delivery::{Delivery, Replay, ReplayedTo};
use domain::event::Event;
use domain::routing::subscription::deliveries;
use domain::routing::{Candidate, Miss, Run, Subscription, Transition, Work};
use domain::value::{EventId, json};
use futures_util::{StreamExt, TryStreamExt, stream};
use ports::{EventPlace, ListedEvent, Order, PortError, PortResult, SealedEvent, Span};
use serde_json::value::RawValue;

use super::portion::{AT_ONCE, Portion};
use super::taken::{Progress, Taken};
use crate::deps::Deps;
use crate::failures::Row;
use crate::send::body;

/// How many events are listed at once.
const PAGE: usize = 100;
/// How often a replay tries to add to what an event owes, if others add to it at the same time.
const TRIES: u32 = 5;

pub(super) async fn replay(taken: &mut Taken<'_>, asked: &Replay) -> PortResult<Progress> {
    let found = taken.deps.subscriptions.find_subscription(&asked.account, &asked.subscription_id).await?;
    let Some(subscription) = found else { return taken.end(Err("the subscription was deleted")).await };
    let portion = match Portion::begin(taken, &asked.account, &subscription.settings.destination_id).await? {
        Ok(portion) => portion,
        Err(stopped) => return Ok(stopped),
    };
    let mut part = Part { portion, asked, subscription: &subscription };
    loop {
        let to = part.portion.taken.job.replayed.as_ref().and_then(|replayed| replayed.to.clone());
        let after = to.map(|ReplayedTo { occurred_at, id }| EventPlace { occurred_at, id });
        match part.page(after.as_ref()).await? {
            Paged::More => {}
            Paged::Stopped(stopped) => return Ok(stopped),
            Paged::ToTheEnd => return part.portion.taken.end(Ok(())).await,
        }
    }
}

enum Paged {
    More,
    ToTheEnd,
    Stopped(Progress),
}

/// How the subscription applies to an event.
enum Judged {
    /// The event owes the delivery already.
    Owed,
    /// The event does not owe it yet.
    New(Box<Wanted>),
    NotMatched,
    /// It is no longer known whether the event was the awaited transition.
    Unjudged,
    Unreadable,
}

/// A delivery that an event does not owe yet.
struct Wanted {
    event: SealedEvent,
    delivery: Delivery,
    body: Arc<RawValue>,
}

/// The part that may be sent before the next minute.
struct Part<'a, 'b> {
    portion: Portion<'a, 'b>,
    asked: &'a Replay,
    subscription: &'a Subscription,
}

impl<'b> Part<'_, 'b> {
    fn deps(&self) -> &'b Deps {
        self.portion.deps()
    }

    /// Processes one page of events. The next one begins where the job's progress ends.
    async fn page(&mut self, after: Option<&EventPlace>) -> PortResult<Paged> {
        let (deps, asked, subscription) = (self.deps(), self.asked, self.subscription);
        let span = Span { since: asked.since, until: asked.until };
        let events = deps.event_list.list_events(&asked.account, span, Order::NewestFirst, after, PAGE).await?;
        let now = deps.clock.now();
        let listens =
            |event: &ListedEvent| event.expires_at > now && subscription.listens(event.event_type, &event.scope);
        let mut left = events.as_slice();
        while let Some((some, further)) = left.split_at_checked(self.portion.together(left, AT_ONCE, listens)) {
            let Some(last) = some.last() else { break };
            let judged =
                stream::iter(some.iter().filter(|event| listens(event)).map(|event| self.judged(&event.place.id)));
            let judged = judged.buffered(AT_ONCE).try_collect().await?;
            if let Some(stopped) = self.work(&last.place, some.len(), judged).await? {
                return Ok(Paged::Stopped(stopped));
            }
            left = further;
        }
        Ok(if events.len() == PAGE { Paged::More } else { Paged::ToTheEnd })
    }

    /// How the subscription applies to the event. An event that cannot be read is logged and skipped.
    async fn judged(&self, id: &EventId) -> PortResult<Judged> {
        match self.judge(id).await {
            Err(error @ PortError::Permanent { .. }) => {
                let row = Row { account: &self.asked.account, destination: None, what: "event", id };
                self.portion.taken.share.failures.failed(row, &error);
                Ok(Judged::Unreadable)
            }
            other => other,
        }
    }

    async fn judge(&self, id: &EventId) -> PortResult<Judged> {
        let Some(sealed) = self.deps().events.find_event(&self.asked.account, id).await? else {
            return Ok(Judged::NotMatched);
        };
        let event = sealed.read()?;
        let data =
            json::value(event.data.get()).map_err(|error| PortError::permanent("reading an event's data", error))?;
        // A single subscription cannot cost much. If it still could not be judged, that must not count as "no match".
        let (event_type, scope, work) = (event.event_type, &event.scope, Work::unbounded());
        let candidate = Candidate { event_type, scope, data: &data, transition: None, work: &work };
        // A subscription that does not wait for a transition does not need the past runs.
        let mut transition = None;
        if let Err(Miss::Transition { .. }) = self.subscription.check(candidate)
            && let Some(run) = Run::of_event(&event.id, &data)
        {
            match self.judgement(&event, &run).await? {
                Some(judged) => transition = judged,
                None => return Ok(Judged::Unjudged),
            }
        }
        let wanted = deliveries(&event, &data, transition, std::slice::from_ref(self.subscription));
        let Some(delivery) = wanted.into_iter().next() else { return Ok(Judged::NotMatched) };
        if sealed.owed.iter().any(|owed| owed.id == delivery.id) {
            return Ok(Judged::Owed);
        }
        let body = body(sealed.body.clone())?;
        Ok(Judged::New(Box::new(Wanted { event: sealed, delivery, body })))
    }

    /// Whether the event was judged to be a transition when it came; `None` if that is no longer known.
    async fn judgement(&self, event: &Event, run: &Run) -> PortResult<Option<Option<Transition>>> {
        let runs = self.deps().transitions.find_runs(&event.account, event.event_type, &event.scope).await?;
        Ok(runs.history.find(&run.event).map(|judged| judged.transition))
    }

    /// Sends and adds the new ones of these, and stores the replay's progress; returns why it stops now, if it does.
    async fn work(&mut self, last: &EventPlace, looked_at: usize, judged: Vec<Judged>) -> PortResult<Option<Progress>> {
        let (mut replayed, mut new) = (self.portion.taken.job.replayed.clone().unwrap_or_default(), Vec::new());
        for one in judged {
            match one {
                Judged::NotMatched => {}
                Judged::Owed => replayed.matched += 1,
                Judged::New(wanted) => {
                    replayed.matched += 1;
                    new.push(*wanted);
                }
                Judged::Unjudged => replayed.unjudged += 1,
                Judged::Unreadable => replayed.unreadable += 1,
            }
        }
        let missing = new.iter().map(|wanted| (wanted.delivery.clone(), Arc::clone(&wanted.body))).collect();
        let (sent, with_row) = self.portion.first(missing).await?;
        new.retain(|wanted| with_row.contains(&wanted.delivery.id));
        let owed = stream::iter(new.into_iter().map(|wanted| self.owe(wanted))).buffer_unordered(AT_ONCE);
        let owed: Vec<bool> = owed.try_collect().await?;
        let owed = owed.into_iter().filter(|owed| *owed).count() as u64;
        *(if self.portion.ready { &mut replayed.sent } else { &mut replayed.set_aside }) += owed;
        replayed.to = Some(ReplayedTo { occurred_at: last.occurred_at, id: last.id.clone() });
        self.portion.taken.job.replayed = Some(replayed);
        self.portion.went(false, looked_at, sent.sent).await
    }

    /// Adds the delivery to what its event owes; returns whether the event did not owe it before.
    async fn owe(&self, wanted: Wanted) -> PortResult<bool> {
        let (deps, Wanted { mut event, delivery, .. }) = (self.deps(), wanted);
        for _ in 0..TRIES {
            if deps.events.add_owed(&event, std::slice::from_ref(&delivery), deps.clock.now()).await? {
                return Ok(true);
            }
            match deps.events.find_event(&event.account, &event.id).await? {
                Some(now) if now.owed.iter().all(|owed| owed.id != delivery.id) => event = now,
                _ => return Ok(false),
            }
        }
        Err(PortError::transient("owing more", "others kept changing what the event owes"))
    }
}
