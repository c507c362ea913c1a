//! In which order a list comes.

/// Which of the things of a list come first. Those of one moment come by their ids.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Order {
    NewestFirst,
    OldestFirst,
}
