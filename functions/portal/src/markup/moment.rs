//! Converts moments from and to the text in date and time inputs.

use domain::value::Timestamp;

/// A moment as a date and time input shows it, in UTC. Text that is not a moment stays unchanged.
pub fn in_field(typed: &str) -> String {
    let asked = utc(typed);
    let moment = Timestamp::parse(&asked).map(|moment| moment.to_string());
    moment.map_or(asked, |text| text.trim_end_matches("Z").trim_end_matches(".000").to_owned())
}

/// A moment as the API expects it. Date and time inputs have no time zone, so UTC is assumed. Text that is not a moment
/// stays unchanged, and the API refuses it.
pub fn utc(typed: &str) -> String {
    let readings = ["", "Z", ":00Z"].map(|end| format!("{typed}{end}"));
    let read = readings.into_iter().find(|text| Timestamp::parse(text).is_ok());
    read.unwrap_or_else(|| typed.to_owned())
}
