//! Which events go where: event types × scope × condition → destination (and path). Here are the rule of matching and
//! the buckets that make matching cheap; the table stores the buckets.
//!
//! Invariant: a subscription matches exactly when it is filed in a bucket that the event looks into (tests:
//! `a_subscription_matches_exactly_when_it_is_filed_where_the_event_looks`).
//!
//! Invariant: an account's event never matches another account's subscription (tests:
//! `another_accounts_subscription_never_matches`).
//!
//! Invariant: an event about a destination never goes to that destination (tests:
//! `an_event_about_a_destination_never_goes_to_that_destination`,
//! `a_destination_that_is_gone_is_told_of_to_others_and_to_people_but_not_to_itself`).
//!
//! Invariant: an event costs the same reads however many subscriptions there are (tests:
//! `an_event_costs_the_same_reads_among_10_000_subscriptions_as_among_10`).

use std::borrow::Borrow;
use std::collections::BTreeMap;
use std::fmt;

use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::awaited_run;
use super::awaited_run::Grace;
use super::pattern::{Mismatch, Pattern, Work};
use super::transition::{AwaitedTransition, Transition};
use crate::delivery::Delivery;
use crate::destination::DeliveryPath;
use crate::event::{Event, EventType, EventTypeFilter, Scope};
use crate::operational;
use crate::value::{AccountId, DestinationId, Label, SubscriptionId, Timestamp};

/// A subscription as it is configured.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Subscription {
    pub id: SubscriptionId,
    pub account: AccountId,
    pub settings: SubscriptionSettings,
    pub created_at: Timestamp,
    pub updated_at: Timestamp,
    /// Counts the changes, from 1.
    pub version: u64,
}

/// The settings that the owner of a subscription decides. They have the same fields wherever they are written.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SubscriptionSettings {
    /// Unique in its account.
    pub name: Label,
    pub destination_id: DestinationId,
    pub event_types: EventTypes,
    pub scope: Scope,
    /// The condition on the event's `data`.
    #[serde(default)]
    pub condition: Option<Pattern>,
    /// The transition that the event must be.
    #[serde(default)]
    pub transition: Option<AwaitedTransition>,
    /// Appended to the destination's URL.
    #[serde(default)]
    pub path: Option<DeliveryPath>,
    /// How long after its announced time a run may come, for subscriptions to missed runs.
    #[serde(default, rename = "grace_seconds")]
    pub grace: Grace,
    /// If this is false, no event matches.
    #[serde(default = "enabled")]
    pub enabled: bool,
}

fn enabled() -> bool {
    true
}

/// The most bytes that all conditions of an account have together. [`super::listeners`] holds them in memory.
pub const MAX_CONDITION_BYTES: usize = 512 * 1024;

/// How many event types one subscription can list.
pub const MAX_EVENT_TYPES: usize = 20;

/// 1 to [`MAX_EVENT_TYPES`] event types or `*`, each at most once.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "Vec<EventTypeFilter>", into = "Vec<EventTypeFilter>")]
pub struct EventTypes(Vec<EventTypeFilter>);

#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("must list 1 to {MAX_EVENT_TYPES} event types, or `*`")]
pub struct EventTypesError;

impl TryFrom<Vec<EventTypeFilter>> for EventTypes {
    type Error = EventTypesError;
    fn try_from(types: Vec<EventTypeFilter>) -> Result<Self, EventTypesError> {
        if !(1..=MAX_EVENT_TYPES).contains(&types.len()) {
            return Err(EventTypesError);
        }
        let mut once = Vec::with_capacity(types.len());
        for one in types {
            if !once.contains(&one) {
                once.push(one);
            }
        }
        Ok(Self(once))
    }
}

impl From<EventTypes> for Vec<EventTypeFilter> {
    fn from(types: EventTypes) -> Self {
        types.0
    }
}

impl EventTypes {
    pub fn accept(&self, event_type: EventType) -> bool {
        self.0.iter().any(|filter| filter.accepts(event_type))
    }

    /// Whether `*` is among them and accepts events of this type.
    pub(super) fn accept_as_any(&self, event_type: EventType) -> bool {
        self.0.contains(&EventTypeFilter::Any) && EventTypeFilter::Any.accepts(event_type)
    }
}

/// The key under which a subscription is filed. An event looks into a handful of buckets, however many subscriptions
/// exist.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Bucket {
    pub event_type: EventTypeFilter,
    pub scope: Scope,
}

impl fmt::Display for Bucket {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}#{}", self.event_type, self.scope)
    }
}

impl Bucket {
    /// The buckets that contain every subscription that an event of this type at this place can match.
    pub fn of_event(event_type: EventType, place: &Scope) -> Vec<Bucket> {
        let filters = [EventTypeFilter::Only(event_type), EventTypeFilter::Any];
        let filters = filters.into_iter().filter(|filter| filter.accepts(event_type));
        let scopes = place.and_wider();
        let bucket = |scope: &Scope, event_type| Bucket { event_type, scope: scope.clone() };
        scopes.iter().flat_map(|scope| filters.clone().map(|filter| bucket(scope, filter))).collect()
    }
}

/// The part of an event that subscriptions look at.
#[derive(Debug, Clone, Copy)]
pub struct Candidate<'a> {
    pub event_type: EventType,
    pub scope: &'a Scope,
    pub data: &'a Value,
    pub transition: Option<Transition>,
    /// What comparing it with conditions may still cost.
    pub work: &'a Work,
}

/// Why a subscription does not match: the first of its requirements that is not met.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Miss {
    Disabled,
    EventType,
    Scope,
    Condition(Mismatch),
    Transition {
        wanted: AwaitedTransition,
        was: Option<Transition>,
    },
    /// The event is for subscriptions with a different grace.
    Grace {
        wanted: Grace,
    },
    /// The event is about the destination that it would be sent to.
    Destination,
}

impl SubscriptionSettings {
    /// What they count for [`MAX_CONDITION_BYTES`].
    pub fn condition_bytes(&self) -> usize {
        self.condition.as_ref().map_or(0, Pattern::size)
    }

    /// The buckets that a subscription with these settings is filed under, each once. If `*` is among its types, the types
    /// that `*` includes need no bucket of their own. A subscription to missed runs is also filed under the type of the runs
    /// it waits for: `fanout` finds it there when such a run comes.
    pub fn buckets(&self) -> Vec<Bucket> {
        let mut filters = self.event_types.0.clone();
        filters.retain(|filter| match filter {
            EventTypeFilter::Any => true,
            EventTypeFilter::Only(one) => !self.event_types.accept_as_any(*one),
        });
        self.filed(filters)
    }

    /// All buckets under which any release files a subscription with these settings. An earlier release filed it under each
    /// of its types.
    pub fn buckets_of_any_release(&self) -> Vec<Bucket> {
        self.filed(self.event_types.0.clone())
    }

    fn filed(&self, mut filters: Vec<EventTypeFilter>) -> Vec<Bucket> {
        for filter in &self.event_types.0 {
            if let EventTypeFilter::Only(event_type) = filter
                && let Some(awaited) = event_type.absence_of().map(EventTypeFilter::Only)
                && !filters.contains(&awaited)
            {
                filters.push(awaited);
            }
        }
        let bucket = |event_type| Bucket { event_type, scope: self.scope.clone() };
        filters.into_iter().map(bucket).collect()
    }
}

impl Subscription {
    /// The buckets that this subscription is filed under, each once.
    pub fn buckets(&self) -> Vec<Bucket> {
        self.settings.buckets()
    }

    /// This subscription with other settings.
    pub fn changed(&self, settings: SubscriptionSettings, now: Timestamp) -> Self {
        Self { settings, updated_at: now, version: self.version + 1, ..self.clone() }
    }

    /// Whether it can receive events of this type at this place at all.
    pub fn listens(&self, event_type: EventType, place: &Scope) -> bool {
        self.settings.enabled && self.settings.event_types.accept(event_type) && self.settings.scope.contains(place)
    }

    /// The delivery of `event`, which it wants.
    pub fn delivery_of(&self, event: &Event) -> Delivery {
        Delivery::of_event(event, self.settings.destination_id.clone(), self.settings.path.clone())
    }

    /// Whether it wants the event, or why not.
    pub fn check(&self, event: Candidate<'_>) -> Result<(), Miss> {
        let settings = &self.settings;
        if !settings.enabled {
            return Err(Miss::Disabled);
        }
        if !settings.event_types.accept(event.event_type) {
            return Err(Miss::EventType);
        }
        if !settings.scope.contains(event.scope) {
            return Err(Miss::Scope);
        }
        if let Some(mismatch) =
            settings.condition.as_ref().and_then(|condition| condition.explain_within(event.data, event.work))
        {
            return Err(Miss::Condition(mismatch));
        }
        match settings.transition {
            Some(wanted) if !wanted.is(event.transition) => Err(Miss::Transition { wanted, was: event.transition }),
            _ if awaited_run::is_of_other_grace(event.event_type, event.data, settings.grace) => {
                Err(Miss::Grace { wanted: settings.grace })
            }
            _ if operational::is_about(event.event_type, event.data, &settings.destination_id) => {
                Err(Miss::Destination)
            }
            _ => Ok(()),
        }
    }
}

/// The deliveries that `event` owes to those of the given subscriptions that want it: one for each destination and path,
/// however many of them ask for it. `data` is the event's, parsed. This is for few subscriptions: [`super::listeners`] does
/// the same for very many, within a bound.
pub fn deliveries(
    event: &Event,
    data: &Value,
    transition: Option<Transition>,
    subscriptions: &[impl Borrow<Subscription>],
) -> Vec<Delivery> {
    let work = Work::unbounded();
    let candidate = Candidate { event_type: event.event_type, scope: &event.scope, data, transition, work: &work };
    let subscriptions = subscriptions.iter().map(Borrow::borrow);
    let matching = subscriptions.filter(|s: &&Subscription| s.account == event.account && s.check(candidate).is_ok());
    let places: BTreeMap<_, _> = matching.map(|s| ((&s.settings.destination_id, &s.settings.path), s)).collect();
    places.into_values().map(|s| s.delivery_of(event)).collect()
}

#[cfg(test)]
mod tests;
