//! One mDNS response of 30 records and 1410 bytes, read and written by every codec: time, and what the allocator is asked for.
//!
//! [`landfall_benches::rivals`] says who skips what. mdns-sd can only be reached through the entry of its fuzzer: its figure
//! holds one copy of the packet and one error's text too. dns-parser writes no records, and mdns-sd's writer is private.
//! The allocator counts, which costs whoever asks it some nanoseconds each time.

use std::cell::RefCell;
use std::hint::black_box;
use std::rc::Rc;

use landfall_benches::rivals;
use landfall_budget::{codec, packet};
use landfall_core::wire::mdns::MessageWriter;
use landfall_figures::rows::{Figure, Unit};

use crate::Run;
use crate::measure::Entry;

const ROUNDS: usize = 301;

struct Contestant {
    who: &'static str,
    note: &'static str,
    call: Rc<RefCell<dyn FnMut()>>,
}

fn contestant(who: &'static str, note: &'static str, call: impl FnMut() + 'static) -> Contestant {
    Contestant { who, note, call: Rc::new(RefCell::new(call)) }
}

pub(crate) fn measure(run: &mut Run) {
    contest(run, "30 records in 1410 bytes, read", readers());
    contest(run, "30 records in 1410 bytes, written", writers());
}

fn contest(run: &mut Run, what: &str, contestants: Vec<Contestant>) {
    let entry = |contestant: &Contestant| {
        let (call, note) = (Rc::clone(&contestant.call), contestant.note);
        Entry::new(contestant.who, move || call.borrow_mut()()).with(move |figure| figure.note(note))
    };
    run.contest(what, Unit::Micros, ROUNDS, contestants.iter().map(entry).collect());
    let counted = contestants.iter().map(|contestant| {
        let counted = allocation_counter::measure(|| contestant.call.borrow_mut()());
        let note = format!("{} bytes in all", counted.bytes_total);
        Figure::new(contestant.who, [counted.count_total as f64]).note(note)
    });
    run.add_each(what, Unit::Allocations, counted.collect::<Vec<_>>());
}

fn readers() -> Vec<Contestant> {
    type Read = fn(&[u8]) -> usize;
    let reader = |who, note, read: Read| {
        let bytes = packet::bytes();
        contestant(who, note, move || {
            black_box(read(black_box(&bytes)));
        })
    };
    let for_fuzzer = rivals::mdns_sd::prepare(&packet::bytes());
    vec![
        reader("landfall", "", codec::parse),
        reader("dns-parser", "leaves NSEC raw", rivals::dns_parser::parse),
        reader("domain", "", rivals::domain::parse),
        reader("simple-dns", "", rivals::simple_dns::parse),
        contestant("mdns-sd", "ends in an error", move || rivals::mdns_sd::parse(black_box(&for_fuzzer))),
        reader("hickory", "leaves NSEC raw", rivals::hickory::parse),
    ]
}

fn writers() -> Vec<Contestant> {
    let entries = || packet::entries();
    let ours = codec::prepare(&entries());
    let (again, mut writer) = (codec::prepare(&entries()), MessageWriter::response(packet::BUDGET));
    let domain = rivals::domain::prepare(&entries());
    // What is prepared for simple-dns borrows the entries.
    let simple_dns = rivals::simple_dns::prepare(entries().leak());
    let hickory = rivals::hickory::prepare(&entries());
    vec![
        contestant("landfall", "", move || drop(black_box(codec::encode(black_box(&ours))))),
        contestant("landfall, its memory used again", "", move || {
            black_box(codec::encode_again(&mut writer, black_box(&again)));
        }),
        contestant("domain", "", move || drop(black_box(rivals::domain::encode(black_box(&domain))))),
        contestant("simple-dns", "", move || drop(black_box(rivals::simple_dns::encode(black_box(&simple_dns))))),
        contestant("hickory", "SRV targets uncompressed", move || {
            drop(black_box(rivals::hickory::encode(black_box(&hickory))));
        }),
    ]
}
