//! The budget of an account, and what visitors may do when it is spent.

use std::time::Duration;

use domain::access::Role;
use serde_json::json;

use crate::world::world_of_budget;

#[tokio::test]
async fn a_visitor_over_the_budget_is_told_so_and_others_go_on() {
    let world = world_of_budget(10).await;
    let (acme, rival) = (world.visitor("acme", Role::Editor).await, world.visitor("rival", Role::Editor).await);
    let mut page = world.get(&acme, "/deliveries").await;
    let mut shown = 0;
    while page.status == 200 && shown < 20 {
        page = world.get(&acme, "/deliveries").await;
        shown += 1;
    }
    assert!((3..20).contains(&shown), "it was shown {shown} times");
    let seconds = page.headers["retry-after"].to_str().expect("text");
    assert!(page.status == 429 && ["1", "2", "3"].contains(&seconds), "{} after {seconds}", page.status);
    page.shows("Too many requests").shows("Nothing was done").shows(&format!("Try again in {seconds} s"));
    assert_eq!(world.get(&rival, "/deliveries").await.status, 200);
    assert_eq!(world.get("", "/open").await.status, 200);

    world.clock.advance(Duration::from_secs(20));
    assert_eq!(world.get(&acme, "/deliveries").await.status, 200);
}

#[tokio::test]
async fn what_was_let_in_is_done_to_its_end_and_who_is_over_the_budget_may_sign_out() {
    let world = world_of_budget(1).await;
    let cookie = world.visitor("acme", Role::Editor).await;
    // This costs more than ten units, which are all that the account has.
    let page = world.get(&cookie, "/ledger").await;
    assert_eq!(page.status, 200, "{}", page.text);
    assert_eq!(world.get(&cookie, "/destinations").await.status, 200, "it settles the tab");
    assert_eq!(world.get(&cookie, "/destinations").await.status, 429);
    assert_eq!(world.post(&cookie, "/sign-out", &[]).await.status, 200);
    assert_eq!(world.get(&cookie, "/destinations").await.status, 401);
    // The account's programs have the same budget, and here a container of their own.
    let answer = world.call("acme", "GET", "/v1/destinations", json!(null)).await;
    assert_eq!(answer.0, 429, "{}", answer.1);
}
