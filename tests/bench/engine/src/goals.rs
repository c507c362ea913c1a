//! The goals, and which are met.

use serde::Serialize;

use crate::account::Over;
use crate::cold::ColdStart;
use crate::crowds::Crowd;
use crate::dollars::{Bill, Month};
use crate::due::Due;
use crate::failing::Failing;
use crate::floor::Floor;
use crate::growth::Growth;
use crate::isolation::Isolation;
use crate::ledger::Ledger;
use crate::load::Measured;
use crate::redrive::Idle;
use crate::requests::Requested;

/// A figure beside what it is to be at most.
#[derive(Debug, Clone, Serialize)]
pub(crate) struct Goal {
    pub(crate) what: String,
    pub(crate) unit: &'static str,
    /// None where it could not be measured.
    pub(crate) figure: Option<f64>,
    pub(crate) most: f64,
}

impl Goal {
    fn new(what: impl Into<String>, unit: &'static str, figure: Option<f64>, most: f64) -> Self {
        Self { what: what.into(), unit, figure, most }
    }

    /// What could not be measured is not missed.
    pub(crate) fn is_missed(&self) -> bool {
        self.figure.is_some_and(|figure| figure.is_nan() || figure > self.most)
    }
}

/// All that was measured.
#[derive(Debug, Default, Serialize)]
pub(crate) struct Figures {
    pub(crate) floor: Floor,
    pub(crate) loads: Vec<Measured>,
    pub(crate) crowds: Vec<Crowd>,
    pub(crate) ledgers: Vec<Ledger>,
    pub(crate) due: Vec<Due>,
    pub(crate) idle: Option<Idle>,
    pub(crate) requests: Vec<Requested>,
    pub(crate) cold_starts: Vec<ColdStart>,
    pub(crate) failing: Vec<Failing>,
    pub(crate) isolation: Option<Isolation>,
    pub(crate) bills: Vec<Bill>,
    pub(crate) month: Option<Month>,
    pub(crate) growth: Vec<Growth>,
}

impl Figures {
    fn load(&self, over: Over, fan_out: usize, bytes: usize) -> Option<&Measured> {
        let is_it = |load: &&Measured| (load.over, load.fan_out, load.bytes) == (over, fan_out, bytes);
        self.loads.iter().find(is_it)
    }

    pub(crate) fn goals(&self) -> Vec<Goal> {
        let mut goals = Vec::new();
        for (fan_out, most) in [(1, 10.0), (3, 5.0)] {
            let times = self.load(Over::Http, fan_out, 1_024).map(|load| load.together() / self.floor.kept);
            let what = format!("fanout + deliver for a delivery, fan-out {fan_out}: processor time / the kept floor");
            goals.push(Goal::new(what, "x", times, most));
        }
        let first = self.load(Over::Http, 1, 1_024);
        let calls = "calls of AWS for a healthy batch of ten, fan-out 1";
        goals.push(Goal::new(format!("{calls}: fanout"), "", first.map(|load| load.fanout.calls_of_a_batch), 3.0));
        goals.push(Goal::new(format!("{calls}: deliver"), "", first.map(|load| load.deliver.calls_of_a_batch), 1.0));
        let is_it = |bill: &&Bill| bill.is_healthy && (bill.fan_out, bill.bytes) == (3, 1_024);
        let bill = self.bills.iter().find(is_it).map(Bill::total);
        goals.push(Goal::new("dollars for a million deliveries, fan-out 3, 1 KB, without egress", "$", bill, 1.60));
        let metrics = self.bills.iter().find(is_it).map(Bill::logs);
        goals.push(Goal::new(
            "dollars for lines of metrics, a million deliveries, fan-out 3, 1 KB",
            "$",
            metrics,
            0.05,
        ));
        for fan_out in [1, 10] {
            let times = self.load(Over::Https, fan_out, 1_024).map(|load| load.deliver.cpu_ms / self.floor.tls_kept);
            let what = format!("deliver over HTTPS, fan-out {fan_out}: processor time / the kept TLS floor");
            goals.push(Goal::new(what, "x", times, 6.0));
        }
        let crowd = |size| self.crowds.iter().find(|crowd| crowd.with_conditions && crowd.subscriptions == size);
        let cpu = |size| crowd(size).map(|crowd| crowd.fanout.cpu_ms);
        let times = cpu(10_000).zip(cpu(10)).map(|(many, few)| many / few);
        let what = "fanout for an event: 10,000 subscriptions whose conditions do not match / 10 of them";
        goals.push(Goal::new(what, "x", times, 2.0));
        let ledger = self.ledgers.iter().find(|ledger| ledger.fan_out == 3);
        let what = "audit and statistics of a healthy delivery, fan-out 3";
        goals.push(Goal::new(format!("{what}: processor time"), "us", ledger.map(Ledger::cpu_us), 30.0));
        goals.push(Goal::new(format!("{what}: read units"), "", ledger.map(Ledger::read_units), 0.1));
        let times = self.isolation.as_ref().map(Isolation::times);
        let what = "p99 of deliveries to 99 destinations: beside one that hangs / without it";
        goals.push(Goal::new(what, "x", times, 1.2));
        for (function, most) in [("deliver", 50.0), ("fanout", 60.0), ("api", 90.0)] {
            let start = self.cold_starts.iter().find(|start| start.function == function);
            let median = start.and_then(|start| start.with_share).map(|times| times.answer[0]);
            let what = format!("first answer after a cold start with 0.145 of a processor: {function}");
            goals.push(Goal::new(what, "ms", median, most));
        }
        let peak = self.load(Over::Http, 10, 200 * 1_024).map(|load| load.deliver.peak_mib);
        goals.push(Goal::new("peak memory of deliver, 200 KB x 10", "MiB", peak, 32.0));
        let size = self.cold_starts.iter().find(|start| start.function == "deliver").map(|start| start.size / 1e6);
        goals.push(Goal::new("the program of deliver", "MB", size, 7.0));
        goals
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_goal_is_missed_by_more_and_by_no_number_but_not_by_what_cannot_be_measured() {
        let missed = |figure| Goal::new("a", "x", figure, 5.0).is_missed();
        assert_eq!([Some(5.0), Some(5.1), Some(f64::NAN), None].map(missed), [false, true, true, false]);
    }
}
