//! Arbitrary bytes as a script for an engine. In `testvectors/`, with what is found kept elsewhere so that the corpus here stays small:
//! `RUSTC_BOOTSTRAP=1 cargo fuzz run engine /tmp/found fuzz/corpus/engine`
#![no_main]
libfuzzer_sys::fuzz_target!(|data: &[u8]| landfall_testvectors::fuzzing::engine(data));
