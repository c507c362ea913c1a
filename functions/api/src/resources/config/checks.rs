//! Checks of a whole document before anything is done: limits, whether events can ever match the subscriptions, and the
//! addresses of new URLs.

use std::collections::BTreeMap;
use std::time::Duration;

use domain::destination::DestinationUrl;
use domain::routing::{Action, Configuration, Kind, MAX_CONDITION_BYTES, NamedSubscription, Pattern, Step};
use futures_util::{StreamExt, TryStreamExt, stream};

use crate::resources::subscriptions::warnings::{self, Warning};
use crate::resources::{destinations, subscriptions};
use crate::web::Deps;
use crate::web::problem::{Code, Problem};

/// How many warnings are shown at most.
const WARNINGS: usize = 100;
/// How many addresses are looked up at once, and how long all of that may take.
const LOOKUPS: usize = 20;
const LOOK_UP_FOR: Duration = Duration::from_secs(8);

/// Refuses steps that would exceed a limit, even if only until a later step deletes something.
pub fn check_limits(
    deps: &Deps,
    current: &Configuration,
    wanted: &Configuration,
    steps: &[Step],
) -> Result<(), Problem> {
    let limits = [
        (Kind::Destination, "/destinations", current.destinations.len(), deps.limits.destinations),
        (Kind::Subscription, "/subscriptions", current.subscriptions.len(), deps.limits.subscriptions),
    ];
    for (kind, pointer, before, most) in limits {
        let new = steps.iter().filter(|step| step.kind == kind && step.action == Action::Create).count();
        if new > 0 && before + new > most as usize {
            let detail = format!(
                "until the old ones are deleted, the account would have {} of them, but may have only {most}; \
                 first put a document without the old and without the new ones",
                before + new
            );
            return Err(Problem::at(Code::LimitReached, pointer, detail));
        }
    }
    check_conditions(current, wanted)
}

/// Refuses conditions that would have too many bytes while conditions that a later step deletes still exist.
fn check_conditions(current: &Configuration, wanted: &Configuration) -> Result<(), Problem> {
    let bytes = |s: &NamedSubscription| s.condition.as_ref().map_or(0, Pattern::size);
    let before: BTreeMap<_, _> = current.subscriptions.iter().map(|s| (&s.name, bytes(s))).collect();
    let more = wanted.subscriptions.iter().map(|s| bytes(s).saturating_sub(before.get(&s.name).copied().unwrap_or(0)));
    let more: usize = more.sum();
    if more > 0 && before.values().sum::<usize>() + more > MAX_CONDITION_BYTES {
        return Err(subscriptions::too_many_conditions("/subscriptions"));
    }
    Ok(())
}

/// Refuses settings with which a subscription could never receive anything, if they are new. Returns the warnings about
/// subscriptions that are created or changed.
pub fn check_reach(current: &Configuration, wanted: &Configuration) -> Result<Vec<Warning>, Problem> {
    let known: BTreeMap<_, _> = current.subscriptions.iter().map(|s| (&s.name, s)).collect();
    let mut all = Vec::new();
    for (place, subscription) in wanted.subscriptions.iter().enumerate() {
        let before = known.get(&subscription.name).copied();
        if before == Some(subscription) {
            continue;
        }
        let (pointer, reach) = (format!("/subscriptions/{place}"), subscription.reach());
        if before.is_none_or(|before| before.reach() != reach) {
            warnings::refuse_unreachable(reach).map_err(|problem| problem.under(&pointer))?;
        }
        all.extend(warnings::of(reach).into_iter().map(|warning| warning.under(&pointer)));
    }
    all.truncate(WARNINGS);
    Ok(all)
}

/// Refuses new URLs whose addresses would be blocked when they are called.
pub async fn check_addresses(deps: &Deps, current: &Configuration, wanted: &Configuration) -> Result<(), Problem> {
    let known: BTreeMap<_, _> = current.destinations.iter().map(|d| (&d.name, &d.url)).collect();
    let new = wanted.destinations.iter().enumerate().filter(|(_, d)| known.get(&d.name) != Some(&&d.url));
    let checks: Vec<_> = new.map(|(place, d)| check_address(deps, place, &d.url)).collect();
    let all = stream::iter(checks).buffered(LOOKUPS).try_collect();
    let too_long = |_| {
        let seconds = LOOK_UP_FOR.as_secs();
        let detail = format!(
            "the hosts of the new URLs could not all be looked up within {seconds} s, and nothing was done; put it again, or \
             with fewer new destinations"
        );
        Problem::new(Code::Unavailable, detail)
    };
    tokio::time::timeout(LOOK_UP_FOR, all).await.map_err(too_long)?
}

async fn check_address(deps: &Deps, place: usize, url: &DestinationUrl) -> Result<(), Problem> {
    let checked = destinations::check_address(deps, url).await;
    checked.map_err(|problem| problem.under(&format!("/destinations/{place}")))
}
