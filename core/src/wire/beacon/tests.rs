//! Frames written and read back, and every way in which they are refused.

use alloc::string::ToString;
use alloc::vec;

use super::*;
use crate::job::{Keyring, SoftwareKeyring, verify};
use crate::succession::{Revocation, Rotation, RotationReason};
use crate::wire::Frame;
use crate::wire::probe::{self, Answer, Probe};

fn header(kind: Kind) -> Header {
    Header {
        kind,
        answer_me: true,
        network: NetworkTag::of("test"),
        id: Some(SoftwareKeyring::from_seed(&[1; 32]).id()),
        epoch: 5,
        sequence: 6,
        sent: UnixTime::from_millis(7),
        instance: [8; 8],
        ttl: 145,
        tcp_port: 17892,
    }
}

fn signed(header: &Header, body: &[u8]) -> Vec<u8> {
    let mut frame = encode_unsigned(header, body);
    let signature = SoftwareKeyring::from_seed(&[1; 32]).sign(&signing_message(&frame)).unwrap();
    frame.extend_from_slice(&signature);
    frame
}

fn full_profile() -> Profile {
    Profile {
        name: "Anna’s MacBook".to_string(),
        capabilities: vec!["chat".to_string(), "files".to_string()],
        status: Status::DoNotDisturb,
        summary: "baking".to_string(),
        services: vec![("_http._tcp".to_string(), 8080)],
        agent_card: Some("http://anna.local/card.json".to_string()),
        software: "landfall/0.1.0".to_string(),
    }
}

#[test]
fn an_announce_reads_back_as_it_was_written() {
    let addresses = [IpAddr::from([10, 0, 0, 1]), IpAddr::from([0xfe80, 0, 0, 0, 0, 0, 0, 1])];
    let frame = signed(&header(Kind::Announce), &encode_announce(&full_profile(), &addresses, &Statements::default()));
    let beacon = Beacon::parse(&frame).unwrap();
    assert_eq!(beacon.header, header(Kind::Announce));
    let (message, signature) = beacon.signed().unwrap();
    assert!(verify(&beacon.header.id.unwrap(), &message, &signature));
    let body = Body::decode(beacon.body()).unwrap();
    assert_eq!(body, Body { profile: full_profile(), addresses: addresses.to_vec(), claims: Claims::default() });
}

#[test]
fn an_announce_is_never_smaller_than_the_probe_it_provokes() {
    for length in 1..=63 {
        for addresses in 0..=8 {
            let profile = Profile { name: "x".repeat(length), ..Profile::default() };
            let addresses = vec![IpAddr::from([10, 0, 0, 1]); addresses];
            let frame = signed(&header(Kind::Announce), &encode_announce(&profile, &addresses, &Statements::default()));
            assert!(frame.len() >= PROBE_LENGTH, "{} bytes", frame.len());
            let body = Body::decode(Beacon::parse(&frame).unwrap().body()).unwrap();
            assert_eq!(body.profile, profile);
        }
    }
}

#[test]
fn a_discover_is_not_much_smaller_than_what_answers_it() {
    assert_eq!(signed(&header(Kind::Discover), &discover_body()).len(), ANONYMOUS_LENGTH);
    let anonymous = Header { id: None, ..header(Kind::Discover) };
    let frame = encode_unsigned(&anonymous, &empty_body());
    assert_eq!(frame.len(), ANONYMOUS_LENGTH);
    assert_eq!(Beacon::parse(&frame).unwrap().header, anonymous);
    assert_eq!(Beacon::parse(&frame).unwrap().signed(), None);
    let capabilities = vec!["x".repeat(64); 8];
    let longest = Profile { name: "x".repeat(63), software: "y".repeat(64), capabilities, ..full_profile() };
    for (profile, addresses) in [(&longest, 8), (&longest, 0), (&full_profile(), 8), (&full_profile(), 1)] {
        let body = encode_short_announce(profile, &vec![IpAddr::from([0; 16]); addresses], &Statements::default());
        assert!(signed(&header(Kind::Announce), &body).len() <= ANONYMOUS_LENGTH);
        let read = Body::decode(&body).unwrap().profile;
        assert!(read == *profile || read == profile.brief());
    }
    let (some, ..) = said(&encode_short_announce(&full_profile(), &[], &statements(8, 8)), &statements(8, 8));
    assert_eq!(some, 1, "who asks anonymously is told the latest rotation, where there is room");
    let usual = encode_short_announce(&full_profile(), &[IpAddr::from([10, 0, 0, 1])], &Statements::default());
    assert_eq!(Body::decode(&usual).unwrap().profile, full_profile(), "what fits is told");
}

#[test]
fn a_frame_that_is_cut_short_or_has_more_behind_it_is_refused() {
    let announce = signed(&header(Kind::Announce), &encode_announce(&full_profile(), &[], &Statements::default()));
    let anonymous = encode_unsigned(&Header { id: None, ..header(Kind::Discover) }, &empty_body());
    let probe = Probe { sender: None, nonce: [3; 16] }.encode();
    for frame in [announce, anonymous, probe] {
        assert!(Frame::parse(&frame).is_ok());
        for end in 0..frame.len() {
            assert!(Frame::parse(&frame[..end]).is_err(), "{end} of {}", frame.len());
        }
        assert!(Frame::parse(&[frame.as_slice(), &[0]].concat()).is_err());
    }
}

#[test]
fn no_flipped_bit_leaves_a_signed_frame_valid() {
    let frame = signed(&header(Kind::Announce), &encode_announce(&full_profile(), &[], &Statements::default()));
    for bit in 0..frame.len() * 8 {
        let mut forged = frame.clone();
        forged[bit / 8] ^= 1 << (bit % 8);
        let holds = Beacon::parse(&forged).is_ok_and(|beacon| {
            let id = beacon.header.id;
            beacon.signed().is_some_and(|(message, signature)| verify(&id.unwrap(), &message, &signature))
        });
        assert!(!holds, "bit {bit}");
    }
}

#[test]
fn a_body_that_breaks_a_bound_is_refused() {
    let encode = |profile: Profile| encode_body(&profile, &[]);
    let long = |length| "x".repeat(length);
    let refused = [
        encode(Profile { name: long(64), ..Profile::default() }),
        encode(Profile { name: "a\u{1b}[2J".to_string(), ..Profile::default() }),
        encode(Profile { name: "a\u{85}b".to_string(), ..Profile::default() }),
        encode(Profile { summary: long(121), ..Profile::default() }),
        encode(Profile { summary: "a\nb".to_string(), ..Profile::default() }),
        encode(Profile { capabilities: vec![long(1); 17], ..Profile::default() }),
        encode(Profile { capabilities: vec![long(65)], ..Profile::default() }),
        encode(Profile { services: vec![(long(1), 1); 9], ..Profile::default() }),
        encode(Profile { agent_card: Some(long(201)), ..Profile::default() }),
        encode(Profile { software: long(65), ..Profile::default() }),
        vec![0xa1, 0x04, 0x03],             // status 3
        vec![0xa1, 0x01, 0x00],             // a name that is a number
        vec![0xa1, 0x02, 0x81, 0x41, 0x0a], // an address of one byte
        vec![0xa1, 0x07, 0x81, 0x81, 0x00], // a service that is no pair
        vec![0x80],                         // no map
        vec![],
    ];
    for body in refused {
        assert_eq!(Body::decode(&body), Err(FrameError::Body), "{body:02x?}");
    }
}

#[test]
fn unknown_keys_of_any_kind_are_skipped() {
    // {1: "a", 14: [1, {}], -1: null, "z": "w"}
    let body = [0xa4, 0x01, 0x61, b'a', 0x0e, 0x82, 0x01, 0xa0, 0x20, 0xf6, 0x61, b'z', 0x61, b'w'];
    assert_eq!(Body::decode(&body).unwrap().profile.name, "a");
    assert_eq!(Body::decode(&[0xa0]), Ok(Body::default()), "nothing is required");
}

#[test]
fn a_profile_that_fits_its_bounds_field_by_field_may_still_be_too_long_for_a_frame() {
    let widest = Profile { capabilities: vec!["x".repeat(64); 16], ..full_profile() };
    assert!(widest.check().is_err());
    let wide = Profile { capabilities: vec!["x".repeat(64); 8], ..full_profile() };
    assert_eq!(wide.check(), Ok(()));
    let frame =
        signed(&header(Kind::Announce), &encode_announce(&wide, &[IpAddr::from([0; 16]); 8], &Statements::default()));
    assert!(frame.len() <= MAX_FRAME);
}

#[test]
fn a_probe_and_its_answer_read_back_as_they_were_written() {
    let id = SoftwareKeyring::from_seed(&[1; 32]).id();
    for sender in [None, Some(id)] {
        let probe = Probe { sender, nonce: [3; 16] };
        assert_eq!(probe.encode().len(), PROBE_LENGTH);
        assert_eq!(Probe::parse(&probe.encode()), Ok(probe));
    }
    for ip in [IpAddr::from([10, 0, 0, 1]), IpAddr::from([0xfe80, 0, 0, 0, 0, 0, 0, 1])] {
        let answer = Answer {
            network: NetworkTag::of(""),
            id,
            epoch: 1,
            sequence: 2,
            sent: UnixTime::from_millis(3),
            instance: [4; 8],
            nonce: [5; 16],
            observed: (ip, 6),
        };
        let mut frame = answer.encode_unsigned();
        let signature = SoftwareKeyring::from_seed(&[1; 32]).sign(&probe::signing_message(&frame)).unwrap();
        frame.extend_from_slice(&signature);
        assert!(frame.len() < PROBE_LENGTH);
        let (read, message, signature) = Answer::parse(&frame).unwrap();
        assert_eq!(read, answer);
        assert!(verify(&id, &message, &signature));
    }
}

/// Statements of so many rotations and revocations; nobody here asks whether they are true.
fn statements(rotations: u8, revocations: u8) -> Statements {
    let keyring = |number| SoftwareKeyring::from_seed(&[number; 32]);
    let rotation = |number| {
        let (old, new) = (keyring(number), keyring(number + 1));
        Rotation::sign((old.id(), &old), (new.id(), &new), 7, RotationReason::Routine).unwrap()
    };
    Statements {
        rotations: (0..rotations).map(rotation).collect(),
        revocations: (0..revocations)
            .map(|number| Revocation::sign(keyring(number).id(), &keyring(number)).unwrap())
            .collect(),
    }
}

/// How many rotations and revocations an announce says, and what else.
fn said(body: &[u8], statements: &Statements) -> (usize, usize, Body) {
    let read = Body::decode(body).unwrap();
    let rotations: Vec<_> = read.claims.rotations.iter().map(|claim| claim.vouched()).collect();
    let revocations: Vec<_> = read.claims.revocations.iter().map(|claim| claim.vouched()).collect();
    assert_eq!(rotations, statements.rotations[..rotations.len()], "the latest ones");
    assert_eq!(revocations, statements.revocations[..revocations.len()]);
    (rotations.len(), revocations.len(), read)
}

#[test]
fn an_announce_says_as_much_of_ended_keys_as_fits_the_latest_rotation_first() {
    let small = Profile { name: "x".to_string(), ..Profile::default() };
    for (rotations, revocations, expected) in
        [(0, 0, (0, 0)), (1, 0, (1, 0)), (8, 0, (5, 0)), (8, 1, (4, 1)), (1, 9, (1, 4)), (0, 9, (0, 4)), (3, 9, (3, 4))]
    {
        let statements = statements(rotations, revocations);
        let frame = signed(&header(Kind::Announce), &encode_announce(&small, &[], &statements));
        assert!(frame.len() <= MAX_FRAME && frame.len() >= PROBE_LENGTH, "{} bytes", frame.len());
        let (some, others, body) = said(Beacon::parse(&frame).unwrap().body(), &statements);
        assert_eq!((some, others), expected, "of {rotations} and {revocations}");
        assert_eq!(body.profile, small);
    }
}

#[test]
fn no_announce_with_statements_is_too_long_or_too_short_or_not_canonical() {
    for length in (0..=900).step_by(7) {
        let mut profile = Profile { name: "x".repeat(1 + length.min(62)), ..Profile::default() };
        profile.capabilities = (0..length.saturating_sub(62) / 66).map(|_| "y".repeat(64)).collect();
        for (rotations, revocations) in [(0, 1), (1, 0), (1, 1), (2, 4), (8, 8)] {
            let statements = statements(rotations, revocations);
            for addresses in [0, 1, 8] {
                let addresses = vec![IpAddr::from([0xfd00, 0, 0, 0, 0, 0, 0, 1]); addresses];
                let frame = signed(&header(Kind::Announce), &encode_announce(&profile, &addresses, &statements));
                assert!((PROBE_LENGTH..=MAX_FRAME).contains(&frame.len()), "{} bytes", frame.len());
                let (some, others, body) = said(Beacon::parse(&frame).unwrap().body(), &statements);
                assert_eq!(
                    (some > 0, others > 0),
                    (rotations > 0, revocations > 0),
                    "one of each always gets its place"
                );
                assert!(body.profile == profile || body.profile == profile.brief());
                assert_eq!(body.addresses, addresses);
                let short = signed(&header(Kind::Announce), &encode_short_announce(&profile, &addresses, &statements));
                assert!((PROBE_LENGTH..=ANONYMOUS_LENGTH).contains(&short.len()), "{} bytes", short.len());
                said(Beacon::parse(&short).unwrap().body(), &statements);
            }
        }
    }
}

#[test]
fn a_long_profile_gives_way_to_what_there_is_to_say_of_ended_keys() {
    let long = Profile { capabilities: vec!["x".repeat(64); 12], ..full_profile() };
    assert_eq!(long.check(), Ok(()));
    let nothing = Statements::default();
    assert_eq!(Body::decode(&encode_announce(&long, &[], &nothing)).unwrap().profile, long);
    let (some, _, body) = said(&encode_announce(&long, &[], &statements(1, 0)), &statements(1, 0));
    assert_eq!((some, body.profile), (1, long.brief()));
    let middling = Profile { capabilities: vec!["x".repeat(64); 9], ..full_profile() };
    let (some, _, body) = said(&encode_announce(&middling, &[], &statements(2, 0)), &statements(2, 0));
    assert_eq!((some, body.profile), (1, middling), "what fits is told");
}

#[test]
fn statements_of_the_wrong_form_drop_the_frame() {
    let statement = |length: usize| {
        let mut bytes = vec![0x58, length as u8];
        bytes.extend(vec![1; length - 1]);
        bytes.push(0);
        bytes
    };
    let body = |key: u8, count: u8, length: usize| {
        let mut body = vec![0xa1, key, 0x80 | count];
        (0..count).for_each(|_| body.extend(statement(length)));
        body
    };
    // Its two keys are one, so it is no rotation.
    assert!(Body::decode(&body(16, 1, 201)).is_err());
    assert!(Body::decode(&body(16, 0, 201)).is_ok());
    for length in [95, 97] {
        assert!(Body::decode(&body(17, 1, length)).is_err(), "{length} bytes");
    }
    assert!(Body::decode(&body(17, 4, 96)).is_ok());
    assert!(Body::decode(&body(17, 5, 96)).is_err());
    for not_an_array in [vec![0xa1, 0x10, 0x00], vec![0xa1, 0x11, 0x41, 0x00], vec![0xa1, 0x11, 0x81, 0x00]] {
        assert!(Body::decode(&not_an_array).is_err(), "{not_an_array:02x?}");
    }
}
