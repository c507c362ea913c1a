//! What an account has configured, and the steps that change it. Steps run one after the other: all of them count in
//! the account's row, and concurrent transactions on one row conflict.
//!
//! Invariant: a configuration that costs more to read than one request may is refused before anything is done (tests:
//! `a_configuration_that_costs_too_much_to_read_is_refused_before_anything_is_done`).

use std::collections::BTreeMap;
use std::time::Duration;

use domain::destination::{Destination, DestinationSettings};
use domain::routing::{Action, Configuration, Kind, NamedSubscription, Step, Subscription};
use domain::value::{AccountId, DestinationId, Label, Timestamp};
use ports::{DeletedDestination, DeletedSubscription, PortResult, UpdatedDestination, UpdatedSubscription, read_units};

use super::StepView;
use crate::resources::destinations;
use crate::resources::subscriptions;
use crate::resources::subscriptions::parts::{PART_UNITS, Part, Parts};
use crate::web::Deps;
use crate::web::conflict::{TRIES, gave_up};
use crate::web::etag::{IfMatch, changed};
use crate::web::problem::{Code, Problem};

/// How long steps may take together; API Gateway stops waiting for an answer after 30 s.
pub const APPLY_FOR: Duration = Duration::from_secs(20);
/// How many destinations are read at a time. They cost at most [`PART_UNITS`]: a row has 20 KiB at most.
const PAGE: usize = 25;
/// How many steps that change something one request takes, or shows, at most.
pub const MOST_CHANGES: usize = 1_000;
/// What a change costs at most, in read units: a row is read before it is changed, and a destination with its health.
const CHANGE_UNITS: usize = 8;

const KEPT_CHANGING: &str = "it was changed again and again while it was read; try again";

/// What an account has, by name.
pub struct Current {
    account: AccountId,
    destinations: BTreeMap<Label, Destination>,
    subscriptions: BTreeMap<Label, Subscription>,
    /// The names of the destinations.
    names: BTreeMap<DestinationId, Label>,
}

impl Current {
    pub async fn read(deps: &Deps, account: &AccountId) -> Result<Self, Problem> {
        for tried in 0..TRIES {
            // In this order, every subscription's destination is found unless it was deleted in between.
            let subscriptions = all_subscriptions(deps, account).await?;
            let destinations = all_destinations(deps, account).await?;
            let (Some(subscriptions), Some(destinations)) = (subscriptions, destinations) else {
                return Err(if tried == 0 { too_large() } else { gave_up(KEPT_CHANGING) });
            };
            let names: BTreeMap<_, _> = destinations.iter().map(|d| (d.id.clone(), d.settings.name.clone())).collect();
            if subscriptions.iter().all(|s| names.contains_key(&s.settings.destination_id)) {
                return Ok(Self {
                    account: account.clone(),
                    destinations: destinations.into_iter().map(|d| (d.settings.name.clone(), d)).collect(),
                    subscriptions: subscriptions.into_iter().map(|s| (s.settings.name.clone(), s)).collect(),
                    names,
                });
            }
        }
        Err(gave_up(KEPT_CHANGING))
    }

    /// The configuration as a document, ordered by name.
    pub fn configuration(&self) -> Configuration {
        let named = |s: &Subscription| {
            let destination = self.names.get(&s.settings.destination_id)?;
            Some(NamedSubscription::new(s.settings.clone(), destination.clone()))
        };
        Configuration {
            destinations: self.destinations.values().map(|d| d.settings.clone()).collect(),
            subscriptions: self.subscriptions.values().filter_map(named).collect(),
        }
    }

    /// How a step is answered before it is taken.
    pub fn planned(&self, step: Step) -> StepView {
        let id = match step.kind {
            Kind::Destination => self.destinations.get(&step.name).map(|d| d.id.to_string()),
            Kind::Subscription => self.subscriptions.get(&step.name).map(|s| s.id.to_string()),
        };
        StepView::new(step, id)
    }

    /// Takes the steps until `ends`. A problem lists those that were taken before it.
    pub async fn apply(
        self,
        deps: &Deps,
        steps: Vec<Step>,
        wanted: &Configuration,
        ends: Timestamp,
        if_match: &IfMatch,
    ) -> Result<Vec<StepView>, Problem> {
        let ids = self.destinations.iter().map(|(name, d)| (name.clone(), d.id.clone())).collect();
        let mut work = Work { deps, current: self, wanted, ids };
        let (mut done, mut changes, all) = (Vec::with_capacity(steps.len()), 0, steps.len());
        for step in steps {
            let is_change = step.action != Action::Unchanged;
            let is_enough = changes == MOST_CHANGES || read_units::left_for(CHANGE_UNITS) == 0;
            if is_change && (is_enough || deps.clock.now() >= ends) {
                let detail = format!(
                    "{} of {all} steps are taken, and a request takes no more, for it may read and last only so much; put \
                     it again to go on",
                    done.len()
                );
                return Err(after(done, Problem::new(Code::Unavailable, detail)));
            }
            changes += usize::from(is_change);
            match work.take(&step).await {
                Ok(Taken::Done(id)) => done.push(StepView::new(step, id)),
                Ok(Taken::Overtaken) => return Err(after(done, overtaken(if_match))),
                Err(problem) => return Err(after(done, problem)),
            }
        }
        Ok(done)
    }
}

/// A problem, with the steps that were taken before it as its member `done`.
fn after(done: Vec<StepView>, problem: Problem) -> Problem {
    let problem = if done.iter().any(StepView::is_change) { problem.after_changes() } else { problem };
    if done.is_empty() { problem } else { problem.with("done", &done) }
}

/// The problem when somebody else changed the same thing between the plan and the step.
fn overtaken(if_match: &IfMatch) -> Problem {
    if if_match.is_given() {
        changed()
    } else {
        Problem::new(Code::Unavailable, "others changed it at the same time; put it again")
    }
}

/// `None` if that costs too much.
async fn all_destinations(deps: &Deps, account: &AccountId) -> PortResult<Option<Vec<Destination>>> {
    let mut all: Vec<Destination> = Vec::new();
    while read_units::left_for(PART_UNITS) > 0 {
        let after = all.last().map(|d| d.id.clone());
        let page = deps.destinations.list_settings(account, after.as_ref(), PAGE).await?;
        let last = page.len() < PAGE;
        all.extend(page);
        if last {
            return Ok(Some(all));
        }
    }
    Ok(None)
}

/// `None` if that costs too much.
async fn all_subscriptions(deps: &Deps, account: &AccountId) -> PortResult<Option<Vec<Subscription>>> {
    let (mut all, mut parts) = (Vec::new(), Parts::new(deps, account, None, 0));
    loop {
        match parts.next().await? {
            Part::Read(some) => all.extend(some),
            Part::Ended => return Ok(Some(all)),
            Part::TooMuch => return Ok(None),
        }
    }
}

fn too_large() -> Problem {
    let detail = "the account has more destinations and subscriptions than are read for one document, which is about 1.5 MB \
        of them, such as 2,500 subscriptions; read the lists in pages, and change one at a time";
    Problem::new(Code::DocumentTooLarge, detail)
}

/// The result of a step.
enum Taken {
    /// It was taken; with the id of its destination or subscription.
    Done(Option<String>),
    /// Somebody else changed the same thing first.
    Overtaken,
}

/// The state while steps are taken.
struct Work<'a> {
    deps: &'a Deps,
    current: Current,
    wanted: &'a Configuration,
    /// The ids of the destinations, including those created by earlier steps.
    ids: BTreeMap<Label, DestinationId>,
}

impl Work<'_> {
    async fn take(&mut self, step: &Step) -> Result<Taken, Problem> {
        match (step.kind, step.action) {
            (_, Action::Unchanged) => Ok(Taken::Done(self.current.planned(step.clone()).id)),
            (Kind::Destination, Action::Create | Action::Update) => {
                let place = self.wanted.destinations.iter().position(|d| d.name == step.name);
                let Some(place) = place else { return Ok(Taken::Overtaken) };
                let settings = self.wanted.destinations[place].clone();
                let written = self.write_destination(settings).await;
                written.map_err(|problem| problem.under(&format!("/destinations/{place}")))
            }
            (Kind::Subscription, Action::Create | Action::Update) => {
                let place = self.wanted.subscriptions.iter().position(|s| s.name == step.name);
                let Some(place) = place else { return Ok(Taken::Overtaken) };
                let written = self.write_subscription(self.wanted.subscriptions[place].clone()).await;
                written.map_err(|problem| problem.under(&format!("/subscriptions/{place}")))
            }
            (Kind::Subscription, Action::Delete) => self.delete_subscription(&step.name).await,
            (Kind::Destination, Action::Delete) => self.delete_destination(&step.name).await,
        }
    }

    async fn write_destination(&mut self, settings: DestinationSettings) -> Result<Taken, Problem> {
        let name = settings.name.clone();
        let id = match self.current.destinations.get(&name) {
            Some(before) => {
                let Some(before) = self.with_health(before, &settings).await? else { return Ok(Taken::Overtaken) };
                let after = before.changed(settings, self.deps.clock.now());
                match self.deps.destinations.update_destination(&before, &after).await? {
                    UpdatedDestination::Updated => after.id,
                    UpdatedDestination::Changed | UpdatedDestination::NameTaken => return Ok(Taken::Overtaken),
                }
            }
            None => match destinations::add(self.deps, self.current.account.clone(), settings, None).await {
                Ok((destination, _)) => destination.id,
                Err(problem) if problem.code() == Code::NameTaken => return Ok(Taken::Overtaken),
                Err(problem) => return Err(problem),
            },
        };
        let shown = id.to_string();
        self.ids.insert(name, id);
        Ok(Taken::Done(Some(shown)))
    }

    /// The destination with its health if that changes with the settings, which resume it; `None` if it was changed
    /// meanwhile.
    async fn with_health(&self, before: &Destination, wanted: &DestinationSettings) -> PortResult<Option<Destination>> {
        if wanted.paused || !before.settings.paused {
            return Ok(Some(before.clone()));
        }
        let found = self.deps.destinations.find_destination(&before.account, &before.id).await?;
        Ok(found.filter(|found| found.version == before.version))
    }

    async fn write_subscription(&self, wanted: NamedSubscription) -> Result<Taken, Problem> {
        let Some(destination) = self.ids.get(&wanted.destination) else { return Ok(Taken::Overtaken) };
        let before = self.current.subscriptions.get(&wanted.name);
        let settings = wanted.settings(destination.clone());
        let Some(before) = before else {
            return match subscriptions::add(self.deps, self.current.account.clone(), settings).await {
                Ok(subscription) => Ok(Taken::Done(Some(subscription.id.to_string()))),
                // The destination was deleted, or another took the name.
                Err(problem) if matches!(problem.code(), Code::NameTaken | Code::ValidationFailed) => {
                    Ok(Taken::Overtaken)
                }
                Err(problem) => Err(problem),
            };
        };
        let after = before.changed(settings, self.deps.clock.now());
        match self.deps.subscriptions.update_subscription(before, &after).await? {
            UpdatedSubscription::Updated => Ok(Taken::Done(Some(after.id.to_string()))),
            UpdatedSubscription::TooManyConditions => Err(subscriptions::too_many_conditions("/condition")),
            UpdatedSubscription::Changed | UpdatedSubscription::NameTaken | UpdatedSubscription::NoDestination => {
                Ok(Taken::Overtaken)
            }
        }
    }

    /// Succeeds also if somebody else has already deleted it, and not if somebody else has changed it.
    async fn delete_subscription(&self, name: &Label) -> Result<Taken, Problem> {
        let Some(found) = self.current.subscriptions.get(name) else { return Ok(Taken::Overtaken) };
        let (account, version) = (&self.current.account, Some(found.version));
        match self.deps.subscriptions.delete_subscription(account, &found.id, version).await? {
            DeletedSubscription::Deleted | DeletedSubscription::NotFound => Ok(Taken::Done(Some(found.id.to_string()))),
            DeletedSubscription::Changed => Ok(Taken::Overtaken),
        }
    }

    async fn delete_destination(&self, name: &Label) -> Result<Taken, Problem> {
        let Some(found) = self.current.destinations.get(name) else { return Ok(Taken::Overtaken) };
        let (account, version) = (&self.current.account, Some(found.version));
        match self.deps.destinations.delete_destination(account, &found.id, version).await? {
            DeletedDestination::Deleted | DeletedDestination::NotFound => Ok(Taken::Done(Some(found.id.to_string()))),
            DeletedDestination::InUse | DeletedDestination::Changed => Ok(Taken::Overtaken),
        }
    }
}
