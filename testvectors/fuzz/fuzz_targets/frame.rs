//! Arbitrary bytes as a frame. In `testvectors/`, with what is found kept elsewhere so that the corpus here stays small:
//! `RUSTC_BOOTSTRAP=1 cargo fuzz run frame /tmp/found fuzz/corpus/frame`
#![no_main]
libfuzzer_sys::fuzz_target!(|data: &[u8]| landfall_testvectors::fuzzing::frame(data));
