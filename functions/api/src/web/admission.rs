//! Admits requests while their account has budget left. `api` and `portal` share this code: each request to the API costs
//! units, depending on the class of its operation. A page is admitted once, before it begins; its own requests to the API
//! are charged but never refused, so no page ends halfway.
//!
//! Invariant: an account over its budget is refused, and other accounts are not affected (tests:
//! `an_account_over_its_budget_is_told_when_to_come_back_and_others_go_on`,
//! `a_visitor_over_the_budget_is_told_so_and_others_go_on`).
//!
//! Invariant: budgets cost one write for each half second's worth of units, and nothing while an account is idle (tests:
//! `requests_take_a_write_for_each_half_second_of_the_budget`).
//!
//! Invariant: the memory that a container uses for budgets is bounded (tests: `what_is_kept_of_accounts_is_bounded`).
//!
//! Invariant: nobody is refused because budgets cannot be read (tests: `budgets_that_cannot_be_read_refuse_nobody`).

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use axum::extract::{MatchedPath, Request, State};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use domain::access::{Asked, Budget, Spending, Tab};
use domain::value::AccountId;
use http::Method;
use ports::{Budgets, Clock};
use runtime::telemetry::ErrorChain;

use crate::web::caller::{self, Caller};
use crate::web::problem::Problem;

/// How many tabs are kept. If there would be more, all are dropped, which gives their accounts a little extra.
const MOST: usize = 10_000;

/// What an account may spend in a second.
#[derive(Debug, Clone, Copy)]
pub struct Allowance {
    pub units: Budget,
    pub events: Budget,
}

/// What an operation costs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Class {
    /// Reads one resource.
    Read,
    List,
    Write,
    /// Reads or does a lot, or waits for a receiver.
    Heavy,
    /// Pushes an event, which has a budget of its own.
    Push,
}

/// The operations that are more work than their method suggests.
const HEAVY: [(Method, &str); 9] = [
    (Method::POST, "/v1/destinations/{id}/recover"),
    (Method::POST, "/v1/destinations/{id}/test"),
    (Method::POST, "/v1/events/{id}/replay"),
    (Method::POST, "/v1/setups"),
    (Method::POST, "/v1/subscriptions/match"),
    (Method::POST, "/v1/subscriptions/{id}/replay"),
    (Method::GET, "/v1/config"),
    (Method::PUT, "/v1/config"),
    (Method::GET, "/v1/ledger"),
];

impl Class {
    /// The class of an operation. `path` is that of its route, and `None` if there is no such route.
    fn of(method: &Method, path: Option<&str>) -> Self {
        // The same handler serves it, without the body.
        let method = if method == Method::HEAD { &Method::GET } else { method };
        match path {
            Some("/v1/events") if method == Method::POST => Class::Push,
            Some(path) if HEAVY.iter().any(|heavy| heavy.0 == method && heavy.1 == path) => Class::Heavy,
            Some(_) if !method.is_safe() => Class::Write,
            Some(path) if path.ends_with('}') || path.ends_with("/stats") => Class::Read,
            Some(_) => Class::List,
            None => Class::Read,
        }
    }

    fn cost(self) -> u64 {
        match self {
            Class::Read | Class::Push => 1,
            Class::List | Class::Write => 5,
            Class::Heavy => 25,
        }
    }

    fn spending(self) -> Spending {
        if self == Class::Push { Spending::Events } else { Spending::Units }
    }
}

/// The account has spent its budget; it may try again after this many seconds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Spent {
    pub seconds: u64,
}

/// Marks a request as part of one that was admitted.
#[derive(Debug, Clone, Copy)]
pub struct Admitted;

pub struct Admission {
    budgets: Arc<dyn Budgets>,
    clock: Arc<dyn Clock>,
    allowance: Allowance,
    tabs: Mutex<HashMap<(AccountId, Spending), Tab>>,
}

impl Admission {
    pub fn new(budgets: Arc<dyn Budgets>, clock: Arc<dyn Clock>, allowance: Allowance) -> Self {
        Self { budgets, clock, allowance, tabs: Mutex::default() }
    }

    fn tabs(&self) -> MutexGuard<'_, HashMap<(AccountId, Spending), Tab>> {
        self.tabs.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn with_tab<T>(&self, account: &AccountId, of: Spending, what: impl FnOnce(&mut Tab) -> T) -> T {
        let mut tabs = self.tabs();
        if tabs.len() >= MOST {
            tabs.clear();
        }
        what(tabs.entry((account.clone(), of)).or_default())
    }

    /// Admits an operation of an account, or says when it may be tried again.
    ///
    /// # Errors
    /// If the account has spent its budget.
    pub async fn admit(&self, account: &AccountId, class: Class) -> Result<(), Spent> {
        let (of, cost, now) = (class.spending(), class.cost(), self.clock.now());
        let budget = self.budget(of);
        let asked = self.with_tab(account, of, |tab| (tab.ask(budget, cost, now), *tab));
        let asked = match asked {
            (Asked::If(wish), tab) => match self.budgets.spend(account, of, tab.pace(), &wish).await {
                Ok(reserved) => self.with_tab(account, of, |tab| tab.settled(budget, cost, &wish, reserved, now)),
                Err(error) => {
                    tracing::warn!(error = %ErrorChain(&error), account.id = %account, "a budget could not be read; the request is admitted");
                    Asked::LetIn
                }
            },
            (asked, _) => asked,
        };
        match asked {
            Asked::Refused(seconds) => Err(Spent { seconds }),
            Asked::LetIn | Asked::If(_) => Ok(()),
        }
    }

    /// Charges for an operation that is part of a request that was admitted.
    fn charge(&self, account: &AccountId, class: Class) {
        self.with_tab(account, class.spending(), |tab| tab.charge(class.cost()));
    }

    fn budget(&self, of: Spending) -> Budget {
        match of {
            Spending::Units => self.allowance.units,
            Spending::Events => self.allowance.events,
        }
    }
}

/// Middleware that refuses requests over an account's budget. A caller without an account is the operator or anonymous.
pub async fn within_budget(State(admission): State<Arc<Admission>>, request: Request, next: Next) -> Response {
    let Some(Caller { account, .. }) = caller::of(request.extensions()) else { return next.run(request).await };
    let path = request.extensions().get::<MatchedPath>().map(MatchedPath::as_str);
    let class = Class::of(request.method(), path);
    if request.extensions().get::<Admitted>().is_some() {
        admission.charge(&account, class);
    } else if let Err(Spent { seconds }) = admission.admit(&account, class).await {
        let detail = match class.spending() {
            Spending::Units => "the account has spent its budget of units; try again later, or make fewer requests",
            Spending::Events => {
                "the account has spent its budget of posted events; post them later, or push them to the queue"
            }
        };
        return Problem::rate_limited(detail, seconds).into_response();
    }
    next.run(request).await
}

#[cfg(test)]
mod tests {
    use testing::{MemoryStore, TestClock};

    use super::*;

    #[test]
    fn what_is_kept_of_accounts_is_bounded() {
        let allowance = Allowance { units: Budget::default(), events: Budget::default() };
        let admission = Admission::new(Arc::new(MemoryStore::default()), Arc::new(TestClock::new()), allowance);
        for n in 0..=MOST {
            admission.charge(&testing::account(&format!("a{n}")), Class::Read);
        }
        assert_eq!(admission.tabs().len(), 1);
    }

    #[test]
    fn operations_cost_by_what_they_do() {
        let document = crate::router::operations().to_openapi();
        let paths = document.paths.paths;
        for (method, path) in HEAVY {
            let item = paths.get(path).unwrap_or_else(|| panic!("there is no {path}"));
            let operation = if method == Method::GET {
                &item.get
            } else if method == Method::PUT {
                &item.put
            } else {
                &item.post
            };
            assert!(operation.is_some(), "there is no {method} {path}");
            let asked = if method == Method::GET { Method::HEAD } else { method };
            assert_eq!(Class::of(&asked, Some(path)), Class::Heavy, "{asked} {path}");
        }
        for (path, item) in paths.iter().filter(|(path, _)| path.starts_with("/v1/")) {
            let parameters = item.get.iter().flat_map(|operation| operation.parameters.iter().flatten());
            let is_list = parameters
                .into_iter()
                .any(|parameter| matches!(parameter, utoipa::openapi::RefOr::T(each) if each.name == "cursor"));
            let class = Class::of(&Method::GET, Some(path));
            assert!(!is_list || matches!(class, Class::List | Class::Heavy), "{path} is a list, and {class:?}");
        }
        for (method, path, class) in [
            (Method::POST, "/v1/events", Class::Push),
            (Method::GET, "/v1/events", Class::List),
            (Method::GET, "/v1/events/{id}", Class::Read),
            (Method::PATCH, "/v1/destinations/{id}", Class::Write),
            (Method::POST, "/v1/destinations/{id}/test", Class::Heavy),
        ] {
            assert_eq!(Class::of(&method, Some(path)), class, "{method} {path}");
        }
        assert_eq!(Class::of(&Method::POST, None), Class::Read);
    }
}
