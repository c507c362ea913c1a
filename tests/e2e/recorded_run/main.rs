//! A recorded run: one long story over all functions. It checks that rows, messages, answers and pages are still the
//! same as in `tests/recorded`, byte for byte, so that a change of the code does not change anything visible by
//! accident. It does not check whether the recordings are right; the other tests do.

#![expect(clippy::expect_used, clippy::panic, reason = "helpers of tests may fail them")]

mod answers;
mod aws;
mod deps;
mod fixtures;
mod messages;
mod pages;
mod sender;
mod story;
mod table;
mod text;
mod world;

use harness::{Deployment, Result};
use serde_json::json;

use self::answers::Who;
use self::table::Table;
use self::text::{laid_out, pretty};
use self::world::World;

#[tokio::test]
async fn a_recorded_run_is_what_it_was() -> Result<()> {
    let deployment = Deployment::from_env()?;
    let table = Table::create(&deployment).await?;
    let mut world = World::new(&deployment, table);
    let document = world.ask_with(&Who::Nobody, "GET /v1/openapi.json", &[], None).await.text;
    world.answers = Default::default();
    let (cast, mut moments) = story::play(&mut world).await;
    let pages = story::shown::play(&mut world, &cast).await;
    world.work().await;
    moments.push(("at the end", world.table.rows("").await));
    world.table.delete().await?;
    let moments: Vec<_> = moments.into_iter().map(|(title, rows)| json!({ "at": title, "rows": rows })).collect();
    let messages = world.messages.into_value(&world.sender.requests());
    fixtures::compare(&[
        ("rows.json", pretty(moments.into())),
        ("messages.json", pretty(messages)),
        ("answers.json", pretty(world.answers.into_value())),
        ("pages.html", pages),
        ("openapi.json", laid_out(&document)),
    ]);
    Ok(())
}
