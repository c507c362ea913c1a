//! The order of a list.

/// Which entries of a list come first. Entries with the same time are sorted by id.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Order {
    NewestFirst,
    OldestFirst,
}
