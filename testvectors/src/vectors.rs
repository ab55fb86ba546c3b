//! The wire vectors under `vectors/`: frames made by an implementation that shares no code with ours, and what to think of
//! each. `vectors/reference_frames.py` writes them and describes the format.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

/// One vector.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Vector {
    /// Its file's name without the extension: `beacon/announce-full`.
    pub name: String,
    /// What it is about.
    pub comment: String,
    /// What a correct reader reads, by field. Empty when it is to be rejected.
    pub reading: BTreeMap<String, String>,
    /// At which stage it is to be rejected.
    pub reject: Option<Stage>,
    /// The datagram's payload.
    pub frame: Vec<u8>,
}

/// Where a frame fails.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stage {
    /// Lengths, magic, kind or flags.
    Frame,
    /// Key or signature.
    Signature,
    /// All holds but the CBOR body.
    Body,
}

impl Vector {
    /// What a reader must read in this field.
    #[must_use]
    pub fn field(&self, name: &str) -> Option<&str> {
        self.reading.get(name).map(String::as_str)
    }
}

/// Where the vectors are.
#[must_use]
pub fn directory() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("vectors")
}

/// The vectors of one folder, `beacon` or `probe`, in the order of their names.
///
/// # Panics
/// When a file cannot be read or does not keep the format: a test that ran on fewer vectors would say too little.
#[must_use]
pub fn load(folder: &str) -> Vec<Vector> {
    let listing = fs::read_dir(directory().join(folder)).expect("the folder of vectors is there");
    let mut paths: Vec<PathBuf> = listing.map(|entry| entry.expect("the folder can be listed").path()).collect();
    paths.retain(|path| path.extension().is_some_and(|extension| extension == "txt"));
    paths.sort();
    let read = |path: &PathBuf| {
        let stem = path.file_stem().and_then(|stem| stem.to_str()).expect("a vector's name is UTF-8");
        let text = fs::read_to_string(path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
        parse(&format!("{folder}/{stem}"), &text).unwrap_or_else(|why| panic!("{}: {why}", path.display()))
    };
    paths.iter().map(read).collect()
}

/// Reads one vector's text.
///
/// # Errors
/// Says what is wrong with the text.
pub fn parse(name: &str, text: &str) -> Result<Vector, String> {
    let mut comment = Vec::new();
    let mut reading = BTreeMap::new();
    let mut reject = None;
    let mut lines = text.lines();
    for line in lines.by_ref() {
        if let Some(remark) = line.strip_prefix("# ") {
            comment.push(remark);
        } else if line == "frame:" {
            break;
        } else {
            let (field, value) = line.split_once(": ").or_else(|| Some((line.strip_suffix(':')?, ""))).ok_or(line)?;
            match (field, value) {
                ("reject", "frame") => reject = Some(Stage::Frame),
                ("reject", "signature") => reject = Some(Stage::Signature),
                ("reject", "body") => reject = Some(Stage::Body),
                ("reject", other) => return Err(format!("unknown stage {other}")),
                _ => drop(reading.insert(field.to_owned(), unescape(value)?)),
            }
        }
    }
    let mut frame = Vec::new();
    for line in lines {
        let digits = line.split(';').next().unwrap_or_default().trim();
        frame.extend(hex(digits).ok_or_else(|| format!("not hexadecimal: {digits}"))?);
    }
    if reject.is_some() != reading.is_empty() {
        return Err("a vector says either what to read or where to reject".into());
    }
    Ok(Vector { name: name.into(), comment: comment.join("\n"), reading, reject, frame })
}

/// Bytes from pairs of hexadecimal digits.
#[must_use]
pub fn hex(digits: &str) -> Option<Vec<u8>> {
    let pairs = digits.as_bytes().chunks(2);
    pairs
        .map(|pair| u8::from_str_radix(std::str::from_utf8(pair).ok().filter(|pair| pair.len() == 2)?, 16).ok())
        .collect()
}

fn unescape(text: &str) -> Result<String, String> {
    let mut parts = text.split("\\u{");
    let mut out = String::from(parts.next().unwrap_or_default());
    for part in parts {
        let (code, rest) = part.split_once('}').ok_or("an escape without an end")?;
        out.push(u32::from_str_radix(code, 16).ok().and_then(char::from_u32).ok_or("an escape of no character")?);
        out.push_str(rest);
    }
    Ok(out)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_vector_keeps_the_format_and_no_two_are_the_same_frame() {
        let all: Vec<Vector> = ["beacon", "probe"].into_iter().flat_map(load).collect();
        assert!(all.len() > 100, "only {} vectors", all.len());
        let frames: BTreeMap<&[u8], &str> =
            all.iter().map(|vector| (&vector.frame[..], vector.name.as_str())).collect();
        assert_eq!(frames.len(), all.len());
    }

    #[test]
    fn escapes_become_the_characters_they_name() {
        assert_eq!(unescape("a\\u{202e}b"), Ok("a\u{202e}b".into()));
        assert!(unescape("a\\u{202e").is_err());
        assert!(unescape("\\u{d800}").is_err());
    }
}
