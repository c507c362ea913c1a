//! What an account has configured, and the steps that change it. Steps run one after the other: all of them count in
//! the account's row, and concurrent transactions on one row conflict.

use std::collections::BTreeMap;
use std::time::Duration;

use domain::destination::{Destination, DestinationSettings, DestinationUrl};
use domain::routing::{Action, Configuration, Kind, NamedSubscription, Step, Subscription};
use domain::value::{AccountId, DestinationId, Label, Timestamp};
use futures_util::{StreamExt, TryStreamExt, stream};
use ports::{DeletedDestination, DeletedSubscription, PortResult, UpdatedDestination, UpdatedSubscription};

use super::StepView;
use crate::resources::destinations;
use crate::resources::subscriptions;
use crate::web::Deps;
use crate::web::conflict;
use crate::web::etag::{IfMatch, changed};
use crate::web::problem::{Code, Problem};

/// How long steps may take together; API Gateway stops waiting for an answer after 30 s.
pub const APPLY_FOR: Duration = Duration::from_secs(20);
/// How many destinations, or subscriptions, are read at a time.
const PAGE: usize = 1_000;
/// How many addresses are looked up at once.
const LOOKUPS: usize = 20;

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
        conflict::retry("it was changed again and again while it was read; try again", || async {
            // In this order, every subscription's destination is found unless it was deleted in between.
            let subscriptions = all_subscriptions(deps, account).await?;
            let destinations = all_destinations(deps, account).await?;
            let names: BTreeMap<_, _> = destinations.iter().map(|d| (d.id.clone(), d.settings.name.clone())).collect();
            let whole = subscriptions.iter().all(|s| names.contains_key(&s.settings.destination_id));
            Ok(whole.then(|| Self {
                account: account.clone(),
                destinations: destinations.into_iter().map(|d| (d.settings.name.clone(), d)).collect(),
                subscriptions: subscriptions.into_iter().map(|s| (s.settings.name.clone(), s)).collect(),
                names,
            }))
        })
        .await
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
        let (mut done, all) = (Vec::with_capacity(steps.len()), steps.len());
        for step in steps {
            if step.action != Action::Unchanged && deps.clock.now() >= ends {
                let detail =
                    format!("{} of {all} steps fitted into the time of a request; put it again to go on", done.len());
                return Err(after(done, Problem::new(Code::Unavailable, detail)));
            }
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

async fn all_destinations(deps: &Deps, account: &AccountId) -> PortResult<Vec<Destination>> {
    let mut all: Vec<Destination> = Vec::new();
    loop {
        let after = all.last().map(|d| d.id.clone());
        let page = deps.destinations.list_destinations(account, after.as_ref(), PAGE).await?;
        let last = page.len() < PAGE;
        all.extend(page);
        if last {
            return Ok(all);
        }
    }
}

async fn all_subscriptions(deps: &Deps, account: &AccountId) -> PortResult<Vec<Subscription>> {
    let mut all: Vec<Subscription> = Vec::new();
    loop {
        let after = all.last().map(|s| s.id.clone());
        let page = deps.subscriptions.list_subscriptions(account, after.as_ref(), PAGE).await?;
        let last = page.len() < PAGE;
        all.extend(page);
        if last {
            return Ok(all);
        }
    }
}

/// Refuses steps that would exceed a limit, even if only until a later step deletes something.
pub fn check_limits(deps: &Deps, current: &Configuration, steps: &[Step]) -> Result<(), Problem> {
    let limits = [
        (Kind::Destination, "/destinations", current.destinations.len(), deps.limits.destinations),
        (Kind::Subscription, "/subscriptions", current.subscriptions.len(), deps.limits.subscriptions),
    ];
    for (kind, pointer, before, most) in limits {
        let new = steps.iter().filter(|step| step.kind == kind && step.action == Action::Create).count();
        if new > 0 && before + new > most as usize {
            let detail = format!(
                "the account would have {} of them until the old ones are deleted, and may have {most}; \
                 put a document without the old and without the new ones first",
                before + new
            );
            return Err(Problem::at(Code::LimitReached, pointer, detail));
        }
    }
    Ok(())
}

/// Refuses new URLs whose addresses would be blocked when they are called.
pub async fn check_addresses(deps: &Deps, current: &Configuration, wanted: &Configuration) -> Result<(), Problem> {
    let known: BTreeMap<_, _> = current.destinations.iter().map(|d| (&d.name, &d.url)).collect();
    let new = wanted.destinations.iter().enumerate().filter(|(_, d)| known.get(&d.name) != Some(&&d.url));
    let checks: Vec<_> = new.map(|(place, d)| check_address(deps, place, &d.url)).collect();
    stream::iter(checks).buffered(LOOKUPS).try_collect().await
}

async fn check_address(deps: &Deps, place: usize, url: &DestinationUrl) -> Result<(), Problem> {
    let checked = destinations::check_address(deps, url).await;
    checked.map_err(|problem| problem.under(&format!("/destinations/{place}")))
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
                let after = before.changed(settings, self.deps.clock.now());
                match self.deps.destinations.update_destination(before, &after).await? {
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
