//! The geometry of a bar chart. Each hour is a stack of delivered, failed and parked deliveries, from the bottom up.
//! The tallest stack fills the height.

use super::hour::Hour;

/// The size of a chart, in its own units.
#[derive(Debug, Clone, Copy)]
pub struct Size {
    /// The width of an hour: its bar and the gap beside it.
    pub slot: u64,
    /// The width of a bar.
    pub bar: u64,
    pub height: u64,
}

impl Size {
    pub const SMALL: Size = Size { slot: 5, bar: 4, height: 32 };
    pub const LARGE: Size = Size { slot: 20, bar: 16, height: 100 };
}

/// The CSS classes of the bars: delivered, failed, parked, and nothing at all.
pub const KINDS: [&str; 4] = ["bar-ok", "bar-bad", "bar-parked", "bar-none"];

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Bar {
    pub kind: &'static str,
    /// The index of the hour, from 0.
    pub hour: usize,
    pub x: u64,
    pub y: u64,
    pub width: u64,
    pub height: u64,
}

impl Bar {
    /// The bar as a part of an SVG path.
    pub fn path(&self) -> String {
        format!("M{} {}h{}v{}h-{}z", self.x, self.y, self.width, self.height, self.width)
    }
}

/// The least height of a bar, so that a small number can still be seen. An hour without deliveries has a line of this
/// height.
const LEAST: u64 = 1;

pub fn bars(hours: &[Hour], size: Size) -> Vec<Bar> {
    let count = |hour: &Hour| [hour.delivered, hour.failed, hour.parked];
    let total = |hour: &Hour| count(hour).into_iter().fold(0, u64::saturating_add);
    let tallest = hours.iter().map(total).max().unwrap_or_default();
    let mut bars = Vec::new();
    for (at, hour) in hours.iter().enumerate() {
        let x = u64::try_from(at).unwrap_or(u64::MAX).saturating_mul(size.slot);
        let mut top = size.height;
        let parts = if total(hour) == 0 { [0, 0, 0, LEAST] } else { heights(count(hour), tallest, size.height) };
        for (kind, height) in KINDS.into_iter().zip(parts).filter(|(_, height)| *height > 0) {
            top = top.saturating_sub(height);
            bars.push(Bar { kind, hour: at, x, y: top, width: size.bar, height });
        }
    }
    bars
}

/// The heights of the parts of a stack. The largest part makes room for small ones that are raised to [`LEAST`].
fn heights(parts: [u64; 3], tallest: u64, height: u64) -> [u64; 4] {
    let scale = |part: u64| u128::from(part) * u128::from(height) / u128::from(tallest.max(1));
    let scaled = |part: u64| if part == 0 { 0 } else { u64::try_from(scale(part)).unwrap_or(height).max(LEAST) };
    let mut scaled = parts.map(scaled);
    let over = scaled.iter().sum::<u64>().saturating_sub(height);
    if let Some(largest) = scaled.iter_mut().max() {
        *largest -= over.min(*largest);
    }
    let [delivered, failed, parked] = scaled;
    [delivered, failed, parked, 0]
}

#[cfg(test)]
mod tests {
    use domain::value::Timestamp;

    use super::*;

    const SIZE: Size = Size { slot: 5, bar: 4, height: 100 };

    fn hour(delivered: u64, failed: u64, parked: u64) -> Hour {
        Hour { start: Timestamp::from_unix_ms(0), delivered, failed, parked }
    }

    #[track_caller]
    fn check(hours: &[Hour], expected: &[(&str, usize, u64, u64)]) {
        let got: Vec<_> = bars(hours, SIZE).iter().map(|bar| (bar.kind, bar.hour, bar.y, bar.height)).collect();
        assert_eq!(got, expected);
    }

    #[test]
    fn stacks_stand_on_the_ground_and_the_tallest_fills_the_height() {
        check(&[], &[]);
        check(&[hour(5, 0, 0)], &[("bar-ok", 0, 0, 100)]);
        check(
            &[hour(10, 0, 0), hour(5, 3, 2), hour(5, 0, 0)],
            &[
                ("bar-ok", 0, 0, 100),
                ("bar-ok", 1, 50, 50),
                ("bar-bad", 1, 20, 30),
                ("bar-parked", 1, 0, 20),
                ("bar-ok", 2, 50, 50),
            ],
        );
    }

    #[test]
    fn what_is_rare_is_still_seen_and_nothing_leaves_the_chart() {
        check(&[hour(1_000_000, 1, 1)], &[("bar-ok", 0, 2, 98), ("bar-bad", 0, 1, 1), ("bar-parked", 0, 0, 1)]);
    }

    #[test]
    fn an_hour_without_anything_is_a_line() {
        check(&[hour(0, 0, 0), hour(1, 0, 0)], &[("bar-none", 0, 99, 1), ("bar-ok", 1, 0, 100)]);
    }

    #[test]
    fn bars_stand_side_by_side() {
        let places: Vec<_> = bars(&[hour(1, 0, 0); 24], Size::SMALL).iter().map(|bar| bar.x).collect();
        assert_eq!((places.len(), places[0], places[1], places[23]), (24, 0, 5, 115));
        let bar = Bar { kind: "bar-ok", hour: 1, x: 5, y: 2, width: 4, height: 30 };
        assert_eq!(bar.path(), "M5 2h4v30h-4z");
    }
}
