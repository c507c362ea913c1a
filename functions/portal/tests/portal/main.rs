//! The page as a browser sees it, over in-memory ports: a file for each section.

mod destinations;
mod entry;
mod subscriptions;
mod wizard;
mod world;
