//! `values`: every value that is written as one text: scopes, event types, ids, names, descriptions, times, places of lists,
//! positions in traces, and the parameters that an operator sets.

use std::fmt::{Debug, Display};
use std::str::FromStr;

use domain::access::Budget;
use domain::attempt::RetryPolicy;
use domain::delivery::MessageLease;
use domain::destination::{AddressPolicy, DeliveryPath};
use domain::event::{EventType, EventTypeFilter, Scope, Unregistered};
use domain::value::{
    AccountId, Day, DeliveryId, Description, DestinationId, EventId, Horizon, JobId, KeyId, Label, RejectedEventId,
    SessionId, SubscriptionId, Timestamp, TraceParent, is_invisible,
};
use ports::{EventPlace, JobPlace};
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::json;

use crate::input::{read_back, text};

pub(crate) fn check(input: &[u8]) {
    let Some(text) = text(input) else { return };
    if let Some(scope) = one::<Scope>(text, 400) {
        scopes(text, &scope);
    }
    one::<AccountId>(text, 64);
    one::<EventId>(text, 128);
    one::<DestinationId>(text, 20);
    one::<SubscriptionId>(text, 20);
    one::<KeyId>(text, 20);
    one::<JobId>(text, 20);
    one::<SessionId>(text, 20);
    one::<RejectedEventId>(text, 30);
    if let Some(id) = one::<DeliveryId>(text, 54) {
        assert!(text.contains(id.destination().as_str().trim_start_matches("dst_")));
        assert!(id.occurred_at().to_string().parse_time().is_some());
    }
    if let Some(name) = one::<EventType>(text, 100) {
        assert_eq!(read_back::<EventTypeFilter>(&json!(text).to_string()), Some(EventTypeFilter::Only(name)));
    }
    one::<EventTypeFilter>(text, 100);
    one::<DeliveryPath>(text, 256);
    if one::<Label>(text, 512).is_some() {
        assert!((1..=128).contains(&text.chars().count()) && !text.contains(is_invisible) && !text.trim().is_empty());
    }
    if one::<Description>(text, 4_096).is_some() {
        assert!(text.chars().count() <= 1_024);
    }
    times(text);
    shown::<EventPlace>(text);
    shown::<JobPlace>(text);
    shown::<TraceParent>(text);
    parameters(text);
}

/// The value of a text, which has at most so many bytes.
fn one<T: Serialize + DeserializeOwned + PartialEq + Debug>(text: &str, most: usize) -> Option<T> {
    let read = read_back::<T>(&json!(text).to_string())?;
    assert!(text.len() <= most, "{} bytes of {read:?}", text.len());
    Some(read)
}

fn scopes(text: &str, scope: &Scope) {
    assert_eq!((scope.to_string().as_str(), text.parse()), (text, Ok(scope.clone())));
    let wider = scope.and_wider();
    assert!(wider.len() <= 3 && wider.first() == Some(scope) && wider.last() == Some(&Scope::Everything));
    for (at, one) in wider.iter().enumerate() {
        assert!(one.contains(scope) && (at == 0 || !scope.contains(one)), "{one} and {scope}");
    }
}

trait ParseTime {
    fn parse_time(&self) -> Option<Timestamp>;
}

impl ParseTime for String {
    fn parse_time(&self) -> Option<Timestamp> {
        Timestamp::parse(self).ok()
    }
}

fn times(text: &str) {
    if let Some(time) = one::<Timestamp>(text, 1_000) {
        assert_eq!(Timestamp::from_unix_ms(time.unix_ms()), time);
        assert_eq!(read_back::<Day>(&json!(Day::of(time)).to_string()), Some(Day::of(time)));
        // The first four digits are the year there, which differs from the one in UTC by one at most.
        let year = |text: &str| text.get(..4).and_then(|year| year.parse::<u64>().ok()).expect("a year");
        assert!(year(text).abs_diff(year(&time.to_string())) <= 1 && year(&time.to_string()) >= 1970);
        assert!(!(text.starts_with("1969") && text.ends_with('Z')), "{text} is before 1970");
    }
    one::<Day>(text, 100);
}

/// A text that a cursor contains is written as it was read, apart from leading zeros and signs of its numbers.
fn shown<T: FromStr + Display + PartialEq + Debug>(text: &str) {
    if let Ok(read) = text.parse::<T>() {
        let again = read.to_string().parse::<T>();
        assert!(again.is_ok_and(|again| again == read), "{text}");
    }
}

fn parameters(text: &str) {
    if let Ok(policy) = text.parse::<RetryPolicy>() {
        assert_eq!(text.parse::<RetryPolicy>(), Ok(policy));
    }
    let _ =
        (text.parse::<Horizon>(), text.parse::<MessageLease>(), text.parse::<Budget>(), text.parse::<Unregistered>());
    if let Ok(policy) = AddressPolicy::new(text, false, Vec::new()) {
        let loopback = "127.0.0.1".parse().expect("an address");
        assert!(!policy.permits(loopback) || text.contains('/'), "only a CIDR allows an address");
    }
}
