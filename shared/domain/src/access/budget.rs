//! How much an account may use the API and the page, over all containers.
//!
//! One moment is stored, as with the turns of a destination ([`crate::destination::pace`]). Each unit that is spent moves it
//! forward by the unit's share of a second. While it is later than now, requests are refused. At most ten seconds before
//! now count, so an account that has used little has the budget of ten seconds in reserve.
//!
//! A container does not write for each request. It keeps a tab of what it has let in, and settles the tab when it reaches
//! half a second's worth. So a budget is exceeded at most once, by one tab for each container, and an account that asks
//! rarely costs no writes.
//!
//! Invariant: in any time, an account spends at most what its budget gives in that time and ten seconds more, and one tab
//! for each container (tests: `no_account_spends_more_than_its_budget`).

use std::time::Duration;

use crate::destination::{Lane, Pace, Reserved, Wish};
use crate::value::Timestamp;

/// An account that asks for nothing saves up the budget of this time at most.
pub const SAVED: Duration = Duration::from_secs(10);
/// How many tabs make a second's worth: a tab is settled when it reaches its part.
const TABS_PER_SECOND: u64 = 2;

/// What is limited by a budget.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Spending {
    /// Everything except events that are pushed, in units.
    Units,
    /// Events that are pushed.
    Events,
}

/// How much an account may spend in a second: 1 to 100,000.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Budget(u64);

#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("must be a whole number from 1 to 100000")]
pub struct BudgetError;

/// The default of the template.
impl Default for Budget {
    fn default() -> Self {
        Self(100)
    }
}

impl std::str::FromStr for Budget {
    type Err = BudgetError;
    fn from_str(text: &str) -> Result<Self, BudgetError> {
        let spent = text.parse().ok().filter(|spent| (1..=100_000).contains(spent));
        spent.map(Self).ok_or(BudgetError)
    }
}

/// What a container has let in for an account and not settled yet, and the stored moment as it last saw it.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Tab {
    open: u64,
    pace: Pace,
}

/// What happens to a request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Asked {
    /// It is let in, and its cost is on the tab.
    LetIn,
    /// It is let in if this wish is granted, which pays for everything on the tab as well.
    If(Wish),
    /// It is refused. It may be let in after this many seconds.
    Refused(u64),
}

fn microseconds(moment: Timestamp) -> u64 {
    moment.unix_ms().saturating_mul(1_000)
}

impl Budget {
    /// The share of a second that one unit is, in microseconds.
    fn every(self) -> u64 {
        1_000_000 / self.0
    }

    fn wish(self, units: u64, now: Timestamp) -> Wish {
        let now = microseconds(now);
        let from = now.saturating_sub(u64::try_from(SAVED.as_micros()).unwrap_or(u64::MAX));
        Wish { lane: Lane::Turns, from, until: now, length: self.every() * units, after_lines: false }
    }
}

impl Tab {
    /// The stored moment as this container last saw it.
    pub fn pace(&self) -> Pace {
        self.pace
    }

    /// Asks for this many units. If the tab has to be settled, it is emptied; [`Tab::settled`] fills it again if the wish
    /// was not granted.
    pub fn ask(&mut self, budget: Budget, cost: u64, now: Timestamp) -> Asked {
        let wish = budget.wish(self.open + cost, now);
        if self.pace.refuses(&wish) {
            return Asked::Refused(self.wait(now));
        }
        if self.open + cost < budget.0.div_ceil(TABS_PER_SECOND) {
            self.open += cost;
            return Asked::LetIn;
        }
        self.open = 0;
        Asked::If(wish)
    }

    /// What happens to a request that costs this many units, after its wish was answered.
    pub fn settled(&mut self, budget: Budget, cost: u64, wish: &Wish, reserved: Reserved, now: Timestamp) -> Asked {
        self.pace = reserved.pace;
        if reserved.start.is_some() {
            return Asked::LetIn;
        }
        self.open += (wish.length / budget.every()).saturating_sub(cost);
        Asked::Refused(self.wait(now))
    }

    /// Puts further units on the tab, for a request that was let in.
    pub fn charge(&mut self, cost: u64) {
        self.open += cost;
    }

    /// After how many seconds there is something to spend again.
    fn wait(&self, now: Timestamp) -> u64 {
        self.pace.free_from.saturating_sub(microseconds(now)).div_ceil(1_000_000).max(1)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const NOW: u64 = 1_795_426_200_000;

    fn at(ms: u64) -> Timestamp {
        Timestamp::from_unix_ms(NOW + ms)
    }

    /// Asks, and settles the tab if needed. Returns whether the request was let in, and whether that took a write.
    fn ask(tab: &mut Tab, stored: &mut Pace, budget: Budget, cost: u64, now: u64) -> (bool, bool) {
        match tab.ask(budget, cost, at(now)) {
            Asked::LetIn => (true, false),
            Asked::Refused(_) => (false, false),
            Asked::If(wish) => {
                let reserved = stored.reserve(&wish);
                *stored = reserved.pace;
                (tab.settled(budget, cost, &wish, reserved, at(now)) == Asked::LetIn, true)
            }
        }
    }

    #[test]
    fn who_saved_up_spends_ten_seconds_at_once_and_then_as_much_as_comes_in() {
        let (budget, mut tab, mut stored) = (Budget(100), Tab::default(), Pace::default());
        let mut spend = |now: u64| {
            let asked: Vec<_> = (0..2_000).map(|_| ask(&mut tab, &mut stored, budget, 1, now)).collect();
            (asked.iter().filter(|one| one.0).count(), asked.iter().filter(|one| one.1).count())
        };
        // A tab is settled as long as anything is left, so the last one exceeds the budget.
        assert_eq!(spend(0), (1_050, 21));
        assert_eq!(spend(499), (0, 0), "what it was told holds until then, and costs no write");
        assert_eq!(spend(500), (50, 1));
        assert_eq!(spend(1_000), (50, 1));
        assert_eq!(spend(3_600_000).0, 1_050);
    }

    #[test]
    fn what_is_refused_says_when_there_is_something_again() {
        let mut tab = Tab { open: 0, pace: Pace { free_from: (NOW + 2_300) * 1_000, ..Pace::default() } };
        assert_eq!(tab.ask(Budget(100), 1, at(0)), Asked::Refused(3));
        assert_eq!(tab.ask(Budget(100), 1, at(2_299)), Asked::Refused(1));
        assert_eq!(tab.ask(Budget(100), 1, at(2_300)), Asked::LetIn);
    }

    #[test]
    fn what_is_not_granted_stays_on_the_tab_without_who_asked() {
        let (budget, mut tab) = (Budget(100), Tab { open: 48, pace: Pace::default() });
        let Asked::If(wish) = tab.ask(budget, 25, at(0)) else { panic!("a wish") };
        assert_eq!((wish.length, tab.open), (730_000, 0));
        let pace = Pace { free_from: (NOW + 1_000) * 1_000, ..Pace::default() };
        assert_eq!(tab.settled(budget, 25, &wish, pace.reserve(&wish), at(0)), Asked::Refused(1));
        assert_eq!(tab, Tab { open: 48, pace });
    }

    #[test]
    fn what_belongs_to_a_request_that_was_let_in_is_paid_by_the_next_one() {
        let (budget, mut tab) = (Budget(100), Tab::default());
        assert_eq!(tab.ask(budget, 1, at(0)), Asked::LetIn);
        tab.charge(500);
        let Asked::If(wish) = tab.ask(budget, 1, at(0)) else { panic!("a wish") };
        assert_eq!(wish.length, 5_020_000);
    }

    #[test]
    fn a_budget_is_a_number_from_1_to_100000() {
        for (text, expected) in [
            ("1", Ok(Budget(1))),
            ("100000", Ok(Budget(100_000))),
            ("0", Err(BudgetError)),
            ("100001", Err(BudgetError)),
        ] {
            assert_eq!(text.parse::<Budget>(), expected, "{text}");
        }
    }

    proptest! {
        #[test]
        fn no_account_spends_more_than_its_budget(
            rate in 1u64..=1_000,
            asked in proptest::collection::vec((0u64..300, 0usize..4, 1u64..=25), 1..400)
        ) {
            let (budget, mut stored, mut tabs) = (Budget(rate), Pace::default(), [Tab::default(); 4]);
            let (mut now, mut spent) = (0, 0);
            for (later, container, cost) in asked {
                now += later;
                if ask(&mut tabs[container], &mut stored, budget, cost, now).0 {
                    spent += cost;
                }
                // A unit's share of a second is cut to microseconds, which is at most 0.1 % of it.
                let given = (now + 10_000) * rate * 1_001 / 1_000_000;
                let tab = rate.div_ceil(TABS_PER_SECOND) + 25;
                prop_assert!(spent <= given + 5 * tab, "{spent} within {now} ms at {rate} a second");
            }
        }
    }
}
