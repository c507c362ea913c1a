//! What a month costs in which nothing happens: what was counted in runs of `redrive` that found nothing to do, and what stands
//! in `prices.json`.

use serde::Serialize;

use super::{MILLION, Prices};
use crate::redrive::Idle;

/// One run of so many is the first of a stretch of ten minutes.
const RUNS_OF_A_STRETCH: f64 = 10.0;

#[derive(Debug, Clone, Serialize)]
pub(crate) struct Month {
    pub(crate) components: Vec<(&'static str, f64)>,
}

impl Month {
    pub(crate) fn total(&self) -> f64 {
        self.components.iter().map(|(_, dollars)| dollars).sum()
    }
}

impl Prices {
    pub(crate) fn month(&self, idle: &Idle) -> Month {
        let (price, month) = (&self.dollars, &self.month);
        let (runs, firsts) = (month.minutes, month.minutes / RUNS_OF_A_STRETCH);
        let all = idle.run.times(runs - firsts).plus(&idle.first_of_a_stretch.times(firsts));
        let invocation = |cpu_ms: f64, calls: f64| {
            self.invocation(cpu_ms, calls * self.assumed.call_waits_ms, self.assumed.memory_mb)
        };
        let of_redrive = invocation(idle.run.cpu_ms, idle.run.calls) * (runs - firsts)
            + invocation(idle.first_of_a_stretch.cpu_ms, idle.first_of_a_stretch.calls) * firsts;
        let components = vec![
            ("the key", month.key_dollars),
            ("alarms", month.alarm_metrics * month.alarm_metric_dollars + month.composite_alarm_dollars),
            ("Lambda: redrive", of_redrive),
            ("reads of redrive", all.read_units * price.table_million_read_units / MILLION),
            ("writes of redrive", all.write_units * price.table_million_write_units / MILLION),
            ("receives from empty queues", month.empty_receives * price.queue_million_requests / MILLION),
        ];
        Month { components }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::redrive::Work;

    #[test]
    fn a_month_at_rest_costs_what_the_page_on_cost_says() {
        let run = Work { cpu_ms: 0.0, calls: 0.0, read_units: 11.5, ..Work::default() };
        let first_of_a_stretch = Work { read_units: 20.5, write_units: 2.0, ..run.clone() };
        let month = Prices::read().expect("prices").month(&Idle { run, first_of_a_stretch });
        for (name, dollars) in [("the key", 1.0), ("alarms", 3.3), ("receives from empty queues", 0.518)] {
            let found = month.components.iter().find(|(component, _)| *component == name).expect(name).1;
            assert!((found - dollars).abs() < 0.001, "{name}: {found}");
        }
        let of_the_table: f64 = month.components[3..5].iter().map(|(_, dollars)| dollars).sum();
        assert!((of_the_table - 0.07).abs() < 0.005, "{of_the_table}");
        assert!((month.total() - 4.90).abs() < 0.01, "{}", month.total());
    }

    #[test]
    fn the_page_on_cost_has_the_same_sums() {
        let (page, month) = (include_str!("../../../../../docs/cost.md"), Prices::read().expect("prices").month);
        let alarms = format!("{:.0} metrics × {:.2}", month.alarm_metrics, month.alarm_metric_dollars);
        for sum in [alarms, "43,200 short invocations".to_owned(), "1,296,000 requests".to_owned()] {
            assert!(page.contains(&sum), "{sum}");
        }
        assert_eq!((month.minutes, month.empty_receives), (43_200.0, 1_296_000.0));
    }
}
