//! Names by other people on the page: one that is written from right to left must not reverse the text beside it.

use domain::access::Role;
use serde_json::json;

use crate::log::{delivered, seal};
use crate::world::{Page, world};

/// A name from right to left, with a digit that would move to another place.
const NAME: &str = "שלום 7";
/// Elements whose text has a direction of its own.
const ALONE: [&str; 5] = ["bdi", "pre", "option", "title", "textarea"];

/// How often the name is shown. Fails if it is somewhere without a direction of its own.
#[track_caller]
fn shown(page: &Page, path: &str) -> usize {
    assert_eq!(page.status, 200, "{path}: {}", page.text);
    let (mut open, mut found) = (Vec::<&str>::new(), 0);
    for part in page.text.split('<').skip(1) {
        let (tag, text) = part.split_once('>').expect("a tag");
        let name = tag.trim_start_matches('/').split_whitespace().next().unwrap_or_default();
        if tag.starts_with('/') {
            let at = open.iter().rposition(|open| *open == name).expect("an opened element");
            open.truncate(at);
        } else if !tag.starts_with('!') && !tag.ends_with('/') && !["input", "meta", "link", "br"].contains(&name) {
            open.push(name);
        }
        if text.contains(NAME) {
            assert!(open.iter().any(|open| ALONE.contains(open)), "{path}: {tag}>{text} in {open:?}");
            found += 1;
        }
    }
    found
}

#[tokio::test]
async fn a_name_of_others_turns_nothing_beside_it() {
    let world = world().await;
    let id = world.destination("acme", NAME).await;
    let destination = format!("/v1/destinations/{id}");
    let described = json!({ "description": format!("{NAME}\u{202e}") });
    assert_eq!(world.call("acme", "PATCH", &destination, described).await.0, 200);
    let body = json!({ "name": NAME, "destination_id": id, "event_types": ["sync_run.completed"], "scope": "*" });
    let (status, subscription) = world.call("acme", "POST", "/v1/subscriptions", body).await;
    assert_eq!(status, 201, "{subscription}");
    let subscription = subscription["id"].as_str().expect("an id");
    seal(&world, "evt-1", 1, &[&id]).await;
    let delivery = delivered(&world, "evt-2", 2, &id).await;
    let cookie = world.visitor("acme", Role::Admin).await;
    for (path, least) in [
        ("/destinations".to_owned(), 1),
        ("/destinations?name_contains=%D7%A9".to_owned(), 1),
        (format!("/destinations/{id}"), 3),
        (format!("/destinations/{id}/edit"), 2),
        (format!("/destinations/{id}/delete"), 2),
        (format!("/destinations/{id}/rotate"), 2),
        (format!("/destinations/{id}/recover"), 2),
        ("/subscriptions".to_owned(), 2),
        (format!("/subscriptions/{subscription}"), 2),
        (format!("/subscriptions/{subscription}/edit"), 3),
        (format!("/subscriptions/{subscription}/delete"), 2),
        ("/subscriptions?name_contains=%D7%A9%D7%9C%D7%95%D7%9D+7+none".to_owned(), 1),
        ("/deliveries".to_owned(), 1),
        (format!("/deliveries/{delivery}"), 1),
        ("/events/evt-1".to_owned(), 1),
        (
            "/configure?scope=*&type=*&when=all&step=where&found=x&find_destination=%D7%A9%D7%9C%D7%95%D7%9D+7+none"
                .to_owned(),
            1,
        ),
        ("/configure?scope=*&type=*&when=all&step=where".to_owned(), 1),
        (format!("/configure/test?destination={id}"), 1),
    ] {
        let found = shown(&world.get(&cookie, &path).await, &path);
        assert!(found >= least, "{path} shows it {found} times");
    }
}
