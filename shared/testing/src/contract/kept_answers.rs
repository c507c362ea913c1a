//! Requests with an idempotency key: of those with the same key one is carried out, and all others get its answer.

use domain::value::AccountId;
use ports::{BegunRequest, KeptAnswers, KeyedRequest, RequestKey};

use super::after;

fn key(account: Option<&AccountId>, name: &str) -> RequestKey {
    RequestKey { account: account.cloned(), name: name.to_owned() }
}

/// A request that begins this many seconds after the start, and must have ended ten seconds later.
fn request(digest: u8, holder: u8, begun: u64) -> KeyedRequest {
    let (until, expires_at) = (after(begun + 10), after(begun + 100));
    KeyedRequest { digest: [digest; 32], holder: [holder; 16], until, expires_at }
}

/// The result for an account that asks.
pub(super) async fn asked(store: &dyn KeptAnswers, account: &AccountId) -> BegunRequest {
    store.begin_request(&key(Some(account), "asked"), &request(1, 1, 0), after(0)).await.expect("an answer")
}

pub async fn kept_answers(store: &dyn KeptAnswers, account: &AccountId, other: &AccountId) {
    let begin = async |key: &RequestKey, digest: u8, holder: u8, at: u64| {
        store.begin_request(key, &request(digest, holder, at), after(at)).await.expect("an answer")
    };
    // All operator requests that are about no account share their keys, so this key must be unique to this run.
    let none = key(None, account.as_str());
    let mine = key(Some(account), "a");
    for key in [&mine, &key(Some(account), "b"), &key(Some(other), "a"), &none] {
        assert_eq!(begin(key, 1, 1, 0).await, BegunRequest::Begun, "{key:?}");
        assert_eq!(begin(key, 1, 2, 9).await, BegunRequest::UnderWay, "{key:?}");
        assert_eq!(begin(key, 2, 2, 9).await, BegunRequest::Reused, "{key:?}");
    }
    // A caller that does not carry out the request changes nothing.
    store.keep_answer(&mine, [2; 16], b"theirs").await.expect("passed over");
    store.forget_request(&mine, [2; 16]).await.expect("passed over");
    assert_eq!(begin(&mine, 1, 2, 9).await, BegunRequest::UnderWay);

    // It is answered, with bytes that are not text.
    store.keep_answer(&mine, [1; 16], b"\x00secret\xff").await.expect("kept");
    for at in [1, 20, 99] {
        assert_eq!(begin(&mine, 1, 3, at).await, BegunRequest::Answered(b"\x00secret\xff".to_vec()), "after {at} s");
        assert_eq!(begin(&mine, 2, 3, at).await, BegunRequest::Reused, "after {at} s");
    }
    // When it has expired, the key counts as new, even if the row still exists.
    assert_eq!(begin(&mine, 2, 4, 100).await, BegunRequest::Begun);
    store.keep_answer(&mine, [4; 16], b"2").await.expect("kept");
    assert_eq!(begin(&mine, 2, 5, 101).await, BegunRequest::Answered(b"2".to_vec()));

    // A request that failed is forgotten, and its key can be used for any request.
    store.forget_request(&none, [1; 16]).await.expect("forgotten");
    assert_eq!(begin(&none, 2, 2, 5).await, BegunRequest::Begun);

    // A request that was never ended can be begun again, but only the same request. Its first holder is too late then.
    let lost = key(Some(account), "b");
    assert_eq!(begin(&lost, 2, 2, 10).await, BegunRequest::Reused);
    assert_eq!(begin(&lost, 1, 2, 10).await, BegunRequest::Begun);
    store.keep_answer(&lost, [1; 16], b"late").await.expect("passed over");
    store.forget_request(&lost, [1; 16]).await.expect("passed over");
    assert_eq!(begin(&lost, 1, 3, 11).await, BegunRequest::UnderWay);
    store.keep_answer(&lost, [2; 16], b"once").await.expect("kept");
    assert_eq!(begin(&lost, 1, 3, 12).await, BegunRequest::Answered(b"once".to_vec()));
}
