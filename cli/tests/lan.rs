//! The real binary on a LAN of network namespaces: what two machines see of each other, and how soon.
//!
//! Every figure that a test measures is printed on standard error, past the test runner's capture.
#![cfg(target_os = "linux")]

#[path = "lan/absence.rs"]
mod absence;
#[path = "lan/acquaintance.rs"]
mod acquaintance;
#[path = "lan/embedding.rs"]
mod embedding;
#[path = "lan/idleness.rs"]
mod idleness;
#[path = "lan/links.rs"]
mod links;
#[path = "lan/node.rs"]
mod node;
#[path = "lan/program.rs"]
mod program;
#[path = "lan/publishing.rs"]
mod publishing;
#[path = "lan/refusals.rs"]
mod refusals;
#[path = "lan/resolving.rs"]
mod resolving;
#[path = "lan/sessions.rs"]
mod sessions;
