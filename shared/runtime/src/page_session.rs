//! Decides whether the token of a page session is accepted, and for whom. `authorizer` uses it for the API, `portal`
//! for the page. It changes nothing except the time of the session's last use.

use domain::access::{PresentedSession, Session};
use ports::{Clock, FindAccount, PortResult, Sessions};
use tracing::warn;

use crate::telemetry::ErrorChain;

/// The session of the presented token, if it has not ended and its account is not being deleted.
pub async fn admit(
    accounts: &dyn FindAccount,
    sessions: &dyn Sessions,
    clock: &dyn Clock,
    presented: &PresentedSession,
) -> PortResult<Option<Session>> {
    let session = sessions.find_session(&presented.account, &presented.session);
    let (session, account) = tokio::join!(session, accounts.find_account(&presented.account));
    let (session, account, now) = (session?, account?, clock.now());
    let accepted = session.filter(|session| account.is_some() && session.accepts(presented, now));
    if let Some(session) = &accepted {
        note_use(sessions, clock, session).await;
    }
    Ok(accepted)
}

/// Records the use at most once a minute. If that fails, the caller is still admitted; at worst, the session ends
/// earlier.
async fn note_use(sessions: &dyn Sessions, clock: &dyn Clock, session: &Session) {
    let now = clock.now();
    if session.is_to_be_noted(now)
        && let Err(error) = sessions.note_session_use(&session.account, &session.id, now).await
    {
        warn!(error = %ErrorChain(&error), "the use of a session could not be recorded");
    }
}
