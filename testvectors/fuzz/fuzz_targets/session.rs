//! Arbitrary bytes as a script for two engines and whoever sits between them. In `testvectors/`, with what is found kept elsewhere so
//! that the corpus here stays small: `RUSTC_BOOTSTRAP=1 cargo fuzz run session /tmp/found fuzz/corpus/session`
#![no_main]
libfuzzer_sys::fuzz_target!(|data: &[u8]| landfall_testvectors::fuzz_session::session(data));
