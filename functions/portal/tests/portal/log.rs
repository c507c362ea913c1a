//! Events and deliveries for the tests, written as `fanout` and `deliver` write them.

use domain::attempt::Attempt;
use domain::attempt::Outcome;
use domain::delivery::{Delivery, DeliveryRecord, DeliveryState};
use domain::event::{Event, SeenScope};
use domain::value::{DestinationId, Timestamp};
use ports::{Clock, Deliveries, Events, SealedEvent, SeenScopes};
use testing::{account, event_text, held, sealed};

use crate::world::World;

/// 2026-11-23T09:29:00Z, when the samples occurred. It is a minute before the test clock.
pub const SAMPLE_MS: u64 = 1_795_426_140_000;

pub fn at(ms: u64) -> Timestamp {
    Timestamp::from_unix_ms(SAMPLE_MS + ms)
}

/// Seals an event of acme that occurred `ms` milliseconds after the samples and owes a delivery to each of these
/// destinations. `change` is applied to it first.
pub async fn seal_as(
    world: &World,
    id: &str,
    ms: u64,
    to: &[&str],
    change: impl FnOnce(&mut SealedEvent),
) -> SealedEvent {
    let owner = account("acme");
    let event = Event::parse(&event_text(&owner, id), at(0)).map_err(|rejected| rejected.detail).expect("an event");
    let event = Event { occurred_at: at(ms), ..event };
    let destination = |id: &&str| id.parse::<DestinationId>().expect("an id");
    let owed = to.iter().map(|to| Delivery::of_event(&event, destination(to), None)).collect();
    let mut sealed = SealedEvent { expires_at: at(10 * 86_400_000), ..sealed(&event, owed, at(ms + 400)) };
    change(&mut sealed);
    world.store.seal_event(&sealed).await.expect("sealed");
    sealed
}

pub async fn seal(world: &World, id: &str, ms: u64, to: &[&str]) -> SealedEvent {
    seal_as(world, id, ms, to, |_| {}).await
}

pub fn refused(status: u16, body: &str) -> Outcome {
    Outcome::from_answer(status, None, body.to_owned())
}

/// Records attempts of a delivery with these outcomes, one a second, and the state of the delivery.
pub async fn record(world: &World, delivery: &Delivery, state: DeliveryState, outcomes: &[Outcome]) -> DeliveryRecord {
    let attempt = |(before, outcome): (u32, &Outcome)| Attempt {
        number: before + 1,
        at: at(1_000 + u64::from(before) * 1_000),
        took: std::time::Duration::from_millis(87),
        outcome: outcome.clone(),
        probe: false,
    };
    let attempts: Vec<_> = (0..).zip(outcomes).map(attempt).collect();
    let first = DeliveryRecord::first(delivery.clone(), held(state), at(10 * 86_400_000));
    let record = DeliveryRecord { attempts: attempts.into(), ..first };
    world.store.create_delivery(&record).await.expect("recorded");
    record
}

/// Creates an event that was delivered to the destination, and returns the id of the delivery.
pub async fn delivered(world: &World, id: &str, ms: u64, to: &str) -> String {
    let event = seal(world, id, ms, &[to]).await;
    record(world, &event.owed[0], DeliveryState::Delivered, &[Outcome::Delivered { status: 204 }]).await;
    event.owed[0].id.to_string()
}

/// Notes that an event was seen at a place of a connection with this name.
pub async fn seen(world: &World, scope: &str, connection: &str) {
    let text = event_text(&account("acme"), "evt-seen").replace("Xero", connection);
    let event = Event::parse(&text, at(0)).map_err(|rejected| rejected.detail).expect("an event");
    let event = Event { scope: scope.parse().expect("a scope"), ..event };
    let seen = SeenScope::of_event(&event, world.clock.now()).expect("a place");
    world.store.note_scope(&seen).await.expect("noted");
}
