//! The page at the end of the story: every kind of page, for an admin, a viewer and a visitor without a session; and
//! the answers to its forms.

use serde_json::{Value, json};

use super::registered::link;
use super::{Cast, id};
use crate::answers::Who;
use crate::pages::{Visitor, hidden};
use crate::world::World;

const NOTHING: Value = Value::Null;

/// The things whose own pages are shown.
struct Ids {
    subscription: String,
    deliveries: Vec<String>,
    links: Vec<String>,
}

pub async fn play(world: &mut World, cast: &Cast) -> String {
    let listed = world.ask(&cast.viewer, "GET /v1/subscriptions?name_contains=invoices", NOTHING).await;
    let subscription = id(&listed["data"][0]);
    let mut deliveries = Vec::new();
    for status in ["delivered", "retrying", "parked", "exhausted", "cancelled"] {
        let listed = world.ask(&cast.viewer, &format!("GET /v1/deliveries?limit=1&status={status}"), NOTHING).await;
        deliveries.extend(listed["data"].as_array().expect("a list").iter().map(id));
    }
    let mut links = Vec::new();
    for role in ["admin", "viewer"] {
        let offer = json!({ "role": role, "scope": "connection/xero" });
        links.push(link(&world.ask(&Who::Operator, "POST /admin/v1/accounts/acme/sessions", offer).await));
    }
    let ids = Ids { subscription, deliveries, links };
    let mut admin = Visitor::of(world, "acme");
    entry(&mut admin, &ids).await;
    destinations(&mut admin, cast).await;
    subscriptions(&mut admin, &ids).await;
    wizard(&mut admin, cast).await;
    ledger(&mut admin, &ids).await;
    forms(&mut admin, cast, &ids).await;
    let viewed = viewed(world, cast, &ids).await;
    admin.pages + viewed.as_str()
}

async fn entry(visitor: &mut Visitor<'_>, ids: &Ids) {
    visitor.get("/destinations").await;
    visitor.get("/open").await;
    visitor.post("/open", &[("token", "nonsense")]).await;
    visitor.open(&ids.links[0]).await;
    visitor.post("/open", &[("token", &ids.links[0])]).await;
    for path in ["/", "/no-such-page", "/assets/none.css", "/open", "/sign-out"] {
        visitor.get(path).await;
    }
    let page = visitor.get("/destinations?name_contains=none").await;
    for asset in page.text.split('"').filter(|part| part.starts_with("/assets/")) {
        visitor.get(asset).await;
    }
    visitor.post_from_elsewhere("/sign-out").await;
}

async fn destinations(visitor: &mut Visitor<'_>, cast: &Cast) {
    visitor.get("/destinations").await;
    for one in [&cast.warehouse, &cast.down, &cast.flaky, &cast.gone] {
        visitor.get(&format!("/destinations/{one}")).await;
    }
    for page in ["recover", "delete"] {
        visitor.get(&format!("/destinations/{}/{page}", cast.billing)).await;
    }
}

async fn subscriptions(visitor: &mut Visitor<'_>, ids: &Ids) {
    visitor.get("/subscriptions").await;
    for below in ["/delete", "?done=saved"] {
        visitor.get(&format!("/subscriptions/{}{below}", ids.subscription)).await;
    }
    visitor.get("/subscriptions/sub_0000000000000000").await;
}

async fn wizard(visitor: &mut Visitor<'_>, cast: &Cast) {
    let pattern = "when=pattern&pattern=%7B%22status%22%3A%5B%22failed%22%5D%7D";
    for query in [
        "?scope=connection/xero",
        "?step=what&scope=connection/xero/endpoint/invoices",
        "?step=when&scope=*&type=sync_run.completed&when=broke",
        &format!("?step=when&check=1&scope=*&type=sync_run.completed&{pattern}"),
        "?step=when&scope=*&type=sync_run.missed&when=all",
        "?step=where&scope=*&type=sync_run.completed&when=all",
        "?step=where&scope=other&place=xero&type=sync_run.completed",
    ] {
        visitor.get(&format!("/configure{query}")).await;
    }
    visitor.get(&format!("/configure/test?destination={}", cast.warehouse)).await;
}

async fn ledger(visitor: &mut Visitor<'_>, ids: &Ids) {
    for path in [
        "/deliveries",
        "/deliveries?scope=connection%2Fxero&since=2026-11-23T10:00",
        "/deliveries?cursor=x",
        "/events",
        "/events?status=unmatched",
        "/events/evt-1",
        "/events/evt-unwanted",
        "/events/evt-hubspot-2",
        "/events/evt-1/body",
        "/events/evt-unknown",
        "/ledger",
        "/ledger/deliveries",
        "/sessions",
    ] {
        visitor.get(path).await;
    }
    for delivery in &ids.deliveries {
        visitor.get(&format!("/deliveries/{delivery}")).await;
    }
}

async fn forms(visitor: &mut Visitor<'_>, cast: &Cast, ids: &Ids) {
    let billing = format!("/destinations/{}", cast.billing);
    let edit = visitor.get(&format!("{billing}/edit")).await;
    let etag = hidden(&edit, "etag");
    let fields =
        [("etag", etag.as_str()), ("name", "Billing"), ("url", "https://billing.example/"), ("rate_limit", "2")];
    for more in [("timeout_seconds", "31"), ("headers", "x-a: b")] {
        visitor.post(&format!("{billing}/edit"), &[fields.as_slice(), &[more]].concat()).await;
    }
    let etag = hidden(&visitor.get(&format!("{billing}/rotate")).await, "etag");
    visitor.post(&format!("{billing}/rotate"), &[("etag", &etag), ("overlap_seconds", "3600")]).await;
    for action in ["pause", "resume"] {
        visitor.post(&format!("{billing}/{action}"), &[]).await;
    }
    let recover = format!("/destinations/{}/recover", cast.once);
    let recovering = visitor.post(&recover, &[("span", "24h"), ("status", "exhausted")]).await;
    if let Some(next) = recovering.headers.get("location") {
        visitor.get(next.to_str().expect("text")).await;
    }
    visitor.post(&format!("/destinations/{}/delete", cast.flaky), &[]).await;
    let subscription = format!("/subscriptions/{}", ids.subscription);
    for action in ["disable", "enable"] {
        visitor.post(&format!("{subscription}/{action}"), &[]).await;
    }
    let etag = hidden(&visitor.get(&format!("{subscription}/edit")).await, "etag");
    visitor.post(&format!("{subscription}/edit"), &[("etag", &etag), ("name", ""), ("condition", "{")]).await;
    let chosen = [
        ("scope", "connection/xero"),
        ("type", "sync_run.completed"),
        ("when", "failures"),
        ("pattern", ""),
        ("to", "new"),
        ("url", "https://wizard.example/hooks"),
    ];
    for name in ["Billing", "By wizard"] {
        let created = visitor.post("/configure", &[chosen.as_slice(), &[("destination_name", name)]].concat()).await;
        if let Some(refused) = created.headers.get("location") {
            visitor.get(refused.to_str().expect("text")).await;
        }
    }
    let test = [("destination", cast.warehouse.as_str()), ("type", "sync_run.completed"), ("status", "failed")];
    visitor.post("/configure/test", &[test.as_slice(), &[("prove", "true")]].concat()).await;
    for path in ["/events/evt-1/replay".to_owned(), format!("/deliveries/{}/resend", ids.deliveries[0])] {
        visitor.post(&path, &[]).await;
    }
    visitor.post("/sign-out", &[]).await;
}

async fn viewed(world: &World, cast: &Cast, ids: &Ids) -> String {
    let mut viewer = Visitor::of(world, "acme");
    viewer.open(&ids.links[1]).await;
    for path in ["/", "/configure", "/destinations", "/subscriptions"] {
        viewer.get(path).await;
    }
    viewer.get(&format!("/destinations/{}", cast.billing)).await;
    viewer.post(&format!("/destinations/{}/pause", cast.billing), &[]).await;
    viewer.pages
}
