//! Counts what the reads for one request cost, in read units of the table, and how much of the request's budget is
//! left. Adapters add the cost of each read. Code that reads a list asks what is left, and ends the page early if that
//! is too little: a row may be small or have 60 KiB, and only the table knows.
//!
//! Invariant: no list, no part of the ledger and no event costs more than [`MOST`] read units to read (tests:
//! `a_request_has_what_is_left_and_an_inner_one_shares_it`, `the_pages_of_a_wide_event_add_up_and_each_reads_little`,
//! `no_list_and_no_event_costs_more_than_500_read_units`). The same holds for requests about everything in an account
//! (tests: those of `functions/api/tests/api/whole_lists.rs`, such as
//! `a_cascade_among_very_many_others_goes_on_where_it_was_and_finds_what_was_moved_before_that`).
//!
//! Invariant: no single step costs more than is assumed for it (tests:
//! `an_event_is_read_for_a_unit_and_a_row_of_a_wide_one_for_less_than_a_hundred`,
//! `a_delivery_is_read_for_at_most_16_units_and_its_state_for_8`,
//! `a_hundred_subscriptions_are_read_for_125_units_however_long_they_are`,
//! `destinations_are_read_for_five_units_each_however_long_they_are`,
//! `five_hundred_scopes_are_read_for_190_units_however_long_they_are`).

use std::cell::Cell;

/// The most that one request may cost. A strongly consistent read of 4 KiB costs one unit, an eventually consistent one
/// half a unit.
pub const MOST: usize = 500;

tokio::task_local! {
    static SPENT: Cell<f64>;
}

/// Counts what `request` reads. A request within another one shares its budget.
pub async fn counted<Request: Future>(request: Request) -> Request::Output {
    if are_counted() { request.await } else { SPENT.scope(Cell::new(0.0), request).await }
}

/// Whether the code runs within a request, so that reads have to be counted.
pub fn are_counted() -> bool {
    SPENT.try_with(|_| ()).is_ok()
}

/// Adds the cost of a read. Outside of a request nothing is counted.
pub fn add(units: f64) {
    let _ = SPENT.try_with(|spent| spent.set(spent.get() + units));
}

/// Runs a part of a request's reads, and keeps `units` of the budget back for the rest.
pub async fn keeping<Part: Future>(units: usize, part: Part) -> Part::Output {
    let units = units as f64;
    add(units);
    let read = part.await;
    add(-units);
    read
}

/// What the request has cost so far.
pub fn spent() -> f64 {
    SPENT.try_with(Cell::get).unwrap_or(0.0)
}

/// How many rows that cost up to `each` units may still be read.
pub fn left_for(each: usize) -> usize {
    // Rounded up; a cast from a float saturates.
    MOST.saturating_sub(spent().ceil() as usize) / each.max(1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_request_has_what_is_left_and_an_inner_one_shares_it() {
        add(9_000.0);
        assert_eq!((left_for(1), left_for(5)), (500, 100), "nothing is counted outside of requests");
        counted(async {
            add(0.5);
            assert_eq!((left_for(1), left_for(5)), (499, 99));
            counted(async { add(99.5) }).await;
            assert_eq!((left_for(1), left_for(10)), (400, 40));
            assert_eq!(keeping(150, async { left_for(1) }).await, 250);
            assert_eq!(left_for(1), 400);
            add(900.0);
            assert_eq!(left_for(1), 0);
        })
        .await;
        assert_eq!(left_for(1), 500, "the next request has all of it again");
    }
}
