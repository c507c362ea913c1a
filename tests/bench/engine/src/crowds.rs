//! `fanout` in accounts with many subscriptions of which one leads anywhere. Without conditions, the others listen to other
//! places, so that no event looks at them; with conditions, they are candidates for every event, and none matches.

use serde::Serialize;
use serde_json::json;

use crate::Result;
use crate::account::Over;
use crate::batches::in_batches;
use crate::load::{Taken, run};
use crate::world::{BATCH, World};

/// How many subscriptions the account has.
const SIZES: [usize; 4] = [10, 1_000, 10_000, 20_000];
/// A sample of `fanout`, in batches, and all samples with the one for practice.
const BATCHES: usize = 20;
const BLOCKS: usize = 6;
const BYTES: usize = 1_024;

#[derive(Debug, Clone, Serialize)]
pub(crate) struct Crowd {
    pub(crate) subscriptions: usize,
    pub(crate) with_conditions: bool,
    pub(crate) fanout: Taken,
}

/// The account grows from size to size.
pub(crate) async fn measure(world: &mut World) -> Result<Vec<Crowd>> {
    let mut crowds = Vec::new();
    for with_conditions in [false, true] {
        let account = if with_conditions { "crowd-with-conditions" } else { "crowd" };
        let mut api = world.start("api").await?;
        world.ask(&mut api, "api-create-account", account, &json!({ "id": account })).await?;
        let destination = world.destination(&mut api, account, Over::Http).await?;
        world.subscribe(&mut api, account, &destination, json!({ "event_types": ["*"], "scope": "*" })).await?;
        let mut known = 1;
        for subscriptions in SIZES {
            eprintln!("measuring fanout with {subscriptions} subscriptions …");
            world.aws.hurry(true);
            for number in known..subscriptions {
                let other = if with_conditions {
                    json!({ "event_types": ["*"], "scope": "*", "condition": { "run_id": [format!("not {number}")] } })
                } else {
                    json!({ "event_types": ["*"], "scope": format!("connection/other-{number}") })
                };
                world.subscribe(&mut api, account, &destination, other).await?;
            }
            world.aws.hurry(false);
            known = subscriptions;
            let events = world.events(account, BYTES, BATCHES * BATCH * BLOCKS)?;
            let fanout = run(world, "fanout", &in_batches(&events, BATCH)?, BATCHES).await?;
            crowds.push(Crowd { subscriptions, with_conditions, fanout });
        }
        api.end().await?;
    }
    world.aws.check()?;
    Ok(crowds)
}
