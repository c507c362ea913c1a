//! How many attempts of this process are under way. Each is recorded as soon as it ends, so whoever records one knows
//! whether others may follow.

use async_trait::async_trait;
use domain::attempt::{Exchange, Outcome};
use domain::delivery::SignedRequest;
use ports::{HttpSender, PortResult};
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

/// A sender whose attempts are counted while they are under way.
pub struct CountedSender<S> {
    sender: S,
    under_way: UnderWay,
}

impl<S> CountedSender<S> {
    pub(crate) fn new(sender: S, under_way: UnderWay) -> Self {
        Self { sender, under_way }
    }
}

#[async_trait]
impl<S: HttpSender> HttpSender for CountedSender<S> {
    async fn send(&self, request: &SignedRequest) -> PortResult<Outcome> {
        let _begun = self.under_way.begin();
        self.sender.send(request).await
    }

    async fn exchange(&self, request: &SignedRequest) -> PortResult<Exchange> {
        let _begun = self.under_way.begin();
        self.sender.exchange(request).await
    }
}
