//! Which events go where: event types × scope × condition → destination (and path). It owns the matching rule and the
//! buckets that make matching cheap; where buckets are kept is the table's business.

use std::collections::BTreeMap;
use std::fmt;

use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::delivery::Delivery;
use super::destination::DeliveryPath;
use super::event::Event;
use super::event_type::{EventType, EventTypeFilter};
use super::id::{AccountId, DestinationId, SubscriptionId};
use super::label::Label;
use super::missed_run::{self, Grace};
use super::operational;
use super::pattern::{Mismatch, Pattern};
use super::scope::Scope;
use super::timestamp::Timestamp;
use super::transition::Transition;

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

/// What the owner of a subscription decides; the same fields wherever it is written down.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SubscriptionSettings {
    /// Unique in its account.
    pub name: Label,
    pub destination_id: DestinationId,
    pub event_types: EventTypes,
    pub scope: Scope,
    /// What the event's `data` must look like.
    #[serde(default)]
    pub condition: Option<Pattern>,
    /// The change in the runs of its place that an event must be.
    #[serde(default)]
    pub transition: Option<Transition>,
    /// Appended to the destination's URL.
    #[serde(default)]
    pub path: Option<DeliveryPath>,
    /// How long after its announced time a run may come, where missed runs are wanted.
    #[serde(default, rename = "grace_seconds")]
    pub grace: Grace,
    /// While this is false no event matches.
    #[serde(default = "enabled")]
    pub enabled: bool,
}

fn enabled() -> bool {
    true
}

/// How many event types one subscription can list.
pub const MAX_EVENT_TYPES: usize = 20;

/// 1 to [`MAX_EVENT_TYPES`] event types, or `*`, each once.
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
}

/// The exact place a subscription is filed under; an event looks into a handful of them, however many subscriptions exist.
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
    /// The buckets that hold every subscription an event of this type at this place can match.
    pub fn of_event(event_type: EventType, place: &Scope) -> Vec<Bucket> {
        let filters = [EventTypeFilter::Only(event_type), EventTypeFilter::Any];
        let filters = filters.into_iter().filter(|filter| filter.accepts(event_type));
        let scopes = place.and_wider();
        let bucket = |scope: &Scope, event_type| Bucket { event_type, scope: scope.clone() };
        scopes.iter().flat_map(|scope| filters.clone().map(|filter| bucket(scope, filter))).collect()
    }
}

/// An event as subscriptions look at it.
#[derive(Debug, Clone, Copy)]
pub struct Candidate<'a> {
    pub event_type: EventType,
    pub scope: &'a Scope,
    pub data: &'a Value,
    pub transition: Option<Transition>,
}

/// Why a subscription does not match: the first of its demands that is not met.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Miss {
    Disabled,
    EventType,
    Scope,
    Condition(Mismatch),
    Transition {
        wanted: Transition,
        was: Option<Transition>,
    },
    /// It is told again to those who waited for so long.
    Grace {
        wanted: Grace,
    },
    /// The event tells of the very destination it would go to.
    Destination,
}

impl Subscription {
    /// The buckets this subscription is filed under, each once. One that wants to be told of what does not come is filed under what it
    /// waits for as well: whoever sees such an event come finds it there.
    pub fn buckets(&self) -> Vec<Bucket> {
        let settings = &self.settings;
        let mut filters = settings.event_types.0.clone();
        for filter in &settings.event_types.0 {
            if let EventTypeFilter::Only(event_type) = filter
                && let Some(awaited) = event_type.absence_of().map(EventTypeFilter::Only)
                && !filters.contains(&awaited)
            {
                filters.push(awaited);
            }
        }
        let bucket = |event_type| Bucket { event_type, scope: settings.scope.clone() };
        filters.into_iter().map(bucket).collect()
    }

    /// This subscription with other settings.
    pub fn changed(&self, settings: SubscriptionSettings, now: Timestamp) -> Self {
        Self { settings, updated_at: now, version: self.version + 1, ..self.clone() }
    }

    /// Whether it hears of events of this type at this place at all.
    pub fn listens(&self, event_type: EventType, place: &Scope) -> bool {
        self.settings.enabled && self.settings.event_types.accept(event_type) && self.settings.scope.contains(place)
    }

    /// Whether the event is one it wants, or why not.
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
        if let Some(mismatch) = settings.condition.as_ref().and_then(|condition| condition.explain(event.data)) {
            return Err(Miss::Condition(mismatch));
        }
        match settings.transition {
            Some(wanted) if event.transition != Some(wanted) => Err(Miss::Transition { wanted, was: event.transition }),
            _ if missed_run::is_of_other_grace(event.event_type, event.data, settings.grace) => {
                Err(Miss::Grace { wanted: settings.grace })
            }
            _ if operational::is_about(event.event_type, event.data, &settings.destination_id) => {
                Err(Miss::Destination)
            }
            _ => Ok(()),
        }
    }
}

/// What `event` owes to the given subscriptions: one delivery for each destination and path, however many of them ask for
/// it. `data` is the event's, read.
pub fn deliveries(
    event: &Event,
    data: &Value,
    transition: Option<Transition>,
    subscriptions: &[Subscription],
) -> Vec<Delivery> {
    let candidate = Candidate { event_type: event.event_type, scope: &event.scope, data, transition };
    let matching = subscriptions.iter().filter(|s| s.account == event.account && s.check(candidate).is_ok());
    let places: BTreeMap<_, _> = matching.map(|s| ((&s.settings.destination_id, &s.settings.path), s)).collect();
    let delivery =
        |s: &Subscription| Delivery::of_event(event, s.settings.destination_id.clone(), s.settings.path.clone());
    places.into_values().map(delivery).collect()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::json;
    use serde_json::value::RawValue;

    use super::*;

    fn types(names: &[&str]) -> EventTypes {
        let types: Vec<_> = names.iter().map(|t| (*t).to_owned().try_into().expect("a filter")).collect();
        types.try_into().expect("a list")
    }

    fn subscription(n: u8, event_types: &[&str], scope: &str, path: Option<&str>) -> Subscription {
        Subscription {
            id: SubscriptionId::from_entropy([n; 10]),
            account: "acme".parse().expect("an account"),
            settings: SubscriptionSettings {
                name: "all".to_owned().try_into().expect("a name"),
                destination_id: DestinationId::from_entropy([n / 10; 10]),
                event_types: types(event_types),
                scope: scope.parse().expect("a scope"),
                condition: None,
                transition: None,
                path: path.map(|p| p.to_owned().try_into().expect("a path")),
                grace: Grace::default(),
                enabled: true,
            },
            created_at: Timestamp::from_unix_ms(0),
            updated_at: Timestamp::from_unix_ms(0),
            version: 1,
        }
    }

    fn event(event_type: &str, scope: &str) -> Event {
        Event {
            id: "evt-1".parse().expect("an id"),
            event_type: event_type.parse().expect("a type"),
            account: "acme".parse().expect("an account"),
            scope: scope.parse().expect("a scope"),
            occurred_at: Timestamp::from_unix_ms(1),
            data: RawValue::from_string("{}".into()).expect("JSON"),
        }
    }

    #[track_caller]
    fn check(event_types: &[&str], scope: &str, expected: bool) {
        let event = event("sync_run.completed", "connection/xero/endpoint/invoices");
        let got = subscription(1, event_types, scope, None).listens(event.event_type, &event.scope);
        assert_eq!(got, expected, "{event_types:?} at {scope}");
    }

    #[test]
    fn a_subscription_matches_its_types_at_its_place_and_below() {
        check(&["*"], "*", true);
        check(&["sync_run.completed"], "connection/xero", true);
        check(&["insight_population.completed", "sync_run.completed"], "connection/xero/endpoint/invoices", true);
        check(&["insight_population.completed"], "*", false);
        check(&["*"], "connection/xer", false);
        check(&["*"], "connection/xero/endpoint/invoice", false);
        check(&["*"], "connection/xero/insight/invoices", false);
    }

    #[test]
    fn two_subscriptions_to_one_place_owe_one_delivery() {
        let event = event("sync_run.completed", "connection/xero/endpoint/invoices");
        let all = [
            subscription(10, &["*"], "*", None),
            subscription(11, &["sync_run.completed"], "connection/xero", None),
            subscription(12, &["*"], "*", Some("/a")),
            subscription(20, &["*"], "*", None),
            subscription(30, &["insight_population.completed"], "*", None),
        ];
        let ids: std::collections::BTreeSet<_> =
            deliveries(&event, &json!({}), None, &all).into_iter().map(|d| d.id).collect();
        assert_eq!(ids.len(), 3);
    }

    #[track_caller]
    fn check_demands(
        change: impl FnOnce(&mut SubscriptionSettings),
        transition: Option<Transition>,
        expected: Result<(), Miss>,
    ) {
        let mut one = subscription(1, &["sync_run.completed"], "connection/xero", None);
        change(&mut one.settings);
        let (event, data) =
            (event("sync_run.completed", "connection/xero/endpoint/invoices"), json!({"status": "failed"}));
        let candidate = Candidate { event_type: event.event_type, scope: &event.scope, data: &data, transition };
        assert_eq!(one.check(candidate), expected);
        assert_eq!(deliveries(&event, &data, transition, &[one]).len(), usize::from(expected.is_ok()));
    }

    #[test]
    fn the_first_demand_that_is_not_met_is_the_reason() {
        let pattern = |value: Value| Some(Pattern::parse(&value).expect("a pattern"));
        check_demands(|_| {}, None, Ok(()));
        check_demands(|s| s.enabled = false, None, Err(Miss::Disabled));
        check_demands(|s| s.event_types = types(&["insight_population.completed"]), None, Err(Miss::EventType));
        check_demands(|s| s.scope = "connection/hubspot".parse().expect("a scope"), None, Err(Miss::Scope));
        check_demands(|s| s.condition = pattern(json!({"status": ["failed"]})), None, Ok(()));
        let condition = pattern(json!({"status": ["succeeded"]}));
        let mismatch = condition.as_ref().and_then(|c| c.explain(&json!({"status": "failed"}))).expect("a mismatch");
        check_demands(|s| s.condition = condition, None, Err(Miss::Condition(mismatch)));
        let wants_broke = |s: &mut SubscriptionSettings| s.transition = Some(Transition::Broke);
        check_demands(wants_broke, Some(Transition::Broke), Ok(()));
        let missed = |was| Err(Miss::Transition { wanted: Transition::Broke, was });
        check_demands(wants_broke, None, missed(None));
        check_demands(wants_broke, Some(Transition::Recovered), missed(Some(Transition::Recovered)));
    }

    #[test]
    fn an_event_about_a_destination_never_goes_to_that_destination() {
        let to = |n, event_type: &str| subscription(n, &[event_type], "*", None);
        for event_type in EventType::all().filter(|t| t.is_operational()) {
            let name = event_type.as_str();
            let all = [to(10, name), to(11, name), to(20, name), to(30, "*")];
            let about = |n: u8| json!({"destination": {"id": DestinationId::from_entropy([n; 10])}});
            let told = |data: &Value| {
                let told = deliveries(&event(name, "*"), data, None, &all).into_iter().map(|d| d.destination);
                told.collect::<Vec<_>>()
            };
            assert_eq!(told(&about(1)), [DestinationId::from_entropy([2; 10])], "{name}");
            assert_eq!(told(&about(2)), [DestinationId::from_entropy([1; 10])], "{name}");
            assert_eq!(told(&about(3)).len(), 2, "{name}");
        }
        // What producers write into their data is theirs.
        let (event, data) = (
            event("sync_run.completed", "connection/a/endpoint/b"),
            json!({"destination": {"id": to(10, "*").settings.destination_id}}),
        );
        assert_eq!(deliveries(&event, &data, None, &[to(10, "*")]).len(), 1);
    }

    #[test]
    fn a_missed_run_goes_to_those_who_waited_as_long_as_it_tells() {
        let waits = |n, seconds: u64| {
            let mut one = subscription(n, &["sync_run.missed"], "*", None);
            one.settings.grace = seconds.try_into().expect("a grace");
            one
        };
        let event = event("sync_run.missed", "connection/a/endpoint/b");
        let told = deliveries(&event, &json!({"grace_seconds": 900}), None, &[waits(10, 900), waits(20, 60)]);
        assert_eq!(told.into_iter().map(|d| d.destination).collect::<Vec<_>>(), [DestinationId::from_entropy([1; 10])]);
    }

    #[test]
    fn event_types_are_listed_once_and_at_least_one() {
        assert_eq!(types(&["*", "sync_run.completed", "*"]).0.len(), 2);
        assert_eq!(EventTypes::try_from(vec![]), Err(EventTypesError));
    }

    #[test]
    fn another_accounts_subscription_never_matches() {
        let mut other = subscription(1, &["*"], "*", None);
        other.account = "other".parse().expect("an account");
        assert!(
            deliveries(&event("sync_run.completed", "connection/a/endpoint/b"), &json!({}), None, &[other]).is_empty()
        );
    }

    fn any_place() -> impl Strategy<Value = (String, String)> {
        prop_oneof![
            ("[ab]", "[ab]").prop_map(|(c, e)| ("sync_run.completed".into(), format!("connection/{c}/endpoint/{e}"))),
            ("[ab]", "[ab]")
                .prop_map(|(c, i)| ("insight_population.completed".into(), format!("connection/{c}/insight/{i}"))),
            ("[ab]", "[ab]").prop_map(|(c, e)| ("sync_run.missed".into(), format!("connection/{c}/endpoint/{e}"))),
            Just(("destination.failing".into(), "*".into())),
        ]
    }

    fn any_subscription() -> impl Strategy<Value = Subscription> {
        let types =
            ["*", "sync_run.completed", "sync_run.missed", "insight_population.completed", "destination.failing"];
        let types = proptest::sample::select(types.to_vec());
        let scope = prop_oneof![
            Just("*".to_owned()),
            "[ab]".prop_map(|c| format!("connection/{c}")),
            any_place().prop_map(|(_, scope)| scope),
        ];
        (proptest::collection::vec(types, 1..4), scope).prop_map(|(types, scope)| subscription(1, &types, &scope, None))
    }

    proptest! {
        #[test]
        fn a_subscription_matches_exactly_when_it_is_filed_where_the_event_looks(
            subscription in any_subscription(), (event_type, scope) in any_place()
        ) {
            let event = event(&event_type, &scope);
            let looked_at = Bucket::of_event(event.event_type, &event.scope);
            let filed = subscription.buckets().iter().any(|bucket| looked_at.contains(bucket));
            // It hears of them, or of their absence.
            let absence = event.event_type.absence().is_some_and(|absence| subscription.listens(absence, &event.scope));
            prop_assert_eq!(subscription.listens(event.event_type, &event.scope) || absence, filed);
        }
    }
}
