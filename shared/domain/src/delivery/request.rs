//! The request that is sent: Standard Webhooks 1.0 headers over the exact bytes of the body. If the event came with a
//! `traceparent`, the request has one too, which is not signed: what records traces between us and the receiver may
//! change it.
//!
//! Invariant: without a `traceparent` of the producer's, a request has none, and is as before there were any (tests:
//! `a_request_has_the_documented_headers_and_one_signature_for_each_secret`,
//! `a_request_continues_its_producers_trace_unless_its_owner_set_that_header`).

use std::borrow::Cow;
use std::time::Duration;

use super::delivery::Delivery;
use crate::attempt::SigningSecret;
use crate::attempt::signature::signature;
use crate::destination::{DestinationSettings, DestinationUrl};
use crate::value::{TRACEPARENT, Timestamp};

/// A request ready to be sent.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SignedRequest {
    pub url: DestinationUrl,
    pub headers: Vec<(Cow<'static, str>, String)>,
    pub body: String,
    /// How long the attempt may take, from connecting to the end of the answer.
    pub timeout: Duration,
}

/// The value of `user-agent`.
pub const USER_AGENT: &str = concat!("SyncHub-Webhooks/", env!("CARGO_PKG_VERSION"));

/// Signs attempt number `attempt` of `delivery` at `now` with each of the given secrets.
pub fn sign(
    delivery: &Delivery,
    destination: &DestinationSettings,
    body: &str,
    secrets: &[SigningSecret],
    attempt: u32,
    now: Timestamp,
) -> SignedRequest {
    let (id, timestamp) = (delivery.id.as_str(), now.unix_seconds());
    let signatures: Vec<_> = secrets.iter().map(|secret| signature(secret, id, timestamp, body)).collect();
    let ours = [
        ("content-type", "application/json".to_owned()),
        ("user-agent", USER_AGENT.to_owned()),
        ("webhook-id", id.to_owned()),
        ("webhook-timestamp", timestamp.to_string()),
        ("webhook-signature", signatures.join(" ")),
        ("webhook-event-type", delivery.event_type.to_string()),
        ("webhook-attempt", attempt.to_string()),
    ];
    let custom = destination.headers.iter().map(|(name, value)| (Cow::Owned(name.to_owned()), value.to_owned()));
    // Two would be as good as none.
    let is_set = destination.headers.iter().any(|(name, _)| name == TRACEPARENT);
    let trace = delivery.traceparent_at(now).filter(|_| !is_set).map(|trace| (TRACEPARENT, trace.to_string()));
    let ours = ours.into_iter().chain(trace).map(|(name, value)| (Cow::Borrowed(name), value));
    SignedRequest {
        url: destination.url.join(delivery.path.as_ref()),
        headers: ours.chain(custom).collect(),
        body: body.to_owned(),
        timeout: destination.timeout_seconds.into(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::value::DestinationId;

    fn delivery() -> Delivery {
        Delivery {
            id: "dlv_00000000000000000000000000000000000000000000000000".parse().expect("an id"),
            account: "acme".parse().expect("an account"),
            event: "evt-1".parse().expect("an id"),
            event_type: "sync_run.completed".parse().expect("a type"),
            scope: None,
            destination: DestinationId::from_entropy([1; 10]),
            path: Some("/sync".to_owned().try_into().expect("a path")),
            traceparent: None,
        }
    }

    #[test]
    fn a_request_has_the_documented_headers_and_one_signature_for_each_secret() {
        let delivery = delivery();
        let settings =
            r#"{"name":"d","url":"https://example.com/hooks","headers":{"X-Team":"data"},"timeout_seconds":7}"#;
        let settings = serde_json::from_str(settings).expect("settings");
        let secrets = [SigningSecret::from_entropy([1; 32]), SigningSecret::from_entropy([2; 32])];
        let request = sign(&delivery, &settings, "{}", &secrets, 3, Timestamp::from_unix_ms(1_795_426_200_999));
        assert_eq!(request.url.to_string(), "https://example.com/hooks/sync");
        let header = |name| request.headers.iter().find(|(n, _)| *n == name).map(|(_, v)| v.as_str());
        assert_eq!(header("content-type"), Some("application/json"));
        assert_eq!(header("user-agent"), Some(USER_AGENT));
        assert_eq!(header("webhook-id"), Some(delivery.id.as_str()));
        assert_eq!(header("webhook-timestamp"), Some("1795426200"));
        assert_eq!(header("webhook-event-type"), Some("sync_run.completed"));
        assert_eq!(header("webhook-attempt"), Some("3"));
        let expected = secrets.each_ref().map(|s| signature(s, delivery.id.as_str(), 1_795_426_200, "{}")).join(" ");
        assert_eq!(header("webhook-signature"), Some(expected.as_str()));
        assert_eq!(header("x-team"), Some("data"));
        assert_eq!(request.headers.len(), 8);
        assert_eq!(request.timeout, Duration::from_secs(7));
    }
    #[test]
    fn a_request_continues_its_producers_trace_unless_its_owner_set_that_header() {
        let parent = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";
        let delivery = Delivery { traceparent: Some(parent.parse().expect("one")), ..delivery() };
        let sent = |headers: &str, ms| {
            let settings = format!(r#"{{"name":"d","url":"https://example.com/","headers":{headers}}}"#);
            let settings = serde_json::from_str(&settings).expect("settings");
            let request = sign(&delivery, &settings, "{}", &[], 1, Timestamp::from_unix_ms(ms));
            let traces = request.headers.into_iter().filter(|(name, _)| name == "traceparent");
            traces.map(|(_, value)| value).collect::<Vec<_>>()
        };
        let [first] = sent("{}", 1).try_into().expect("one");
        assert_eq!(sent("{}", 1), std::slice::from_ref(&first), "the same attempt has the same span");
        assert_eq!(Some(first.clone()), delivery.traceparent_at(Timestamp::from_unix_ms(1)).map(|at| at.to_string()));
        let [second] = sent("{}", 2).try_into().expect("one");
        for span in [&first, &second] {
            assert!(span.starts_with(&parent[..36]) && span.ends_with("-01") && span.len() == parent.len(), "{span}");
        }
        assert!(first != second && first != parent, "each attempt has a span of its own");
        assert_eq!(sent(r#"{"Traceparent":"mine"}"#, 1), ["mine"]);
    }
}
