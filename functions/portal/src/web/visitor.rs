//! Who looks at the page: an account, with the role of the session that a cookie carries.

use std::sync::Arc;

use axum::extract::FromRequestParts;
use domain::access::{Permission, Role, Session};
use domain::value::{AccountId, SessionId};
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
}

/// Whoever it is, as the API sees somebody without credentials.
pub struct Stranger(pub Api);

impl Visitor {
    pub fn may(&self, permission: Permission) -> bool {
        self.role.may(permission)
    }

    /// What is around a page that this visitor sees.
    pub fn shell(&self, section: &'static str, title: impl Into<String>) -> Shell {
        Shell {
            title: title.into(),
            section,
            account: Some(self.account.to_string()),
            may_change: self.may(Permission::Configure),
            may_rotate: self.may(Permission::RotateSecrets),
            done: None,
        }
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
