//! The instructions that reading and writing one packet of 30 records takes each codec, counted by Callgrind: the same on every
//! run and unmoved by what else the machine does. It needs valgrind and gungraun-runner; without either it is left out.

use landfall_budget::callgrind;
use landfall_figures::rows::{Figure, Unit};

use crate::Run;

/// What each function below counts, the reference first.
const CONTESTS: [(&str, &[&str]); 2] = [
    ("30 records in 1410 bytes, read", &["read", "read_until_error"]),
    ("30 records in 1410 bytes, written", &["landfall", "landfall_again", "domain", "simple_dns", "hickory"]),
];

/// What one has to know of whom: the function, the id, the note.
const NOTES: [(&str, &str, &str); 5] = [
    ("read", "dns_parser", "leaves NSEC raw"),
    ("read", "hickory", "leaves NSEC raw"),
    ("read_until_error", "mdns_sd", "ends in an error"),
    ("landfall_again", "landfall_again", "its memory used again"),
    ("hickory", "hickory", "SRV targets uncompressed"),
];

pub(crate) fn measure(run: &mut Run) {
    if let Err(missing) = callgrind::check() {
        return run.leave_out(missing);
    }
    let counted = match callgrind::count() {
        Ok(counted) => counted,
        Err(why) => return run.leave_out(why),
    };
    for (what, functions) in CONTESTS {
        let of_contest =
            functions.iter().flat_map(|function| counted.iter().filter(move |it| it.function == *function));
        let figures = of_contest.map(|counted| {
            let note = NOTES.iter().find(|(function, id, _)| **function == counted.function && **id == counted.id);
            let figure = Figure::new(counted.id.replace('_', "-"), [counted.instructions as f64]);
            figure.note(note.map_or("", |(.., note)| note))
        });
        run.add(what, Unit::Instructions, figures.collect());
    }
}

/// What this program does where gungraun starts it.
pub(crate) fn count() {
    gungraun_main::count();
}

mod gungraun_main {
    use std::hint::black_box;

    use gungraun::{library_benchmark, library_benchmark_group, main};
    use landfall_benches::rivals;
    use landfall_budget::{codec, packet};
    use landfall_core::wire::mdns::MessageWriter;

    pub(super) fn count() {
        main();
    }

    type Read = fn(&[u8]) -> usize;

    #[library_benchmark]
    #[bench::landfall(packet::bytes(), codec::parse)]
    #[bench::dns_parser(packet::bytes(), rivals::dns_parser::parse)]
    #[bench::domain(packet::bytes(), rivals::domain::parse)]
    #[bench::simple_dns(packet::bytes(), rivals::simple_dns::parse)]
    #[bench::hickory(packet::bytes(), rivals::hickory::parse)]
    fn read(bytes: Vec<u8>, read: Read) -> usize {
        let count = read(black_box(&bytes));
        std::mem::forget(bytes);
        count
    }

    #[library_benchmark]
    #[bench::mdns_sd(rivals::mdns_sd::prepare(&packet::bytes()))]
    fn read_until_error(bytes: Vec<u8>) {
        rivals::mdns_sd::parse(black_box(&bytes));
    }

    #[library_benchmark]
    #[bench::landfall(codec::prepare(&packet::entries()))]
    fn landfall(records: Vec<codec::Prepared>) -> Vec<u8> {
        let written = codec::encode(black_box(&records));
        std::mem::forget(records);
        written
    }

    #[library_benchmark]
    #[bench::landfall_again(MessageWriter::response(packet::BUDGET), codec::prepare(&packet::entries()))]
    fn landfall_again(mut writer: MessageWriter, records: Vec<codec::Prepared>) -> MessageWriter {
        black_box(codec::encode_again(&mut writer, black_box(&records)));
        std::mem::forget(records);
        writer
    }

    #[library_benchmark]
    #[bench::domain(rivals::domain::prepare(&packet::entries()))]
    fn domain(records: Vec<rivals::domain::Prepared>) -> Vec<u8> {
        let written = rivals::domain::encode(black_box(&records));
        std::mem::forget(records);
        written
    }

    #[library_benchmark]
    #[bench::simple_dns(rivals::simple_dns::prepare(packet::entries().leak()))]
    fn simple_dns(message: ::simple_dns::Packet<'static>) -> Vec<u8> {
        let written = rivals::simple_dns::encode(black_box(&message));
        std::mem::forget(message);
        written
    }

    #[library_benchmark]
    #[bench::hickory(rivals::hickory::prepare(&packet::entries()))]
    fn hickory(message: hickory_proto::op::Message) -> Vec<u8> {
        let written = rivals::hickory::encode(black_box(&message));
        std::mem::forget(message);
        written
    }

    library_benchmark_group!(
        name = codecs,
        benchmarks = [read, read_until_error, landfall, landfall_again, domain, simple_dns, hickory]
    );
    main!(library_benchmark_groups = codecs);
}
