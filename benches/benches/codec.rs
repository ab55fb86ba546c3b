//! Reads and writes one mDNS response of 30 records and 1410 bytes with every codec, side by side in one run, in time and in
//! allocations. [`landfall_benches::rivals`] says who skips what; `cargo bench -p landfall-benches --bench codec`.
//!
//! mdns-sd can only be reached through the entry of its fuzzer: its figure holds one copy of the packet and one error's text too.

use divan::counter::{BytesCount, ItemsCount};
use divan::{AllocProfiler, Bencher};
use landfall_benches::{packet, rivals};
use landfall_core::wire::mdns::MessageWriter;

#[global_allocator]
static ALLOCATIONS: AllocProfiler = AllocProfiler::system();

fn main() {
    divan::main();
}

/// To typed records: 30 of them.
mod parse {
    use super::{Bencher, BytesCount, ItemsCount, packet, rivals};

    fn all(bencher: Bencher, parse: fn(&[u8]) -> usize) {
        let bytes = packet::bytes();
        let bencher = bencher.counter(ItemsCount::new(packet::RECORDS)).counter(BytesCount::of_slice(&bytes));
        bencher.bench_local(|| parse(divan::black_box(&bytes)));
    }

    #[divan::bench]
    fn landfall(bencher: Bencher) {
        all(bencher, rivals::landfall::parse);
    }

    #[divan::bench]
    fn dns_parser_nsec_raw(bencher: Bencher) {
        all(bencher, rivals::dns_parser::parse);
    }

    #[divan::bench]
    fn domain(bencher: Bencher) {
        all(bencher, rivals::domain::parse);
    }

    #[divan::bench]
    fn simple_dns(bencher: Bencher) {
        all(bencher, rivals::simple_dns::parse);
    }

    #[divan::bench]
    fn mdns_sd_and_one_error(bencher: Bencher) {
        let bytes = rivals::mdns_sd::prepare(&packet::bytes());
        let bencher = bencher.counter(ItemsCount::new(packet::RECORDS)).counter(BytesCount::of_slice(&bytes));
        bencher.bench_local(|| rivals::mdns_sd::parse(divan::black_box(&bytes)));
    }

    #[divan::bench]
    fn hickory_nsec_raw(bencher: Bencher) {
        all(bencher, rivals::hickory::parse);
    }
}

/// From records that were made ready before. dns-parser writes no records, and mdns-sd's writer is private.
mod encode {
    use super::{Bencher, ItemsCount, MessageWriter, packet, rivals};

    #[divan::bench]
    fn landfall(bencher: Bencher) {
        let records = rivals::landfall::prepare(&packet::entries());
        bencher
            .counter(ItemsCount::new(packet::RECORDS))
            .bench_local(|| rivals::landfall::encode(divan::black_box(&records)));
    }

    #[divan::bench]
    fn landfall_again(bencher: Bencher) {
        let records = rivals::landfall::prepare(&packet::entries());
        let mut writer = MessageWriter::response(packet::BUDGET);
        bencher
            .counter(ItemsCount::new(packet::RECORDS))
            .bench_local(|| rivals::landfall::encode_again(&mut writer, divan::black_box(&records)));
    }

    #[divan::bench]
    fn domain(bencher: Bencher) {
        let records = rivals::domain::prepare(&packet::entries());
        bencher
            .counter(ItemsCount::new(packet::RECORDS))
            .bench_local(|| rivals::domain::encode(divan::black_box(&records)));
    }

    #[divan::bench]
    fn simple_dns(bencher: Bencher) {
        let entries = packet::entries();
        let message = rivals::simple_dns::prepare(&entries);
        bencher
            .counter(ItemsCount::new(packet::RECORDS))
            .bench_local(|| rivals::simple_dns::encode(divan::black_box(&message)));
    }

    #[divan::bench]
    fn hickory(bencher: Bencher) {
        let message = rivals::hickory::prepare(&packet::entries());
        bencher
            .counter(ItemsCount::new(packet::RECORDS))
            .bench_local(|| rivals::hickory::encode(divan::black_box(&message)));
    }
}
