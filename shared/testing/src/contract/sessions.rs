//! Page sessions.

use std::time::Duration;

use domain::access::{Role, Session};
use domain::value::{AccountId, SessionId};
use ports::{CreatedKey, OpenedSession, Order, Sessions};

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
    session.subject = "Jane Doe".to_owned().try_into().ok();
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
    listed_and_revoked(store, account, other).await;
}

/// Beside the session that is there already.
async fn listed_and_revoked(store: &dyn SessionStore, account: &AccountId, other: &AccountId) {
    let mut ids = vec![SessionId::from_entropy([5; 10])];
    let mut links = Vec::new();
    for n in [6, 7] {
        let (id, minute) = (SessionId::from_entropy([n; 10]), Duration::from_secs(60));
        let (session, link) = Session::offer(id.clone(), account.clone(), (Role::Editor, None), [n; 32], now(), minute);
        assert_eq!(store.create_session(&session).await.expect("an answer"), CreatedKey::Created);
        ids.push(id);
        links.push((session, link.parse().expect("a link")));
    }
    ids.sort();
    let turned: Vec<_> = ids.iter().rev().cloned().collect();
    for (order, ids) in [(Order::OldestFirst, ids), (Order::NewestFirst, turned)] {
        let list = async |of, after, limit| {
            let found: Vec<Session> = store.list_sessions(of, order, after, limit).await.expect("an answer");
            found.into_iter().map(|session| session.id).collect::<Vec<_>>()
        };
        assert_eq!(list(account, None, 10).await, ids);
        assert_eq!(list(account, None, 2).await, ids[..2]);
        assert_eq!(list(account, Some(&ids[0]), 10).await, ids[1..]);
        assert_eq!(list(account, Some(&ids[2]), 10).await, []);
        assert_eq!(list(other, None, 10).await, []);
    }
    for (mut session, link) in links {
        assert!(!store.revoke_session(other, &session.id).await.expect("an answer"));
        assert!(store.revoke_session(account, &session.id).await.expect("an answer"));
        assert!(!store.revoke_session(account, &session.id).await.expect("an answer"));
        assert_eq!(store.find_session(account, &session.id).await.expect("an answer"), None);
        // Late requests do not bring anything back.
        session.open(&link, [3; 32], now()).expect("opened");
        assert_eq!(store.open_session(&session).await.expect("an answer"), OpenedSession::Not);
        store.note_session_use(account, &session.id, now()).await.expect("an answer");
        store.end_session(account, &session.id).await.expect("an answer");
        assert_eq!(store.find_session(account, &session.id).await.expect("an answer"), None);
    }
    let left = store.list_sessions(account, Order::OldestFirst, None, 10).await.expect("an answer");
    assert_eq!(left.into_iter().map(|session| session.id).collect::<Vec<_>>(), [SessionId::from_entropy([5; 10])]);
}
