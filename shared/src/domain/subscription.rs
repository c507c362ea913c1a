//! Which events go where: event types × scope → destination (and path). It owns the matching rule and the buckets that
//! make matching cheap; where buckets are kept is the table's business.

use std::collections::BTreeMap;
use std::fmt;

use super::delivery::Delivery;
use super::destination::{DeliveryPath, Label};
use super::event::Event;
use super::event_type::{EventType, EventTypeFilter};
use super::id::{AccountId, DestinationId, SubscriptionId};
use super::scope::Scope;
use super::timestamp::Timestamp;

/// How many event types one subscription can list.
pub const MAX_EVENT_TYPES: usize = 20;

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Subscription {
    pub id: SubscriptionId,
    pub account: AccountId,
    pub name: Label,
    pub destination: DestinationId,
    pub event_types: Vec<EventTypeFilter>,
    pub scope: Scope,
    pub path: Option<DeliveryPath>,
    pub created_at: Timestamp,
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
        let scopes = place.and_wider();
        scopes.iter().flat_map(|scope| filters.map(|event_type| Bucket { event_type, scope: scope.clone() })).collect()
    }
}

impl Subscription {
    /// The buckets this subscription is filed under, each once.
    pub fn buckets(&self) -> Vec<Bucket> {
        let bucket = |event_type: &EventTypeFilter| Bucket { event_type: *event_type, scope: self.scope.clone() };
        let mut buckets: Vec<_> = self.event_types.iter().map(bucket).collect();
        buckets.sort();
        buckets.dedup();
        buckets
    }

    pub fn matches(&self, event_type: EventType, place: &Scope) -> bool {
        self.event_types.iter().any(|filter| filter.accepts(event_type)) && self.scope.contains(place)
    }
}

/// What `event` owes to the given subscriptions: one delivery for each destination and path, however many of them ask for it.
pub fn deliveries(event: &Event, subscriptions: &[Subscription]) -> Vec<Delivery> {
    let matching =
        subscriptions.iter().filter(|s| s.account == event.account && s.matches(event.event_type, &event.scope));
    let places: BTreeMap<_, _> = matching.map(|s| ((&s.destination, &s.path), s)).collect();
    places.into_values().map(|s| Delivery::of_event(event, s.destination.clone(), s.path.clone())).collect()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::value::RawValue;

    use super::*;

    fn subscription(n: u8, event_types: &[&str], scope: &str, path: Option<&str>) -> Subscription {
        Subscription {
            id: SubscriptionId::from_entropy([n; 10]),
            account: "acme".parse().expect("an account"),
            name: "all".to_owned().try_into().expect("a name"),
            destination: DestinationId::from_entropy([n / 10; 10]),
            event_types: event_types.iter().map(|t| (*t).to_owned().try_into().expect("a filter")).collect(),
            scope: scope.parse().expect("a scope"),
            path: path.map(|p| p.to_owned().try_into().expect("a path")),
            created_at: Timestamp::from_unix_ms(0),
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
        let got = subscription(1, event_types, scope, None).matches(event.event_type, &event.scope);
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
        let ids: std::collections::BTreeSet<_> = deliveries(&event, &all).into_iter().map(|d| d.id).collect();
        assert_eq!(ids.len(), 3);
    }

    #[test]
    fn another_accounts_subscription_never_matches() {
        let mut other = subscription(1, &["*"], "*", None);
        other.account = "other".parse().expect("an account");
        assert!(deliveries(&event("sync_run.completed", "connection/a/endpoint/b"), &[other]).is_empty());
    }

    fn any_place() -> impl Strategy<Value = (String, String)> {
        prop_oneof![
            ("[ab]", "[ab]").prop_map(|(c, e)| ("sync_run.completed".into(), format!("connection/{c}/endpoint/{e}"))),
            ("[ab]", "[ab]")
                .prop_map(|(c, i)| ("insight_population.completed".into(), format!("connection/{c}/insight/{i}"))),
        ]
    }

    fn any_subscription() -> impl Strategy<Value = Subscription> {
        let types = prop_oneof![Just("*"), Just("sync_run.completed"), Just("insight_population.completed")];
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
            prop_assert_eq!(subscription.matches(event.event_type, &event.scope), filed);
        }
    }
}
