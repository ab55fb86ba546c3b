//! What is asked for on the command line.

use std::env;
use std::path::PathBuf;

pub(crate) struct Options {
    /// Whether `cargo bench` runs this, and not `cargo test`.
    pub(crate) bench: bool,
    pub(crate) list: bool,
    pub(crate) quick: bool,
    pub(crate) json: PathBuf,
    pub(crate) svg: PathBuf,
    groups: Vec<String>,
}

impl Options {
    pub(crate) fn read(mut arguments: impl Iterator<Item = String>) -> Result<Self, String> {
        // This program is target/release/deps/head_to_head-….
        let this = env::current_exe().map_err(|error| format!("this program does not find itself: {error}"))?;
        let target = this.ancestors().nth(3).map(PathBuf::from).unwrap_or_default();
        let (json, svg) = (target.join("head_to_head.json"), target.join("head_to_head.svg"));
        let mut options = Self { bench: false, list: false, quick: false, json, svg, groups: Vec::new() };
        while let Some(argument) = arguments.next() {
            let mut file = || arguments.next().map(PathBuf::from).ok_or(format!("{argument} wants a file"));
            match argument.as_str() {
                "--bench" => options.bench = true,
                "--list" => options.list = true,
                "--quick" => options.quick = true,
                "--json" => options.json = file()?,
                "--svg" => options.svg = file()?,
                option if option.starts_with('-') => {
                    return Err(format!("`{option}` is not understood; there are --quick, --json, --svg and --list"));
                }
                group if super::GROUPS.iter().any(|known| known.name == group) => options.groups.push(argument),
                group => {
                    let known = super::GROUPS.map(|group| group.name).join(", ");
                    return Err(format!("there is no group `{group}`, but {known}"));
                }
            }
        }
        Ok(options)
    }

    pub(crate) fn wants(&self, group: &str) -> bool {
        self.groups.is_empty() || self.groups.iter().any(|wanted| wanted == group)
    }
}
