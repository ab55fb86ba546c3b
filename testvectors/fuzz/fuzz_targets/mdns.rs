//! Arbitrary bytes as a script for an engine's mDNS. In `testvectors/`, with what is found kept elsewhere so that the corpus here
//! stays small: `RUSTC_BOOTSTRAP=1 cargo fuzz run mdns /tmp/found fuzz/corpus/mdns`
#![no_main]
libfuzzer_sys::fuzz_target!(|data: &[u8]| landfall_testvectors::fuzz_discovery::mdns(data));
