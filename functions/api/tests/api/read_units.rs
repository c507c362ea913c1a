//! What one request reads of the table: lists, the ledger and events end before 500 read units, whatever rows hold.

use std::collections::BTreeSet;

use domain::delivery::{Delivery, DeliveryRecord, DeliveryState};
use domain::value::DestinationId;
use ports::{Deliveries, read_units};
use serde_json::{Value, json};
use testing::{destination, record};

use crate::ledger::{page, seal, seal_to};
use crate::world::{World, world};

/// All pages, beginning with `path`, none of which costs more than a request may cost.
async fn cheap_pages(world: &World, path: &str) -> Vec<Value> {
    let (mut pages, mut next) = (Vec::new(), path.to_owned());
    loop {
        let (found, spent) = read_units::counted(async { (page(world, &next).await, read_units::spent()) }).await;
        assert!(spent <= 500.0, "page {} of {path} cost {spent}", pages.len());
        let cursor = found["next_cursor"].as_str().map(str::to_owned);
        pages.push(found);
        let Some(cursor) = cursor else { return pages };
        next = format!("{path}{}cursor={cursor}", if path.contains('?') { '&' } else { '?' });
    }
}

/// Gives the delivery a row with this number of attempts.
async fn attempted(world: &World, delivery: &Delivery, attempts: u32) {
    let target = destination(&delivery.account, 1, "https://example.com/");
    let row = record(&target, delivery.event.as_str(), attempts, DeliveryState::Exhausted);
    let row = DeliveryRecord { delivery: delivery.clone(), ..row };
    world.store.create_delivery(&row).await.expect("recorded");
}

#[tokio::test]
async fn the_pages_of_a_wide_event_add_up_and_each_reads_little() {
    for attempts in [0, 1, 30] {
        let world = world().await;
        let mut owed = Vec::new();
        for (n, wide) in [100, 5_000, 0, 700, 1].into_iter().enumerate() {
            owed.extend(seal(&world, "acme", &format!("evt-{n}"), n as u64, wide).await.owed);
        }
        for delivery in owed.iter().filter(|_| attempts > 0) {
            attempted(&world, delivery, attempts).await;
        }
        let pages = cheap_pages(&world, "/v1/ledger").await;
        let sum = |name: &str| pages.iter().map(|page| page[name]["count"].as_u64().expect("a count")).sum::<u64>();
        let state = if attempts == 0 { "pending" } else { "exhausted" };
        let sums = (sum("accepted"), sum("matched"), sum("unmatched"), sum("owed"), sum(state));
        assert_eq!(sums, (5, 4, 1, 5_801, 5_801), "{attempts} attempts");
        assert!(pages.iter().all(|page| page["closes"] == true && page["disagreeing"] == json!([])));
        for order in ["desc", "asc"] {
            let path = format!("/v1/ledger/deliveries?limit=100&status={state}&order={order}");
            let listed = cheap_pages(&world, &path).await;
            let ids = listed.iter().flat_map(|page| page["data"].as_array().expect("a list")).map(|item| &item["id"]);
            let ids: Vec<_> = ids.map(|id| id.as_str().expect("an id").to_owned()).collect();
            assert_eq!(ids.len(), 5_801, "each once, {order}");
            assert_eq!(ids.into_iter().collect::<BTreeSet<_>>(), owed.iter().map(|d| d.id.to_string()).collect());
        }
    }
}

#[tokio::test]
async fn no_list_and_no_event_costs_more_than_500_read_units() {
    let world = world().await;
    let created = world.destination("acme").await;
    let to: DestinationId = created["id"].as_str().expect("an id").parse().expect("an id");
    for n in 0..400 {
        let sealed = seal_to(&world, "acme", &format!("evt-{n}"), n, vec![to.clone()]).await;
        attempted(&world, &sealed.owed[0], 30).await;
    }
    for path in [
        "/v1/deliveries?limit=100".to_owned(),
        "/v1/deliveries?limit=100&status=delivered".to_owned(),
        "/v1/deliveries?limit=100&status=exhausted".to_owned(),
        format!("/v1/deliveries?limit=100&destination_id={to}"),
        format!("/v1/deliveries?limit=100&status=delivered&destination_id={to}"),
        "/v1/events?limit=100&status=unmatched".to_owned(),
    ] {
        for order in ["desc", "asc"] {
            let pages = cheap_pages(&world, &format!("{path}&order={order}")).await;
            let listed: usize = pages.iter().map(|p| p["data"].as_array().map_or(0, Vec::len)).sum();
            let expected = if path.contains("delivered") || path.contains("unmatched") { 0 } else { 400 };
            assert_eq!(listed, expected, "{path}, {order}");
        }
    }
    let wide = seal(&world, "acme", "wide", 500, 9_000).await;
    for delivery in &wide.owed[..200] {
        attempted(&world, delivery, 30).await;
    }
    let read = read_units::counted(async { (page(&world, "/v1/events/wide").await, read_units::spent()) });
    let (event, spent) = read.await;
    let shown = event["owed"].as_array().map_or(0, Vec::len);
    assert!(spent <= 500.0 && (10..=100).contains(&shown), "{shown} for {spent}");
    assert_eq!(event["owed_count"], 9_000);
    let listed = cheap_pages(&world, "/v1/deliveries?limit=100&event_id=wide").await;
    assert_eq!(listed.iter().map(|page| page["data"].as_array().map_or(0, Vec::len)).sum::<usize>(), 200);
}
