use alloc::vec;
use alloc::vec::Vec;

use super::*;
use crate::crypto::{Secret, expand, hash};
use crate::identity::PeerId;
use crate::job::{JobOutput, Keyring};
use crate::random::Seed;
use crate::session::handshake::Keys;
use crate::session::types::Side;

/// The sid that the receiver is addressed by.
const SID: u64 = 9;

struct NoKey;

impl Keyring for NoKey {
    fn sign(&self, _: &[u8]) -> Option<[u8; 64]> {
        None
    }
}

/// ck of the initiator's direction in the known answer of the specification.
fn chain() -> Secret {
    let ms = bytes("01f9f0d23373fb27b98ce8fe10263a21320028f037434ab7c07713b9c5fcce26");
    expand(&Secret::from_bytes(ms.try_into().unwrap()), "ck i", &[])
}

fn bytes(hex: &str) -> Vec<u8> {
    (0..hex.len()).step_by(2).map(|at| u8::from_str_radix(&hex[at..at + 2], 16).unwrap()).collect()
}

fn sealed(sealer: &mut Sealer, kind: Kind, body: &[u8]) -> Vec<u8> {
    let task = sealer.seal(Draft::new(kind, &[body]).unwrap()).unwrap();
    let JobOutput::Sealed(frame) = task.run(&NoKey) else { panic!("not sealed") };
    frame
}

fn run(task: Task) -> Option<Vec<u8>> {
    let JobOutput::Opened(frame) = task.run(&NoKey) else { panic!("not opened") };
    frame
}

fn open(opener: &mut Opener, frame: &[u8]) -> Result<Record, Refusal> {
    let (ticket, task) = opener.open(frame.to_vec())?;
    opener.opened(ticket, run(task))
}

fn datagrams(chain: &Secret) -> Opener {
    Opener::of_datagrams(chain, SID)
}

/// A pair that has exchanged `counter` frames, in the step of that counter.
fn pair_at(order: Order, counter: u64) -> (Sealer, Opener) {
    let ratchet = Ratchet::at(ratchet::step_of(counter), &chain());
    (Sealer::at(&chain(), SID, counter), Opener::in_order(order, ratchet, SID, counter))
}

/// Frame `counter` of a sender that is in that counter's step of the known answer's ratchet.
fn frame_at(counter: u64) -> Vec<u8> {
    let mut ratchet = Ratchet::new(&chain());
    for _ in 0..counter / 65_536 {
        ratchet = ratchet.next();
    }
    seal_by(ratchet.key(), counter)
}

/// A frame of this counter, sealed by somebody who has the key.
fn seal_by(key: &Secret, counter: u64) -> Vec<u8> {
    let mut frame = Draft::new(Kind::Ping, &[&counter.to_be_bytes()]).unwrap().into_frame();
    header::Header { sid: SID, counter }.write(&mut frame);
    crate::crypto::seal(key, counter, frame, header::LEN)
}

fn counter_of(record: Result<Record, Refusal>) -> Result<u64, Refusal> {
    record.map(|record| u64::from_be_bytes(record.body().try_into().unwrap()))
}

// Computed with Python's cryptography 48, from the known answer's ms.

#[test]
fn the_first_frame_is_the_one_that_another_implementation_makes() {
    let expected = bytes(concat!(
        "0401000000000000000000090000000000000000",
        "f868aa84d2214d65694031ae9f1c3785a6a3e46c911be3a2f81d7f0cb499bfc6",
        "dcc6c3425995093d6d9e8888c327995f86fc4cdc0f205997b6d37b22d9fd3263",
        "c7178b54a1f3f5d74f418e797585df1b"
    ));
    let mut sealer = Sealer::new(&chain(), SID);
    assert_eq!(sealed(&mut sealer, Kind::Empty, &[]), expected);
    let record = open(&mut Opener::new(&chain(), SID), &expected).unwrap();
    assert_eq!((record.kind, record.body()), (Kind::Empty, &[][..]));
}

#[test]
fn the_counter_enters_the_nonce_with_its_least_byte_first() {
    let mut sealer = Sealer::new(&chain(), SID);
    sealed(&mut sealer, Kind::Empty, &[]);
    let body: Vec<u8> = (0..100).collect();
    let frame = sealed(&mut sealer, Kind::Message, &body);
    let expected = bytes("fcf0eda6dead7e1036116128de61eecdfc93b3d2fe743aded0f33df773603269");
    assert_eq!((frame.len(), hash(&[&frame]).to_vec()), (292, expected));
}

#[test]
fn frame_65536_is_the_first_one_of_the_second_key() {
    let expected = bytes(concat!(
        "0401000100000000000000090000000000010000",
        "224978d60d2b4c5ec754edfb7e3059c2dc55717a011cb575b9f25c35d52c2f52",
        "8d06ec58386b83dd5ed1a2c2dad6420519dbfc42d5710ba385495f7a1ebdf00f",
        "b363b7b304b27ac70703a89e89cf6b78"
    ));
    let mut sealer = Sealer::new(&chain(), SID);
    for _ in 0..65_536 {
        sealer.seal(Draft::new(Kind::Empty, &[]).unwrap()).unwrap();
    }
    assert_eq!(sealed(&mut sealer, Kind::Ping, &[0, 1, 2, 3, 4, 5, 6, 7]), expected);
}

#[test]
fn a_late_frame_shows_the_low_16_bits_of_its_step_and_all_of_its_counter() {
    let expected = bytes(concat!(
        "0401b0c00102030405060708000000a0b0c0d0e0",
        "08a930f92813a2609aa38ad24a03a87ba7f6cab366cc61e4f93cf17c636bde4b",
        "27bfd42a7e05d05c39a12af83666752b1b30285b49c99cb8463eb787ea650f44",
        "97644fa674c10237e8b87861269aa460"
    ));
    let counter = 0x00a0_b0c0_d0e0;
    let mut frame = Draft::new(Kind::Close, &[&[0]]).unwrap().into_frame();
    header::Header { sid: 0x0102_0304_0506_0708, counter }.write(&mut frame);
    assert_eq!(crate::crypto::seal(&Secret::from_bytes([0x42; 32]), counter, frame, header::LEN), expected);
}

#[test]
fn the_two_ends_of_a_session_understand_each_other_and_not_themselves() {
    let end = |own_sid, peer_sid, sending: u8, receiving: u8| Established {
        peer: PeerId::from_bytes([0; 32]),
        side: Side::Ours,
        send: None,
        keys: Keys {
            sending: Secret::from_bytes([sending; 32]),
            receiving: Secret::from_bytes([receiving; 32]),
            exporter: Secret::from_bytes([0; 32]),
            session: [0; 16],
            transcript: [0; 32],
        },
        own_sid,
        peer_sid,
    };
    for (sid_a, sid_b) in [(7, 9), (7, 7)] {
        for order in [Order::Strict, Order::Window] {
            let a = || Channel::new(&end(sid_a, sid_b, 1, 2), order);
            let (mut one, mut other) = (a(), Channel::new(&end(sid_b, sid_a, 2, 1), order));
            for turn in 0..6 {
                let (from, to) = if turn % 2 == 0 { (&mut one, &mut other) } else { (&mut other, &mut one) };
                let JobOutput::Sealed(frame) = from.seal(Kind::Message, b"hello").unwrap().run(&NoKey) else {
                    panic!("not sealed")
                };
                let (ticket, task) = to.open(frame).unwrap();
                let record = to.opened(ticket, run(task)).unwrap();
                assert_eq!((record.kind, record.body()), (Kind::Message, &b"hello"[..]), "turn {turn}");
            }
            let mut one = a();
            let JobOutput::Sealed(own) = one.seal(Kind::Message, b"hello").unwrap().run(&NoKey) else { panic!() };
            // By its header where the two sids differ, and else by its key.
            let reflected = one.open(own).and_then(|(ticket, task)| one.opened(ticket, run(task)));
            let refusal = if sid_a == sid_b { Refusal::Forged } else { Refusal::Malformed };
            assert_eq!(reflected, Err(refusal));
        }
    }
}

#[test]
fn a_body_that_is_too_long_is_not_sealed_and_takes_no_counter() {
    let (sealer, opener) = pair_at(Order::Strict, 0);
    let mut channel = Channel { sealer, opener };
    assert_eq!(channel.seal(Kind::Message, &vec![0; Channel::MAX_BODY + 1]).err(), Some(SealError::TooLong));
    let Ok(Task::Seal { counter: 0, .. }) = channel.seal(Kind::Message, &vec![0; Channel::MAX_BODY]) else {
        panic!("not the first frame")
    };
}

#[test]
fn what_is_sealed_at_once_is_what_a_job_seals_and_opens() {
    let (mut one, mut other) = (Sealer::new(&chain(), SID), Sealer::new(&chain(), SID));
    let mut opener = Opener::new(&chain(), SID);
    for body in [&b"hello"[..], &[7; 16_384], &[], &[1; Channel::MAX_BODY]] {
        let frame = one.seal_now(body).unwrap();
        assert_eq!(frame, sealed(&mut other, Kind::Message, body));
        assert_eq!(opener.open_now(frame).unwrap().body(), body);
    }
    assert_eq!(one.seal_now(&[1; Channel::MAX_BODY + 1]), None);
    let skipped = one.seal_now(b"x").unwrap();
    let next = one.seal_now(b"y").unwrap();
    assert_eq!(opener.open_now(next), None);
    assert_eq!(opener.open_now(skipped), None);
}

#[test]
fn opening_neither_moves_nor_copies_the_frame() {
    let (mut sealer, mut opener) = pair_at(Order::Strict, 0);
    let frame = sealed(&mut sealer, Kind::Message, &[7; 16_384]);
    let start = frame.as_ptr() as usize;
    let (ticket, task) = opener.open(frame).unwrap();
    let record = opener.opened(ticket, run(task)).unwrap();
    assert_eq!(record.body().as_ptr() as usize, start + 23);
}

#[test]
fn a_frame_with_any_byte_changed_is_refused() {
    for body in [&[][..], &[7; 61], &[7; 62], &[7; 1022]] {
        let frame = sealed(&mut Sealer::new(&chain(), SID), Kind::Message, body);
        for at in 0..frame.len() {
            for bit in [0x01, 0x80, 0xff] {
                let mut changed = frame.clone();
                changed[at] ^= bit;
                for mut opener in [Opener::new(&chain(), SID), datagrams(&chain())] {
                    assert!(open(&mut opener, &changed).is_err(), "byte {at} by {bit:#x}");
                }
                // A datagram that was changed on its way does not keep out the true one.
                let mut opener = datagrams(&chain());
                let _ = open(&mut opener, &changed);
                assert!(open(&mut opener, &frame).is_ok(), "byte {at} by {bit:#x}");
            }
        }
    }
}

#[test]
fn type_version_epoch_and_session_id_are_refused_before_any_job_is_asked_for() {
    let frame = sealed(&mut Sealer::new(&chain(), SID), Kind::Empty, &[]);
    for at in 0..12 {
        for value in 0..=255 {
            let mut changed = frame.clone();
            if changed[at] != value {
                changed[at] = value;
                for mut opener in [Opener::new(&chain(), SID), datagrams(&chain())] {
                    assert_eq!(opener.open(changed.clone()).err(), Some(Refusal::Malformed), "byte {at} is {value}");
                }
            }
        }
    }
}

#[test]
fn only_lengths_that_a_record_can_have_are_opened() {
    let opens = |length: usize| {
        let mut frame = vec![0; length];
        header::Header { sid: SID, counter: 0 }.write(&mut frame);
        Opener::new(&chain(), SID).open(frame).is_ok()
    };
    for length in (0..3000).chain(64_000..67_000) {
        let record = length as i64 - 36;
        let fits = [64, 256, 512, 768].contains(&record) || (record % 1024 == 0 && (1024..=64_512).contains(&record));
        assert_eq!(opens(length), fits, "{length}");
    }
}

#[test]
fn what_is_sealed_and_no_record_is_refused_as_such() {
    let key = Ratchet::new(&chain()).key().clone();
    let seal = |counter, change: &dyn Fn(&mut Vec<u8>)| {
        let mut frame = Draft::new(Kind::Message, &[&[7; 61]]).unwrap().into_frame();
        header::Header { sid: SID, counter }.write(&mut frame);
        change(&mut frame);
        crate::crypto::seal(&key, counter, frame, header::LEN)
    };
    let marked = |frame: &mut Vec<u8>| frame[21] = 60;
    let oversized = |frame: &mut Vec<u8>| frame.resize(header::LEN + 256, 0);
    assert!(open(&mut Opener::new(&chain(), SID), &seal(0, &|_| {})).is_ok());
    for change in [&marked as &dyn Fn(&mut Vec<u8>), &oversized] {
        assert_eq!(open(&mut Opener::new(&chain(), SID), &seal(0, change)), Err(Refusal::Record));
        // It was authentic, so its counter is used up; a forged one would not be.
        let mut opener = datagrams(&chain());
        assert_eq!(open(&mut opener, &seal(5, change)), Err(Refusal::Record));
        assert_eq!(open(&mut opener, &seal(5, &|_| {})), Err(Refusal::Order));
    }
}

#[test]
fn on_a_stream_a_repetition_a_gap_or_a_swap_is_refused_and_ends_it() {
    let mut sealer = Sealer::new(&chain(), SID);
    let frames: Vec<_> = (0..4).map(|_| sealed(&mut sealer, Kind::Empty, &[])).collect();
    for (first, wrong) in [(Some(0), 0), (None, 1), (Some(0), 2), (None, 3)] {
        let mut opener = Opener::new(&chain(), SID);
        if let Some(first) = first {
            assert!(open(&mut opener, &frames[first]).is_ok());
        }
        assert_eq!(open(&mut opener, &frames[wrong]), Err(Refusal::Order));
        let right = first.map_or(0, |first| first + 1);
        assert_eq!(open(&mut opener, &frames[right]), Err(Refusal::Closed));
    }
}

#[test]
fn on_a_stream_nothing_is_opened_after_a_forgery_not_even_what_was_on_its_way() {
    let mut sealer = Sealer::new(&chain(), SID);
    let frames: Vec<_> = (0..3).map(|_| sealed(&mut sealer, Kind::Empty, &[])).collect();
    let mut opener = Opener::new(&chain(), SID);
    let tickets: Vec<_> = frames.iter().take(2).map(|frame| opener.open(frame.clone()).unwrap()).collect();
    let mut tickets = tickets.into_iter();
    let (first, _) = tickets.next().unwrap();
    let (second, task) = tickets.next().unwrap();
    assert_eq!(opener.opened(first, None), Err(Refusal::Forged));
    assert_eq!(opener.opened(second, run(task)), Err(Refusal::Closed));
    assert_eq!(opener.open(frames[2].clone()).err(), Some(Refusal::Closed));
}

#[test]
fn on_a_stream_results_told_in_another_order_than_the_frames_came_in_are_refused() {
    let mut sealer = Sealer::new(&chain(), SID);
    let mut opener = Opener::new(&chain(), SID);
    let (_, _) = opener.open(sealed(&mut sealer, Kind::Empty, &[])).unwrap();
    let (second, task) = opener.open(sealed(&mut sealer, Kind::Empty, &[])).unwrap();
    assert_eq!(opener.opened(second, run(task)), Err(Refusal::Order));
}

#[test]
fn a_frame_that_is_malformed_ends_a_stream_too() {
    let frame = sealed(&mut Sealer::new(&chain(), SID), Kind::Empty, &[]);
    let mut opener = Opener::new(&chain(), SID);
    assert_eq!(open(&mut opener, &frame[..frame.len() - 1]), Err(Refusal::Malformed));
    assert_eq!(open(&mut opener, &frame), Err(Refusal::Closed));
}

#[test]
fn datagrams_open_once_each_in_any_order_within_the_window() {
    for seed in 0..20 {
        let mut random = Seed::new(&[seed; 32]).stream("datagrams");
        let mut sealer = Sealer::new(&chain(), SID);
        let mut frames: Vec<_> =
            (0..500_u64).map(|number| (number, sealed(&mut sealer, Kind::Ping, &number.to_be_bytes()))).collect();
        for at in 0..frames.len() {
            let other = (random.u64() % frames.len() as u64) as usize;
            frames.swap(at, other);
        }
        let mut opener = datagrams(&chain());
        for (number, frame) in &frames {
            assert_eq!(counter_of(open(&mut opener, frame)), Ok(*number), "seed {seed}");
            assert_eq!(counter_of(open(&mut opener, frame)), Err(Refusal::Order), "seed {seed}");
        }
    }
}

#[test]
fn of_two_datagrams_of_one_counter_at_the_door_one_is_let_in() {
    let frame = frame_at(3);
    let mut opener = datagrams(&chain());
    let (one, first) = opener.open(frame.clone()).unwrap();
    let (two, second) = opener.open(frame).unwrap();
    assert!(opener.opened(two, run(second)).is_ok());
    assert_eq!(opener.opened(one, run(first)), Err(Refusal::Order));
}

#[test]
fn the_window_is_2048_wide_and_a_forged_frame_does_not_move_it() {
    let mut opener = datagrams(&chain());
    assert_eq!(counter_of(open(&mut opener, &frame_at(3000))), Ok(3000));
    for forged in [3001, 60_000, 65_536, 131_071] {
        let mut frame = frame_at(forged);
        *frame.last_mut().unwrap() ^= 1;
        assert_eq!(open(&mut opener, &frame), Err(Refusal::Forged));
    }
    assert_eq!(open(&mut opener, &frame_at(3000 - 2048)), Err(Refusal::Order));
    assert_eq!(counter_of(open(&mut opener, &frame_at(3000 - 2047))), Ok(3000 - 2047));
    assert_eq!(counter_of(open(&mut opener, &frame_at(3001))), Ok(3001));
}

#[test]
fn a_datagram_of_the_step_before_opens_as_long_as_the_window_reaches_back_to_it() {
    let mut opener = datagrams(&chain());
    assert_eq!(opener.spare_keys(), (false, false));
    assert_eq!(counter_of(open(&mut opener, &frame_at(65_000))), Ok(65_000));
    assert_eq!(opener.spare_keys(), (false, false));
    assert_eq!(counter_of(open(&mut opener, &frame_at(65_536))), Ok(65_536));
    assert_eq!(opener.spare_keys(), (true, false));
    assert_eq!(counter_of(open(&mut opener, &frame_at(65_535))), Ok(65_535));
    assert_eq!(counter_of(open(&mut opener, &frame_at(65_536 + 2046))), Ok(65_536 + 2046));
    assert_eq!(opener.spare_keys(), (true, false));
    assert_eq!(open(&mut opener, &frame_at(65_535)), Err(Refusal::Order));
    // From here on no frame of the first step could be accepted, so its key goes.
    assert_eq!(counter_of(open(&mut opener, &frame_at(65_536 + 2047))), Ok(65_536 + 2047));
    assert_eq!(opener.spare_keys(), (false, false));
    assert_eq!(open(&mut opener, &frame_at(65_534)), Err(Refusal::Order));
    assert_eq!(counter_of(open(&mut opener, &frame_at(65_537))), Ok(65_537));
}

#[test]
fn a_datagram_may_open_the_next_step_and_no_later_one_and_a_forged_one_opens_none() {
    let mut opener = datagrams(&chain());
    let mut forged = frame_at(131_071);
    forged[30] ^= 1;
    for _ in 0..3 {
        assert_eq!(open(&mut opener, &forged), Err(Refusal::Forged));
        assert_eq!(opener.spare_keys(), (false, true));
    }
    assert_eq!(open(&mut opener, &frame_at(131_072)), Err(Refusal::Order));
    assert_eq!(counter_of(open(&mut opener, &frame_at(0))), Ok(0));
    assert_eq!(counter_of(open(&mut opener, &frame_at(131_071))), Ok(131_071));
    assert_eq!(opener.spare_keys(), (false, false));
    assert_eq!(counter_of(open(&mut opener, &frame_at(131_072))), Ok(131_072));
    assert_eq!(counter_of(open(&mut opener, &frame_at(131_070))), Ok(131_070));
}

#[test]
fn frames_of_two_steps_at_the_door_open_in_either_order() {
    let mut opener = datagrams(&chain());
    let (old, old_task) = opener.open(frame_at(65_535)).unwrap();
    let (new, new_task) = opener.open(frame_at(65_536)).unwrap();
    let (newer, newer_task) = opener.open(frame_at(65_537)).unwrap();
    assert_eq!(counter_of(opener.opened(newer, run(newer_task))), Ok(65_537));
    assert_eq!(counter_of(opener.opened(new, run(new_task))), Ok(65_536));
    assert_eq!(counter_of(opener.opened(old, run(old_task))), Ok(65_535));
    assert_eq!(opener.spare_keys(), (true, false));
}

#[test]
fn a_session_goes_on_where_steps_and_16_bits_of_steps_end() {
    for order in [Order::Strict, Order::Window] {
        for edge in [1 << 16, 1 << 17, 1 << 32, (1 << 32) + (1 << 16)] {
            let (mut sealer, mut opener) = pair_at(order, edge - 3);
            for counter in edge - 3..edge + 3 {
                let frame = sealed(&mut sealer, Kind::Ping, &counter.to_be_bytes());
                let epoch = ((counter >> 16) as u16).to_be_bytes();
                assert_eq!((&frame[2..4], &frame[12..20]), (&epoch[..], &counter.to_be_bytes()[..]));
                assert_eq!(counter_of(open(&mut opener, &frame)), Ok(counter));
            }
        }
    }
}

#[test]
fn new_keys_are_due_from_frame_2_to_the_32_on_in_either_direction() {
    for order in [Order::Strict, Order::Window] {
        let (mut sealer, mut opener) = pair_at(order, WORN - 1);
        assert!(!sealer.is_worn() && !opener.is_worn());
        let frame = sealed(&mut sealer, Kind::Empty, &[]);
        assert!(sealer.is_worn() && !opener.is_worn());
        open(&mut opener, &frame).unwrap();
        assert!(opener.is_worn());

        let (fresh_sealer, fresh_opener) = pair_at(order, 0);
        assert!(Channel { sealer, opener: fresh_opener }.is_worn());
        assert!(Channel { sealer: fresh_sealer, opener }.is_worn());
        let (sealer, opener) = pair_at(order, 0);
        assert!(!Channel { sealer, opener }.is_worn());
    }
}

#[test]
fn frame_2_to_the_40_is_neither_sealed_nor_opened() {
    for order in [Order::Strict, Order::Window] {
        let (mut sealer, mut opener) = pair_at(order, MAX_FRAMES - 1);
        let last = sealed(&mut sealer, Kind::Empty, &[]);
        assert!(open(&mut opener, &last).is_ok());
        for _ in 0..2 {
            assert_eq!(sealer.seal(Draft::new(Kind::Empty, &[]).unwrap()).err(), Some(SealError::Spent));
            assert_eq!(sealer.seal_now(&[]), None);
        }
        let after = seal_by(Ratchet::new(&chain()).key(), MAX_FRAMES);
        assert_eq!(opener.open(after).err(), Some(Refusal::Order));
    }
}

#[test]
fn after_2_to_the_36_forgeries_no_datagram_is_opened_and_frames_that_are_only_late_do_not_count() {
    let mut forged = frame_at(1);
    forged[30] ^= 1;
    let mut opener = datagrams(&chain()).with_forgeries(MAX_FORGERIES - 2);
    assert_eq!(open(&mut opener, &forged), Err(Refusal::Forged));
    assert!(open(&mut opener, &frame_at(0)).is_ok());
    assert_eq!(open(&mut opener, &frame_at(0)), Err(Refusal::Order));
    assert_eq!(opener.open(vec![4, 1]).err(), Some(Refusal::Malformed));
    assert_eq!(open(&mut opener, &forged), Err(Refusal::Forged));
    assert_eq!(open(&mut opener, &frame_at(1)), Err(Refusal::Closed));
}

#[test]
fn keys_are_not_shown() {
    let (mut sealer, mut opener) = pair_at(Order::Window, 0);
    let _ = opener.open(frame_at(65_536));
    let task = sealer.seal(Draft::new(Kind::Empty, &[]).unwrap()).unwrap();
    let shown = alloc::format!("{task:?} {:?}", Channel { sealer, opener });
    let first = alloc::format!("{:?}", Ratchet::new(&chain()).key().expose());
    assert!(shown.contains("Secret") && !shown.contains(&first), "{shown}");
}

#[test]
fn a_frame_out_of_order_is_refused_before_it_costs_a_job() {
    let (mut sealer, mut opener) = pair_at(Order::Strict, 0);
    let frames = [(); 3].map(|()| sealed(&mut sealer, Kind::Ping, &[1; 8]));
    assert!(opener.open(frames[0].clone()).is_ok());
    assert_eq!(opener.open(frames[2].clone()).err(), Some(Refusal::Order));
    assert_eq!(opener.open(frames[1].clone()).err(), Some(Refusal::Closed));

    let mut opener = datagrams(&chain());
    assert!(open(&mut opener, &frame_at(3000)).is_ok());
    for counter in [3000, 3000 - 2048, 0] {
        assert_eq!(opener.open(frame_at(counter)).err(), Some(Refusal::Order), "{counter}");
    }
    assert!(opener.open(frame_at(3000 - 2047)).is_ok());
}
