//! Who looks at the page: an account, with the role of the session that a cookie carries.

use std::sync::Arc;

use axum::extract::FromRequestParts;
use domain::access::session::LONGEST;
use domain::access::{Permission, PresentedSession, Role, Session};
use domain::value::{AccountId, SessionId};
use http::request::Parts;
use http::{HeaderMap, header};
use lambda_http::request::RequestContext;
use runtime::page_session;

use crate::Portal;
use crate::failure::Failure;
use crate::fields::Fields;
use crate::inner::Api;

/// The cookie of a session. The prefix keeps other hosts of the domain from setting it.
const COOKIE: &str = "__Host-synchub";
/// The parameter with which a form says whose page it is on.
pub const SENDER: &str = "account";

pub struct Visitor {
    pub api: Api,
    pub account: AccountId,
    pub session: SessionId,
    pub role: Role,
}

/// Whoever it is, as the API sees somebody without credentials.
pub struct Stranger(pub Api);

/// The lines that set and take away the cookie of a session.
#[derive(Clone, Copy)]
pub struct Cookies {
    /// How other sites may come to the page. Within a frame of another site a browser sends no `Lax` cookie, so there it is one
    /// that is kept apart for that site.
    attributes: &'static str,
}

impl Cookies {
    pub fn new(framed: bool) -> Self {
        let attributes = if framed { "SameSite=None; Partitioned" } else { "SameSite=Lax" };
        Self { attributes }
    }

    pub fn session(self, token: &str) -> String {
        self.line(token, LONGEST.as_secs())
    }

    pub fn none(self) -> String {
        self.line("", 0)
    }

    fn line(self, value: &str, seconds: u64) -> String {
        format!("{COOKIE}={value}; Path=/; Max-Age={seconds}; HttpOnly; Secure; {}", self.attributes)
    }
}

fn presented(headers: &HeaderMap) -> Option<PresentedSession> {
    let lines = headers.get_all(header::COOKIE).into_iter().filter_map(|line| line.to_str().ok());
    let mut cookies = lines.flat_map(|line| line.split(';')).filter_map(|cookie| cookie.trim().split_once('='));
    cookies.find(|(name, _)| *name == COOKIE)?.1.parse().ok()
}

impl Visitor {
    pub fn may(&self, permission: Permission) -> bool {
        self.role.may(permission)
    }

    /// Refuses what comes from a page of another account, or of none.
    pub fn must_be(&self, sender: &str) -> Result<(), Failure> {
        match sender {
            "" => Err(Failure::NoSender),
            sender if sender == self.account.as_str() => Ok(()),
            _ => Err(Failure::OtherAccount(self.account.clone())),
        }
    }

    /// Refuses to show what whoever looks could do nothing with. What is done is refused by the API in any case.
    pub fn must(&self, permission: Permission) -> Result<(), Failure> {
        if self.may(permission) { Ok(()) } else { Err(Failure::NotAllowed) }
    }
}

/// The session that a request comes with, if it has not ended.
pub async fn session(portal: &Portal, headers: &HeaderMap) -> Result<Option<Session>, Failure> {
    let Some(presented) = presented(headers) else { return Ok(None) };
    let (accounts, sessions, clock) = (&*portal.accounts, &*portal.sessions, &*portal.clock);
    Ok(page_session::admit(accounts, sessions, clock, &presented).await?)
}

impl FromRequestParts<Arc<Portal>> for Visitor {
    type Rejection = Failure;

    /// What changes something must come from a page of the same account: another link that was opened in this browser meanwhile
    /// has replaced the session.
    async fn from_request_parts(parts: &mut Parts, portal: &Arc<Portal>) -> Result<Self, Failure> {
        let session = session(portal, &parts.headers).await?.ok_or(Failure::NoSession)?;
        let context = parts.extensions.get::<RequestContext>();
        let api = Api::new(portal.api.clone(), context, Some((&session.account, session.role)));
        let visitor = Self { api, account: session.account, session: session.id, role: session.role };
        if !parts.method.is_safe() {
            visitor.must_be(Fields::of(&parts.uri).get(SENDER))?;
        }
        Ok(visitor)
    }
}

impl FromRequestParts<Arc<Portal>> for Stranger {
    type Rejection = std::convert::Infallible;

    async fn from_request_parts(parts: &mut Parts, portal: &Arc<Portal>) -> Result<Self, Self::Rejection> {
        Ok(Self(Api::new(portal.api.clone(), parts.extensions.get::<RequestContext>(), None)))
    }
}
