//! The request that is sent: Standard Webhooks 1.0 headers over the exact bytes of the body.

use std::borrow::Cow;
use std::time::Duration;

use super::delivery::Delivery;
use crate::attempt::SigningSecret;
use crate::attempt::signature::signature;
use crate::destination::{DestinationSettings, DestinationUrl};
use crate::value::Timestamp;

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
    SignedRequest {
        url: destination.url.join(delivery.path.as_ref()),
        headers: ours.into_iter().map(|(name, value)| (Cow::Borrowed(name), value)).chain(custom).collect(),
        body: body.to_owned(),
        timeout: destination.timeout_seconds.into(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::value::DestinationId;

    #[test]
    fn a_request_has_the_documented_headers_and_one_signature_for_each_secret() {
        let destination = DestinationId::from_entropy([1; 10]);
        let delivery = Delivery {
            id: "dlv_00000000000000000000000000000000000000000000000000".parse().expect("an id"),
            account: "acme".parse().expect("an account"),
            event: "evt-1".parse().expect("an id"),
            event_type: "sync_run.completed".parse().expect("a type"),
            scope: None,
            destination,
            path: Some("/sync".to_owned().try_into().expect("a path")),
        };
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
}
