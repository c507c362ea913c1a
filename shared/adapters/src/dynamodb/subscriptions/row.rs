//! The rows of subscriptions, and what must be known to delete one that cannot be read. Settings are read tolerantly
//! ([`SettingsRow`]).

use std::collections::BTreeSet;
use std::fmt;

use domain::destination::DeliveryPath;
use domain::event::{EventType, Scope};
use domain::routing::{AwaitedTransition, EventTypes, Grace, Pattern, Subscription, SubscriptionSettings};
use domain::value::{AccountId, DestinationId, Label, SubscriptionId, Timestamp};
use ports::{PortError, PortResult};
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::dynamodb::keys::{self, Key};

/// The row has the same fields in the account's list and in every bucket.
#[derive(Serialize, Deserialize)]
pub(in crate::dynamodb) struct SubscriptionRow {
    id: SubscriptionId,
    account: AccountId,
    /// The settings as JSON, so that numbers in conditions are read back as they were written.
    settings: String,
    created_at: Timestamp,
    updated_at: Timestamp,
    version: u64,
    /// Its part of the numbers in the account's row. Rows from before conditions were counted do not have it.
    #[serde(default)]
    pub(super) condition_bytes: usize,
}

/// Settings as they are read from a row. Their fields are those of [`SubscriptionSettings`], which owners also send,
/// and which therefore refuses unknown fields.
#[derive(Deserialize)]
struct SettingsRow {
    #[serde(deserialize_with = "Label::from_row")]
    name: Label,
    destination_id: DestinationId,
    event_types: EventTypes,
    scope: Scope,
    condition: Option<Pattern>,
    transition: Option<AwaitedTransition>,
    path: Option<DeliveryPath>,
    #[serde(default)]
    grace_seconds: Grace,
    #[serde(default = "enabled")]
    enabled: bool,
}

fn enabled() -> bool {
    true
}

impl From<SettingsRow> for SubscriptionSettings {
    fn from(row: SettingsRow) -> Self {
        let SettingsRow { name, destination_id, event_types, scope, condition, transition, path, enabled, .. } = row;
        let grace = row.grace_seconds;
        Self { name, destination_id, event_types, scope, condition, transition, path, grace, enabled }
    }
}

fn read_settings(text: &str) -> Result<SubscriptionSettings, serde_json::Error> {
    serde_json::from_str::<SettingsRow>(text).map(SubscriptionSettings::from)
}

impl SubscriptionRow {
    pub(in crate::dynamodb) fn of(subscription: &Subscription) -> PortResult<Self> {
        let settings = serde_json::to_string(&subscription.settings);
        Ok(Self {
            id: subscription.id.clone(),
            account: subscription.account.clone(),
            settings: settings.map_err(|error| PortError::permanent("writing a subscription", error))?,
            created_at: subscription.created_at,
            updated_at: subscription.updated_at,
            version: subscription.version,
            condition_bytes: subscription.settings.condition_bytes(),
        })
    }
}

impl TryFrom<SubscriptionRow> for Subscription {
    type Error = serde_json::Error;

    fn try_from(row: SubscriptionRow) -> Result<Self, serde_json::Error> {
        Ok(Self {
            settings: read_settings(&row.settings)?,
            id: row.id,
            account: row.account,
            created_at: row.created_at,
            updated_at: row.updated_at,
            version: row.version,
        })
    }
}

/// What a subscription's settings refer to: exactly what must be known to delete it.
#[derive(Debug, PartialEq)]
pub(in crate::dynamodb) struct Leads {
    pub(super) name: Option<String>,
    pub(super) destination: Option<DestinationId>,
    /// The keys of its copies.
    pub(in crate::dynamodb) copies: Vec<Key>,
}

impl Leads {
    /// `sk` is the sort key of the subscription's row, which its copies have too.
    pub(in crate::dynamodb) fn of(account: &AccountId, sk: &str, settings: &str) -> Self {
        let copy = |bucket: &dyn fmt::Display| Key { pk: keys::bucket_pk(account, &bucket), sk: sk.to_owned() };
        match read_settings(settings) {
            Ok(settings) => Self {
                copies: settings.buckets_of_any_release().iter().map(|bucket| copy(bucket)).collect(),
                name: Some(settings.name.into()),
                destination: Some(settings.destination_id),
            },
            Err(_) => Self::of_unknown(settings, copy),
        }
    }

    /// If the settings cannot be parsed, their texts are used as they are. The subscription may be in the bucket of
    /// every type that it names, and of a type whose absence one of those reports: all known types are tried.
    fn of_unknown(settings: &str, copy: impl Fn(&dyn fmt::Display) -> Key) -> Self {
        let settings: Value = serde_json::from_str(settings).unwrap_or_default();
        let text = |field: &str| settings[field].as_str().map(str::to_owned);
        let named = settings["event_types"].as_array().into_iter().flatten().filter_map(Value::as_str);
        let types: BTreeSet<_> = named.map(str::to_owned).chain(EventType::all().map(String::from)).collect();
        let filed = |scope: String| types.iter().map(|one| copy(&format!("{one}#{scope}"))).collect();
        Self {
            name: text("name"),
            destination: text("destination_id").and_then(|id| id.parse().ok()),
            copies: text("scope").map(filed).unwrap_or_default(),
        }
    }
}

/// The part of a row that matching needs.
#[derive(Deserialize)]
pub(super) struct FiledRow {
    id: SubscriptionId,
    settings: String,
}

pub(super) struct Filed {
    pub(super) id: SubscriptionId,
    pub(super) settings: SubscriptionSettings,
}

impl FiledRow {
    /// Its attributes, with those that identify a row that cannot be read.
    pub(super) const ATTRIBUTES: &'static [&'static str] = &["pk", "sk", "id", "settings"];
}

impl TryFrom<FiledRow> for Filed {
    type Error = serde_json::Error;

    fn try_from(row: FiledRow) -> Result<Self, serde_json::Error> {
        Ok(Self { id: row.id, settings: read_settings(&row.settings)? })
    }
}

/// The part of a row that is needed to delete it.
#[derive(Deserialize)]
pub(super) struct LeadingRow {
    pub(super) settings: String,
    pub(super) version: u64,
    #[serde(default)]
    pub(super) condition_bytes: usize,
}
