//! Landfall beside everything else, in one run: a table, JSON and a plot.
//!
//! ```text
//! cargo bench -p landfall-benches -- [GROUP…] [--quick] [--json FILE] [--svg FILE] [--list]
//! ```
//!
//! Without a group all are measured. `--quick` takes a tenth of the rounds. The files are `target/head_to_head.json` and
//! `target/head_to_head.svg` unless said otherwise (Cargo takes relative paths from this package's folder);
//! [`landfall_figures`] documents what is in them. What a group measures, and how fairly, is said at the head of its file.

mod aead;
mod cache;
mod codec;
mod driver;
mod handshake;
mod ingest;
mod instructions;
mod lan;
mod machine;
mod measure;
mod memory;
mod options;
mod replay;
mod scheduling;
mod verify;

use std::process::ExitCode;
use std::{env, fs};

use landfall_budget::callgrind;
use landfall_figures::plot;
use landfall_figures::report::{LeftOut, Report, table};
use landfall_figures::rows::{Figure, Row, Unit, compared};
use measure::Entry;
use options::Options;

/// What is measured together.
struct Group {
    name: &'static str,
    about: &'static str,
    measure: fn(&mut Run),
}

const GROUPS: [Group; 12] = [
    Group {
        name: "codec",
        about: "one mDNS packet of 30 records read and written: dns-parser, domain, simple-dns, hickory, mdns-sd",
        measure: codec::measure,
    },
    Group { name: "instructions", about: "the same in instructions, under valgrind", measure: instructions::measure },
    Group { name: "ingest", about: "a datagram of one of 1, 100 or 10 000 known peers", measure: ingest::measure },
    Group { name: "verify", about: "an announce heard, its signature, replays, a flood", measure: verify::measure },
    Group { name: "handshake", about: "beside its own operations, snow and rustls", measure: handshake::measure },
    Group { name: "aead", about: "frames sealed and opened, beside chacha20poly1305 itself", measure: aead::measure },
    Group { name: "cache", about: "the services of a link: time, memory, wake-ups, floods", measure: cache::measure },
    Group {
        name: "scheduling",
        about: "the next deadline, and turns in which it falls due",
        measure: scheduling::measure,
    },
    Group {
        name: "driver",
        about: "a datagram through mio and smol, beside a bare std loop",
        measure: driver::measure,
    },
    Group {
        name: "replay",
        about: "captures and a trace once more, beside the time they took",
        measure: replay::measure,
    },
    Group { name: "memory", about: "bytes for a peer and for a service", measure: memory::measure },
    Group {
        name: "lan",
        about: "published to printed on a lab LAN: avahi, python-zeroconf, mdns-sd",
        measure: lan::measure,
    },
];

/// A group while it is measured.
pub(crate) struct Run {
    group: &'static str,
    quick: bool,
    rows: Vec<Row>,
    left_out: Vec<LeftOut>,
}

impl Run {
    /// Compares figures, of which the first is the reference.
    pub(crate) fn add(&mut self, what: &str, unit: Unit, figures: Vec<Figure>) {
        self.rows.extend(compared(self.group, what, unit, figures));
    }

    /// Adds figures that are no ratio of each other.
    pub(crate) fn add_each(&mut self, what: &str, unit: Unit, figures: impl IntoIterator<Item = Figure>) {
        figures.into_iter().for_each(|figure| self.add(what, unit, vec![figure]));
    }

    /// Measures entries in turns and compares them with the first.
    pub(crate) fn contest(&mut self, what: &str, unit: Unit, rounds: usize, entries: Vec<Entry>) {
        let measured = measure::in_turns(entries, self.rounds(rounds));
        self.add(what, unit, measured.iter().map(|measured| measured.figure(unit)).collect());
    }

    /// How many rounds of so many are wanted.
    pub(crate) fn rounds(&self, full: usize) -> usize {
        if self.quick { full.div_ceil(10) } else { full }
    }

    /// There are no figures of this, or of a part of it.
    pub(crate) fn leave_out(&mut self, why: impl Into<String>) {
        let why = why.into();
        println!("  LEFT OUT: {why}");
        self.left_out.push(LeftOut { group: self.group, why });
    }
}

fn main() -> ExitCode {
    // Other programs' places are taken by this one, started again.
    if callgrind::is_child() {
        instructions::count();
        return ExitCode::SUCCESS;
    }
    if lan::is_role() {
        lan::play();
        return ExitCode::SUCCESS;
    }
    let options = match Options::read(env::args().skip(1)) {
        Ok(options) => options,
        Err(why) => {
            eprintln!("{why}");
            return ExitCode::FAILURE;
        }
    };
    if !options.bench {
        println!("this is measured by `cargo bench`, not by `cargo test`");
        return ExitCode::SUCCESS;
    }
    if options.list {
        GROUPS.iter().for_each(|group| println!("{:<14}{}", group.name, group.about));
        return ExitCode::SUCCESS;
    }
    let report = measure(&options);
    let json = serde_json::to_string_pretty(&report).expect("plain values");
    let svg = plot::svg(&report);
    for (file, text) in [(&options.json, Some(json)), (&options.svg, svg)] {
        match text.map(|text| fs::write(file, text)) {
            Some(Ok(())) => println!("{}", file.canonicalize().as_ref().unwrap_or(file).display()),
            Some(Err(error)) => {
                eprintln!("{}: {error}", file.display());
                return ExitCode::FAILURE;
            }
            None => {}
        }
    }
    ExitCode::SUCCESS
}

fn measure(options: &Options) -> Report {
    let mut report = machine::report(options.quick);
    let machine = &report.machine;
    println!("{}, {} cores, {}, {}", machine.cpu, machine.cores, machine.os, machine.rustc);
    println!("median, least … most of the rounds, and the ratio to the first of each kind (the median of the rounds')");
    for Group { name, measure, .. } in GROUPS.iter().filter(|group| options.wants(group.name)) {
        println!("\n{name}");
        let mut run = Run { group: name, quick: options.quick, rows: Vec::new(), left_out: Vec::new() };
        measure(&mut run);
        print!("{}", table(&run.rows));
        report.rows.extend(run.rows);
        report.left_out.extend(run.left_out);
    }
    let missed = report.missed();
    println!("\n{} figures; {} of their bounds were missed", report.rows.len(), missed.len());
    missed.iter().for_each(|missed| println!("  {missed}"));
    report.left_out.iter().for_each(|LeftOut { group, why }| println!("LEFT OUT: {group}: {why}"));
    report
}
