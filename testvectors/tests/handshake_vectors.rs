//! The transcripts of `vectors/reference_handshake.py`, an implementation of PROTOCOL.md that shares no code with ours: said by
//! our side, byte for byte, and heard by it.

use std::path::Path as File;

use landfall_core::session::channel::{Opener, Sealer};
use landfall_core::session::handshake::initiator::AwaitingM2;
use landfall_core::session::handshake::responder::AwaitingM3;
use landfall_core::session::handshake::{Established, Initiator, Keys, M1, Responder};
use landfall_core::{Path, PeerId, Revocation, Rotation, RotationReason, Secret, SoftwareKeyring, vectors};
use serde_json::Value;

fn file() -> Value {
    let path = File::new(env!("CARGO_MANIFEST_DIR")).join("vectors/handshake.json");
    serde_json::from_slice(&std::fs::read(path).expect("handshake.json is there")).expect("JSON")
}

fn list<'a>(file: &'a Value, name: &str) -> &'a Vec<Value> {
    file[name].as_array().unwrap_or_else(|| panic!("{name} is a list"))
}

fn hex(value: &Value) -> Vec<u8> {
    let text = value.as_str().unwrap_or_else(|| panic!("{value} is hexadecimal"));
    let byte = |at: usize| u8::from_str_radix(&text[at..at + 2], 16).expect("two hexadecimal digits");
    (0..text.len()).step_by(2).map(byte).collect()
}

fn array<const N: usize>(value: &Value) -> [u8; N] {
    hex(value).try_into().unwrap_or_else(|_| panic!("{value} has {N} bytes"))
}

/// One handshake of the file, and what our two sides of it need.
struct Case<'a> {
    json: &'a Value,
    initiator: SoftwareKeyring,
    responder: SoftwareKeyring,
    path: Path,
}

impl<'a> Case<'a> {
    fn new(json: &'a Value) -> Self {
        let keyring = |name: &str| SoftwareKeyring::from_seed(&array(&json[name]));
        let path = match json["path"].as_u64() {
            Some(0) => Path::Direct,
            Some(1) => Path::Room(hex(&json["room"])),
            _ => panic!("path {}", json["path"]),
        };
        Self { json, initiator: keyring("initiator_seed"), responder: keyring("responder_seed"), path }
    }

    fn name(&self) -> &str {
        self.json["name"].as_str().expect("a name")
    }

    fn bytes(&self, name: &str) -> Vec<u8> {
        hex(&self.json[name])
    }

    fn sid(&self, name: &str) -> u64 {
        self.json[name].as_u64().expect("a session id")
    }

    fn is_of_a_later_version(&self, payload: &str) -> bool {
        self.bytes(payload).iter().any(|byte| *byte != 0)
    }

    /// The M1 that the responder of the file answers.
    fn answered_m1(&self) -> Vec<u8> {
        hex(self.json["cookie"].get("m1").unwrap_or(&self.json["m1"]))
    }

    fn initiator_awaiting_m2(&self) -> Initiator<AwaitingM2> {
        let secret = Secret::from_bytes(array(&self.json["initiator_ephemeral_secret"]));
        let sid = self.sid("initiator_sid");
        let (initiator, work) =
            Initiator::new(self.initiator.id(), self.responder.id(), &self.path, secret, sid).unwrap();
        let (initiator, m1) = initiator.keyed(work.run(&self.initiator)).unwrap();
        assert_eq!(m1.as_slice(), self.bytes("m1"), "M1 of {}", self.name());
        let Some(cookie) = self.json.get("cookie") else { return initiator };
        let (initiator, m1) = initiator.cookie(&hex(&cookie["frame"])).unwrap();
        assert_eq!(m1.as_slice(), hex(&cookie["m1"]), "M1 with a cookie of {}", self.name());
        initiator
    }

    fn finish(&self, initiator: Initiator<AwaitingM2>, m2: &[u8]) -> Option<Established> {
        let (initiator, work) = initiator.receive(m2).ok()?;
        let (initiator, work) = initiator.agreed(work.run(&self.initiator)).ok()?;
        let (initiator, work) = initiator.verified(work.run(&self.initiator)).ok()?;
        initiator.signed(work.run(&self.initiator)).ok()
    }

    fn responder_awaiting_m3(&self) -> (Responder<AwaitingM3>, Vec<u8>) {
        let secret = Secret::from_bytes(array(&self.json["responder_ephemeral_secret"]));
        let m1 = self.answered_m1();
        let m1 = M1::read(&m1, &self.responder.id()).unwrap();
        let sid = self.sid("responder_sid");
        let (responder, work) = Responder::new(self.responder.id(), &self.path, secret, sid, &m1).unwrap();
        let (responder, work) = responder.keyed(work.run(&self.responder)).unwrap();
        let (responder, work) = responder.agreed(work.run(&self.responder)).unwrap();
        let (responder, m2) = responder.signed(work.run(&self.responder)).unwrap();
        (responder, m2.to_vec())
    }

    fn identify(&self, responder: Responder<AwaitingM3>, m3: &[u8]) -> Option<Established> {
        let (responder, work) = responder.receive(m3).ok()?;
        responder.verified(work.run(&self.responder)).ok()
    }

    /// Both sides' keys, as the file has them.
    fn check_keys(&self, keys: &Keys, sending: &str, receiving: &str) {
        assert_eq!(keys.sending().expose().as_slice(), self.bytes(sending), "{sending} of {}", self.name());
        assert_eq!(keys.receiving().expose().as_slice(), self.bytes(receiving), "{receiving} of {}", self.name());
        assert_eq!(keys.exporter().expose().as_slice(), self.bytes("exporter"), "exporter of {}", self.name());
        assert_eq!(keys.session_id().as_slice(), self.bytes("session_id"), "session id of {}", self.name());
        assert_eq!(keys.transcript().as_slice(), self.bytes("h4"), "h4 of {}", self.name());
    }
}

#[test]
fn the_known_answer_of_the_specification_is_ours_too() {
    let file = file();
    let case = list(&file, "handshakes").iter().map(Case::new).find(|case| case.name() == "room").expect("the case");
    let initiator = Initiator::new(
        SoftwareKeyring::from_seed(&[1; 32]).id(),
        SoftwareKeyring::from_seed(&[2; 32]).id(),
        &Path::Room(b"room-1".to_vec()),
        Secret::from_bytes([3; 32]),
        7,
    );
    let (initiator, work) = initiator.unwrap();
    let (initiator, _) = initiator.keyed(work.run(&case.initiator)).unwrap();
    let established = case.finish(initiator, &case.responder_awaiting_m3().1).expect("a handshake");
    let json = |text: &str| Value::from(text);
    let h4: [u8; 32] = array(&json("6d67209d02b6cad0a68c8e38ab257a2e3206396431a0d131befd5037fce00afd"));
    let ms: [u8; 32] = array(&json("01f9f0d23373fb27b98ce8fe10263a21320028f037434ab7c07713b9c5fcce26"));
    let key: [u8; 32] = array(&json("8a8913682d9ed49845e8775b8d90dab3a47b8ac27ef86d16a870cb1720151cdc"));
    let keys = established.keys();
    assert_eq!(keys.transcript(), &h4);
    assert_eq!(*keys.sending(), vectors::expand(&Secret::from_bytes(ms), "ck i", &[]));
    assert_eq!(vectors::expand(keys.sending(), "key", &[]).expose(), &key);
}

#[test]
fn our_initiator_says_what_the_reference_says_and_accepts_what_it_answers() {
    let file = file();
    let mut with_a_cookie = 0;
    for case in list(&file, "handshakes").iter().map(Case::new) {
        assert_eq!(case.initiator.id().as_bytes().as_slice(), case.bytes("initiator_id"));
        with_a_cookie += u32::from(case.json.get("cookie").is_some());
        let established = case.finish(case.initiator_awaiting_m2(), &case.bytes("m2"));
        let established = established.unwrap_or_else(|| panic!("M2 of {} is refused", case.name()));
        assert_eq!(established.peer(), case.responder.id());
        if !case.is_of_a_later_version("initiator_payload") {
            assert_eq!(established.m3(), Some(case.bytes("m3").as_slice()), "M3 of {}", case.name());
            case.check_keys(established.keys(), "ck_i", "ck_r");
        }
    }
    assert_eq!((list(&file, "handshakes").len(), with_a_cookie), (10, 3));
}

#[test]
fn our_responder_says_what_the_reference_says_and_accepts_who_dials() {
    let file = file();
    for case in list(&file, "handshakes").iter().map(Case::new) {
        let (responder, m2) = case.responder_awaiting_m3();
        if case.is_of_a_later_version("responder_payload") {
            continue;
        }
        assert_eq!(m2, case.bytes("m2"), "M2 of {}", case.name());
        let established = case.identify(responder, &case.bytes("m3"));
        let established = established.unwrap_or_else(|| panic!("M3 of {} is refused", case.name()));
        assert_eq!(established.peer(), case.initiator.id());
        case.check_keys(established.keys(), "ck_r", "ck_i");
    }
}

#[test]
fn no_byte_of_the_references_frames_can_be_another() {
    let file = file();
    let case = list(&file, "handshakes").iter().map(Case::new).find(|case| case.json.get("cookie").is_some()).unwrap();
    let (responder_id, m1, m2, m3) = (case.responder.id(), case.bytes("m1"), case.bytes("m2"), case.bytes("m3"));
    let changed = |frame: &[u8], at: usize| {
        let mut frame = frame.to_vec();
        frame[at] ^= 1 << (at % 8);
        frame
    };
    // What follows is mac2, which only a responder's gate can judge.
    for at in 0..240 {
        assert!(M1::read(&changed(&m1, at), &responder_id).is_err(), "byte {at} of M1");
    }
    let mut initiator = case.initiator_awaiting_m2();
    for at in 0..m2.len() {
        initiator = refused(&case, initiator, &changed(&m2, at)).unwrap_or_else(|| panic!("byte {at} of M2"));
    }
    assert!(case.finish(initiator, &m2).is_some(), "and the true M2 still counts");
    let (mut responder, _) = case.responder_awaiting_m3();
    for at in 0..m3.len() {
        responder = match responder.receive(&changed(&m3, at)) {
            Err(rejected) => rejected.state,
            Ok((responder, work)) => match responder.verified(work.run(&case.responder)) {
                Err(rejected) => rejected.state,
                Ok(_) => panic!("byte {at} of M3"),
            },
        };
    }
    assert!(case.identify(responder, &m3).is_some(), "and the true M3 still counts");
    let cookie = hex(&case.json["cookie"]["frame"]);
    let secret = Secret::from_bytes(array(&case.json["initiator_ephemeral_secret"]));
    let (initiator, work) =
        Initiator::new(case.initiator.id(), responder_id, &case.path, secret, case.sid("initiator_sid")).unwrap();
    let (mut initiator, _) = initiator.keyed(work.run(&case.initiator)).unwrap();
    for at in 0..cookie.len() {
        let Err(rejected) = initiator.cookie(&changed(&cookie, at)) else { panic!("byte {at} of COOKIE") };
        initiator = rejected.state;
    }
    assert!(initiator.cookie(&cookie).is_ok(), "and the true COOKIE still counts");
}

/// What is left of an initiator that refuses this M2, or nothing if it accepts it.
fn refused(case: &Case<'_>, initiator: Initiator<AwaitingM2>, m2: &[u8]) -> Option<Initiator<AwaitingM2>> {
    let (initiator, work) = match initiator.receive(m2) {
        Ok(next) => next,
        Err(rejected) => return Some(rejected.state),
    };
    let (initiator, work) = match initiator.agreed(work.run(&case.initiator)) {
        Ok(next) => next,
        Err(rejected) => return Some(rejected.state),
    };
    initiator.verified(work.run(&case.initiator)).err().map(|rejected| rejected.state)
}

/// Bytes that are given whole, or as one that is repeated.
fn body(value: &Value) -> Vec<u8> {
    match value.get("length").and_then(Value::as_u64) {
        Some(length) => hex(&value["repeat"]).repeat(usize::try_from(length).expect("a length")),
        None => hex(value),
    }
}

fn is_frame(frame: &[u8], value: &Value) -> bool {
    match value.get("length").and_then(Value::as_u64) {
        Some(length) => frame.len() as u64 == length && vectors::hash(&[frame]).as_slice() == hex(&value["sha256"]),
        None => frame == hex(value),
    }
}

/// Kinds by their bytes, as a record's `Debug` names them.
fn kind(byte: u64) -> String {
    match byte {
        0 => "Empty".into(),
        1 => "Message".into(),
        5 => "Close".into(),
        6 => "Ping".into(),
        7 => "Pong".into(),
        other => format!("Unknown({other})"),
    }
}

#[test]
fn data_frames_are_the_references_at_every_edge_of_the_padding_and_of_the_ratchet() {
    const MESSAGE: u64 = 1;
    let file = file();
    let case = list(&file, "handshakes").iter().map(Case::new).find(|case| case.name() == "direct").expect("the case");
    let (mut sealed, mut opened) = (0, 0);
    for (side, chain, sid) in [("i", "ck_i", "responder_sid"), ("r", "ck_r", "initiator_sid")] {
        let chain = Secret::from_bytes(array(&case.json[chain]));
        let frames = list(&file, "frames").iter().filter(|frame| frame["from"] == side);
        let mut frames: Vec<(u64, &Value)> =
            frames.map(|frame| (frame["counter"].as_u64().expect("a counter"), frame)).collect();
        frames.sort_by_key(|(counter, _)| *counter);
        let mut sealer = Sealer::new(&chain, case.sid(sid));
        let mut opener = Opener::new(&chain, case.sid(sid));
        let mut counter = 0;
        for (at, vector) in frames {
            // What the file leaves out is ours.
            while counter < at {
                let frame = sealer.seal_now(b"between").expect("a frame");
                assert_eq!(opener.open_now(frame).expect("our own").body(), b"between", "counter {counter}");
                counter += 1;
            }
            let said = body(&vector["body"]);
            let number = vector["kind"].as_u64().expect("a kind");
            let ours = sealer.seal_now(&said).expect("a frame");
            counter += 1;
            let frame = if number == MESSAGE {
                assert!(is_frame(&ours, &vector["frame"]), "{vector}");
                sealed += 1;
                ours
            } else {
                hex(&vector["frame"])
            };
            let record = opener.open_now(frame).unwrap_or_else(|| panic!("{vector} is refused"));
            assert_eq!(record.body(), said, "{vector}");
            let expected = format!("Record {{ kind: {},", kind(number));
            assert!(format!("{record:?}").starts_with(&expected), "{vector} is not of kind {expected}");
            opened += 1;
        }
    }
    assert_eq!((sealed, opened), (15, 20));
}

#[test]
fn rotations_revocations_and_text_ids_are_the_references() {
    let file = file();
    for vector in list(&file, "rotations") {
        let keyring = |name: &str| SoftwareKeyring::from_seed(&array(&vector[name]));
        let (old, new) = (keyring("old_seed"), keyring("new_seed"));
        let reason = match vector["reason"].as_u64() {
            Some(0) => RotationReason::Routine,
            Some(1) => RotationReason::Compromise,
            _ => panic!("reason {}", vector["reason"]),
        };
        let epoch = vector["epoch"].as_u64().expect("an epoch");
        let rotation = Rotation::sign((old.id(), &old), (new.id(), &new), epoch, reason).expect("signatures");
        assert_eq!(rotation.encode(), hex(&vector["bytes"]));
        assert_eq!(Rotation::decode(&hex(&vector["bytes"])), Ok(rotation));
    }
    for vector in list(&file, "revocations") {
        let keyring = SoftwareKeyring::from_seed(&array(&vector["seed"]));
        let revocation = Revocation::sign(keyring.id(), &keyring).expect("a signature");
        assert_eq!(revocation.encode(), hex(&vector["bytes"]));
        assert_eq!(Revocation::decode(&hex(&vector["bytes"])), Ok(revocation));
    }
    for vector in list(&file, "ids") {
        let id = PeerId::from_bytes(array(&vector["key"]));
        assert_eq!(Some(id.to_string().as_str()), vector["text"].as_str());
    }
    assert_eq!(["rotations", "revocations", "ids"].map(|name| list(&file, name).len()), [2, 1, 4]);
}
