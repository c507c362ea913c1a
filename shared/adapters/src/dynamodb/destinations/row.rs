//! The row of a destination. Earlier releases stored its health in it, together with its key in the index `waiting`.

use domain::attempt::{RetryChoice, SealedSecret};
use domain::destination::{
    CustomHeaders, Destination, DestinationSecret, DestinationSettings, DestinationUrl, RateLimit, TimeoutSeconds,
};
use domain::value::{AccountId, Description, DestinationId, Label, Timestamp};
use serde::{Deserialize, Serialize};
use serde_bytes::ByteBuf;
use serde_json::Value;

use crate::dynamodb::keys;
use crate::dynamodb::stored_health::understood;

#[derive(Serialize, Deserialize)]
struct SecretRow {
    data_key: String,
    sealed: ByteBuf,
    fingerprint: String,
    created_at: Timestamp,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    expires_at: Option<Timestamp>,
}

#[derive(Serialize, Deserialize)]
pub(in crate::dynamodb) struct DestinationRow {
    id: DestinationId,
    account: AccountId,
    #[serde(deserialize_with = "Label::from_row")]
    name: Label,
    url: DestinationUrl,
    description: Description,
    headers: CustomHeaders,
    /// The opposite of `paused`: rows have had it from the first release on, and a release before may still read them.
    enabled: bool,
    timeout_seconds: TimeoutSeconds,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    rate_limit: Option<RateLimit>,
    /// Missing from rows that were written before there was a choice.
    #[serde(default)]
    retry_policy: RetryChoice,
    secrets: Vec<SecretRow>,
    created_at: Timestamp,
    updated_at: Timestamp,
    version: u64,
    /// Left by an earlier release, until the health changes.
    #[serde(default, skip_serializing)]
    health: Option<Value>,
    /// How many subscriptions use it. While there are any, it cannot be deleted.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) subscriptions: Option<u32>,
}

impl From<&Destination> for DestinationRow {
    fn from(destination: &Destination) -> Self {
        let secret = |s: &DestinationSecret| SecretRow {
            data_key: s.sealed.key_id.clone(),
            sealed: ByteBuf::from(s.sealed.sealed.clone()),
            fingerprint: s.fingerprint.clone(),
            created_at: s.created_at,
            expires_at: s.expires_at,
        };
        let settings = destination.settings.clone();
        Self {
            id: destination.id.clone(),
            account: destination.account.clone(),
            name: settings.name,
            url: settings.url,
            description: settings.description,
            headers: settings.headers,
            enabled: !settings.paused,
            timeout_seconds: settings.timeout_seconds,
            rate_limit: settings.rate_limit,
            retry_policy: settings.retry_policy,
            secrets: destination.secrets.iter().map(secret).collect(),
            created_at: destination.created_at,
            updated_at: destination.updated_at,
            version: destination.version,
            health: None,
            subscriptions: None,
        }
    }
}

impl From<DestinationRow> for Destination {
    fn from(row: DestinationRow) -> Self {
        let secret = |s: SecretRow| DestinationSecret {
            sealed: SealedSecret { key_id: s.data_key, sealed: s.sealed.into_vec() },
            fingerprint: s.fingerprint,
            created_at: s.created_at,
            expires_at: s.expires_at,
        };
        let health = row.health.map(|stored| understood(&keys::destination(&row.account, &row.id), Some(stored)));
        Self {
            id: row.id,
            account: row.account,
            settings: DestinationSettings {
                name: row.name,
                url: row.url,
                description: row.description,
                headers: row.headers,
                paused: !row.enabled,
                timeout_seconds: row.timeout_seconds,
                rate_limit: row.rate_limit,
                retry_policy: row.retry_policy,
            },
            secrets: row.secrets.into_iter().map(secret).collect(),
            created_at: row.created_at,
            updated_at: row.updated_at,
            version: row.version,
            health: health.unwrap_or_default(),
        }
    }
}

#[cfg(test)]
mod tests {
    use aws_sdk_dynamodb::types::AttributeValue;
    use serde_json::json;
    use testing::{account, destination};

    use super::*;
    use crate::dynamodb::rows::{read, to_item};

    #[track_caller]
    fn check(setting: Value, written: AttributeValue) {
        let mut expected = destination(&account("acme"), 1, "https://example.com/");
        expected.settings.retry_policy = serde_json::from_value(setting).expect("a setting");
        let key = keys::destination(&expected.account, &expected.id);
        let item = to_item(key, &DestinationRow::from(&expected)).expect("an item");
        assert_eq!(item.get("retry_policy"), Some(&written));
        let found: Destination = read::<DestinationRow, _>(item).expect("a row");
        assert_eq!(found, expected);
    }

    #[test]
    fn a_retry_policy_is_read_back_as_it_was_written() {
        check(json!("standard"), AttributeValue::S("standard".into()));
        check(json!("short"), AttributeValue::S("short".into()));
        check(json!("none"), AttributeValue::S("none".into()));
        let numbers = ["10", "604800"].map(|wait| AttributeValue::N(wait.into()));
        check(json!([10, 604_800]), AttributeValue::L(numbers.into()));
    }

    #[test]
    fn a_paused_destination_is_stored_in_the_word_of_earlier_releases() {
        let mut expected = destination(&account("acme"), 1, "https://example.com/");
        for (paused, enabled) in [(false, true), (true, false)] {
            expected.settings.paused = paused;
            let key = keys::destination(&expected.account, &expected.id);
            let item = to_item(key, &DestinationRow::from(&expected)).expect("an item");
            assert_eq!((item.get("enabled"), item.get("paused")), (Some(&AttributeValue::Bool(enabled)), None));
            assert_eq!(read::<DestinationRow, Destination>(item).expect("a row"), expected);
        }
    }

    #[test]
    fn a_row_without_a_retry_policy_has_the_standard_one() {
        let expected = destination(&account("acme"), 1, "https://example.com/");
        let key = keys::destination(&expected.account, &expected.id);
        let mut item = to_item(key, &DestinationRow::from(&expected)).expect("an item");
        assert!(item.remove("retry_policy").is_some());
        assert_eq!(read::<DestinationRow, Destination>(item).expect("a row"), expected);
    }
}
