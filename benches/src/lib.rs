//! Landfall beside others, measured in one run: every figure is a ratio to a peer, or an instruction count.
//!
//! Run them with `cargo bench -p landfall-benches`. What there is now: the price of hearing an announce beside the price of
//! the one signature verification in it (`benches/intake.rs`).
