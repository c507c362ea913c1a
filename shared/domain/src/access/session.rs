//! Page sessions. The operator gets a link for an account, and whoever opens it first gets a token for some time. The
//! token admits its holder as an API key does. The page behind the link is not here.
//!
//! A link is `whl_<account>.<session>.<secret>`, a token `whs_<account>.<session>.<secret>`; only hashes of both are
//! stored.
//!
//! Invariant: a session that has ended, or was ended, admits nobody (tests: `a_session_is_offered_then_open_and_then_ended`).
//!
//! Invariant: a link opens its session once and in time, and the session ends when it is idle, or after eight hours
//! (tests: `a_link_opens_its_session_once_and_in_time`,
//! `a_session_ends_when_it_is_idle_and_after_eight_hours_in_any_case`, the contract suite `sessions`).

use std::fmt;
use std::str::FromStr;
use std::time::Duration;

use serde::Serialize;
use zeroize::Zeroizing;

use super::api_key::Role;
use super::token;
use super::token::TokenSecret;
use crate::event::Scope;
use crate::value::{AccountId, Label, SessionId, Timestamp};

/// A session ends if it is not used for this long.
pub const IDLE: Duration = Duration::from_secs(15 * 60);
/// A session ends after this long, however much it is used.
pub const LONGEST: Duration = Duration::from_secs(8 * 3_600);
/// The use of a session is noted again when the last note is this old.
pub const NOTED_EVERY: Duration = Duration::from_secs(60);

const LINK: &str = "whl_";
const TOKEN: &str = "whs_";

#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("is neither a link's token (`whl_…`) nor a session's (`whs_…`)")]
pub struct SessionFormError;

macro_rules! presented {
    ($(#[$doc:meta])* $name:ident, $prefix:ident) => {
        $(#[$doc])*
        pub struct $name {
            pub account: AccountId,
            pub session: SessionId,
            secret: TokenSecret,
        }

        impl FromStr for $name {
            type Err = SessionFormError;

            fn from_str(text: &str) -> Result<Self, SessionFormError> {
                let (account, id, secret) = token::read($prefix, text).ok_or(SessionFormError)?;
                let session = format!("{}{id}", SessionId::PREFIX).parse().map_err(|_| SessionFormError)?;
                Ok(Self { account, session, secret })
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(f, "{}({}, {}, redacted)", stringify!($name), self.account, self.session)
            }
        }

        impl $name {
            fn is(&self, hash: &[u8; 32]) -> bool {
                token::same(hash, &token::hash(&self.account, self.session.as_str(), &self.secret))
            }
        }
    };
}

presented!(
    /// The secret of a link.
    PresentedLink, LINK
);
presented!(
    /// The token that a page sends with each request.
    PresentedSession, TOKEN
);

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Session {
    pub id: SessionId,
    pub account: AccountId,
    pub role: Role,
    /// Who the link was made for, according to its maker.
    pub subject: Option<Label>,
    /// The scope that the page starts with. It restricts nothing.
    pub scope: Option<Scope>,
    pub created_at: Timestamp,
    pub link_hash: [u8; 32],
    pub link_expires_at: Timestamp,
    /// What is known once the link was opened.
    pub opened: Option<Opened>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Opened {
    pub hash: [u8; 32],
    pub at: Timestamp,
    pub last_used_at: Timestamp,
}

impl Opened {
    /// Stored in place of the hash of a token that was forgotten. No token has this hash.
    pub const NO_HASH: [u8; 32] = [0; 32];

    fn lasts(&self, now: Timestamp) -> bool {
        self.hash != Self::NO_HASH && now < self.at.plus(LONGEST) && now < self.last_used_at.plus(IDLE)
    }
}

/// The status of a session.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum SessionStatus {
    /// Its link can be opened.
    Offered,
    Open,
    /// It has ended by itself, or was ended. It admits nobody any more.
    Ended,
}

/// Why a link does not open a session.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LinkRefusal {
    Wrong,
    Used,
    Expired,
}

impl Session {
    /// Makes a session that can be opened within `open_within`, and the secret for its link.
    pub fn offer(
        id: SessionId,
        account: AccountId,
        (role, scope): (Role, Option<Scope>),
        secret: [u8; 32],
        now: Timestamp,
        open_within: Duration,
    ) -> (Self, Zeroizing<String>) {
        let secret = TokenSecret(secret);
        let link = token::write(LINK, &account, short(&id), &secret);
        let link_hash = token::hash(&account, id.as_str(), &secret);
        let link_expires_at = now.plus(open_within);
        let subject = None;
        (Self { id, account, role, subject, scope, created_at: now, link_hash, link_expires_at, opened: None }, link)
    }

    /// Opens the session with its link, which works once, and makes its token.
    pub fn open(
        &mut self,
        link: &PresentedLink,
        secret: [u8; 32],
        now: Timestamp,
    ) -> Result<Zeroizing<String>, LinkRefusal> {
        if !link.is(&self.link_hash) {
            return Err(LinkRefusal::Wrong);
        }
        if self.opened.is_some() {
            return Err(LinkRefusal::Used);
        }
        if now >= self.link_expires_at {
            return Err(LinkRefusal::Expired);
        }
        let secret = TokenSecret(secret);
        let hash = token::hash(&self.account, self.id.as_str(), &secret);
        self.opened = Some(Opened { hash, at: now, last_used_at: now });
        Ok(token::write(TOKEN, &self.account, short(&self.id), &secret))
    }

    /// Whether `presented` is this session's token, and the session has not ended.
    pub fn accepts(&self, presented: &PresentedSession, now: Timestamp) -> bool {
        let is_its_token = self.opened.as_ref().is_some_and(|opened| presented.is(&opened.hash));
        is_its_token && self.status(now) == SessionStatus::Open
    }

    pub fn status(&self, now: Timestamp) -> SessionStatus {
        match &self.opened {
            None if now < self.link_expires_at => SessionStatus::Offered,
            Some(opened) if opened.lasts(now) => SessionStatus::Open,
            _ => SessionStatus::Ended,
        }
    }

    /// Whether a use at `now` has to be noted.
    pub fn is_to_be_noted(&self, now: Timestamp) -> bool {
        self.opened.as_ref().is_some_and(|opened| now >= opened.last_used_at.plus(NOTED_EVERY))
    }

    /// When the session ends, however much it is used, and may be deleted.
    pub fn ends_at(&self) -> Timestamp {
        self.opened.as_ref().map_or(self.link_expires_at, |opened| opened.at.plus(LONGEST))
    }
}

fn short(id: &SessionId) -> &str {
    id.as_str().trim_start_matches(SessionId::PREFIX)
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: u64 = 1_795_426_200_000;

    fn at(seconds: u64) -> Timestamp {
        Timestamp::from_unix_ms(NOW + seconds * 1_000)
    }

    fn offer() -> (Session, PresentedLink) {
        let account = "acme".parse().expect("an account");
        let id = SessionId::from_entropy([3; 10]);
        let (session, link) =
            Session::offer(id, account, (Role::Editor, None), [1; 32], at(0), Duration::from_secs(300));
        (session, link.parse().expect("a link"))
    }

    fn opened() -> (Session, PresentedSession) {
        let (mut session, link) = offer();
        let token = session.open(&link, [2; 32], at(0)).expect("opened");
        (session, token.parse().expect("a token"))
    }

    #[test]
    fn a_link_opens_its_session_once_and_in_time() {
        let (mut session, link) = offer();
        let (_, other) =
            Session::offer(session.id.clone(), session.account.clone(), (Role::Editor, None), [9; 32], at(0), IDLE);
        let other: PresentedLink = other.parse().expect("a link");
        assert_eq!(session.open(&other, [2; 32], at(0)).err(), Some(LinkRefusal::Wrong));
        assert_eq!(session.open(&link, [2; 32], at(300)).err(), Some(LinkRefusal::Expired));
        assert_eq!(session.ends_at(), at(300));
        let token = session.open(&link, [2; 32], at(299)).expect("opened");
        assert!(token.starts_with("whs_acme."));
        assert_eq!(session.ends_at(), at(299 + 8 * 3_600));
        assert_eq!(session.open(&link, [2; 32], at(299)).err(), Some(LinkRefusal::Used));
    }

    #[test]
    fn a_link_is_no_token_and_a_token_no_link() {
        let (mut session, link) = offer();
        let token = session.open(&link, [2; 32], at(0)).expect("opened");
        assert!(token.parse::<PresentedLink>().is_err());
        let forged = token.replace(TOKEN, LINK).parse::<PresentedLink>().expect("the form of a link");
        assert_eq!(session.open(&forged, [2; 32], at(0)).err(), Some(LinkRefusal::Wrong));
    }

    #[track_caller]
    fn check(used: u64, now: u64, expected: bool) {
        let (mut session, token) = opened();
        if let Some(opened) = &mut session.opened {
            opened.last_used_at = at(used);
        }
        assert_eq!(session.accepts(&token, at(now)), expected, "used at {used} s, now {now} s");
    }

    #[test]
    fn a_session_ends_when_it_is_idle_and_after_eight_hours_in_any_case() {
        check(0, 0, true);
        check(0, 899, true);
        check(0, 900, false);
        check(899, 1_798, true);
        check(8 * 3_600 - 1, 8 * 3_600 - 1, true);
        check(8 * 3_600 - 1, 8 * 3_600, false);
    }

    #[test]
    fn a_session_is_offered_then_open_and_then_ended() {
        let (session, _) = offer();
        assert_eq!([0, 299, 300].map(|seconds| session.status(at(seconds))), {
            use SessionStatus::{Ended, Offered};
            [Offered, Offered, Ended]
        });
        let (mut session, token) = opened();
        assert_eq!([899, 900].map(|seconds| session.status(at(seconds))), [SessionStatus::Open, SessionStatus::Ended]);
        session.opened.as_mut().expect("opened").hash = Opened::NO_HASH;
        assert_eq!(session.status(at(0)), SessionStatus::Ended);
        assert!(!session.accepts(&token, at(0)));
    }

    #[test]
    fn a_session_takes_its_own_token_only() {
        let (session, token) = opened();
        let (unopened, _) = offer();
        assert!(session.accepts(&token, at(0)) && !unopened.accepts(&token, at(0)));
        let (mut another, link) = offer();
        let other = another.open(&link, [7; 32], at(0)).expect("opened");
        assert!(!session.accepts(&other.parse().expect("a token"), at(0)));
    }

    #[test]
    fn a_use_is_noted_once_a_minute() {
        let (session, _) = opened();
        assert!(!session.is_to_be_noted(at(59)));
        assert!(session.is_to_be_noted(at(60)));
    }

    #[test]
    fn debug_output_shows_nothing_of_a_token() {
        let (_, token) = opened();
        assert_eq!(format!("{token:?}"), format!("PresentedSession(acme, {}, redacted)", token.session));
    }
}
