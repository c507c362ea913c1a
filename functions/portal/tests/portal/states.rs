//! The words for what became of a delivery. Those that do not say it by themselves are explained where they stand.

use domain::access::Role;
use domain::delivery::DeliveryState;

use crate::log::{delivered, record, refused, seal};
use crate::world::world;

#[tokio::test]
async fn parked_and_exhausted_are_explained_wherever_they_stand() {
    let world = world().await;
    let to = world.destination("acme", "Billing").await;
    let cookie = world.visitor("acme", Role::Editor).await;
    let parked = "Set aside: its destination took nothing when it was due.";
    let exhausted = "Given up: its last attempt failed, or its event was no longer kept.";
    for (n, (state, word, meaning)) in
        (0..).zip([(DeliveryState::Parked, "parked", parked), (DeliveryState::Exhausted, "exhausted", exhausted)])
    {
        let event = seal(&world, &format!("evt-{n}"), n, &[&to]).await;
        record(&world, &event.owed[0], state, &[refused(500, "no")]).await;
        let badge = format!(" title=\"{meaning}\">{word}</span>");
        let one = format!("/deliveries/{}", event.owed[0].id);
        for path in ["/deliveries", "/ledger/deliveries", &format!("/events/evt-{n}"), &one] {
            world.get(&cookie, path).await.shows(&badge);
        }
        world.get(&cookie, &one).await.shows(&format!("<small>{meaning}</small>"));
    }
    for path in ["/deliveries", "/ledger/deliveries"] {
        let page = world.get(&cookie, path).await;
        page.shows(">Parked: set aside</option>").shows(">Exhausted: given up</option>");
    }
    let page = world.get(&cookie, "/ledger").await;
    page.shows("Parked deliveries wait for a destination").shows("Exhausted ones were given up: ");
    let (of_all, of_one) = ("Set aside: the destination took nothing", "Set aside: it took nothing");
    for (path, words) in [("/destinations", of_all), (&*format!("/destinations/{to}"), of_one)] {
        world.get(&cookie, path).await.shows(&format!("title=\"{words} when they were due\">"));
    }
    let page = world.get(&cookie, &format!("/destinations/{to}/recover")).await;
    page.shows("Kept while nothing was sent to the destination").shows("Given up after the last attempt.");
    let delivered = delivered(&world, "evt-9", 9, &to).await;
    world.get(&cookie, &format!("/deliveries/{delivered}")).await.shows("badge-ok\">delivered</span></dd>");
}
