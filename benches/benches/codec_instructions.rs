//! Instructions that reading and writing one packet of 30 records takes each codec, counted by Callgrind: the same on every run
//! and unmoved by what else the machine does. `cargo bench -p landfall-benches --bench codec_instructions`.
//!
//! It needs valgrind and, in the same version as this crate's gungraun, `cargo install gungraun-runner`. Without either it says
//! so and leaves it at that.

use std::env;
use std::process::{Command, Stdio};

fn main() {
    let arguments: Vec<String> = env::args().collect();
    let given = |argument: &str| arguments.iter().any(|given| given == argument);
    // Callgrind runs this program again, with this argument and without an environment.
    if given("--gungraun-run") {
        instructions::count();
    } else if !given("--bench") {
        println!("instructions are counted by `cargo bench`, not by `cargo test`");
    } else if let Some(missing) = ["valgrind", "gungraun-runner"].into_iter().find(|tool| !runs(tool)) {
        println!("no instructions are counted: {missing} is not installed");
    } else {
        instructions::count();
    }
}

fn runs(tool: &str) -> bool {
    let quiet = Command::new(tool).arg("--version").stdout(Stdio::null()).stderr(Stdio::null()).status();
    quiet.is_ok_and(|status| status.success())
}

mod instructions {
    use std::hint::black_box;

    use gungraun::{library_benchmark, library_benchmark_group, main};
    use landfall_benches::{packet, rivals};
    use landfall_core::wire::mdns::MessageWriter;

    pub(super) fn count() {
        main();
    }

    type Parse = fn(&[u8]) -> usize;

    #[library_benchmark]
    #[bench::landfall(packet::bytes(), rivals::landfall::parse)]
    #[bench::dns_parser_nsec_raw(packet::bytes(), rivals::dns_parser::parse)]
    #[bench::domain(packet::bytes(), rivals::domain::parse)]
    #[bench::simple_dns(packet::bytes(), rivals::simple_dns::parse)]
    #[bench::hickory_nsec_raw(packet::bytes(), rivals::hickory::parse)]
    fn parse(bytes: Vec<u8>, parse: Parse) -> usize {
        let count = parse(black_box(&bytes));
        std::mem::forget(bytes);
        count
    }

    #[library_benchmark]
    #[bench::mdns_sd_and_one_error(rivals::mdns_sd::prepare(&packet::bytes()))]
    fn parse_until_error(bytes: Vec<u8>) {
        rivals::mdns_sd::parse(black_box(&bytes));
    }

    #[library_benchmark]
    #[bench::landfall(rivals::landfall::prepare(&packet::entries()))]
    fn encode_landfall(records: Vec<rivals::landfall::Prepared>) -> Vec<u8> {
        let written = rivals::landfall::encode(black_box(&records));
        std::mem::forget(records);
        written
    }

    #[library_benchmark]
    #[bench::landfall_again(MessageWriter::response(packet::BUDGET), rivals::landfall::prepare(&packet::entries()))]
    fn encode_again(mut writer: MessageWriter, records: Vec<rivals::landfall::Prepared>) -> MessageWriter {
        black_box(rivals::landfall::encode_again(&mut writer, black_box(&records)));
        std::mem::forget(records);
        writer
    }

    #[library_benchmark]
    #[bench::domain(rivals::domain::prepare(&packet::entries()))]
    fn encode_domain(records: Vec<rivals::domain::Prepared>) -> Vec<u8> {
        let written = rivals::domain::encode(black_box(&records));
        std::mem::forget(records);
        written
    }

    #[library_benchmark]
    #[bench::simple_dns(rivals::simple_dns::prepare(packet::entries().leak()))]
    fn encode_simple_dns(message: simple_dns::Packet<'static>) -> Vec<u8> {
        let written = rivals::simple_dns::encode(black_box(&message));
        std::mem::forget(message);
        written
    }

    #[library_benchmark]
    #[bench::hickory(rivals::hickory::prepare(&packet::entries()))]
    fn encode_hickory(message: hickory_proto::op::Message) -> Vec<u8> {
        let written = rivals::hickory::encode(black_box(&message));
        std::mem::forget(message);
        written
    }

    library_benchmark_group!(
        name = codec,
        benchmarks =
            [parse, parse_until_error, encode_landfall, encode_again, encode_domain, encode_simple_dns, encode_hickory]
    );
    main!(library_benchmark_groups = codec);
}
