//! How many attempts, or sends of what events owe, are under way in this process. An attempt is recorded and an event sealed
//! as soon as that ends, so whoever writes one row knows whether others may follow.

use std::time::Duration;

use async_trait::async_trait;
use domain::attempt::{Exchange, Outcome};
use domain::delivery::{OutgoingDelivery, SignedRequest};
use ports::{DeliveryQueue, HttpSender, PortResult, Postpone};
use tokio::sync::watch;

/// A count that can be shared.
#[derive(Debug, Clone, Default)]
pub(crate) struct UnderWay(watch::Sender<usize>);

/// One more is under way until this is dropped.
pub(crate) struct Begun(watch::Sender<usize>);

impl UnderWay {
    pub(crate) fn begin(&self) -> Begun {
        self.0.send_modify(|count| *count += 1);
        Begun(self.0.clone())
    }

    /// Waits until nothing is under way.
    pub(crate) async fn ended(&self) {
        // The sender lives as long as this waits.
        let _ = self.0.subscribe().wait_for(|count| *count == 0).await;
    }
}

impl Drop for Begun {
    fn drop(&mut self) {
        self.0.send_modify(|count| *count -= 1);
    }
}

/// A sender whose attempts, or a queue whose sends, are counted while they are under way.
pub struct Counted<S> {
    inner: S,
    under_way: UnderWay,
}

impl<S> Counted<S> {
    pub(crate) fn new(inner: S, under_way: UnderWay) -> Self {
        Self { inner, under_way }
    }
}

#[async_trait]
impl<S: HttpSender> HttpSender for Counted<S> {
    async fn send(&self, request: &SignedRequest) -> PortResult<Outcome> {
        let _begun = self.under_way.begin();
        self.inner.send(request).await
    }

    async fn exchange(&self, request: &SignedRequest) -> PortResult<Exchange> {
        let _begun = self.under_way.begin();
        self.inner.exchange(request).await
    }
}

#[async_trait]
impl<Q: DeliveryQueue> DeliveryQueue for Counted<Q> {
    async fn send_deliveries(&self, messages: &[OutgoingDelivery<'_>]) -> PortResult<()> {
        let _begun = self.under_way.begin();
        self.inner.send_deliveries(messages).await
    }
}

#[async_trait]
impl<Q: DeliveryQueue> Postpone for Counted<Q> {
    async fn postpone(&self, receipt: &str, wait: Duration) -> PortResult<()> {
        self.inner.postpone(receipt, wait).await
    }
}
