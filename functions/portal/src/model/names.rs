//! The names of destinations, for lists of deliveries: there the API returns only ids.

use std::collections::{BTreeMap, BTreeSet};

use futures_util::future::try_join_all;
use serde::Deserialize;

use crate::model::listing::Filters;
use crate::model::{Listed, destination};
use crate::web::failure::Failure;
use crate::web::inner::Api;

/// The most destinations that a list offers to choose from. With more, a visitor types an id instead.
const CHOICES: usize = 25;

#[derive(Deserialize)]
struct Named {
    id: String,
    name: String,
}

/// Names by id. The name is `None` for a destination that was deleted.
#[derive(Default)]
pub struct Names(BTreeMap<String, Option<String>>);

/// The ids and names of the destinations to choose from, or `None` if there are too many.
pub type Choices = Option<Vec<(String, String)>>;

/// These choices and the chosen one, unless that is wrong.
pub fn with_chosen(choices: Choices, filters: &Filters) -> Choices {
    let chosen = filters.value("destination_id");
    let is_wrong = chosen.is_empty() || filters.error("destination_id").is_some();
    choices.map(|mut all| {
        if !is_wrong && !all.iter().any(|(id, _)| id == chosen) {
            all.push((chosen.to_owned(), chosen.to_owned()));
        }
        all
    })
}

impl Names {
    /// Looks up the names of all `ids`.
    pub async fn find<'a>(api: &Api, ids: impl Iterator<Item = &'a str>) -> Result<Self, Failure> {
        let mut names = Self::default();
        names.find_more(api, ids).await?;
        Ok(names)
    }

    /// Looks up the names of those `ids` that are not known yet.
    pub async fn find_more<'a>(&mut self, api: &Api, ids: impl Iterator<Item = &'a str>) -> Result<(), Failure> {
        let unknown: BTreeSet<&str> = ids.filter(|id| !self.0.contains_key(*id)).collect();
        let found = try_join_all(unknown.into_iter().map(|id| name_of(api, id))).await?;
        self.0.extend(found);
        Ok(())
    }

    /// Returns the destinations to choose from, and all names found on the way.
    pub async fn to_choose_from(api: &Api) -> Result<(Self, Choices), Failure> {
        let page: Listed<Named> = api.get(&format!("/v1/destinations?limit={CHOICES}")).await?;
        let mut all: Vec<_> = page.data.into_iter().map(|Named { id, name }| (id, name)).collect();
        let names = Self(all.iter().map(|(id, name)| (id.clone(), Some(name.clone()))).collect());
        if page.next_cursor.is_some() {
            return Ok((names, None));
        }
        all.sort_by(|one, other| one.1.cmp(&other.1));
        Ok((names, Some(all)))
    }

    pub fn of(&self, id: &str) -> Option<&str> {
        self.0.get(id)?.as_deref()
    }
}

async fn name_of(api: &Api, id: &str) -> Result<(String, Option<String>), Failure> {
    let found = api.find::<Named>(&destination::at(id)).await?;
    Ok((id.to_owned(), found.map(|found| found.name)))
}
