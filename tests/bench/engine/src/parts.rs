//! The parts of the measurement. Each can be measured alone; what was not measured is missing in tables and judged by no goal.

use std::path::Path;

use crate::cold;
use crate::crowds;
use crate::dollars::Prices;
use crate::due;
use crate::floor;
use crate::goals::Figures;
use crate::ledger;
use crate::load::{self, Load, Measured};
use crate::redrive::Idle;
use crate::world::{Account, World};
use crate::{KB, Result};

pub(crate) const PARTS: [&str; 4] = ["loads", "subscriptions", "redrive", "cold"];

/// An account, and the sizes of events, with the batches of a sample of each function.
const LOADS: [(Account, usize, usize, usize); 15] = [
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
];

/// Measures the part of this name, or all.
pub(crate) async fn measure(world: &mut World, part: Option<&str>, hello: &Path, prices: &Prices) -> Result<Figures> {
    let wants = |name| part.is_none_or(|part| part == name);
    let small = [Account::http(1), Account::http(3), Account::http(10), Account::http(100)];
    world.create(&small).await?;
    world.create(&[Account::https(1), Account::https(10)]).await?;
    let body = world.events(&Account::http(1).id(), KB, 1)?.concat().into_bytes();
    let mut figures = Figures { floor: floor::measure(&world.receivers, body).await?, ..Figures::default() };
    if wants("loads") {
        world.create(&[Account::http(10_000)]).await?;
        figures.loads = loads(world).await?;
        let is_priced = |load: &&Measured| load.scheme == "http" && load.fan_out <= 10 && load.bytes <= 16 * KB;
        figures.bills = figures.loads.iter().filter(is_priced).map(|load| prices.bill(load)).collect();
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
    if wants("cold") {
        eprintln!("measuring cold starts …");
        figures.cold_starts = cold::measure(world, hello).await?;
    }
    Ok(figures)
}

async fn loads(world: &mut World) -> Result<Vec<Measured>> {
    let mut loads = Vec::new();
    for (account, bytes, fanout_batches, deliver_batches) in LOADS {
        eprintln!("measuring {} with events of {} KB, fan-out {} …", account.scheme(), bytes / KB, account.fan_out);
        loads.push(load::measure(world, Load { account, bytes, fanout_batches, deliver_batches }).await?);
    }
    Ok(loads)
}
