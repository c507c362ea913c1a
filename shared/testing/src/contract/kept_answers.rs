//! Requests that came with a key: one of those with the same key is carried out, and all others get its answer.

use domain::value::AccountId;
use ports::{BegunRequest, KeptAnswers, KeyedRequest, RequestKey};

use super::after;

fn key(account: Option<&AccountId>, name: &str) -> RequestKey {
    RequestKey { account: account.cloned(), name: name.to_owned() }
}

/// A request that is begun so many seconds after the start, and has ended ten seconds later.
fn request(digest: u8, holder: u8, begun: u64) -> KeyedRequest {
    let (until, expires_at) = (after(begun + 10), after(begun + 100));
    KeyedRequest { digest: [digest; 32], holder: [holder; 16], until, expires_at }
}

/// What an account that asks for something is told.
pub(super) async fn asked(store: &dyn KeptAnswers, account: &AccountId) -> BegunRequest {
    store.begin_request(&key(Some(account), "asked"), &request(1, 1, 0), after(0)).await.expect("an answer")
}

pub async fn kept_answers(store: &dyn KeptAnswers, account: &AccountId, other: &AccountId) {
    let begin = async |key: &RequestKey, digest: u8, holder: u8, at: u64| {
        store.begin_request(key, &request(digest, holder, at), after(at)).await.expect("an answer")
    };
    // The operator's requests that are about no account share their keys, so this one is of this run alone.
    let none = key(None, account.as_str());
    let mine = key(Some(account), "a");
    for key in [&mine, &key(Some(account), "b"), &key(Some(other), "a"), &none] {
        assert_eq!(begin(key, 1, 1, 0).await, BegunRequest::Begun, "{key:?}");
        assert_eq!(begin(key, 1, 2, 9).await, BegunRequest::UnderWay, "{key:?}");
        assert_eq!(begin(key, 2, 2, 9).await, BegunRequest::Reused, "{key:?}");
    }
    // Whoever does not carry it out changes nothing.
    store.keep_answer(&mine, [2; 16], b"theirs").await.expect("passed over");
    store.forget_request(&mine, [2; 16]).await.expect("passed over");
    assert_eq!(begin(&mine, 1, 2, 9).await, BegunRequest::UnderWay);

    // It is answered, with bytes that are no text.
    store.keep_answer(&mine, [1; 16], b"\x00secret\xff").await.expect("kept");
    for at in [1, 20, 99] {
        assert_eq!(begin(&mine, 1, 3, at).await, BegunRequest::Answered(b"\x00secret\xff".to_vec()), "after {at} s");
        assert_eq!(begin(&mine, 2, 3, at).await, BegunRequest::Reused, "after {at} s");
    }
    // When that has expired, the key is a new one, even before the row is gone.
    assert_eq!(begin(&mine, 2, 4, 100).await, BegunRequest::Begun);
    store.keep_answer(&mine, [4; 16], b"2").await.expect("kept");
    assert_eq!(begin(&mine, 2, 5, 101).await, BegunRequest::Answered(b"2".to_vec()));

    // One that failed is forgotten, and the same key is good for any request.
    store.forget_request(&none, [1; 16]).await.expect("forgotten");
    assert_eq!(begin(&none, 2, 2, 5).await, BegunRequest::Begun);

    // One that was never ended is carried out again, by the same request alone; whoever began it first is late then.
    let lost = key(Some(account), "b");
    assert_eq!(begin(&lost, 2, 2, 10).await, BegunRequest::Reused);
    assert_eq!(begin(&lost, 1, 2, 10).await, BegunRequest::Begun);
    store.keep_answer(&lost, [1; 16], b"late").await.expect("passed over");
    store.forget_request(&lost, [1; 16]).await.expect("passed over");
    assert_eq!(begin(&lost, 1, 3, 11).await, BegunRequest::UnderWay);
    store.keep_answer(&lost, [2; 16], b"once").await.expect("kept");
    assert_eq!(begin(&lost, 1, 3, 12).await, BegunRequest::Answered(b"once".to_vec()));
}
