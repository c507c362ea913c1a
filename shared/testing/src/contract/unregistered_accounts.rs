//! Accounts that events named but nobody registered. There is one list for all, so it may contain others.

use domain::event::UnregisteredAccount;
use domain::value::AccountId;
use ports::UnregisteredAccounts;

use super::after;

pub async fn unregistered_accounts(store: &dyn UnregisteredAccounts, account: &AccountId, other: &AccountId) {
    let noted = |account: &AccountId, event: &str, seconds: u64, events: u64| UnregisteredAccount {
        account: account.clone(),
        first_at: after(seconds),
        last_at: after(seconds + 1),
        last_event: event.parse().expect("an id"),
        events,
        expires_at: after(4_000_000),
    };
    let find = async |account: &AccountId| {
        let (mut found, mut last): (Vec<UnregisteredAccount>, Option<AccountId>) = (Vec::new(), None);
        loop {
            let page = store.list_unregistered(last.as_ref(), 2).await.expect("a list");
            assert!(page.windows(2).all(|two| two[0].account < two[1].account));
            last = page.last().map(|noted| noted.account.clone());
            let ends = page.len() < 2;
            found.extend(page);
            if ends {
                return found.into_iter().find(|noted| noted.account == *account);
            }
        }
    };
    assert_eq!(find(account).await, None);
    store.forget_unregistered(account).await.expect("nothing to forget");
    for (account, event) in [(account, "evt-1"), (other, "evt-2")] {
        store.note_unregistered(&noted(account, event, 10, 3)).await.expect("noted");
        assert_eq!(find(account).await, Some(noted(account, event, 10, 3)));
    }
    store.note_unregistered(&noted(account, "evt-3", 20, 4)).await.expect("noted");
    let sum = UnregisteredAccount { first_at: after(10), ..noted(account, "evt-3", 20, 7) };
    assert_eq!(find(account).await, Some(sum));
    store.forget_unregistered(account).await.expect("forgotten");
    assert_eq!(find(account).await, None);
    assert_eq!(find(other).await, Some(noted(other, "evt-2", 10, 3)));
    store.forget_unregistered(other).await.expect("forgotten");
}
