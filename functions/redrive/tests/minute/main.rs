//! One minute in which something is poisoned, wide, slow or very long: everybody else is still served.

#![expect(clippy::expect_used, reason = "helpers of tests may fail them")]

mod audit;
mod destinations;
#[path = "../over_memory/mod.rs"]
mod over_memory;
mod settled;
#[path = "../slow/mod.rs"]
mod slow;
mod world;

use std::time::Duration;

use domain::delivery::job::SETTLE;
use domain::delivery::{DeliveryState, Job, JobStatus, Purpose, RecoverStatus, Recovery};
use domain::value::Timestamp;
use ports::{Clock, Destinations, StartJob};
use testing::{account, destination};

use self::world::{MINUTE, World, ids, numbered, target, world};

#[tokio::test]
async fn a_poisoned_row_among_many_holds_up_no_other() {
    let world = world().await;
    let owed = world.owe("acme", "evt-1", 400).await;
    world.due(&owed, 0).await;
    world.store.poison(&owed[17].id);
    world.run().await.expect_err("it is told");
    let mut others = ids(&owed);
    others.remove(&owed[17].id);
    assert_eq!(world.sent(), others);
    world.run().await.expect_err("it is told in each run");
    assert!(world.sent().is_empty());
}

#[tokio::test]
async fn more_poisoned_rows_than_a_page_has_hold_up_nothing_behind_them() {
    let world = world().await;
    let owed = world.owe("acme", "evt-1", 1_600).await;
    world.due(&owed[..1_200], 0).await;
    owed[..1_200].iter().for_each(|delivery| world.store.poison(&delivery.id));
    world.due(&owed[1_200..], 1).await;
    world.run().await.expect_err("they are told");
    assert_eq!(world.sent(), ids(&owed[1_200..]));
}

#[tokio::test]
async fn a_write_that_fails_holds_up_no_other() {
    let world = world().await;
    let owed = world.owe("acme", "evt-1", 100).await;
    world.due(&owed, 0).await;
    world.store.fail("replace_delivery", 3);
    world.run().await.expect_err("a failure");
    assert_eq!(world.sent().len(), 97);
    world.run().await.expect("a run");
    assert_eq!(world.sent().len(), 3);
}

#[tokio::test]
async fn of_a_batch_that_is_sent_in_part_no_other_batch_depends() {
    let world = world().await;
    let owed = world.owe("acme", "evt-1", 240).await;
    world.due(&owed, 0).await;
    world.queue.break_sends(1);
    world.run().await.expect_err("a failure");
    assert_eq!(world.sent().len(), 235);
    world.clock.advance(MINUTE * 15);
    world.run().await.expect("a run");
    assert!(world.sent().len() >= 5);
}

#[tokio::test]
async fn while_the_table_is_down_each_part_ends_soon_and_the_run_answers_an_error() {
    let world = world().await;
    for of in ["acme", "rival"] {
        let owed = world.owe(of, "evt-1", 500).await;
        world.due(&owed, 0).await;
    }
    world.store.take_calls();
    world.store.break_down(true);
    world.run().await.expect_err("a failure");
    assert!(world.store.take_calls().len() < 20);
    // Lists work, and nothing else does.
    world.store.break_down(false);
    world.store.fail("find_deliveries", u32::MAX);
    world.store.fail("find_delivery", u32::MAX);
    world.run().await.expect_err("a failure");
    assert!(world.store.take_calls().iter().filter(|call| call.starts_with("find_deliver")).count() < 500);
    // What cannot be read in bulk is read one by one.
    world.store.fail("find_delivery", 0);
    world.run().await.expect("a run");
    assert_eq!(world.sent().len(), 1_000);
}

#[tokio::test(start_paused = true)]
async fn a_step_that_never_ends_is_given_up_before_the_invocation_ends() {
    let world = world().await;
    let owed = world.owe("acme", "evt-1", 1).await;
    world.due(&owed, 0).await;
    tokio::time::timeout(MINUTE, world.hanging().run()).await.expect("an answer in time").expect_err("a failure");
    // What the step claimed is sent when its lease has expired.
    world.clock.advance(MINUTE * 15);
    world.run().await.expect("a run");
    assert_eq!(world.sent(), ids(&owed));
}

#[tokio::test]
async fn while_the_queue_is_down_few_deliveries_are_claimed_in_vain() {
    let world = world().await;
    let owed = world.owe("acme", "evt-1", 1_000).await;
    world.due(&owed, 0).await;
    world.queue.break_sends(u64::MAX);
    world.run().await.expect_err("a failure");
    world.sent();
    world.queue.break_sends(0);
    world.run().await.expect("a run");
    assert!(world.sent().len() >= 900);
}

#[tokio::test]
async fn a_backlog_of_one_shard_keeps_no_other_shard_and_no_other_part_waiting() {
    let world = World::slow(Duration::from_millis(500)).await;
    world.down("rival").await;
    let parked = world.owe("rival", "evt-2", 1).await;
    world.record(&parked[0], DeliveryState::Parked, None).await;
    let owed = world.owe("acme", "evt-1", 16).await;
    let backlog: Vec<_> = (100..2_100).map(|n| numbered(&owed[0], n, 0)).collect();
    world.due(&backlog, 0).await;
    world.due(&owed[1..8], 30).await;
    let job = Recovery {
        account: account("rival"),
        destination_id: target("rival").id,
        since: world.clock.now(),
        until: world.clock.now(),
        statuses: RecoverStatus::USUAL.to_vec(),
    };
    let job = world.store.start_job(&Job::recover(job, world.clock.now()), 20).await;
    let job = job.expect("started").expect("not too many").id;
    world.store.take_calls();
    world.run().await.expect("a run");
    let sent = world.queue.take_sent();
    for delivery in &owed[1..8] {
        assert!(sent.iter().any(|message| message.delivery.id == delivery.id), "{}", delivery.id);
    }
    assert!(sent.iter().any(|message| message.purpose == Purpose::Probe));
    assert!(sent.len() < 1_000, "there was more than a run can send");
    assert_eq!(world.status(&job).await, JobStatus::Succeeded);
    let calls = world.store.take_calls();
    for call in ["overdue_runs", "set_rolled_up_to", "set_audited_until"] {
        assert!(calls.contains(&call), "{call}");
    }
}

#[tokio::test]
async fn a_part_that_has_more_to_do_uses_what_others_leave() {
    let world = World::slow(Duration::from_millis(100)).await;
    let owed = world.owe("acme", "evt-1", 6_000).await;
    world.due(&owed, 0).await;
    world.run().await.expect("a run");
    // A call takes 10 deliveries and 0.1 s, and 45 s of the run are used.
    let sent = world.sent().len();
    assert!((4_000..=4_600).contains(&sent), "{sent}");
}

#[tokio::test]
async fn five_thousand_that_were_given_up_hold_back_nothing_that_is_due() {
    let world = World::slow(Duration::from_millis(20)).await;
    let owed = world.owe("acme", "evt-1", 8).await;
    let now = world.clock.now();
    for n in 0..5_000 {
        world.record(&numbered(&owed[0], n, 0), DeliveryState::Exhausted, Some(now)).await;
    }
    let due: Vec<_> = (5_000..5_100).map(|n| numbered(&owed[0], n, 0)).collect();
    world.due(&due, 30).await;
    world.run().await.expect("a run");
    assert_eq!(world.sent(), ids(&due));
    let told = world.queue.take_events().len();
    assert!((1_000..3_000).contains(&told), "{told} were told meanwhile");
}

#[tokio::test]
async fn a_hundred_recoveries_of_one_account_do_not_hold_up_the_deletion_of_another() {
    let world = world().await;
    let (now, deletion) = (world.clock.now(), world.delete("rival").await);
    for n in 2..102 {
        let receiver = destination(&account("acme"), n, "https://a.example/");
        world.store.create_destination(&receiver, 1_000).await.expect("created");
        let recovery = Recovery {
            account: account("acme"),
            destination_id: receiver.id,
            since: Timestamp::from_unix_ms(0),
            until: now,
            statuses: RecoverStatus::USUAL.to_vec(),
        };
        // They started earlier.
        let before = Timestamp::from_unix_ms(now.unix_ms() - 60_000);
        world.store.start_job(&Job::recover(recovery, before), 1_000).await.expect("started");
    }
    world.clock.advance_with_each_look(Duration::from_millis(500));
    world.run().await.expect("a run");
    assert_eq!(world.status(&deletion).await, JobStatus::Running);
    world.clock.advance(SETTLE);
    let (mut runs, most) = (0, 3);
    while world.status(&deletion).await != JobStatus::Succeeded {
        runs += 1;
        assert!(runs <= most, "not after {most} runs");
        world.run().await.expect("a run");
    }
}
