//! Page sessions.

use std::time::Duration;

use domain::access::{Role, Session};
use domain::value::{AccountId, SessionId};
use ports::{CreatedKey, OpenedSession, Sessions};

use super::accounts::AccountStore;
use super::now;

/// A store of sessions.
pub trait SessionStore: AccountStore + Sessions {}

impl<S: AccountStore + Sessions> SessionStore for S {}

pub async fn sessions(store: &dyn SessionStore, account: &AccountId, other: &AccountId) {
    let id = SessionId::from_entropy([5; 10]);
    let scope = "connection/xero".parse().ok();
    let (mut session, link) =
        Session::offer(id.clone(), account.clone(), (Role::Viewer, scope), [9; 32], now(), Duration::from_secs(300));
    let read = async || store.find_session(account, &id).await.expect("an answer");
    assert_eq!(store.create_session(&session).await.expect("an answer"), CreatedKey::NoAccount);
    store.create_account(account, now()).await.expect("created");
    assert_eq!(store.open_session(&session).await.expect("an answer"), OpenedSession::Not);
    assert_eq!(read().await, None);
    assert_eq!(store.create_session(&session).await.expect("an answer"), CreatedKey::Created);
    assert_eq!(read().await, Some(session.clone()));
    assert_eq!(store.find_session(other, &id).await.expect("an answer"), None);
    // A session that was never opened cannot be used.
    store.note_session_use(account, &id, now()).await.expect("an answer");
    assert_eq!(read().await, Some(session.clone()));

    let link = link.parse().expect("a link");
    let mut second = session.clone();
    let token = session.open(&link, [1; 32], now()).expect("opened").parse().expect("a token");
    second.open(&link, [2; 32], now()).expect("opened");
    assert_eq!(store.open_session(&session).await.expect("an answer"), OpenedSession::Opened);
    assert_eq!(store.open_session(&second).await.expect("an answer"), OpenedSession::Not);
    assert_eq!(read().await, Some(session.clone()));

    let later = now().plus(Duration::from_secs(60));
    for (used, noted) in [(later, later), (now(), later)] {
        store.note_session_use(account, &id, used).await.expect("an answer");
        let opened = read().await.and_then(|session| session.opened).expect("opened");
        assert_eq!((opened.last_used_at, opened.at), (noted, now()));
    }
    store.note_session_use(other, &id, later).await.expect("an answer");
    assert_eq!(store.find_session(other, &id).await.expect("an answer"), None);

    store.end_session(other, &id).await.expect("an answer");
    assert!(read().await.is_some_and(|session| session.accepts(&token, later)));
    store.end_session(account, &id).await.expect("an answer");
    assert!(!read().await.expect("still known").accepts(&token, later));
    assert_eq!(store.open_session(&second).await.expect("an answer"), OpenedSession::Not);
}
