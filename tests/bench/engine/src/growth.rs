//! How what was measured grows with the size of its input: the exponent of the power that fits best, by least squares on
//! logarithms. 1 is proportional; below, something is shared or constant; above, something is done too often.

use serde::Serialize;

use crate::account::Over;
use crate::goals::Figures;

const KB: usize = 1_024;

#[derive(Debug, Clone, Serialize)]
pub(crate) struct Growth {
    pub(crate) what: String,
    /// Sizes, and milliseconds of a processor.
    pub(crate) points: Vec<(f64, f64)>,
    pub(crate) exponent: f64,
}

impl Growth {
    /// None with fewer than three sizes.
    fn of(what: &str, points: impl IntoIterator<Item = (f64, f64)>) -> Option<Self> {
        let points: Vec<_> = points.into_iter().collect();
        let exponent = exponent(&points);
        (points.len() > 2).then(|| Self { what: what.to_owned(), points, exponent })
    }

    pub(crate) fn all(figures: &Figures) -> Vec<Self> {
        let http = || figures.loads.iter().filter(|load| load.over == Over::Http);
        let of_1_kb = || http().filter(|load| load.bytes == KB);
        let of_ten = || http().filter(|load| load.fan_out == 10);
        let among = |conditions: bool| figures.crowds.iter().filter(move |crowd| crowd.with_conditions == conditions);
        let size = |subscriptions: usize| subscriptions as f64;
        let bytes = |bytes: usize| bytes as f64;
        let grown = [
            Self::of("fanout, an event, by deliveries", of_1_kb().map(|load| (size(load.fan_out), load.fanout.cpu_ms))),
            Self::of(
                "deliver, a delivery, by deliveries of an event",
                of_1_kb().map(|load| (size(load.fan_out), load.deliver.cpu_ms)),
            ),
            Self::of(
                "fanout, an event, by bytes, fan-out 10",
                of_ten().map(|load| (bytes(load.bytes), load.fanout.cpu_ms)),
            ),
            Self::of(
                "deliver, a delivery, by bytes, fan-out 10",
                of_ten().map(|load| (bytes(load.bytes), load.deliver.cpu_ms)),
            ),
            Self::of(
                "fanout, an event, by subscriptions elsewhere",
                among(false).map(|crowd| (size(crowd.subscriptions), crowd.fanout.cpu_ms)),
            ),
            Self::of(
                "fanout, an event, by conditions that do not match",
                among(true).map(|crowd| (size(crowd.subscriptions), crowd.fanout.cpu_ms)),
            ),
            Self::of(
                "fanout, a new instance's first batch, by the same",
                among(true).map(|crowd| (size(crowd.subscriptions), crowd.fanout.first_batch_ms)),
            ),
            Self::of(
                "redrive, all that is due, by deliveries",
                figures.due.iter().map(|due| (due.deliveries, due.all.cpu_ms)),
            ),
            Self::of(
                "redrive, statistics of an hour, by deliveries",
                figures.ledgers.iter().map(|ledger| (ledger.deliveries, ledger.roll_ups.cpu_ms)),
            ),
            Self::of(
                "redrive, the audit of an hour, by deliveries",
                figures.ledgers.iter().map(|ledger| (ledger.deliveries, ledger.audit.cpu_ms)),
            ),
        ];
        grown.into_iter().flatten().collect()
    }
}

fn exponent(points: &[(f64, f64)]) -> f64 {
    let logarithms: Vec<_> = points.iter().map(|(size, ms)| (size.ln(), ms.ln())).collect();
    let count = logarithms.len() as f64;
    let mean = |of: fn(&(f64, f64)) -> f64| logarithms.iter().map(of).sum::<f64>() / count;
    let (x, y) = (mean(|point| point.0), mean(|point| point.1));
    let together: f64 = logarithms.iter().map(|point| (point.0 - x) * (point.1 - y)).sum();
    together / logarithms.iter().map(|point| (point.0 - x).powi(2)).sum::<f64>()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(points: &[(f64, f64)], expected: f64) {
        assert!((exponent(points) - expected).abs() < 1e-9, "{points:?}: {}", exponent(points));
    }

    #[test]
    fn the_exponent_of_a_power_is_found() {
        check(&[(1.0, 5.0), (10.0, 5.0), (100.0, 5.0)], 0.0);
        check(&[(1.0, 3.0), (10.0, 30.0), (100.0, 300.0)], 1.0);
        check(&[(2.0, 8.0), (3.0, 18.0), (10.0, 200.0)], 2.0);
        check(&[(1.0, 1.0), (10.0, 10.0), (100.0, 1.0)], 0.0);
    }

    #[test]
    fn two_sizes_are_too_few() {
        assert!(Growth::of("a", [(1.0, 1.0), (2.0, 2.0)]).is_none());
        assert!(Growth::all(&Figures::default()).is_empty());
    }
}
