//! What reads cost while one request is answered, in read units of the table, and how much is left of what one request
//! may cost. What answers the ports counts what it reads. Whoever reads a list asks what is left, and ends its page when
//! too little is: a row may be small or have 60 KiB, and only the table knows.
//!
//! Invariant: no list, no part of the ledger and no event that is read costs more than [`MOST`] read units (tests: `a_request_has_what_is_left_and_an_inner_one_shares_it`,
//! `the_pages_of_a_wide_event_add_up_and_each_reads_little`,
//! `no_list_and_no_event_costs_more_than_500_read_units`), nor does what asks about all that an account has (tests: those of
//! `functions/api/tests/api/whole_lists.rs`, such as
//! `a_cascade_among_very_many_others_goes_on_where_it_was_and_finds_what_was_moved_before_that`), because no step costs more than it reckons with (tests:
//! `an_event_is_read_for_a_unit_and_a_row_of_a_wide_one_for_less_than_a_hundred`,
//! `a_delivery_is_read_for_at_most_16_units_and_its_state_for_8`,
//! `a_hundred_subscriptions_are_read_for_125_units_however_long_they_are`,
//! `destinations_are_read_for_five_units_each_however_long_they_are`,
//! `five_hundred_scopes_are_read_for_190_units_however_long_they_are`).

use std::cell::Cell;

/// The most that one request may cost. A strongly consistent read of 4 KiB costs one unit, another read half of that.
pub const MOST: usize = 500;

tokio::task_local! {
    static SPENT: Cell<f64>;
}

/// Counts what `request` reads. A request within another one shares what that has.
pub async fn counted<Request: Future>(request: Request) -> Request::Output {
    if are_counted() { request.await } else { SPENT.scope(Cell::new(0.0), request).await }
}

/// Whether a request is being answered, so that what it reads has to be counted.
pub fn are_counted() -> bool {
    SPENT.try_with(|_| ()).is_ok()
}

/// Adds what a read has cost. Outside of a request nothing is counted.
pub fn add(units: f64) {
    let _ = SPENT.try_with(|spent| spent.set(spent.get() + units));
}

/// Reads a part of what a request reads, with so many units kept back for the rest of it.
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
