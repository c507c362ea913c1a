//! Scripted receivers that take time, by the story's clock.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use async_trait::async_trait;
use domain::attempt::Exchange;
use domain::delivery::SignedRequest;
use ports::{HttpSender, PortResult};
use testing::{ScriptedSender, TestClock};

pub struct TimedSender {
    inner: Arc<ScriptedSender>,
    clock: Arc<TestClock>,
    count: AtomicU64,
}

impl TimedSender {
    pub fn new(inner: Arc<ScriptedSender>, clock: Arc<TestClock>) -> Self {
        Self { inner, clock, count: AtomicU64::new(0) }
    }
}

#[async_trait]
impl HttpSender for TimedSender {
    async fn exchange(&self, request: &SignedRequest) -> PortResult<Exchange> {
        let number = self.count.fetch_add(1, Ordering::SeqCst);
        self.clock.advance(Duration::from_millis(40 + number % 7 * 55));
        self.inner.exchange(request).await
    }
}
