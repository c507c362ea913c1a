//! `message`: a delivery on its way through the queue.

use std::time::Duration;

use domain::delivery::{DeliveryMessage, OutgoingDelivery};

use crate::input::text;

pub(crate) fn check(input: &[u8]) {
    let Some(message) = text(input).and_then(|text| serde_json::from_str::<DeliveryMessage>(text).ok()) else { return };
    let DeliveryMessage { delivery, purpose, body } = &message;
    let outgoing = OutgoingDelivery { delivery, purpose: *purpose, body, delay: Duration::ZERO };
    let group = outgoing.group();
    assert!(group == delivery.account.as_str() || group == delivery.destination.as_str());
    let written = serde_json::to_string(&outgoing).expect("a written form");
    let again: DeliveryMessage = serde_json::from_str(&written).expect("what was written is read");
    assert_eq!((&again.delivery, again.purpose, again.body.get()), (delivery, *purpose, body.get()));
}
