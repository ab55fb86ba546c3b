//! Landfall's hot paths as tasks that can be done again and again, and a budget for the instructions that each may take.
//!
//! `cargo bench -p landfall-budget` counts them under valgrind and compares the counts with `budget.toml`. It depends on
//! `landfall-core` and on nobody else's codecs, so that it is built in a minute; `landfall-benches` measures the same
//! tasks in time, beside others'.
//!
//! - [`packet`]: one mDNS response of 30 records, and [`codec`]: reading and writing it;
//! - [`node`]: an engine with its key, that hears datagrams and is drained;
//! - [`handshake`]: both sides of a session's beginning, step by step;
//! - [`tasks`]: the hot paths that have a budget, made of these;
//! - [`callgrind`]: counting; [`compare`]: which counts break the budget.

pub mod callgrind;
pub mod codec;
pub mod compare;
pub mod handshake;
pub mod node;
pub mod packet;
pub mod tasks;
