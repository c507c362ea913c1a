//! The budgets of an account.

use std::time::Duration;

use serde_json::json;

use crate::world::{As, World, check_problem, world_of_budget};

impl World {
    /// Repeats a request until it is refused; returns how often it was admitted.
    async fn ask_until_refused(&self, account: &'static str, method: &str, path: &str, body: Option<&str>) -> usize {
        let mut asked = 0;
        while asked < 3_000 && self.call(As::Account(account), method, path, body).await.0 != 429 {
            asked += 1;
        }
        asked
    }
}

#[tokio::test]
async fn an_account_over_its_budget_is_told_when_to_come_back_and_others_go_on() {
    let world = world_of_budget(20).await;
    // The units of ten seconds, and those of the half second that is granted while anything is left.
    assert_eq!(world.ask_until_refused("acme", "GET", "/v1/event-types/sync_run.completed", None).await, 210);
    for path in ["/v1/event-types/sync_run.completed", "/v1/destinations", "/v1/config", "/v1/nothing"] {
        check_problem(world.call(As::Account("acme"), "GET", path, None).await, 429, "rate_limited", None);
        assert_eq!(world.headers(As::Account("acme"), "GET", path).await["retry-after"], "1");
        assert_ne!(world.call(As::Account("rival"), "GET", path, None).await.0, 429);
    }
    assert_eq!(world.call(As::Operator, "GET", "/admin/v1/accounts/acme", None).await.0, 200);
    world.clock.advance(Duration::from_secs(1));
    assert_eq!(world.ask_until_refused("acme", "GET", "/v1/event-types/sync_run.completed", None).await, 20);
}

#[tokio::test]
async fn what_is_more_work_costs_more_and_events_have_a_budget_of_their_own() {
    let world = world_of_budget(100).await;
    for (method, path, times) in
        [("GET", "/v1/destinations/dst_x", 1_050), ("GET", "/v1/destinations", 210), ("GET", "/v1/ledger", 42)]
    {
        world.clock.advance(Duration::from_secs(3_600));
        assert_eq!(world.ask_until_refused("acme", method, path, None).await, times, "{path}");
    }
    assert_eq!(world.ask_until_refused("acme", "POST", "/v1/events", Some("{}")).await, 1_050);
}

#[tokio::test]
async fn requests_take_a_write_for_each_half_second_of_the_budget() {
    let world = world_of_budget(100).await;
    let spent = || world.store.take_calls().into_iter().filter(|call| *call == "spend").count();
    spent();
    for _ in 0..49 {
        world.call(As::Account("acme"), "GET", "/v1/event-types/sync_run.completed", None).await;
    }
    assert_eq!(spent(), 0, "who asks for little costs nothing");
    world.ask_until_refused("acme", "GET", "/v1/event-types/sync_run.completed", None).await;
    assert_eq!(spent(), 21, "a thousand requests");
    for _ in 0..1_000 {
        world.call(As::Account("acme"), "GET", "/v1/event-types/sync_run.completed", None).await;
    }
    assert_eq!(spent(), 0, "a thousand refusals");
}

#[tokio::test]
async fn budgets_that_cannot_be_read_refuse_nobody() {
    let world = world_of_budget(10).await;
    world.store.fail("spend", u32::MAX);
    world.store.take_calls();
    for _ in 0..500 {
        let (status, answer) = world.call(As::Account("acme"), "GET", "/v1/event-types/sync_run.completed", None).await;
        assert_eq!(status, 200, "{answer}");
    }
    assert_eq!(world.store.take_calls(), ["spend"; 100], "it is tried for each half second's worth");
    world.store.fail("spend", 0);
    assert_eq!(world.ask_until_refused("acme", "GET", "/v1/event-types/sync_run.completed", None).await, 105);
}

#[tokio::test]
async fn who_has_no_account_spends_nothing() {
    let world = world_of_budget(1).await;
    for _ in 0..50 {
        let (status, _) =
            world.call(As::Nobody, "POST", "/v1/sessions", Some(&json!({"token": "x"}).to_string())).await;
        assert_eq!(status, 401);
    }
}
