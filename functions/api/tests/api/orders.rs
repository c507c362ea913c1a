//! Lists in both orders: all pages together have the same items, a filter applies, and the cursor of one order is refused
//! in the other.

use domain::delivery::{DeliveryState, Job, RecoverStatus, Recovery};
use domain::value::{DestinationId, Timestamp};
use ports::{Clock, Destinations, StartJob};
use serde_json::{Value, json};
use std::time::Duration;
use testing::{account, held};

use crate::deliveries::{deliver, target};
use crate::world::{As, World, check_problem, world};
use crate::{events, ledger};

/// A list, and the field that identifies its items.
struct List<'a> {
    world: &'a World,
    who: fn() -> As,
    path: &'a str,
    /// The body that is posted, if the list is the response to a `POST`.
    body: Option<&'a str>,
    id: &'a str,
}

impl List<'_> {
    async fn ask(&self, query: &str) -> (u16, Value) {
        let method = if self.body.is_some() { "POST" } else { "GET" };
        self.world.call((self.who)(), method, &format!("{}?limit=2{query}", self.path), self.body).await
    }

    async fn page(&self, query: &str) -> (Vec<String>, Option<String>) {
        let (status, page) = self.ask(query).await;
        assert_eq!(status, 200, "{}{query}: {page}", self.path);
        let items = page["data"].as_array().expect("a list");
        assert!(items.len() <= 2);
        let ids = items.iter().map(|item| item[self.id].as_str().expect("an id").to_owned()).collect();
        (ids, page["next_cursor"].as_str().map(str::to_owned))
    }

    /// The items of all pages.
    async fn all(&self, query: &str) -> Vec<String> {
        let (mut all, mut next) = self.page(query).await;
        while let Some(cursor) = next {
            let page = self.page(&format!("{query}&cursor={cursor}")).await;
            all.extend(page.0);
            next = page.1;
        }
        all
    }

    /// `newest` and `oldest` are the expected items with the filter in each order, on more than one page.
    async fn check(&self, filter: &str, newest: &[String], oldest: &[String]) {
        assert!(newest.len() > 2, "{}{filter} has {newest:?}", self.path);
        let orders = [(String::new(), newest), ("&order=desc".to_owned(), newest), ("&order=asc".to_owned(), oldest)];
        for (order, expected) in &orders {
            assert_eq!(self.all(&format!("{filter}{order}")).await, *expected, "{}{filter}{order}", self.path);
        }
        for (one, other) in [("&order=asc", ""), ("&order=asc", "&order=desc"), ("", "&order=asc")] {
            let cursor = self.page(&format!("{filter}{one}")).await.1.expect("a cursor");
            let answer = self.ask(&format!("{filter}{other}&cursor={cursor}")).await;
            assert_eq!(answer.1["errors"][0]["parameter"], "cursor", "{}{filter}: {}", self.path, answer.1);
            check_problem(answer, 400, "invalid_parameter", None);
        }
        let answer = self.ask(&format!("{filter}&order=up")).await;
        assert_eq!(answer.1["errors"][0]["parameter"], "order");
        check_problem(answer, 400, "invalid_parameter", None);
    }

    /// The same for a list whose two orders are the exact reverse of each other.
    async fn check_turned(&self, filter: &str, newest: &[String]) {
        let oldest: Vec<_> = newest.iter().rev().cloned().collect();
        self.check(filter, newest, &oldest).await;
    }
}

fn of_acme<'a>(world: &'a World, path: &'a str) -> List<'a> {
    List { world, who: || As::Account("acme"), path, body: None, id: "id" }
}

fn of_operator<'a>(world: &'a World, path: &'a str) -> List<'a> {
    List { who: || As::Operator, ..of_acme(world, path) }
}

/// Ids whose order is the order of creation, newest first.
fn newest_first(ids: &[String]) -> Vec<String> {
    let mut ids = ids.to_vec();
    ids.sort_by(|one, other| other.cmp(one));
    ids
}

fn texts<const N: usize>(texts: [&str; N]) -> Vec<String> {
    texts.map(str::to_owned).into()
}

#[tokio::test]
async fn events_come_in_both_orders() {
    let world = world().await;
    // They are sealed in another order than they occurred, several of them in one millisecond.
    for (id, ms, owed) in [("e", 2, 1), ("a", 1, 1), ("c", 1, 0), ("b", 1, 1), ("f", 3, 0), ("d", 2, 1), ("g", 3, 2)] {
        events::seal(&world, id, ms, "connection/xero/endpoint/invoices", owed).await;
    }
    let list = of_acme(&world, "/v1/events");
    list.check_turned("", &texts(["g", "f", "e", "d", "c", "b", "a"])).await;
    list.check_turned("&status=matched", &texts(["g", "e", "d", "b", "a"])).await;
    let span = "&since=2026-11-23T09:29:00.001Z&until=2026-11-23T09:29:00.003Z";
    list.check_turned(span, &texts(["e", "d", "c", "b", "a"])).await;
}

#[tokio::test]
async fn deliveries_come_in_both_orders() {
    let world = world().await;
    for n in [1, 2] {
        world.store.create_destination(&target(n), 100).await.expect("created");
    }
    let mut to_the_first = Vec::new();
    for (id, ms) in [("e", 2), ("a", 1), ("c", 1), ("b", 1), ("f", 3), ("d", 2), ("g", 3), ("h", 4), ("i", 5)] {
        let n = if ["e", "a", "b", "d", "g", "i"].contains(&id) { 1 } else { 2 };
        let exhausted = ["a", "b", "e", "f", "i"].contains(&id);
        let delivery = deliver(&world, n, id, ms, |record| {
            if exhausted {
                record.held = held(DeliveryState::Exhausted);
            }
        });
        let delivery = delivery.await.delivery;
        if n == 1 {
            to_the_first.push((delivery.id.to_string(), exhausted));
        }
    }
    let list = List { id: "event_id", ..of_acme(&world, "/v1/deliveries") };
    list.check_turned("", &texts(["i", "h", "g", "f", "e", "d", "c", "b", "a"])).await;
    list.check_turned("&status=exhausted", &texts(["i", "f", "e", "b", "a"])).await;
    let span = "&since=2026-11-23T09:29:00.002Z&until=2026-11-23T09:29:00.005Z";
    list.check_turned(span, &texts(["h", "g", "f", "e", "d"])).await;

    let list = List { id: "id", ..list };
    let to_it = format!("&destination_id={}", target(1).id);
    let ids = |wanted: &dyn Fn(bool) -> bool| {
        let ids = to_the_first.iter().filter(|(_, exhausted)| wanted(*exhausted)).map(|(id, _)| id.clone());
        newest_first(&ids.collect::<Vec<_>>())
    };
    list.check_turned(&to_it, &ids(&|_| true)).await;
    list.check_turned(&format!("{to_it}&status=exhausted"), &ids(&|exhausted| exhausted)).await;
    // Without the one at the end, and without the two of the first millisecond.
    let all = ids(&|_| true);
    list.check_turned(&format!("{to_it}&until=2026-11-23T09:29:00.005Z"), &all[1..]).await;
    list.check_turned(&format!("{to_it}&since=2026-11-23T09:29:00.002Z"), &all[..4]).await;
}

#[tokio::test]
async fn what_the_ledger_counts_comes_in_both_orders_and_what_one_event_owes_in_its_own() {
    let world = world().await;
    let mut owed = Vec::new();
    for (id, ms, deliveries) in [("a", 1, 3), ("b", 1, 5), ("c", 1, 0), ("d", 2, 1), ("e", 2, 3)] {
        let sealed = ledger::seal(&world, "acme", id, ms, deliveries).await;
        owed.push(sealed.owed.iter().map(|delivery| delivery.id.to_string()).collect::<Vec<_>>());
    }
    let oldest = owed.concat();
    owed.reverse();
    let list = of_acme(&world, "/v1/ledger/deliveries");
    for filter in ["", "&status=pending"] {
        list.check(filter, &owed.concat(), &oldest).await;
    }
    assert_eq!(list.all("&order=asc&status=delivered").await, [""; 0]);
    // The list of deliveries with a row does the same; the whole list of one event is the same in both orders.
    let one = list.all("&order=asc&until=2026-11-23T09:29:00.002Z").await;
    assert_eq!(one, oldest[..8]);
}

#[tokio::test]
async fn jobs_come_in_both_orders() {
    let world = world().await;
    let mut jobs = Vec::new();
    for (n, ms) in [(3, 20), (1, 10), (2, 20), (4, 30), (5, 20)] {
        let since = Timestamp::from_unix_ms(0);
        let recovery = Recovery {
            account: account("acme"),
            destination_id: DestinationId::from_entropy([n; 10]),
            since,
            until: world.clock.now(),
            statuses: RecoverStatus::USUAL.to_vec(),
        };
        let created_at = world.clock.now().plus(Duration::from_millis(ms));
        let job = Job { created_at, ..Job::recover(recovery, world.clock.now()) };
        world.store.start_job(&job, 20).await.expect("an answer").expect("started");
        jobs.push((created_at, job.id.to_string()));
    }
    jobs.sort_by(|one, other| other.cmp(one));
    let newest: Vec<_> = jobs.into_iter().map(|(_, id)| id).collect();
    let list = of_acme(&world, "/v1/jobs");
    list.check_turned("", &newest).await;
    list.check_turned("&status=queued", &newest).await;
    assert_eq!(list.all("&order=asc&status=failed").await, [""; 0]);
}

#[tokio::test]
async fn rejected_events_come_in_both_orders() {
    let world = world().await;
    const DAY: u64 = 86_400;
    let (mut malformed, mut all) = (Vec::new(), Vec::new());
    for (text, seconds) in [("{1", 9), ("[]", DAY), ("{2", 9), ("{3", 3 * DAY), ("[1]", 9), ("{4", 3 * DAY), ("{5", 0)]
    {
        let path = world.reject(text, seconds).await;
        let id = path.rsplit('/').next().expect("an id").to_owned();
        if text.starts_with('{') {
            malformed.push(id.clone());
        }
        all.push(id);
    }
    let list = of_operator(&world, "/admin/v1/rejected-events");
    let all = newest_first(&all);
    list.check_turned("", &all).await;
    list.check_turned("&code=malformed_json", &newest_first(&malformed)).await;
    list.check_turned("&until=2026-11-23T09:29:59Z", &all[1..]).await;
    list.check_turned("&since=2026-11-22T09:30:00Z", &all[..5]).await;
}

#[tokio::test]
async fn what_was_made_in_the_api_comes_in_both_orders() {
    let world = world().await;
    let (mut sessions, mut keys) = (Vec::new(), Vec::new());
    let (mut destinations, mut subscriptions) = (Vec::new(), Vec::new());
    let id = |made: &Value| made["id"].as_str().expect("an id").to_owned();
    for n in 0..5 {
        for (kind, ids) in [("sessions", &mut sessions), ("keys", &mut keys)] {
            let body = if kind == "keys" { json!({"name": "k", "role": "viewer"}) } else { json!({}) };
            let path = format!("/admin/v1/accounts/acme/{kind}");
            let (status, made) = world.call(As::Operator, "POST", &path, Some(&body.to_string())).await;
            assert_eq!(status, 201, "{made}");
            ids.push(id(&made));
        }
        let destination = world.destination("acme").await;
        subscriptions.push(id(&world.subscription("acme", &destination).await.1));
        destinations.push(id(&destination));
        // The first three have the same time; their order is that of their ids.
        if n >= 2 {
            world.clock.advance(Duration::from_secs(1));
        }
    }
    for ids in [&sessions, &keys, &destinations, &subscriptions] {
        assert_eq!(newest_first(ids)[..2], [ids[4].clone(), ids[3].clone()], "they sort by when they were made");
    }
    of_acme(&world, "/v1/sessions").check_turned("", &newest_first(&sessions)).await;
    of_operator(&world, "/admin/v1/accounts/acme/sessions").check_turned("", &newest_first(&sessions)).await;
    of_operator(&world, "/admin/v1/accounts/acme/keys").check_turned("", &newest_first(&keys)).await;
    let list = of_acme(&world, "/v1/destinations");
    list.check_turned("", &newest_first(&destinations)).await;
    list.check_turned("&name_contains=D", &newest_first(&destinations)).await;
    let list = of_acme(&world, "/v1/subscriptions");
    list.check_turned("", &newest_first(&subscriptions)).await;
    list.check_turned("&name_contains=S", &newest_first(&subscriptions)).await;
    let sample = json!({"sample": {"event_type": "sync_run.completed"}}).to_string();
    let path = "/v1/subscriptions/match";
    let list = List { body: Some(&sample), id: "subscription_id", ..of_acme(&world, path) };
    list.check_turned("", &newest_first(&subscriptions)).await;
}

/// Each list of items with a time has the parameter; lists in the order of names refuse it.
#[tokio::test]
async fn every_list_has_an_order_or_is_one_of_names() {
    let world = world().await;
    let (_, document) = world.call(As::Nobody, "GET", "/v1/openapi.json", None).await;
    let mut without = Vec::new();
    for (path, operations) in document["paths"].as_object().expect("paths") {
        for operation in operations.as_object().expect("operations").values() {
            let has = |name: &str| {
                let parameters = operation["parameters"].as_array().into_iter().flatten();
                parameters.filter(|one| one["in"] == "query").any(|one| one["name"] == name)
            };
            if has("cursor") && !has("order") {
                without.push(path.as_str());
            }
        }
    }
    without.sort_unstable();
    let of_names = [
        "/admin/v1/accounts",
        "/admin/v1/unregistered-accounts",
        "/v1/event-types",
        // Not a list: a page of numbers, which add up in any order.
        "/v1/ledger",
        "/v1/scopes",
    ];
    assert_eq!(without, of_names);
}
