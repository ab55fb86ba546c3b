//! PROTOCOL.md does not lie about this repository: the tests and files that it names exist, and its known answer is the one
//! that both implementations make.

use std::fs;
use std::path::{Path, PathBuf};

fn repository() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().expect("testvectors is a folder of the repository").to_path_buf()
}

fn specification() -> String {
    fs::read_to_string(repository().join("core/PROTOCOL.md")).expect("the specification is there")
}

/// What stands in backticks in a section.
fn quoted(section: &str) -> Vec<String> {
    let text = specification();
    let (_, rest) =
        text.split_once(&format!("\n## {section}")).unwrap_or_else(|| panic!("there is no section {section}"));
    let section = rest.split("\n## ").next().unwrap_or_default();
    section.split('`').skip(1).step_by(2).map(String::from).collect()
}

/// All Rust files below a folder, one after the other.
fn sources(folder: &Path, into: &mut String) {
    for entry in fs::read_dir(folder).expect("a folder that can be listed") {
        let path = entry.expect("an entry").path();
        if path.is_dir() {
            sources(&path, into);
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            into.push_str(&fs::read_to_string(&path).expect("a source file"));
        }
    }
}

#[test]
fn every_test_that_the_table_of_attacks_names_exists() {
    let mut all = String::new();
    for package in [
        "core/src",
        "core/tests",
        "runtime-mio/driver/src",
        "cli/src",
        "cli/tests",
        "testvectors/src/conformance",
        "testvectors/tests",
    ] {
        sources(&repository().join(package), &mut all);
    }
    let is_test = |name: &&String| {
        name.contains('_') && name.bytes().all(|byte| matches!(byte, b'a'..=b'z' | b'0'..=b'9' | b'_'))
    };
    let named = quoted("12.");
    let tests: Vec<&String> = named.iter().filter(is_test).collect();
    let missing: Vec<&&String> = tests.iter().filter(|name| !all.contains(&format!("fn {name}("))).collect();
    assert!(missing.is_empty(), "no such test: {missing:?}");
    assert!(tests.len() >= 30, "the table names {} tests", tests.len());
}

#[test]
fn every_file_that_it_names_exists() {
    let text = specification();
    let named = text.split('`').skip(1).step_by(2);
    let files: Vec<&str> = named.filter(|name| name.starts_with("testvectors/") || name.starts_with("core/")).collect();
    let missing: Vec<&&str> = files.iter().filter(|name| !repository().join(name).exists()).collect();
    assert!(missing.is_empty(), "no such file: {missing:?}");
    assert!(files.len() >= 8, "it names {} files", files.len());
    for model in quoted("11.").iter().filter(|name| name.ends_with(".pv") || name.ends_with(".vp")) {
        assert!(repository().join("testvectors/models").join(model).exists(), "there is no model {model}");
    }
}

#[test]
fn its_known_answer_is_that_of_the_vectors() {
    let json = fs::read(repository().join("testvectors/vectors/handshake.json")).expect("the vectors are there");
    let json: serde_json::Value = serde_json::from_slice(&json).expect("JSON");
    let handshakes = json["handshakes"].as_array().expect("handshakes");
    let room = handshakes.iter().find(|case| case["name"] == "room").expect("the case of the known answer");
    let text = specification();
    for value in [&room["h4"], &room["ms"], &room["k_i"][0]] {
        let value = value.as_str().expect("hexadecimal");
        assert!(text.contains(value), "{value} is not in the specification");
    }
}
