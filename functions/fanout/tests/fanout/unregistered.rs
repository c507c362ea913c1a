//! Events of accounts that nobody registered.

use domain::event::UnregisteredAccount;
use domain::event::unregistered_account::NOTE_KEPT;
use ports::UnregisteredAccounts;

use super::*;

impl World {
    async fn noted(&self) -> Vec<UnregisteredAccount> {
        let noted = self.store.list_unregistered(None, 1_000).await.expect("a list");
        self.store.take_calls();
        noted
    }

    async fn ignore(&self, named: &str, id: &str) {
        assert!(self.handle(batch(&[event_text(&account(named), id)])).await.is_empty());
    }
}

#[tokio::test]
async fn an_unregistered_account_costs_no_row_of_its_own_and_is_noted_once_an_hour() {
    let world = world().await;
    let again = world.handle(sample(include_str!("../../../../events/fanout-unregistered-account.json"))).await;
    assert!(again.is_empty());
    assert!(world.store.events().is_empty() && world.store.rejections().is_empty());
    assert_eq!(world.store.take_calls(), ["find_account", "list_unregistered", "note_unregistered"]);
    let first_at = world.clock.now();
    let mut expected = UnregisteredAccount {
        account: account("never-registered"),
        first_at,
        last_at: first_at,
        last_event: "evt-sync-1".parse().expect("an id"),
        events: 1,
        expires_at: first_at.plus(NOTE_KEPT),
    };
    assert_eq!(world.noted().await, [expected.clone()]);
    for n in 0..5 {
        world.clock.advance(Duration::from_secs(60));
        world.ignore("never-registered", &format!("evt-{n}")).await;
        assert_eq!(world.store.take_calls(), ["find_account"]);
    }
    world.clock.advance(Duration::from_secs(3_600));
    world.ignore("never-registered", "evt-last").await;
    assert_eq!(world.store.take_calls(), ["find_account", "list_unregistered", "note_unregistered"]);
    (expected.last_at, expected.events) = (world.clock.now(), 7);
    (expected.last_event, expected.expires_at) =
        ("evt-last".parse().expect("an id"), world.clock.now().plus(NOTE_KEPT));
    assert_eq!(world.noted().await, [expected]);
}

#[tokio::test]
async fn however_many_accounts_are_unregistered_few_are_noted() {
    let world = world().await;
    for n in 0..500 {
        world.ignore(&format!("other-{n}"), "evt-1").await;
    }
    let calls = world.store.take_calls();
    assert_eq!(calls.iter().filter(|call| **call == "note_unregistered").count(), 10);
    assert_eq!(calls.iter().filter(|call| **call == "list_unregistered").count(), 1);
    // A few more each hour, until the list is full.
    for hour in 0..30 {
        world.clock.advance(Duration::from_secs(3_600));
        for n in 0..20 {
            world.ignore(&format!("of-{hour}-{n}"), "evt-1").await;
        }
    }
    assert_eq!(world.noted().await.len(), 200);
    // Accounts that are on it are still noted.
    world.ignore("other-3", "evt-2").await;
    let noted = world.noted().await.into_iter().find(|noted| noted.account == account("other-3")).expect("on the list");
    assert_eq!((noted.events, noted.last_event.as_str()), (2, "evt-2"));
}

#[tokio::test]
async fn an_account_that_could_not_be_noted_fails_no_event_and_is_noted_with_the_next() {
    for method in ["list_unregistered", "note_unregistered"] {
        let world = world().await;
        world.store.fail(method, 1);
        world.ignore("other", "evt-1").await;
        assert!(world.noted().await.is_empty());
        world.ignore("other", "evt-2").await;
        assert_eq!(world.noted().await.len(), 1, "{method}");
    }
}

#[tokio::test]
async fn a_stack_that_rejects_unregistered_accounts_notes_their_events_like_malformed_ones() {
    let mut world = world().await;
    let rejecting = UnregisteredEvents::new(world.store.clone(), Unregistered::Reject);
    Arc::get_mut(&mut world.deps).expect("nobody else has it").unregistered = rejecting;
    world.ignore("other", "evt-1").await;
    let noted = world.store.rejections();
    assert_eq!((noted.len(), noted[0].0.code), (1, RejectionCode::UnknownAccount));
    assert_eq!(noted[0].0.detail, "account: \"other\" is not registered");
    assert_eq!((noted[0].0.account.clone(), noted[0].0.pointer.as_str()), (Some(account("other")), "/account"));
    assert!(world.noted().await.is_empty());
    assert!(world.handle(batch(&[event_text(&world.acme, "evt-2")])).await.is_empty());
    assert_eq!(world.sealed().len(), 1);
}
