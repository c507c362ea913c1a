//! The page as a browser sees it, over in-memory ports: a file for each section.

mod entry;
mod wizard;
mod world;
