//! API keys: `whk_<account>.<key>.<secret>`. The key itself names its account, and only a hash of the secret is stored.
//!
//! Invariant: debug output shows nothing of a key's secret (tests: `debug_output_shows_nothing_of_the_secret`).

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};
use zeroize::Zeroizing;

use super::token;
use super::token::TokenSecret;
use crate::value::{AccountId, Day, KeyId, Label, Timestamp};

/// The key that a caller presents.
pub struct PresentedKey {
    pub account: AccountId,
    pub key: KeyId,
    secret: TokenSecret,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("is not an API key (`whk_…`)")]
pub struct KeyFormError;

const PREFIX: &str = "whk_";

impl FromStr for PresentedKey {
    type Err = KeyFormError;

    fn from_str(text: &str) -> Result<Self, KeyFormError> {
        let (account, id, secret) = token::read(PREFIX, text).ok_or(KeyFormError)?;
        let key = format!("{}{id}", KeyId::PREFIX).parse().map_err(|_| KeyFormError)?;
        Ok(Self { account, key, secret })
    }
}

impl fmt::Debug for PresentedKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "PresentedKey({}, {}, redacted)", self.account, self.key)
    }
}

/// What the holder of a key may do in its account.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Role {
    /// Everything an editor may do, and rotating secrets and publishing events.
    Admin,
    /// Everything a viewer may do, and changing the configuration.
    Editor,
    /// Reading.
    Viewer,
    /// Publishing events, and nothing else.
    Publisher,
}

/// What a caller must be allowed to do for a request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Permission {
    Read,
    Configure,
    RotateSecrets,
    PublishEvents,
}

impl Role {
    pub fn may(self, permission: Permission) -> bool {
        match self {
            Role::Admin => true,
            Role::Editor => matches!(permission, Permission::Read | Permission::Configure),
            Role::Viewer => permission == Permission::Read,
            Role::Publisher => permission == Permission::PublishEvents,
        }
    }

    pub fn as_str(self) -> &'static str {
        match self {
            Role::Admin => "admin",
            Role::Editor => "editor",
            Role::Viewer => "viewer",
            Role::Publisher => "publisher",
        }
    }
}

/// An API key as it is stored.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ApiKey {
    pub id: KeyId,
    pub account: AccountId,
    pub name: Label,
    pub role: Role,
    pub hash: [u8; 32],
    pub created_at: Timestamp,
    /// The last day on which the key was presented.
    pub last_used_at: Option<Day>,
}

impl ApiKey {
    /// Makes a key, and its text, which is shown once.
    pub fn issue(
        id: KeyId,
        account: AccountId,
        name: Label,
        role: Role,
        secret: [u8; 32],
        now: Timestamp,
    ) -> (Self, Zeroizing<String>) {
        let secret = TokenSecret(secret);
        let text = token::write(PREFIX, &account, Self::short(&id), &secret);
        let hash = token::hash(&account, id.as_str(), &secret);
        (Self { id, account, name, role, hash, created_at: now, last_used_at: None }, text)
    }

    /// Whether `presented` is this key. The comparison takes the same time wherever they differ.
    pub fn accepts(&self, presented: &PresentedKey) -> bool {
        token::same(&self.hash, &token::hash(&presented.account, presented.key.as_str(), &presented.secret))
    }

    /// The part of the key that may be shown, by which people recognize it.
    pub fn prefix(&self) -> String {
        token::beginning(PREFIX, &self.account, Self::short(&self.id))
    }

    fn short(id: &KeyId) -> &str {
        id.as_str().trim_start_matches(KeyId::PREFIX)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn issue(account: &str, secret: u8) -> (ApiKey, Zeroizing<String>) {
        let (account, name) = (account.parse().expect("an account"), "ci".to_owned().try_into().expect("a name"));
        ApiKey::issue(
            KeyId::from_entropy([3; 10]),
            account,
            name,
            Role::Viewer,
            [secret; 32],
            Timestamp::from_unix_ms(0),
        )
    }

    #[test]
    fn a_key_accepts_itself_and_no_other() {
        let (key, text) = issue("acme_-1", 1);
        let presented: PresentedKey = text.parse().expect("a key");
        assert_eq!(presented.account.as_str(), "acme_-1");
        assert!(key.accepts(&presented));
        assert!(text.starts_with(&format!("{}.", key.prefix())));
        for (account, secret) in [("acme_-1", 2), ("other", 1)] {
            let (_, other) = issue(account, secret);
            assert!(!key.accepts(&other.parse().expect("a key")));
        }
    }

    #[track_caller]
    fn check_role(role: Role, expected: &[Permission]) {
        use Permission::*;
        let may: Vec<_> =
            [Read, Configure, RotateSecrets, PublishEvents].into_iter().filter(|p| role.may(*p)).collect();
        assert_eq!(may, expected, "{role:?}");
        assert_eq!(serde_json::to_value(role).expect("JSON"), role.as_str());
    }

    #[test]
    fn a_role_allows_what_it_says_and_nothing_else() {
        use Permission::*;
        check_role(Role::Admin, &[Read, Configure, RotateSecrets, PublishEvents]);
        check_role(Role::Editor, &[Read, Configure]);
        check_role(Role::Viewer, &[Read]);
        check_role(Role::Publisher, &[PublishEvents]);
    }

    #[test]
    fn what_is_not_a_key_is_refused() {
        for text in [
            "",
            "whk_",
            "whk_a",
            "whk_a.b.c",
            "whk_acme.0000000000000000",
            "whk_acme.0000000000000000.AAAA",
            "Bearer x",
        ] {
            assert!(text.parse::<PresentedKey>().is_err(), "{text}");
        }
    }

    #[test]
    fn debug_output_shows_nothing_of_the_secret() {
        let (_, text) = issue("acme", 1);
        let presented: PresentedKey = text.parse().expect("a key");
        assert_eq!(format!("{presented:?}"), "PresentedKey(acme, key_0c1g60o30c1g60o3, redacted)");
    }
}
