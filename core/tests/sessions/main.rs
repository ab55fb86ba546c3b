//! Sessions on whole networks: whatever is lost, late, repeated, altered or restarted, two nodes end in one session with the
//! same keys or in none, and what is delivered was sent, once and in order.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]

mod common;
mod identity;
mod interleavings;
mod laws;
mod life;
mod opening;
mod strangers;
mod tampering;
