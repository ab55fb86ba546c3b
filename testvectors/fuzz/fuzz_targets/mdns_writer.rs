//! Arbitrary bytes as a script for the writer of mDNS messages. In `testvectors/`, with what is found kept elsewhere so that the corpus here stays small:
//! `RUSTC_BOOTSTRAP=1 cargo fuzz run mdns_writer /tmp/found fuzz/corpus/mdns_writer`
#![no_main]
libfuzzer_sys::fuzz_target!(|data: &[u8]| landfall_testvectors::fuzz_mdns::mdns_writer(data));
