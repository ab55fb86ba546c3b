//! Replays the fuzz targets' corpora through their entry functions: what a fuzzer once found interesting stays tested.

use std::fs;
use std::path::Path;

fn replay(target: &str, run: fn(&[u8])) -> usize {
    let corpus = Path::new(env!("CARGO_MANIFEST_DIR")).join("fuzz/corpus").join(target);
    let files = fs::read_dir(&corpus).expect("the corpus is there");
    let paths = files.map(|file| file.expect("the corpus can be listed").path());
    paths.map(|path| run(&fs::read(&path).expect("a corpus file can be read"))).count()
}

#[test]
fn no_corpus_file_panics_the_frame_reader() {
    assert!(replay("frame", landfall_testvectors::fuzzing::frame) >= 20);
}

#[test]
fn no_corpus_file_panics_the_engine_or_breaks_its_laws() {
    assert!(replay("engine", landfall_testvectors::fuzzing::engine) >= 10);
}

#[test]
fn no_corpus_file_panics_the_reader_of_mdns_messages() {
    assert!(replay("mdns_reader", landfall_testvectors::fuzz_mdns::mdns_reader) >= 40);
}

#[test]
fn no_corpus_file_panics_the_writer_of_mdns_messages_or_breaks_its_budget() {
    assert!(replay("mdns_writer", landfall_testvectors::fuzz_mdns::mdns_writer) >= 10);
}

#[test]
fn no_corpus_file_makes_mdns_break_a_law_of_its_own_or_of_the_rfc() {
    assert!(replay("mdns", landfall_testvectors::fuzz_discovery::mdns) >= 30);
}

#[test]
fn no_corpus_file_makes_two_nodes_lose_repeat_or_believe_a_word() {
    assert!(replay("session", landfall_testvectors::fuzz_session::session) >= 20);
}
