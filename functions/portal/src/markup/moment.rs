//! Moments in inputs of date and time.

use domain::value::Timestamp;

/// A moment as an input of date and time shows it, in UTC; what is none stays as it was typed.
pub fn in_field(typed: &str) -> String {
    let asked = utc(typed);
    let moment = Timestamp::parse(&asked).map(|moment| moment.to_string());
    moment.map_or(asked, |text| text.trim_end_matches("Z").trim_end_matches(".000").to_owned())
}

/// A moment as the API takes it: an input of date and time has no zone, and means UTC here. What is no moment stays as it was
/// typed, for the API to say so.
pub fn utc(typed: &str) -> String {
    let readings = ["", "Z", ":00Z"].map(|end| format!("{typed}{end}"));
    let read = readings.into_iter().find(|text| Timestamp::parse(text).is_ok());
    read.unwrap_or_else(|| typed.to_owned())
}
