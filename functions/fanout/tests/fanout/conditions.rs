//! Which events reach subscriptions with conditions and transitions, and what finding them costs.

use domain::routing::{AwaitedTransition, Subscription};
use domain::value::{AccountId, SubscriptionId};
use ports::{Order, Subscriptions, UnmatchedReason};
use serde_json::{Value, json};
use testing::event_text;

use crate::{World, batch, world};

/// The text of event `id` about `invoices`, whose run ended with `status` at this minute after nine o'clock.
fn run(acme: &AccountId, id: &str, status: &str, minute: u8) -> String {
    let mut event: Value = serde_json::from_str(&event_text(acme, id)).expect("an event");
    event["data"]["status"] = json!(status);
    event["data"]["completed_at"] = json!(format!("2026-11-23T09:{minute:02}:00Z"));
    if status == "failed" {
        event["data"]["error"] = json!({"code": "timeout", "message": "no answer", "retryable": true});
    }
    event.to_string()
}

/// A world in which only one subscription listens, changed by `change`.
async fn only(change: impl FnOnce(&mut Subscription)) -> World {
    let world = world().await;
    let listening =
        world.store.list_subscriptions(&world.acme, Order::OldestFirst, None, 10).await.expect("subscriptions");
    for one in &listening {
        world.store.delete_subscription(&world.acme, &one.id, None).await.expect("deleted");
    }
    let mut one = listening.into_iter().next().expect("a subscription");
    change(&mut one);
    world.store.put_subscription(one);
    world.store.take_calls();
    world
}

#[tokio::test]
async fn a_condition_lets_through_what_it_names_and_the_rest_is_sealed_with_the_reason() {
    let condition = json!({"status": ["failed"], "records": {"inserted": [{"numeric": [">", 0]}]}});
    let world = only(|s| s.settings.condition = Some(serde_json::from_value(condition).expect("a condition"))).await;
    let texts = [run(&world.acme, "evt-ok", "succeeded", 1), run(&world.acme, "evt-bad", "failed", 2)];
    assert!(world.handle(batch(&texts)).await.is_empty());
    assert_eq!(world.sealed(), [("evt-bad".to_owned(), 1), ("evt-ok".to_owned(), 0)]);
    let why: Vec<_> = world.store.events().into_iter().map(|event| event.unmatched).collect();
    assert_eq!(why, [None, Some(UnmatchedReason::ConditionsNotMet)]);
    assert!(!world.store.take_calls().contains(&"find_runs"), "nobody waits for a change");
}

#[tokio::test]
async fn an_event_that_costs_too_much_to_match_is_rejected_with_the_reason() {
    let prefixes: Vec<_> = (0..100).map(|n| json!({"prefix": format!("p{n}")})).collect();
    let condition = json!({"tables": prefixes});
    let world = only(|s| s.settings.condition = Some(serde_json::from_value(condition).expect("a condition"))).await;
    let one = world.store.list_subscriptions(&world.acme, Order::OldestFirst, None, 1).await.expect("a list").remove(0);
    for n in 0..20 {
        world.store.put_subscription(Subscription { id: SubscriptionId::from_entropy([n; 10]), ..one.clone() });
    }
    let text = |id: &str, tables: usize| {
        let mut event: Value = serde_json::from_str(&event_text(&world.acme, id)).expect("an event");
        event["data"]["tables"] = json!(vec!["q"; tables]);
        event.to_string()
    };
    assert!(world.handle(batch(&[text("evt-costly", 5_000), text("evt-good", 50)])).await.is_empty());
    assert_eq!(world.sealed(), [("evt-good".to_owned(), 0)]);
    let rejected: Vec<_> = world.store.rejections().into_iter().map(|(event, _)| event.detail).collect();
    assert!(matches!(&rejected[..], [detail] if detail.contains("2000000 steps")), "{rejected:?}");
}

#[tokio::test]
async fn a_disabled_subscription_hears_nothing() {
    let world = only(|s| s.settings.enabled = false).await;
    assert!(world.handle(batch(&[event_text(&world.acme, "evt-1")])).await.is_empty());
    assert_eq!(world.store.events()[0].unmatched, Some(UnmatchedReason::NoSubscription));
}

#[tokio::test]
async fn who_waits_for_a_change_hears_of_it_once_in_whatever_order_and_however_often_events_arrive() {
    let world = only(|s| s.settings.transition = Some(AwaitedTransition::Broke)).await;
    for (id, status, minute, owed) in [
        ("evt-1", "succeeded", 1, 0),
        ("evt-3", "failed", 3, 1),
        ("evt-2", "succeeded", 2, 0),
        ("evt-4", "failed", 4, 0),
        ("evt-6", "succeeded", 6, 0),
        ("evt-5", "failed", 5, 0),
        ("evt-7", "partial", 7, 0),
        ("evt-8", "failed", 8, 1),
    ] {
        let text = run(&world.acme, id, status, minute);
        assert!(world.handle(batch(std::slice::from_ref(&text))).await.is_empty());
        assert!(world.handle(batch(&[text])).await.is_empty(), "it comes twice");
        assert_eq!(world.queue.take_sent().len(), owed, "{id}");
    }
}

#[tokio::test]
async fn a_change_that_was_judged_and_not_sealed_is_judged_the_same_again() {
    let world = only(|s| s.settings.transition = Some(AwaitedTransition::Broke)).await;
    world.handle(batch(&[run(&world.acme, "evt-1", "succeeded", 1)])).await;
    for method in ["store_runs", "seal_event"] {
        world.store.fail(method, 1);
        let broke = [run(&world.acme, "evt-2", "failed", 2)];
        assert_eq!(world.handle(batch(&broke)).await, ["message-1"]);
    }
    world.handle(batch(&[run(&world.acme, "evt-3", "failed", 3)])).await;
    world.queue.take_sent();
    assert!(world.handle(batch(&[run(&world.acme, "evt-2", "failed", 2)])).await.is_empty());
    assert_eq!(world.queue.take_sent().len(), 1, "what followed it does not take it back");
}

#[tokio::test]
async fn an_event_costs_the_same_reads_among_10_000_subscriptions_as_among_10() {
    let mut costs = Vec::new();
    for subscriptions in [10, 10_000] {
        let world = only(|_| {}).await;
        let one =
            world.store.list_subscriptions(&world.acme, Order::OldestFirst, None, 1).await.expect("a page").remove(0);
        for n in 0..subscriptions {
            let mut another = one.clone();
            let [.., a, b] = usize::to_be_bytes(n);
            another.id = SubscriptionId::from_entropy([1, 2, 3, 4, 5, 6, 7, 8, a, b]);
            let scope = format!("connection/xero/endpoint/table-{}", n % 1_000);
            another.settings.scope = scope.parse().expect("a scope");
            world.store.put_subscription(another);
        }
        world.store.take_calls();
        let text = event_text(&world.acme, "evt-1").replace("endpoint/invoices", "endpoint/table-7");
        assert!(world.handle(batch(&[text])).await.is_empty());
        costs.push(world.store.take_calls());
    }
    assert_eq!(costs[0].iter().filter(|call| **call == "find_listeners").count(), 6, "one for each bucket");
    assert_eq!(costs[0], costs[1]);
}
