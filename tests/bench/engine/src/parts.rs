//! The parts of the measurement. Each can be measured alone; what was not measured is missing in tables and judged by no goal.

use std::path::Path;

use crate::account::{Account, Over};
use crate::allocations::Counter;
use crate::cold;
use crate::crowds;
use crate::dollars::{Bill, Prices};
use crate::due;
use crate::failing;
use crate::floor;
use crate::goals::Figures;
use crate::growth::Growth;
use crate::isolation;
use crate::ledger;
use crate::load::{self, Load, Measured};
use crate::redrive::Idle;
use crate::requests;
use crate::world::World;
use crate::{KB, Result};

/// `dollars` is `loads`, `failing` and `redrive`.
pub(crate) const PARTS: [&str; 8] =
    ["loads", "failing", "isolation", "subscriptions", "redrive", "dollars", "requests", "cold"];

/// An account, and the sizes of events, with the batches of a sample of each function.
const LOADS: [(Account, usize, usize, usize); 19] = [
    (Account::http(1), KB, 40, 40),
    (Account::http(3), KB, 40, 40),
    (Account::http(10), KB, 20, 40),
    (Account::http(100), KB, 3, 40),
    (Account::http(10_000), KB, 1, 40),
    (Account::http(1), 16 * KB, 20, 20),
    (Account::http(3), 16 * KB, 20, 20),
    (Account::http(10), 16 * KB, 10, 20),
    (Account::http(1), 200 * KB, 4, 4),
    (Account::http(10), 200 * KB, 2, 10),
    (Account::https(1), KB, 40, 40),
    (Account::https(10), KB, 10, 40),
    (Account::https(1), 16 * KB, 20, 20),
    (Account::https(10), 16 * KB, 10, 20),
    (Account::https(10), 200 * KB, 2, 10),
    (Account::new(Over::HttpsResumed, 1), KB, 20, 20),
    (Account::new(Over::HttpsResumed, 10), KB, 5, 20),
    (Account::new(Over::HttpsNew, 1), KB, 20, 20),
    (Account::new(Over::HttpsNew, 10), KB, 5, 20),
];

/// Measures the part of this name, or all.
pub(crate) async fn measure(world: &mut World, part: Option<&str>, hello: &Path, prices: &Prices) -> Result<Figures> {
    let of_dollars = ["loads", "failing", "redrive"];
    let wants = |name| part.is_none_or(|part| part == name || part == "dollars" && of_dollars.contains(&name));
    let small = [Account::http(1), Account::http(3), Account::http(10), Account::http(100)];
    world.create(&small).await?;
    world.create(&[Account::https(1), Account::https(10)]).await?;
    let body = world.events(&Account::http(1).id(), KB, 1)?.concat().into_bytes();
    let mut figures = Figures { floor: floor::measure(&world.receivers, body).await?, ..Figures::default() };
    if wants("loads") {
        world.create(&[Account::http(10_000)]).await?;
        world.create(&[1, 10].map(|fan_out| Account::new(Over::HttpsResumed, fan_out))).await?;
        world.create(&[1, 10].map(|fan_out| Account::new(Over::HttpsNew, fan_out))).await?;
        figures.loads = loads(world).await?;
    }
    if wants("failing") {
        figures.failing = failing::measure(world).await?;
    }
    if wants("isolation") {
        figures.isolation = Some(isolation::measure(world).await?);
    }
    if wants("subscriptions") {
        figures.crowds = crowds::measure(world).await?;
    }
    if wants("redrive") {
        let (due, run) = due::measure(world).await?;
        let (ledgers, first_of_a_stretch) = ledger::measure(world).await?;
        (figures.due, figures.ledgers) = (due, ledgers);
        figures.idle = Some(Idle { run, first_of_a_stretch });
    }
    if wants("requests") {
        eprintln!("measuring requests …");
        figures.requests = requests::measure(world).await?;
    }
    if wants("cold") {
        eprintln!("measuring cold starts …");
        figures.cold_starts = cold::measure(world, hello).await?;
    }
    figures.month = figures.idle.as_ref().map(|idle| prices.month(idle));
    figures.bills = bills(&figures, prices);
    figures.growth = Growth::all(&figures);
    Ok(figures)
}

/// Of the loads for which there is what `redrive` took. With more than ten deliveries of an event, it takes little less for each.
fn bills(figures: &Figures, prices: &Prices) -> Vec<Bill> {
    let ledger = |fan_out: usize| figures.ledgers.iter().find(|ledger| ledger.fan_out == fan_out.min(10));
    let is_priced = |load: &&Measured| {
        load.over == Over::Http && (load.fan_out <= 10 && load.bytes <= 16 * KB || load.fan_out == 100)
    };
    let healthy = figures.loads.iter().filter(is_priced);
    let healthy = healthy.filter_map(|load| Some(prices.bill(load, ledger(load.fan_out)?)));
    let failing = figures.failing.iter();
    healthy.chain(failing.filter_map(|load| Some(prices.bill_failing(load, ledger(load.fan_out)?)))).collect()
}

async fn loads(world: &mut World) -> Result<Vec<Measured>> {
    let (counter, mut loads) = (Counter::new(&world.output)?, Vec::new());
    for (account, bytes, fanout_batches, deliver_batches) in LOADS {
        eprintln!("measuring {} with events of {} KB, fan-out {} …", account.over.name(), bytes / KB, account.fan_out);
        loads.push(load::measure(world, &counter, Load { account, bytes, fanout_batches, deliver_batches }).await?);
    }
    Ok(loads)
}
