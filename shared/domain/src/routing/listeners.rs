//! The subscriptions of one bucket in the form in which events are matched with them. Each has only the fields that matching
//! needs, and an index keeps the cost of those that do not match close to nothing. They are built once and shared by all
//! events that look into the bucket.
//!
//! [`super::subscription`] has the rule of matching; here it is applied to very many subscriptions at once.
//!
//! Invariant: an event is owed to the same destinations and paths as if each subscription were tested (tests:
//! `listeners_are_found_as_if_each_were_tested`).
//!
//! Invariant: among 10,000 subscriptions that do not match, an event takes at most twice as many steps as among 10
//! (tests: `conditions_that_do_not_match_cost_nothing_however_many_there_are`).
//!
//! Invariant: the cost of matching an event is bounded, whatever its data and the conditions are (tests:
//! `an_event_that_costs_too_much_to_match_is_told`).

use std::borrow::Borrow;
use std::collections::BTreeSet;

use serde_json::Value;

use super::awaited_run::{self, Grace};
use super::pattern::{Index, Pattern, Work};
use super::subscription::{Bucket, SubscriptionSettings};
use super::transition::{AwaitedTransition, Transition};
use crate::delivery::Delivery;
use crate::destination::DeliveryPath;
use crate::event::{Event, EventType, EventTypeFilter};
use crate::operational;
use crate::value::{AccountId, DestinationId};

/// The subscriptions of one bucket of an account that are not disabled.
#[derive(Debug)]
pub struct Listeners {
    account: AccountId,
    bucket: Bucket,
    all: Vec<Listener>,
    index: Index,
    awaits_transition: bool,
    tests_data: bool,
    /// The shortest grace of the subscriptions to missed runs of the bucket's type.
    shortest_grace: Option<Grace>,
}

#[derive(Debug)]
struct Listener {
    destination: DestinationId,
    path: Option<DeliveryPath>,
    condition: Option<Pattern>,
    transition: Option<AwaitedTransition>,
    grace: Grace,
}

/// Collects the listeners of a bucket.
#[derive(Debug)]
pub struct Filing {
    account: AccountId,
    bucket: Bucket,
    all: Vec<Listener>,
    shortest_grace: Option<Grace>,
}

/// Matching the event took more than [`super::MOST_STEPS`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct TooCostly;

/// What has to be known about the listeners before an event is matched.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Hearing {
    /// Whether there are any listeners.
    pub by_any: bool,
    /// Whether a listener waits for a transition, so that runs have to be judged.
    pub for_transitions: bool,
    /// Whether a listener looks at the event's data. If none does, any value stands for it.
    pub for_data: bool,
    /// The shortest grace of the subscriptions that want to know if the next run does not come.
    pub shortest_grace: Option<Grace>,
}

impl Filing {
    pub fn new(account: AccountId, bucket: Bucket) -> Self {
        Self { account, bucket, all: Vec::new(), shortest_grace: None }
    }

    /// Adds a subscription of the account that is filed in this bucket. If it wants to know of missed runs of the bucket's
    /// type, its grace is noted. If it accepts the bucket's type as `*`, it is not added: the same events look into the
    /// bucket of `*`, which has it.
    pub fn add(&mut self, settings: SubscriptionSettings) {
        if !settings.enabled {
            return;
        }
        let (hears, waits) = match self.bucket.event_type {
            EventTypeFilter::Any => (true, false),
            EventTypeFilter::Only(one) => {
                let absence = one.absence();
                let types = &settings.event_types;
                let waits = absence.is_some_and(|absence| types.accept(absence));
                (types.accept(one) && !types.accept_as_any(one), waits)
            }
        };
        if waits {
            self.shortest_grace = self.shortest_grace.into_iter().chain([settings.grace]).min();
        }
        if hears {
            self.all.push(Listener {
                destination: settings.destination_id,
                path: settings.path,
                condition: settings.condition,
                transition: settings.transition,
                grace: settings.grace,
            });
        }
    }

    pub fn done(self) -> Listeners {
        let Self { account, bucket, mut all, shortest_grace } = self;
        all.shrink_to_fit();
        let index = Index::new((0..).zip(&all).map(|(number, listener)| (number, listener.condition.as_ref())));
        let awaits_transition = all.iter().any(|listener| listener.transition.is_some());
        // Whom an event of our own concerns is in its data.
        let is_own = matches!(bucket.event_type, EventTypeFilter::Only(one) if one.is_own());
        let tests_data = is_own || all.iter().any(|listener| listener.condition.is_some());
        Listeners { account, bucket, all, index, awaits_transition, tests_data, shortest_grace }
    }
}

impl Listeners {
    /// The graces of its subscriptions, for a bucket of missed runs.
    pub fn graces(&self) -> BTreeSet<Grace> {
        self.all.iter().map(|listener| listener.grace).collect()
    }

    /// An estimate of the memory that they take, in bytes.
    pub fn memory(&self) -> usize {
        size_of::<Self>() + self.all.iter().map(Listener::memory).sum::<usize>() + self.index.memory()
    }

    /// Whether the event looks into this bucket.
    fn hear(&self, event: &Event) -> bool {
        let Bucket { event_type, scope } = &self.bucket;
        self.account == event.account && event_type.accepts(event.event_type) && scope.contains(&event.scope)
    }
}

impl Listener {
    fn memory(&self) -> usize {
        let texts = self.destination.as_str().len() + self.path.as_ref().map_or(0, |path| path.as_str().len());
        size_of::<Self>() + texts + self.condition.as_ref().map_or(0, Pattern::memory)
    }

    /// The same requirements as in [`super::Subscription::check`].
    fn wants(&self, event_type: EventType, data: &Value, transition: Option<Transition>, work: &Work) -> bool {
        self.transition.is_none_or(|wanted| wanted.is(transition))
            && self.condition.as_ref().is_none_or(|condition| condition.matches_within(data, work))
            && !awaited_run::is_of_other_grace(event_type, data, self.grace)
            && !operational::is_about(event_type, data, &self.destination)
    }
}

impl Hearing {
    /// What the listeners of all buckets that an event looks into ask for.
    pub fn of(event: &Event, listeners: &[impl Borrow<Listeners>]) -> Self {
        let heard = listeners.iter().map(Borrow::borrow).filter(|listeners| listeners.hear(event));
        heard.fold(Self::default(), |hearing, listeners| Self {
            by_any: hearing.by_any || !listeners.all.is_empty(),
            for_transitions: hearing.for_transitions || listeners.awaits_transition,
            for_data: hearing.for_data || listeners.tests_data,
            shortest_grace: hearing.shortest_grace.into_iter().chain(listeners.shortest_grace).min(),
        })
    }
}

/// The deliveries that `event` owes to the listeners in the buckets that it looks into: one for each destination and path,
/// however many of them ask for it. `data` is the event's, parsed, if [`Hearing::for_data`] asks for it.
pub fn owed(
    event: &Event,
    data: &Value,
    transition: Option<Transition>,
    listeners: &[impl Borrow<Listeners>],
    work: &Work,
) -> Result<Vec<Delivery>, TooCostly> {
    let mut places = BTreeSet::new();
    for listeners in listeners.iter().map(Borrow::borrow).filter(|listeners| listeners.hear(event)) {
        for candidate in listeners.index.candidates(data, work) {
            let Some(listener) = listeners.all.get(candidate as usize) else { continue };
            work.spend(1);
            if work.is_over() {
                return Err(TooCostly);
            }
            if listener.wants(event.event_type, data, transition, work) {
                places.insert((&listener.destination, &listener.path));
            }
        }
    }
    if work.is_over() {
        return Err(TooCostly);
    }
    let delivery = |(destination, path): (&DestinationId, &Option<DeliveryPath>)| {
        Delivery::of_event(event, destination.clone(), path.clone())
    };
    Ok(places.into_iter().map(delivery).collect())
}

#[cfg(test)]
mod tests;
