//! Random numbers and faults, all from one seed: each call of a port may take a while, may fail before or after it has
//! had its effect, and may be the moment at which its process crashes.

use std::sync::atomic::{AtomicBool, AtomicI64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use domain::value::Timestamp;
use ports::{Clock, Entropy, PortError, PortResult};
use tests::chance::Chance;
use tokio::sync::Notify;
use tokio::time::Instant;

use crate::meter::Meter;

/// When every schedule begins: 2026-11-23T09:30:00Z, the time of the samples.
const BEGIN_MS: u64 = 1_795_426_200_000;

/// The random numbers that everything in a schedule shares.
#[derive(Debug)]
pub struct Dice(Mutex<Chance>);

impl Dice {
    pub fn new(seed: u64) -> Self {
        Self(Mutex::new(Chance::from_seed(seed)))
    }

    pub fn draw(&self) -> u64 {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).draw()
    }

    /// One of `0..end`.
    pub fn below(&self, end: u64) -> u64 {
        self.draw() % end.max(1)
    }

    /// True once in `times`, on average.
    pub fn once_in(&self, times: u64) -> bool {
        self.below(times) == 0
    }

    pub fn pick<T: Copy>(&self, from: &[T]) -> T {
        from[usize::try_from(self.below(from.len() as u64)).unwrap_or_default()]
    }
}

impl Entropy for Dice {
    fn fill(&self, bytes: &mut [u8]) -> PortResult<()> {
        bytes.chunks_mut(8).for_each(|chunk| {
            let drawn = self.draw().to_be_bytes();
            chunk.copy_from_slice(&drawn[..chunk.len()]);
        });
        Ok(())
    }
}

/// The time of a schedule, and the time that the functions' clocks show.
#[derive(Debug)]
pub struct SimClock {
    began: Instant,
    /// How far the functions' clocks are off, in milliseconds.
    off_ms: AtomicI64,
}

impl SimClock {
    pub fn new() -> Self {
        Self { began: Instant::now(), off_ms: AtomicI64::new(0) }
    }

    pub fn step_to(&self, off_ms: i64) {
        self.off_ms.store(off_ms, Ordering::SeqCst);
    }

    /// The true time.
    pub fn real(&self) -> Timestamp {
        Timestamp::from_unix_ms(BEGIN_MS + u64::try_from(self.began.elapsed().as_millis()).unwrap_or(u64::MAX))
    }

    pub fn instant(&self, real: Timestamp) -> Instant {
        self.began + Duration::from_millis(real.unix_ms().saturating_sub(BEGIN_MS))
    }
}

impl Clock for SimClock {
    fn now(&self) -> Timestamp {
        Timestamp::from_unix_ms(self.real().unix_ms().saturating_add_signed(self.off_ms.load(Ordering::SeqCst)))
    }
}

/// The clock of one process, which is off by some seconds.
#[derive(Debug)]
pub struct ProcessClock {
    pub clock: Arc<SimClock>,
    pub off_ms: i64,
}

impl Clock for ProcessClock {
    fn now(&self) -> Timestamp {
        Timestamp::from_unix_ms(self.clock.now().unix_ms().saturating_add_signed(self.off_ms))
    }
}

/// The faults of one process. All ports of the process share them.
#[derive(Debug)]
pub struct Chaos {
    pub dice: Arc<Dice>,
    /// Whether all faults have ended. The whole schedule shares this.
    pub calm: Arc<AtomicBool>,
    /// One call out of this many fails; none if it is zero.
    pub failing: u64,
    /// The process crashes at one moment out of this many; never if it is zero.
    pub crashing: u64,
    /// One call out of this many takes seconds; none if it is zero.
    pub slow: u64,
    pub crashed: Notify,
    /// What calls cost, if that is measured.
    pub meter: Option<Arc<Meter>>,
}

/// The longest time that a slow call takes before, and after, it has had its effect.
pub const SLOWEST: Duration = Duration::from_secs(4);

impl Chaos {
    /// A process without faults.
    pub fn none(dice: Arc<Dice>) -> Self {
        let calm = Arc::new(AtomicBool::new(true));
        Self { dice, calm, failing: 0, crashing: 0, slow: 0, crashed: Notify::default(), meter: None }
    }

    /// Makes a call, with possible faults before and after it.
    pub async fn around<T>(&self, call: impl Future<Output = PortResult<T>>) -> PortResult<T> {
        self.moment().await?;
        let answer = call.await;
        self.moment().await?;
        answer
    }

    async fn moment(&self) -> PortResult<()> {
        if self.meter.is_some() {
            // Its calls take as much time as they cost.
            return Ok(());
        }
        match self.dice.below(8) {
            0 => tokio::time::sleep(Duration::from_millis(self.dice.below(200))).await,
            1 | 2 => tokio::task::yield_now().await,
            _ => {}
        }
        if self.calm.load(Ordering::SeqCst) {
            return Ok(());
        }
        if self.slow > 0 && self.dice.once_in(self.slow) {
            tokio::time::sleep(SLOWEST.mul_f64(self.dice.below(1_000) as f64 / 1_000.0)).await;
        }
        if self.crashing > 0 && self.dice.once_in(self.crashing) {
            self.crashed.notify_one();
            std::future::pending::<()>().await;
        }
        if self.failing > 0 && self.dice.once_in(self.failing) {
            return Err(PortError::transient("calling", "misfortune"));
        }
        Ok(())
    }
}
