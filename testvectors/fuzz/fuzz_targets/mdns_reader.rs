//! Arbitrary bytes as an mDNS message. In `testvectors/`, with what is found kept elsewhere so that the corpus here stays small:
//! `RUSTC_BOOTSTRAP=1 cargo fuzz run mdns_reader /tmp/found fuzz/corpus/mdns_reader`
#![no_main]
libfuzzer_sys::fuzz_target!(|data: &[u8]| landfall_testvectors::fuzz_mdns::mdns_reader(data));
