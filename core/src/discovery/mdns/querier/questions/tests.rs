//! The questions of one link in virtual time, against a book of answers and scripted neighbours.

use alloc::boxed::Box;
use alloc::format;
use alloc::string::{String, ToString};
use alloc::vec::Vec;
use core::net::{IpAddr, SocketAddr};
use core::ops::ControlFlow;

use bytes::Bytes;
use quickcheck::quickcheck;

use super::answers::{Answer, Held};
use super::*;
use crate::discovery::mdns::{Heard, Links};
use crate::interface::Interface;
use crate::random::Seed;
use crate::wire::mdns::{Data, Message, MessageWriter, Name, NameBuf, Section};

const ETH: u32 = 2;
const MS: u64 = 1000;
const S: u64 = 1_000_000;
const TYPE: &str = "_x._tcp.local";

fn wire(name: &str) -> Arc<[u8]> {
    name.parse::<NameBuf>().unwrap().as_wire().into()
}

fn question(name: &str, rtype: RecordType) -> Question {
    Question::new(&wire(name), rtype)
}

fn pointer(name: &str) -> Question {
    question(name, RecordType::PTR)
}

/// A cache of what the test says.
#[derive(Clone, Debug, Default)]
struct Book {
    records: BTreeMap<(Arc<[u8]>, u16), Vec<Line>>,
    next: u32,
    now: Instant,
}

#[derive(Clone, Debug)]
struct Line {
    number: u32,
    data: Box<[u8]>,
    received: Instant,
    life: u32,
}

impl Book {
    fn hold(&mut self, name: &str, rtype: RecordType, data: &[u8], life: u32) {
        let set = self.records.entry((wire(name), rtype.0)).or_default();
        let known = set.extract_if(.., |line| *line.data == *data).map(|line| line.number).next();
        let number = known.unwrap_or(self.next);
        self.next += u32::from(known.is_none());
        set.push(Line { number, data: data.into(), received: self.now, life });
    }

    fn held(&self, line: &Line) -> Held {
        let left = line.life.saturating_sub(u32::try_from(self.now.since(line.received).as_secs()).unwrap());
        let ttl = (left * 2 >= line.life).then_some(left);
        Held { number: line.number, ttl, received: line.received, wanted: true }
    }
}

impl Answers for Book {
    fn visit(&self, name: &[u8], rtype: RecordType, to: &mut dyn FnMut(&Answer<'_>) -> ControlFlow<()>) {
        for line in self.records.get(&(name.into(), rtype.0)).into_iter().flatten() {
            let owner = Name::from_wire(name).unwrap();
            if to(&Answer { owner, data: &line.data, lower: &line.data, held: self.held(line) }).is_break() {
                return;
            }
        }
    }

    fn find(&self, name: &[u8], rtype: RecordType, lower: &[u8]) -> Option<Held> {
        let set = self.records.get(&(name.into(), rtype.0))?;
        set.iter().find(|line| *line.data == *lower).map(|line| self.held(line))
    }
}

struct Lab {
    questions: Questions,
    links: Links,
    book: Book,
    random: Stream,
    now: Instant,
    sent: Vec<(u64, Family, Bytes)>,
    failed: Vec<(u64, Failed)>,
}

impl Lab {
    fn new(seed: u8, unicast: bool) -> Self {
        Self::with(seed, unicast, 1500, &["10.77.0.99", "fe80::99"])
    }

    fn with(seed: u8, unicast: bool, mtu: u32, addresses: &[&str]) -> Self {
        let mut links = Links::new();
        let addresses: Vec<(IpAddr, u8)> = addresses.iter().map(|ip| (ip.parse().unwrap(), 24)).collect();
        links.set(&[Interface { mtu, ..Interface::ethernet(ETH, "eth0", &addresses) }], true, true);
        let mut questions = Questions::new(ETH).accepting_unicast(unicast);
        questions.came_up(Instant::ZERO);
        let random = Seed::new(&[seed; 32]).stream("test");
        let (now, sent, failed) = (Instant::ZERO, Vec::new(), Vec::new());
        Self { questions, links, book: Book::default(), random, now, sent, failed }
    }

    fn ask(&mut self, question: &Question) {
        self.questions.ask(question.clone(), None, self.now, &mut self.random);
    }

    fn run_to(&mut self, micros: u64) {
        let end = Instant::from_micros(micros);
        while let Some(at) = self.questions.next_deadline().filter(|at| *at <= end) {
            self.set_now(self.now.max(at));
            self.questions.fire(self.now, &mut Vec::new());
            for failed in self.questions.failed(&self.book, self.now) {
                let set = self.book.records.get_mut(&(failed.name.clone(), failed.rtype.0)).unwrap();
                set.retain(|line| line.data != failed.data);
                self.failed.push((self.now.as_micros(), failed));
            }
            for (family, payload) in self.questions.packets(&self.book, &self.links, self.now) {
                assert!(payload.len() <= self.links.budget(ETH, family), "{} bytes by {family:?}", payload.len());
                self.sent.push((self.now.as_micros(), family, payload));
            }
            assert!(self.questions.next_deadline().is_none_or(|next| next > self.now), "a busy loop");
        }
        self.set_now(end);
    }

    fn run_for(&mut self, micros: u64) {
        self.run_to(self.now.as_micros() + micros);
    }

    fn set_now(&mut self, now: Instant) {
        (self.now, self.book.now) = (now, now);
    }

    fn hear_from(&mut self, source: &str, multicast: bool, payload: &[u8]) {
        let source: SocketAddr = source.parse().unwrap();
        let family = Family::of(source.ip());
        let message = Message::parse(payload).unwrap();
        let heard =
            Heard { message, interface: ETH, source, family, multicast, own: false, echo: false, on_link: true };
        self.questions.hear(&heard, &self.book, self.now, &mut self.random);
    }

    /// Another host's query by IPv4.
    fn hear(&mut self, query: &Query) {
        self.hear_from("10.77.0.2:5353", true, &query.clone().done());
    }

    fn hear_by_both(&mut self, query: &Query) {
        self.hear(query);
        self.hear_from("[fe80::2%2]:5353", true, &query.clone().done());
    }

    /// When a question left by a family, and whether it asked for unicast.
    fn times(&self, family: Family, question: &Question) -> Vec<(u64, bool)> {
        let mut times = Vec::new();
        for (at, _, payload) in self.sent.iter().filter(|(_, by, _)| *by == family) {
            for asked in Message::parse(payload).unwrap().questions().flatten() {
                let mut name = Vec::new();
                asked.name.extend_lower(&mut name);
                if *name == *question.name && asked.rtype == question.rtype {
                    times.push((*at, asked.unicast));
                }
            }
        }
        times
    }

    fn count(&self, family: Family, question: &Question) -> usize {
        self.times(family, question).len()
    }
}

/// A query being written.
#[derive(Clone)]
struct Query(MessageWriter);

impl Query {
    fn new() -> Self {
        Self(MessageWriter::query(1400))
    }

    fn asking(question: &Question) -> Self {
        Self::new().and(question, false)
    }

    fn and(mut self, question: &Question, unicast: bool) -> Self {
        self.0.question(Name::from_wire(&question.name).unwrap(), question.rtype, unicast).unwrap();
        self
    }

    fn knowing(mut self, name: &str, rtype: RecordType, data: &[u8], ttl: u32) -> Self {
        let name: NameBuf = name.parse().unwrap();
        self.0.record(Section::Answer, name.as_name(), rtype, false, ttl, data).unwrap();
        self
    }

    fn truncated(mut self) -> Self {
        self.0.set_truncated();
        self
    }

    fn done(self) -> Vec<u8> {
        self.0.finish()
    }
}

#[test]
fn unicast_responses_are_asked_for_by_the_first_questions_on_a_link_that_comes_up_and_never_again() {
    for seed in 0..20 {
        let (first, later) = (pointer(TYPE), pointer("_y._tcp.local"));
        let mut lab = Lab::new(seed, true);
        lab.ask(&first);
        lab.run_to(10 * S);
        lab.ask(&later);
        lab.run_to(20 * S);
        for family in Family::BOTH {
            let asked = |question| lab.times(family, question).into_iter().map(|(_, unicast)| unicast).collect();
            let (first, later): (Vec<bool>, Vec<bool>) = (asked(&first), asked(&later));
            assert_eq!((first[0], first[1..].contains(&true)), (true, false), "seed {seed}");
            assert!(later.len() > 2 && !later.contains(&true), "seed {seed}: it was begun later");
        }
        let before = lab.sent.len();
        lab.questions.restart(lab.now, &mut lab.random);
        lab.run_for(5 * S);
        lab.sent.drain(..before);
        for question in [&first, &later] {
            let asked: Vec<bool> = lab.times(Family::V4, question).into_iter().map(|(_, unicast)| unicast).collect();
            assert_eq!(asked, [true, false, false], "seed {seed}: it woke");
        }
    }
}

#[test]
fn where_another_program_shares_the_port_unicast_responses_are_neither_asked_for_nor_accepted() {
    let mut lab = Lab::new(1, false);
    lab.ask(&pointer(TYPE));
    for _ in 0..50 {
        lab.run_for(100 * MS);
        assert!(!lab.questions.accepts_unicast(lab.now));
    }
    lab.questions.restart(lab.now, &mut lab.random);
    lab.run_for(5 * S);
    assert!(lab.times(Family::V4, &pointer(TYPE)).iter().all(|(_, unicast)| !unicast));
}

#[test]
fn unicast_responses_are_accepted_for_two_seconds_after_they_were_asked_for() {
    let mut lab = Lab::new(2, true);
    lab.ask(&pointer(TYPE));
    assert!(!lab.questions.accepts_unicast(lab.now));
    lab.run_to(200 * MS);
    let (asked, _) = lab.times(Family::V4, &pointer(TYPE))[0];
    lab.run_to(asked + 2 * S);
    assert!(lab.questions.accepts_unicast(lab.now));
    lab.run_to(asked + 2 * S + 1);
    assert!(!lab.questions.accepts_unicast(lab.now), "the question was repeated, but without the bit");
}

#[test]
fn what_another_host_asks_by_one_family_is_not_asked_by_us_by_that_one_and_the_series_moves_on() {
    let mut lab = Lab::new(3, false);
    let wanted = pointer(TYPE);
    lab.ask(&wanted);
    lab.run_to(10 * MS);
    lab.hear(&Query::asking(&wanted));
    lab.run_to(900 * MS);
    assert_eq!((lab.count(Family::V4, &wanted), lab.count(Family::V6, &wanted)), (0, 1));
    assert_eq!(lab.questions.asked(&wanted), 1);
    lab.run_to(1500 * MS);
    assert_eq!((lab.count(Family::V4, &wanted), lab.count(Family::V6, &wanted)), (1, 2), "the second one is due");
}

#[test]
fn a_question_stands_in_for_ours_only_if_its_asker_knows_nothing_that_we_would_not_list() {
    let cases: [(&str, &[u8], u32, bool); 3] = [
        ("what we list too", b"\x03one", 4500, true),
        ("what we do not know", b"\x03two", 4500, false),
        ("what we know to be old", b"\x05three", 4500, false),
    ];
    for (why, data, ttl, stands_in) in cases {
        let mut lab = Lab::new(4, false);
        let wanted = pointer(TYPE);
        let data = [data, &wire(TYPE)].concat();
        lab.book.hold(TYPE, RecordType::PTR, &[b"\x05three".as_slice(), &wire(TYPE)].concat(), 1000);
        lab.set_now(Instant::from_micros(600 * S));
        lab.book.hold(TYPE, RecordType::PTR, &[b"\x03one".as_slice(), &wire(TYPE)].concat(), 1000);
        lab.ask(&wanted);
        lab.hear_by_both(&Query::asking(&wanted).knowing(TYPE, RecordType::PTR, &data, ttl));
        lab.run_for(200 * MS);
        assert_eq!(lab.sent.is_empty(), stands_in, "{why}");
    }
}

#[test]
fn a_question_that_is_answered_to_its_asker_alone_never_stands_in_for_ours() {
    let wanted = pointer(TYPE);
    let query = Query::asking(&wanted).done();
    let cases: [(&str, &str, bool, Vec<u8>); 4] = [
        ("a legacy query", "10.77.0.2:40000", true, query.clone()),
        ("asked of us alone", "10.77.0.2:5353", false, query),
        ("for unicast", "10.77.0.2:5353", true, Query::new().and(&wanted, true).done()),
        ("another type", "10.77.0.2:5353", true, Query::asking(&question(TYPE, RecordType::SRV)).done()),
    ];
    for (why, source, multicast, payload) in cases {
        let mut lab = Lab::new(5, false);
        lab.ask(&wanted);
        lab.hear_from(source, multicast, &payload);
        lab.run_for(200 * MS);
        assert_eq!(lab.count(Family::V4, &wanted), 1, "{why}");
    }
}

#[test]
fn a_question_with_tc_stands_in_for_ours_once_its_last_known_answer_was_one_of_ours() {
    let wanted = pointer(TYPE);
    let known = |label: &[u8]| [label, &wire(TYPE)].concat();
    for (last, truncated, stands_in) in
        [(b"\x03two", false, true), (b"\x03six", false, false), (b"\x03two", true, false)]
    {
        let mut lab = Lab::new(6, false);
        lab.book.hold(TYPE, RecordType::PTR, &known(b"\x03one"), 4500);
        lab.book.hold(TYPE, RecordType::PTR, &known(b"\x03two"), 4500);
        lab.ask(&wanted);
        let first = Query::asking(&wanted).knowing(TYPE, RecordType::PTR, &known(b"\x03one"), 4500).truncated();
        lab.hear(&first);
        let next = Query::new().knowing(TYPE, RecordType::PTR, &known(last), 4500);
        lab.hear(&if truncated { next.truncated() } else { next });
        lab.run_for(200 * MS);
        assert_eq!(lab.count(Family::V4, &wanted) == 0, stands_in, "{last:?} {truncated}");
    }
}

#[test]
fn known_answers_of_another_host_do_not_complete_anothers_question() {
    let wanted = pointer(TYPE);
    let mut lab = Lab::new(7, false);
    lab.ask(&wanted);
    lab.hear(&Query::asking(&wanted).truncated());
    lab.hear_from("10.77.0.3:5353", true, &Query::new().done());
    lab.run_for(200 * MS);
    assert_eq!(lab.count(Family::V4, &wanted), 1);
}

#[test]
fn of_an_interval_the_second_half_counts_and_the_first_does_not() {
    let wanted = pointer(TYPE);
    for (after, stands_in) in [(1900, false), (2100, true), (3900, true)] {
        let mut lab = Lab::new(8, false);
        lab.book.hold(TYPE, RecordType::PTR, &wire("one._x._tcp.local"), 4500);
        lab.ask(&wanted);
        lab.run_to(4 * S);
        // Asked at 0, 1 and 3 s, and next at 7 s.
        let third = lab.times(Family::V4, &wanted)[2].0;
        lab.run_to(third + after * MS);
        lab.hear(&Query::asking(&wanted));
        lab.run_to(third + 4500 * MS);
        assert_eq!(lab.count(Family::V4, &wanted) == 3, stands_in, "{after} ms");
    }
}

#[test]
fn a_host_that_no_responder_hears_silences_every_second_of_our_questions_at_most() {
    let wanted = pointer(TYPE);
    let mut lab = Lab::new(9, false);
    lab.ask(&wanted);
    for _ in 0..1300 {
        lab.hear_by_both(&Query::asking(&wanted));
        lab.run_for(100 * MS);
    }
    // Within 130 s eight are due: at 0, 1, 3, 7, 15, 31, 63 and 127 s.
    assert_eq!(lab.questions.asked(&wanted), 8);
    assert_eq!((lab.count(Family::V4, &wanted), lab.count(Family::V6, &wanted)), (4, 4));
}

#[test]
fn a_refresh_is_not_asked_for_by_the_family_that_another_host_just_asked_by() {
    let wanted = question("one._x._tcp.local", RecordType::SRV);
    let mut lab = Lab::new(10, false);
    lab.book.hold("one._x._tcp.local", RecordType::SRV, b"\0\0\0\0\0\x50\x01h\0", 100);
    lab.run_to(80 * S);
    lab.hear(&Query::asking(&wanted));
    lab.run_for(900 * MS);
    lab.questions.refresh(wanted.clone());
    lab.run_for(S);
    assert_eq!((lab.count(Family::V4, &wanted), lab.count(Family::V6, &wanted)), (0, 1));
    lab.run_for(2 * S);
    lab.questions.refresh(wanted.clone());
    lab.run_for(S);
    assert_eq!((lab.count(Family::V4, &wanted), lab.count(Family::V6, &wanted)), (1, 2), "it was long ago");
}

#[test]
fn a_refresh_that_is_answered_while_it_waits_for_its_packet_is_not_asked() {
    let (one, two) = (question("one._x._tcp.local", RecordType::SRV), question("two._x._tcp.local", RecordType::SRV));
    let mut lab = Lab::new(20, false);
    lab.book.hold("two._x._tcp.local", RecordType::SRV, SRV, 100);
    lab.run_to(80 * S);
    lab.questions.refresh(one);
    lab.run_for(MS);
    // The next packet has to wait for 100 ms.
    lab.questions.refresh(two.clone());
    lab.run_for(50 * MS);
    assert_eq!(lab.sent.len(), 2);
    lab.book.hold("two._x._tcp.local", RecordType::SRV, SRV, 100);
    lab.run_for(10 * S);
    assert_eq!(lab.count(Family::V4, &two), 0);
    lab.run_for(75 * S);
    lab.questions.refresh(two.clone());
    lab.run_for(S);
    assert_eq!(lab.count(Family::V4, &two), 1);
}

#[test]
fn nothing_is_sent_by_a_family_that_the_link_lacks() {
    for (addresses, family) in [(&["10.77.0.99"], Family::V4), (&["fe80::99"], Family::V6)] {
        let mut lab = Lab::with(11, false, 1500, addresses);
        lab.ask(&pointer(TYPE));
        lab.run_to(10 * S);
        assert!(lab.sent.len() >= 4 && lab.sent.iter().all(|(_, by, _)| *by == family));
    }
}

#[test]
fn known_answers_fill_each_familys_packets_and_one_that_fits_in_none_is_left_out() {
    let mut lab = Lab::with(12, false, 700, &["10.77.0.99", "fe80::99"]);
    let wanted = question("big.local", RecordType::TXT);
    lab.book.hold("big.local", RecordType::TXT, &[7; 2000], 4500);
    for n in 0..60_u8 {
        lab.book.hold("big.local", RecordType::TXT, &[n; 40], 4500);
    }
    lab.ask(&wanted);
    lab.run_to(200 * MS);
    for family in Family::BOTH {
        let packets: Vec<&Bytes> = lab.sent.iter().filter(|(_, by, _)| *by == family).map(|(_, _, p)| p).collect();
        let records = packets.iter().flat_map(|p| Message::parse(p).unwrap().records().flatten());
        assert_eq!(records.count(), 60, "{family:?}");
        let fullest = packets.iter().map(|p| p.len()).max().unwrap();
        assert!(fullest > lab.links.budget(ETH, family) - 60, "{family:?}: {fullest}");
        let truncated: Vec<bool> = packets.iter().map(|p| Message::parse(p).unwrap().header().is_truncated()).collect();
        assert_eq!(truncated.iter().filter(|tc| !**tc).count(), 1, "{family:?}: all but the last have TC");
    }
}

#[test]
fn however_much_there_is_to_ask_no_more_than_forty_packets_a_second_leave_by_a_family() {
    let mut lab = Lab::new(13, false);
    for n in 0..20_000_u32 {
        lab.questions.refresh(question(&format!("instance {n}._x._tcp.local"), RecordType::SRV));
    }
    // A message whose known answers take eight more packets counts as nine.
    for kind in 0..300_u32 {
        let kind = format!("_a-type-{kind}._tcp.local");
        for n in 0..20_u32 {
            lab.book.hold(&kind, RecordType::PTR, &wire(&format!("a long name {n}.{kind}")), 4500);
        }
        lab.ask(&pointer(&kind));
    }
    lab.run_to(60 * S);
    let asked: usize = lab
        .sent
        .iter()
        .filter(|(_, f, _)| *f == Family::V4)
        .map(|(_, _, p)| Message::parse(p).unwrap().questions().count())
        .sum();
    assert!(asked >= 20_300, "{asked}");
    for family in Family::BOTH {
        let times: Vec<u64> = lab.sent.iter().filter(|(_, by, _)| *by == family).map(|(at, _, _)| *at).collect();
        for (n, at) in times.iter().enumerate() {
            let within = times[n..].iter().take_while(|other| **other < at + S).count();
            assert!(within <= 40 + 12, "{family:?}: {within} within a second");
        }
        let all = times.len();
        let took = times[all - 1] - times[0];
        assert!(all as u64 * S / took <= 42, "{all} in {took} µs");
    }
}

#[test]
fn a_record_in_doubt_is_asked_for_without_listing_it_and_is_gone_after_ten_seconds_of_silence() {
    for seed in 0..20 {
        let mut lab = Lab::new(seed, false);
        let (one, two) = (wire("one._x._tcp.local"), wire("two._x._tcp.local"));
        lab.book.hold(TYPE, RecordType::PTR, &one, 4500);
        lab.book.hold(TYPE, RecordType::PTR, &two, 4500);
        lab.run_to(100 * S);
        assert!(lab.questions.reconfirm(&pointer(TYPE), Some(&one), &lab.book, lab.now, &mut lab.random));
        lab.run_to(130 * S);
        let times = lab.times(Family::V4, &pointer(TYPE));
        assert!(times.len() >= 2, "seed {seed}: {times:?}");
        assert!(times.windows(2).all(|pair| pair[1].0 - pair[0].0 >= S) && times[0].0 > 100 * S);
        for (_, _, payload) in &lab.sent {
            let known: Vec<String> = Message::parse(payload)
                .unwrap()
                .records()
                .flatten()
                .filter_map(|record| if let Data::Ptr(name) = record.data { Some(name.to_string()) } else { None })
                .collect();
            assert_eq!(known, ["two._x._tcp.local"], "seed {seed}");
        }
        let name = wire(TYPE);
        let failed = Failed { name, rtype: RecordType::PTR, data: (*one).into() };
        assert_eq!(lab.failed, [(110 * S, failed)], "seed {seed}");
    }
}

#[test]
fn a_record_in_doubt_that_is_heard_again_stays_and_is_asked_for_no_more() {
    let mut lab = Lab::new(15, false);
    let srv = question("one._x._tcp.local", RecordType::SRV);
    let data = b"\0\0\0\0\0\x50\x01h\0";
    assert!(!lab.questions.reconfirm(&srv, None, &lab.book, lab.now, &mut lab.random), "nothing is held");
    lab.book.hold("one._x._tcp.local", RecordType::SRV, data, 4500);
    lab.run_to(100 * S);
    assert!(lab.questions.reconfirm(&srv, None, &lab.book, lab.now, &mut lab.random));
    lab.run_for(500 * MS);
    lab.book.hold("one._x._tcp.local", RecordType::SRV, data, 4500);
    lab.run_for(60 * S);
    assert_eq!((lab.count(Family::V4, &srv), lab.failed.len()), (1, 0));
    assert_eq!(lab.questions.next_deadline(), None);
}

/// What becomes of a record when others ask: how many questions it cost us, and when it was gone.
fn observed(script: impl FnOnce(&mut Lab, &Question)) -> (usize, Option<u64>) {
    let mut lab = Lab::new(16, false);
    let srv = question("one._x._tcp.local", RecordType::SRV);
    lab.book.hold("one._x._tcp.local", RecordType::SRV, SRV, 4500);
    lab.run_to(100 * S);
    script(&mut lab, &srv);
    lab.run_to(200 * S);
    (lab.count(Family::V4, &srv), lab.failed.first().map(|(at, _)| *at))
}

const SRV: &[u8] = b"\0\0\0\0\0\x50\x01h\0";

#[test]
fn a_record_that_two_questions_of_others_did_not_bring_forth_within_ten_seconds_is_gone() {
    let (cost, gone) = observed(|lab, srv| {
        lab.hear_by_both(&Query::asking(srv));
        lab.run_for(S);
        lab.hear_by_both(&Query::asking(srv));
    });
    assert!((110 * S..=112 * S).contains(&gone.unwrap()), "{gone:?}");
    assert!((1..=2).contains(&cost), "{cost}");
}

#[test]
fn a_record_is_not_doubted_for_one_question_nor_for_one_that_its_asker_knew_the_answer_to_or_that_was_answered() {
    let silent = (0, None);
    let once = observed(|lab, srv| {
        // By both families, and twice within a second, is once.
        lab.hear_by_both(&Query::asking(srv));
        lab.run_for(500 * MS);
        lab.hear_by_both(&Query::asking(srv));
    });
    assert_eq!(once, silent, "once");
    let slowly = observed(|lab, srv| {
        lab.hear(&Query::asking(srv));
        lab.run_for(11 * S);
        lab.hear(&Query::asking(srv));
    });
    assert_eq!(slowly, silent, "more than ten seconds apart");
    let known = observed(|lab, srv| {
        lab.hear(&Query::asking(srv));
        lab.run_for(S);
        lab.hear(&Query::asking(srv).knowing("one._x._tcp.local", RecordType::SRV, SRV, 4500));
        lab.run_for(S);
        lab.hear(&Query::asking(srv));
    });
    assert_eq!(known, silent, "its asker has it from somebody");
    let answered = observed(|lab, srv| {
        lab.hear(&Query::asking(srv));
        lab.run_for(S);
        lab.hear(&Query::asking(srv));
        lab.run_for(100 * MS);
        lab.book.hold("one._x._tcp.local", RecordType::SRV, SRV, 4500);
    });
    assert_eq!(answered, silent, "answered");
    let for_unicast = observed(|lab, srv| {
        for _ in 0..5 {
            lab.hear(&Query::new().and(srv, true));
            lab.run_for(S);
        }
    });
    assert_eq!(for_unicast, silent, "answered elsewhere");
    let unfinished = observed(|lab, srv| {
        for _ in 0..5 {
            lab.hear(&Query::asking(srv).truncated());
            lab.run_for(S);
        }
    });
    assert_eq!(unfinished, silent, "what they know was lost");
}

#[test]
fn while_others_go_on_asking_what_is_in_doubt_we_need_not() {
    let (cost, gone) = observed(|lab, srv| {
        for _ in 0..25 {
            lab.hear_by_both(&Query::asking(srv));
            lab.run_for(500 * MS);
        }
    });
    assert_eq!(cost, 0);
    assert!((110 * S..=112 * S).contains(&gone.unwrap()), "{gone:?}");
}

#[test]
fn an_attacker_who_asks_for_everything_makes_us_ask_no_more_than_twelve_questions_a_minute() {
    let mut lab = Lab::new(17, false);
    let names: Vec<String> = (0..1000).map(|n| format!("victim {n}._x._tcp.local")).collect();
    for name in &names {
        lab.book.hold(name, RecordType::SRV, SRV, 1_000_000);
    }
    lab.run_to(S);
    for round in 0..600 {
        // Each name every few seconds, so that every one is observed.
        for n in 0..20 {
            let name = &names[(round / 4 * 10 + n) % 1000];
            lab.hear(&Query::asking(&question(name, RecordType::SRV)));
        }
        lab.run_for(S);
    }
    let asked: usize =
        lab.sent.iter().map(|(_, _, p)| Message::parse(p).unwrap().questions().count()).sum::<usize>() / 2;
    assert!(asked > 0 && asked <= 8 + 12 * 10, "{asked} in ten minutes");
    assert!(lab.failed.len() <= 64, "{}", lab.failed.len());
}

#[test]
fn what_others_ask_is_remembered_within_bounds() {
    let mut lab = Lab::new(18, false);
    for n in 0..2000_u32 {
        let name = format!("n{n}._x._tcp.local");
        lab.book.hold(&name, RecordType::SRV, SRV, 1_000_000);
        let query = Query::asking(&question(&name, RecordType::SRV));
        lab.hear(&query);
        lab.hear_from(&format!("10.77.1.{}:5353", n % 250), true, &query.truncated().done());
    }
    assert!(lab.questions.remembered.len() <= 128);
    assert!(lab.questions.partial.len() <= 8);
    lab.run_for(100 * S);
}

quickcheck! {
    fn any_queries_of_others_leave_the_laws_standing(queries: Vec<(u8, u8, bool, u16)>, seed: u8) -> bool {
        let mut lab = Lab::new(seed, seed & 1 == 0);
        let names = [TYPE, "one._x._tcp.local", "two._x._tcp.local"];
        lab.book.hold(TYPE, RecordType::PTR, &wire(names[1]), 100);
        lab.book.hold(names[1], RecordType::SRV, SRV, 50);
        names.iter().for_each(|name| lab.ask(&pointer(name)));
        for (which, how, truncated, pause) in queries {
            let name = names[usize::from(which) % 3];
            let rtype = if which & 4 == 0 { RecordType::PTR } else { RecordType::SRV };
            let mut query = Query::new();
            if how & 1 == 0 {
                query = query.and(&question(name, rtype), how & 2 == 0);
            }
            if how & 4 == 0 {
                query = query.knowing(names[1], RecordType::SRV, SRV, 50);
            }
            lab.hear_by_both(&if truncated { query.truncated() } else { query });
            lab.run_for(u64::from(pause) * 100);
        }
        lab.run_for(20 * S);
        lab.sent.len() <= 2 * 40 * 20 + 100_000
    }
}

#[test]
fn a_question_nobody_wants_any_more_is_neither_watched_nor_doubted() {
    let mut lab = Lab::new(19, false);
    let srv = question("one._x._tcp.local", RecordType::SRV);
    lab.book.hold("one._x._tcp.local", RecordType::SRV, SRV, 4500);
    lab.run_to(S);
    lab.questions.reconfirm(&srv, None, &lab.book, lab.now, &mut lab.random);
    lab.hear(&Query::asking(&srv));
    lab.run_for(S);
    lab.hear(&Query::asking(&srv));
    lab.questions.forget(&srv);
    assert_eq!(lab.questions.next_deadline(), None);
    assert!(lab.failed.is_empty());
}
