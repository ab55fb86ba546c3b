//! Landfall beside others, measured in one run: every figure is a ratio to a peer, or an instruction count.
//!
//! Run them with `cargo bench -p landfall-benches`. What there is now:
//! - `benches/intake.rs`: the price of hearing an announce beside the price of the one signature verification in it;
//! - `benches/ingest.rs`: the price of a datagram among 1, 100 and 10 000 peers, and what is allocated for it;
//! - `benches/codec.rs` and `benches/codec_instructions.rs`: reading and writing one and the same mDNS [`packet`] with our
//!   codec and with each of the [`rivals`], in time and allocations, and in instructions;
//! - `benches/mdns_cache.rs`: bytes and time a service among 500 to 20 000 of one type, the longest wake-up, and floods;
//! - `benches/handshake`: our handshake beside its primitive operations, beside snow's Noise XX and rustls's TLS 1.3;
//! - `benches/aead.rs`: sealing and opening frames of 64 bytes to 64 KiB beside chacha20poly1305 itself.

pub mod crowd;
pub mod link;
pub mod packet;
pub mod rivals;
