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
