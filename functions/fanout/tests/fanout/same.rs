//! The same event several times in one batch. The queue takes a while, so that the records of a batch run concurrently.

use super::*;

async fn slow_world() -> World {
    let world = world().await;
    world.queue.slow_down(Duration::from_secs(1));
    world
}

#[tokio::test(start_paused = true)]
async fn the_same_event_four_times_in_a_batch_is_sent_once() {
    let world = slow_world().await;
    let text = event_text(&world.acme, "evt-1");
    // With other white space outside `data` it is the same event.
    let batch = batch(&[text.clone(), format!(" {text}"), event_text(&world.acme, "evt-2"), text.clone(), text]);
    assert!(world.handle(batch).await.is_empty());
    assert_eq!(world.sealed(), [("evt-1".to_owned(), 2), ("evt-2".to_owned(), 2)]);
    assert_eq!(world.queue.take_sent().len(), 4);
    assert!(world.store.rejections().is_empty() && world.queue.take_postponed().is_empty());
    let sealings = world.store.take_calls().into_iter().filter(|call| *call == "seal_event").count();
    assert_eq!(sealings, 2, "one for each event");
}

#[tokio::test(start_paused = true)]
async fn other_content_under_an_id_of_the_same_batch_sends_nothing() {
    let world = slow_world().await;
    let text = event_text(&world.acme, "evt-1");
    assert!(world.handle(batch(&[text.clone(), text.replace("60000", "60001"), text.clone()])).await.is_empty());
    let sent = world.queue.take_sent();
    assert_eq!(sent.len(), 2);
    assert!(sent.iter().all(|message| message.body.get().contains("60000")), "the first content stands");
    let rejected = world.store.rejections();
    assert_eq!(rejected.len(), 1);
    assert_eq!(rejected[0].0.code, RejectionCode::IdReused);
}

#[tokio::test(start_paused = true)]
async fn an_id_that_two_accounts_use_is_two_events() {
    let world = slow_world().await;
    let other = account("other");
    world.store.create_account(&other, world.clock.now()).await.expect("created");
    let both = [event_text(&world.acme, "evt-1"), event_text(&other, "evt-1")];
    // They do not wait for each other: one fails, the other does not.
    world.store.fail("find_seal", 1);
    assert_eq!(world.handle(batch(&both)).await, ["message-1"]);
    assert_eq!(world.sealed(), [("evt-1".to_owned(), 0)]);
}

#[tokio::test(start_paused = true)]
async fn after_a_failure_the_other_records_of_the_event_are_given_back_and_none_is_lost() {
    for method in ["find_seal", "find_listeners", "note_seal", "seal_event"] {
        let world = slow_world().await;
        world.store.fail(method, 1);
        let text = event_text(&world.acme, "evt-1");
        let event = batch(&[text.clone(), text.replace("60000", "60001"), text]);
        assert_eq!(world.handle(event.clone()).await, ["message-1", "message-2", "message-3"], "{method}");
        assert!(world.sealed().is_empty(), "{method}");
        assert_eq!(world.queue.take_postponed().len(), 3, "{method}");
        let sent = world.queue.take_sent();
        assert!(sent.iter().all(|message| message.body.get().contains("60000")), "{method}");
        // All three come again, and only now the second is judged.
        assert!(world.handle(event).await.is_empty(), "{method}");
        assert_eq!(world.sealed(), [("evt-1".to_owned(), 2)], "{method}");
        assert_eq!((world.queue.take_sent().len(), world.store.rejections().len()), (2, 1), "{method}");
    }
}
