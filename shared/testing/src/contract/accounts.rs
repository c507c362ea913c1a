//! Accounts.

use domain::access::{Account, ApiKey, Role};
use domain::delivery::Job;
use domain::value::{AccountId, JobId, KeyId, Timestamp};
use ports::{Accounts, ApiKeys, CreatedAccount, CreatedKey, FindJob};

use super::now;

/// A store of accounts and API keys.
pub trait AccountStore: Accounts + ApiKeys + FindJob {}

impl<S: Accounts + ApiKeys + FindJob> AccountStore for S {}

pub async fn accounts(store: &dyn AccountStore, account: &AccountId, other: &AccountId) {
    assert_eq!(store.find_account(account).await.expect("an answer"), None);
    assert_eq!(store.read_account(account).await.expect("an answer"), None);
    for (id, expected) in
        [(account, CreatedAccount::Created), (other, CreatedAccount::Created), (account, CreatedAccount::Exists)]
    {
        assert_eq!(store.create_account(id, now()).await.expect("an answer"), expected);
    }
    assert_eq!(
        store.create_account(account, Timestamp::from_unix_ms(1)).await.expect("an answer"),
        CreatedAccount::Exists
    );
    assert_eq!(store.find_account(account).await.expect("an answer"), Some(now()));
    let registered = |id: &AccountId| Account { id: id.clone(), created_at: now(), deletion: None };
    assert_eq!(store.read_account(account).await.expect("an answer"), Some(registered(account)));

    // The store may also contain accounts of other tests. These two are listed in order, one per page.
    let (first, second) = if account < other { (account, other) } else { (other, account) };
    let before: AccountId = first.as_str()[..first.as_str().len() - 1].parse().expect("an id that sorts before");
    let listed = store.list_accounts(Some(&before), 1_000).await.expect("a list");
    let mine: Vec<_> = listed.iter().filter(|a| [first, second].contains(&&a.id)).cloned().collect();
    assert_eq!(mine, [registered(first), registered(second)]);
    assert!(listed.is_sorted_by_key(|account| account.id.clone()));
    assert_eq!(store.list_accounts(Some(&before), 1).await.expect("a list").len(), 1);
    assert!(!store.list_accounts(Some(first), 1_000).await.expect("a list").contains(&registered(first)));
}

pub async fn deletion_of_an_account(store: &dyn AccountStore, account: &AccountId) {
    let job = |n| Job::delete_account(JobId::from_entropy([n; 10]), account.clone(), now());
    assert!(!store.start_deletion(account, &job(1), None).await.expect("an answer"));
    store.create_account(account, now()).await.expect("created");
    let (first, second) = (unused_job(account, 2), unused_job(account, 3));
    assert!(!store.start_deletion(account, &first, Some(&second.id)).await.expect("an answer"));
    assert!(store.start_deletion(account, &first, None).await.expect("an answer"));
    assert!(!store.start_deletion(account, &second, None).await.expect("an answer"));
    assert_eq!(store.find_job(&second.id).await.expect("an answer"), None);
    assert_eq!(store.find_job(&first.id).await.expect("an answer"), Some(first.clone()));

    // Only `read_account` finds it.
    assert_eq!(store.find_account(account).await.expect("an answer"), None);
    let marked = Account { id: account.clone(), created_at: now(), deletion: Some(first.id.clone()) };
    assert_eq!(store.read_account(account).await.expect("an answer"), Some(marked));
    assert_eq!(store.create_account(account, now()).await.expect("an answer"), CreatedAccount::BeingDeleted);
    assert_eq!(store.create_key(&key(account, 1)).await.expect("an answer"), CreatedKey::NoAccount);

    assert!(store.start_deletion(account, &second, Some(&first.id)).await.expect("an answer"));
    let read = store.read_account(account).await.expect("an answer").expect("the account");
    assert_eq!(read.deletion, Some(second.id));
}

/// A job with an id that no other account's suite uses.
pub(super) fn unused_job(account: &AccountId, n: u8) -> Job {
    let mut entropy = [n; 10];
    for (place, byte) in account.as_str().bytes().enumerate() {
        entropy[place % 9] = entropy[place % 9].wrapping_mul(31).wrapping_add(byte);
    }
    Job::delete_account(JobId::from_entropy(entropy), account.clone(), now())
}

pub(super) fn key(account: &AccountId, n: u8) -> ApiKey {
    let name = "ci".to_owned().try_into().expect("a name");
    ApiKey::issue(KeyId::from_entropy([n; 10]), account.clone(), name, Role::Editor, [9; 32], now()).0
}
