//! The visitor: the account and the role of the session whose token is in the cookie.
//!
//! Invariant: a session is valid until it ends by itself or by signing out, wherever its cookie is stored (tests:
//! `who_has_no_session_or_one_that_has_ended_is_told_so`, `who_signs_out_is_out_wherever_the_cookie_is_kept`).
//!
//! Invariant: a form is refused if the session is now of another account than the form's page (tests:
//! `a_form_of_another_account_does_nothing`).

use std::sync::{Arc, OnceLock};

use api::Class;
use axum::extract::FromRequestParts;
use domain::access::{Permission, Role, Session};
use domain::value::{AccountId, SessionId, Timestamp};
use http::HeaderMap;
use http::request::Parts;
use lambda_http::request::RequestContext;
use runtime::page_session;

use crate::markup::shell::{SENDER, Shell};
use crate::web::cookies::presented;
use crate::web::failure::Failure;
use crate::web::fields::Fields;
use crate::web::inner::Api;
use crate::web::portal::Portal;

pub struct Visitor {
    pub api: Api,
    pub account: AccountId,
    pub session: SessionId,
    pub role: Role,
    /// When the session ends at the latest.
    ends_at: Timestamp,
}

/// The shell for the visitor, once it is known that the request is from one. It is an extension of the request.
#[derive(Debug, Clone, Default)]
pub struct Seen(Arc<OnceLock<Shell>>);

impl Seen {
    pub fn shell(&self) -> Option<Shell> {
        self.0.get().cloned()
    }
}

/// A visitor who is let in even if the account has spent its budget, for example to sign out.
pub struct Leaving(pub Visitor);

/// The API as a caller without credentials sees it.
pub struct Stranger(pub Api);

impl Visitor {
    pub fn may(&self, permission: Permission) -> bool {
        self.role.may(permission)
    }

    /// The shell of a page for this visitor.
    pub fn shell(&self, section: &'static str, title: impl Into<String>) -> Shell {
        Shell { title: title.into(), section, ..shell_of(&self.account, self.role, self.ends_at) }
    }

    /// Refuses a form from a page of another account, or of none.
    pub fn must_be(&self, sender: &str) -> Result<(), Failure> {
        match sender {
            "" => Err(Failure::NoSender),
            sender if sender == self.account.as_str() => Ok(()),
            _ => Err(Failure::OtherAccount(self.account.clone())),
        }
    }

    /// Refuses to show a page whose form the visitor may not send. The API refuses the action itself in any case.
    pub fn must(&self, permission: Permission) -> Result<(), Failure> {
        if self.may(permission) { Ok(()) } else { Err(Failure::NotAllowed(permission)) }
    }
}

fn shell_of(account: &AccountId, role: Role, ends_at: Timestamp) -> Shell {
    Shell {
        account: Some(account.to_string()),
        may_change: role.may(Permission::Configure),
        may_rotate: role.may(Permission::RotateSecrets),
        ends_at: Some(ends_at),
        ..Shell::of_nobody("")
    }
}

/// The shell for the visitor who sent a request, if they are signed in.
pub async fn shell(portal: &Portal, headers: &HeaderMap) -> Result<Option<Shell>, Failure> {
    let session = session(portal, headers).await?;
    Ok(session.map(|session| shell_of(&session.account, session.role, session.ends_at())))
}

/// The session of a request, if it has one that has not ended.
pub async fn session(portal: &Portal, headers: &HeaderMap) -> Result<Option<Session>, Failure> {
    let Some(presented) = presented(headers) else { return Ok(None) };
    let (accounts, sessions, clock) = (&*portal.accounts, &*portal.sessions, &*portal.clock);
    Ok(page_session::admit(accounts, sessions, clock, &presented).await?)
}

impl FromRequestParts<Arc<Portal>> for Visitor {
    type Rejection = Failure;

    /// Lets the visitor in if the account's budget allows it.
    async fn from_request_parts(parts: &mut Parts, portal: &Arc<Portal>) -> Result<Self, Failure> {
        let Leaving(visitor) = Leaving::from_request_parts(parts, portal).await?;
        portal.admission.admit(&visitor.account, Class::Read).await.map_err(Failure::Spent)?;
        Ok(visitor)
    }
}

impl FromRequestParts<Arc<Portal>> for Leaving {
    type Rejection = Failure;

    /// A request that changes something must be sent from a page of the account that is signed in. Pages of another
    /// account can still be open in the browser, because opening a link replaces the session.
    async fn from_request_parts(parts: &mut Parts, portal: &Arc<Portal>) -> Result<Self, Failure> {
        let session = session(portal, &parts.headers).await?.ok_or(Failure::NoSession)?;
        let context = parts.extensions.get::<RequestContext>();
        let api = Api::new(portal.api.clone(), context, Some(&session));
        let ends_at = session.ends_at();
        let visitor = Visitor { api, account: session.account, session: session.id, role: session.role, ends_at };
        if let Some(Seen(shell)) = parts.extensions.get::<Seen>() {
            shell.get_or_init(|| visitor.shell("", ""));
        }
        if !parts.method.is_safe() {
            visitor.must_be(Fields::of(&parts.uri).get(SENDER))?;
        }
        Ok(Self(visitor))
    }
}

impl FromRequestParts<Arc<Portal>> for Stranger {
    type Rejection = std::convert::Infallible;

    async fn from_request_parts(parts: &mut Parts, portal: &Arc<Portal>) -> Result<Self, Self::Rejection> {
        Ok(Self(Api::new(portal.api.clone(), parts.extensions.get::<RequestContext>(), None)))
    }
}
