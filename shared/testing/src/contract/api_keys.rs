//! API keys.

use domain::access::ApiKey;
use domain::value::{AccountId, Day, Timestamp};
use ports::{CreatedKey, Order};

use super::accounts::{AccountStore, key};
use super::now;

pub async fn api_keys(store: &dyn AccountStore, account: &AccountId, other: &AccountId) {
    let (first, second) = (key(account, 5), key(account, 6));
    assert_eq!(store.create_key(&first).await.expect("an answer"), CreatedKey::NoAccount);
    store.create_account(account, now()).await.expect("created");
    assert_eq!(store.find_key(account, &first.id).await.expect("an answer"), None);
    for key in [&second, &first] {
        assert_eq!(store.create_key(key).await.expect("an answer"), CreatedKey::Created);
    }
    assert_eq!(store.find_key(account, &first.id).await.expect("an answer"), Some(first.clone()));
    assert_eq!(store.find_key(other, &first.id).await.expect("an answer"), None);

    assert_eq!(
        store.list_keys(account, Order::OldestFirst, None, 9).await.expect("a list"),
        [first.clone(), second.clone()]
    );
    assert_eq!(
        store.list_keys(account, Order::OldestFirst, None, 1).await.expect("a list"),
        std::slice::from_ref(&first)
    );
    assert_eq!(
        store.list_keys(account, Order::OldestFirst, Some(&first.id), 9).await.expect("a list"),
        std::slice::from_ref(&second)
    );
    assert_eq!(store.list_keys(other, Order::OldestFirst, None, 9).await.expect("a list"), []);
    assert_eq!(
        store.list_keys(account, Order::NewestFirst, None, 9).await.expect("a list"),
        [second.clone(), first.clone()]
    );
    assert_eq!(
        store.list_keys(account, Order::NewestFirst, None, 1).await.expect("a list"),
        std::slice::from_ref(&second)
    );
    assert_eq!(
        store.list_keys(account, Order::NewestFirst, Some(&second.id), 9).await.expect("a list"),
        std::slice::from_ref(&first)
    );
    assert_eq!(store.list_keys(account, Order::NewestFirst, Some(&first.id), 9).await.expect("a list"), []);

    let (early, late) = (Day::of(Timestamp::from_unix_ms(1)), Day::of(now()));
    for (day, noted) in [(early, early), (late, late), (late, late), (early, late)] {
        store.note_key_use(account, &first.id, day).await.expect("an answer");
        let read = store.find_key(account, &first.id).await.expect("an answer").expect("the key");
        assert_eq!(read, ApiKey { last_used_at: Some(noted), ..first.clone() });
    }

    assert!(!store.delete_key(other, &first.id).await.expect("an answer"));
    assert!(store.delete_key(account, &first.id).await.expect("an answer"));
    assert!(!store.delete_key(account, &first.id).await.expect("an answer"));
    // A deleted key does not come back.
    store.note_key_use(account, &first.id, late).await.expect("an answer");
    assert_eq!(store.list_keys(account, Order::OldestFirst, None, 9).await.expect("a list"), [second]);
}
