//! Landfall beside others, measured in one run: `cargo bench -p landfall-benches` prints a table and writes JSON and a plot.
//!
//! `cargo bench -p landfall-benches -- --list` says which groups there are; names of groups measure these alone. Each group is a
//! file of `benches/head_to_head/`, and says there what it measures and how fairly. Others' mDNS codecs are [`rivals`];
//! `landfall-figures` has what all groups share, and documents the JSON.
//!
//! Instructions are held to a budget by `cargo bench -p landfall-budget`, which is built without any of the others.

pub mod rivals;
