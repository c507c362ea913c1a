//! Tests of [`super`], with calls that only compute.

use std::sync::atomic::{AtomicUsize, Ordering::SeqCst};

use futures_util::future::join_all;
use tokio::time::Instant;

use super::*;

/// How long a call takes.
const CALL: Duration = Duration::from_millis(100);

/// Doubles numbers. Those above 10,000 are refused, alone or with others; 99 stands for one that is left out, 500 for a
/// call that fails, 600 for one that panics.
#[derive(Default)]
struct Doubling {
    groups: Mutex<Vec<Vec<usize>>>,
    alone: Mutex<Vec<usize>>,
    ended: AtomicUsize,
}

#[async_trait]
impl Together for Arc<Doubling> {
    type Request = usize;
    type Answer = usize;
    const MOST: usize = 10;
    const MOST_BYTES: usize = 1_000;

    fn bytes(request: &usize) -> usize {
        if *request > 10_000 { 1 } else { (*request).min(1_000) }
    }

    async fn alone(&self, request: usize) -> PortResult<usize> {
        self.alone.lock().expect("a lock").push(request);
        if request > 10_000 {
            return Err(PortError::permanent("doubling", "too much"));
        }
        Ok(request * 2)
    }

    async fn together(&self, requests: &[usize]) -> PortResult<Vec<Option<usize>>> {
        self.groups.lock().expect("a lock").push(requests.to_vec());
        tokio::time::sleep(CALL).await;
        self.ended.fetch_add(1, SeqCst);
        assert!(!requests.contains(&600), "a panic was asked for");
        if requests.contains(&500) {
            return Err(PortError::transient("doubling", "a failure was asked for"));
        }
        if requests.iter().any(|request| *request > 10_000) {
            return Err(PortError::permanent("doubling", "too much"));
        }
        Ok(requests.iter().map(|request| (*request != 99).then_some(request * 2)).collect())
    }
}

struct World {
    doubling: Arc<Doubling>,
    gather: Gather<Arc<Doubling>>,
    under_way: UnderWay,
    started: Instant,
}

fn world() -> World {
    let (doubling, under_way) = (Arc::new(Doubling::default()), UnderWay::default());
    let gather = Gather::new(doubling.clone(), under_way.clone());
    World { doubling, gather, under_way, started: Instant::now() }
}

impl World {
    async fn all(&self, requests: impl IntoIterator<Item = usize>) -> Vec<PortResult<usize>> {
        join_all(requests.into_iter().map(|request| self.gather.ask(request))).await
    }

    fn groups(&self) -> Vec<Vec<usize>> {
        self.doubling.groups.lock().expect("a lock").clone()
    }

    fn alone(&self) -> Vec<usize> {
        self.doubling.alone.lock().expect("a lock").clone()
    }
}

fn answers(results: Vec<PortResult<usize>>) -> Vec<usize> {
    results.into_iter().map(|result| result.expect("an answer")).collect()
}

#[tokio::test(start_paused = true)]
async fn each_gets_its_own_answer_and_no_group_has_too_much() {
    let world = world();
    assert_eq!(answers(world.all(1..=23).await), (1..=23).map(|n| n * 2).collect::<Vec<_>>());
    assert_eq!(world.groups(), [(1..=10).collect::<Vec<_>>(), (11..=20).collect(), (21..=23).collect()]);
    assert_eq!(world.started.elapsed(), CALL, "the groups are asked for side by side");
    assert_eq!(answers(world.all([400, 500 - 1, 101, 2_000, 3]).await), [800, 998, 202, 4_000, 6]);
    assert_eq!(world.groups()[3..], [vec![400, 499, 101]]);
    assert_eq!(world.alone(), [2_000, 3], "what is large, and what is alone after it");
}

#[tokio::test(start_paused = true)]
async fn what_is_left_without_an_answer_is_asked_for_alone() {
    let world = world();
    assert_eq!(answers(world.all([1, 99, 2]).await), [2, 198, 4]);
    assert_eq!((world.groups().len(), world.alone()), (1, vec![99]));
}

#[tokio::test(start_paused = true)]
async fn a_call_that_is_refused_for_good_is_made_for_each_alone() {
    let world = world();
    let results = world.all([1, 20_000, 2]).await;
    assert!(matches!(results[..], [Ok(2), Err(PortError::Permanent { .. }), Ok(4)]), "{results:?}");
    assert_eq!((world.groups().len(), world.alone()), (1, vec![1, 20_000, 2]));
}

#[tokio::test(start_paused = true)]
async fn a_call_that_fails_or_panics_is_a_passing_error_of_each() {
    let world = world();
    for failing in [500, 600] {
        let results = world.all([1, failing, 2]).await;
        assert!(results.iter().all(|result| matches!(result, Err(PortError::Transient { .. }))), "{results:?}");
    }
    assert!(world.alone().is_empty());
    assert_eq!(answers(world.all([1, 2]).await), [2, 4], "the next ones are answered");
}

#[tokio::test(start_paused = true)]
async fn a_caller_that_gives_up_takes_nothing_from_the_others() {
    let world = world();
    // The first opens the group, and gives up while it is asked for.
    let first = tokio::time::timeout(CALL / 2, world.gather.ask(1));
    let (first, others) = tokio::join!(first, world.all([2, 3]));
    assert!(first.is_err());
    assert_eq!(answers(others), [4, 6]);
    // The next one gives up before that, so it is not asked for.
    {
        let gone = world.gather.ask(4);
        tokio::pin!(gone);
        assert!(futures_util::poll!(&mut gone).is_pending());
    }
    assert_eq!(answers(world.all([5, 6]).await), [10, 12]);
    assert_eq!(world.groups(), [vec![1, 2, 3], vec![5, 6]]);
}

#[tokio::test(start_paused = true)]
async fn a_call_ends_with_the_last_that_waits_for_it() {
    let world = world();
    tokio::time::timeout(CALL / 2, world.all([1, 2])).await.expect_err("they give up");
    tokio::time::sleep(CALL * 2).await;
    assert_eq!((world.groups().len(), world.doubling.ended.load(SeqCst)), (1, 0));
}

#[tokio::test(start_paused = true)]
async fn who_is_alone_waits_for_nobody() {
    let world = world();
    assert_eq!(world.gather.ask(1).await.expect("an answer"), 2);
    assert_eq!((world.alone(), world.started.elapsed()), (vec![1], Duration::ZERO));
    // What ended is waited for no longer.
    drop(world.under_way.begin());
    assert_eq!(world.gather.ask(2).await.expect("an answer"), 4);
    assert_eq!(world.started.elapsed(), Duration::ZERO);
}

#[tokio::test(start_paused = true)]
async fn a_slow_neighbour_costs_five_milliseconds_and_a_full_group_waits_for_nobody() {
    let world = world();
    let attempt = async |millis: u64, request: usize| {
        let begun = world.under_way.begin();
        tokio::time::sleep(Duration::from_millis(millis)).await;
        drop(begun);
        let answer = world.gather.ask(request).await.expect("an answer");
        (answer, world.started.elapsed().as_millis())
    };
    let (a, b, c, slow) = tokio::join!(attempt(10, 1), attempt(12, 2), attempt(14, 3), attempt(15_000, 4));
    assert_eq!([a, b, c], [(2, 115), (4, 115), (6, 115)]);
    assert_eq!((slow, world.groups(), world.alone()), ((8, 15_000), vec![vec![1, 2, 3]], vec![4]));

    let begun = world.under_way.begin();
    let started = Instant::now();
    world.all(1..=10).await;
    assert_eq!(started.elapsed(), CALL);
    drop(begun);
    // Once all have ended, nobody waits either.
    let started = Instant::now();
    tokio::join!(attempt(10, 1), attempt(13, 2));
    assert_eq!(started.elapsed(), CALL + Duration::from_millis(13));
}
