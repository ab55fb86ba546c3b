//! Whatever comes, in whatever order: the indexes agree, the bounds hold, and whom somebody cares for stays.

extern crate std;

use alloc::string::ToString;
use alloc::vec;
use core::sync::atomic::{AtomicUsize, Ordering};

use quickcheck::{Arbitrary, Gen, QuickCheck};

use super::*;
use crate::io::TrustChange;
use crate::job::SoftwareKeyring;
use crate::succession::{Claims, Revocation, RotationClaim, RotationReason, Statements};
use crate::wire::beacon::{BodyView, encode_announce};

/// Something that happens, to keys that are named by small numbers.
#[derive(Clone, Debug)]
enum Happening {
    Heard { key: u8, name: u8, host: u8, sequence: u16 },
    Again { key: u8, answer_me: bool, proves: bool },
    Proved { key: u8, host: u8 },
    Goodbye { key: u8, sequence: u16 },
    Handshake { key: u8, host: u8, asked_for: bool },
    Talked { key: u8 },
    Change { key: u8, change: u8 },
    Alias { key: u8, alias: Option<u8> },
    Rotation { old: u8, new: u8, compromise: bool },
    Revocation { key: u8, commanded: bool },
    Links { up: bool },
    Time { seconds: u16 },
    Restart,
}

const KEYS: u8 = 14;

impl Arbitrary for Happening {
    fn arbitrary(g: &mut Gen) -> Self {
        let key = u8::arbitrary(g) % KEYS;
        let host = u8::arbitrary(g) % 6;
        match u8::arbitrary(g) % 26 {
            0..=3 => Self::Heard { key, name: u8::arbitrary(g) % 4, host, sequence: u16::arbitrary(g) % 200 },
            4..=6 => Self::Proved { key, host },
            7 => Self::Goodbye { key, sequence: u16::arbitrary(g) % 200 },
            8..=9 => Self::Handshake { key, host, asked_for: bool::arbitrary(g) },
            10 => Self::Talked { key },
            11..=12 => Self::Change { key, change: u8::arbitrary(g) % 5 },
            13 => Self::Alias { key, alias: Some(u8::arbitrary(g) % 4).filter(|_| bool::arbitrary(g)) },
            14..=15 => Self::Rotation { old: key, new: u8::arbitrary(g) % KEYS, compromise: bool::arbitrary(g) },
            16 => Self::Revocation { key, commanded: bool::arbitrary(g) },
            17 => Self::Links { up: u8::arbitrary(g) % 4 > 0 },
            18 => Self::Time { seconds: u16::arbitrary(g) % 400 },
            19 => Self::Restart,
            _ => Self::Again { key: 1 + key % 3, answer_me: bool::arbitrary(g), proves: bool::arbitrary(g) },
        }
    }
}

fn keyring(key: u8) -> SoftwareKeyring {
    SoftwareKeyring::from_seed(&[key + 1; 32])
}

fn address(host: u8) -> SocketAddr {
    SocketAddr::from(([10, 0, 0, 10 + host], 17892))
}

/// Key 0 is ours.
fn registry(limits: Limits, records: Vec<Record>, now: Now) -> Registry {
    Registry::new(Some(keyring(0).id()), limits, &[], records, &seed(), now)
}

struct Storm {
    registry: Registry,
    out: Outbox,
    second: u64,
    limits: Limits,
    disk: alloc::collections::BTreeMap<alloc::string::String, Record>,
    /// What whoever listens to events believes of everybody's trust.
    told: alloc::collections::BTreeMap<PeerId, Trust>,
    /// What each key said last: its name and host, and its highest sequence number.
    said: alloc::collections::BTreeMap<u8, (u8, u8, u16)>,
    /// Whether announces are read even when all that they say is known.
    reads_all: bool,
    /// How many were not read.
    unread: usize,
    /// What was done, in order.
    done: Vec<alloc::string::String>,
}

impl Storm {
    fn new() -> Self {
        let limits = Limits { peers: 9, peers_per_source: 4, candidates: 5, ..Limits::default() };
        let registry = registry(limits, vec![], at(0));
        let (out, disk, told, said) = (Outbox::default(), Default::default(), Default::default(), Default::default());
        Self { registry, out, second: 1, limits, disk, told, said, reads_all: true, unread: 0, done: Vec::new() }
    }

    fn heard(&mut self, key: u8, (name, host, sequence): (u8, u8, u16), answer_me: bool) {
        let newest = self.said.get(&key).map_or(sequence, |said| said.2.max(sequence));
        self.said.insert(key, (name, host, newest));
        let heard = Announcement {
            id: keyring(key).id(),
            source: address(host),
            instance: [host; 8],
            answer_me,
            ..announcement(&alloc::format!("name-{name}"), sequence.into(), 1)
        };
        // Every other host says which addresses it has.
        let addresses = [address(host).ip()];
        let listed = if host % 2 == 0 { &addresses[..] } else { &[] };
        let words = encode_announce(&heard.body.profile, listed, &Statements::default());
        let (now, out) = (at(self.second), &mut self.out);
        let known = (!self.reads_all).then(|| self.registry.heard_again(&heard.with_body(&words[..]), now)).flatten();
        self.unread += usize::from(known.is_some());
        let reaction = known.unwrap_or_else(|| {
            let body = BodyView::read(&words).unwrap();
            self.registry.heard(&heard.with_body(body), false, now, out)
        });
        self.done.push(alloc::format!("{reaction:?}"));
    }

    fn happens(&mut self, happening: &Happening) {
        let now = at(self.second);
        let (registry, out) = (&mut self.registry, &mut self.out);
        match *happening {
            Happening::Heard { key, name, host, sequence } => self.heard(key, (name, host, sequence), false),
            // Just what it said last, from the same place, where it may have proved itself meanwhile; and an old frame.
            Happening::Again { key, answer_me, proves } => {
                if let Some((name, host, sequence)) = self.said.get(&key).copied() {
                    self.heard(key, (name, host, sequence + 1), answer_me);
                    if proves {
                        self.happens(&Happening::Proved { key, host });
                    }
                    for sequence in [sequence + 2, sequence + 1] {
                        self.heard(key, (name, host, sequence), answer_me);
                    }
                }
            }
            Happening::Proved { key, host } => {
                let proof = Proof { address: address(host), ..proof(1) };
                let answer = Answer { id: keyring(key).id(), instance: [host; 8], ..answer(1) };
                registry.proved(proof, &answer, now, out);
            }
            Happening::Goodbye { key, sequence } => {
                registry.goodbye(&keyring(key).id(), 1, sequence.into(), now, out);
            }
            Happening::Handshake { key, host, asked_for } => {
                registry.shook_hands(&keyring(key).id(), address(host), 2, asked_for, now, out);
            }
            Happening::Talked { key } => registry.talked(&keyring(key).id(), 1, 1, now, out),
            Happening::Change { key, change } => {
                let changes = [
                    TrustChange::Pin,
                    TrustChange::Verify,
                    TrustChange::Block,
                    TrustChange::Unblock,
                    TrustChange::Forget,
                ];
                let _ = registry.change_trust(&keyring(key).id(), changes[usize::from(change)], now, out);
            }
            Happening::Alias { key, alias } => {
                let alias = alias.map(|alias| alloc::format!("alias-{alias}"));
                let _ = registry.set_alias(&keyring(key).id(), alias, now, out);
            }
            Happening::Rotation { old, new, compromise } => {
                let reason = if compromise { RotationReason::Compromise } else { RotationReason::Routine };
                let [one, other] = [keyring(old), keyring(new)];
                if let Some(rotation) = Rotation::sign((one.id(), &one), (other.id(), &other), 1, reason) {
                    let rotations = vec![RotationClaim::read(&rotation.encode()).unwrap()];
                    registry.heard_claims(&other.id(), &Claims { rotations, revocations: vec![] }, now, out);
                }
            }
            Happening::Revocation { key, commanded } => {
                let keyring = keyring(key);
                let revocation = Revocation::sign(keyring.id(), &keyring).unwrap();
                if key == 0 {
                    return;
                }
                if commanded {
                    registry.revoke(&revocation, now, out);
                } else {
                    let revocations = vec![crate::succession::RevocationClaim::read(&revocation.encode()).unwrap()];
                    registry.heard_claims(&self::keyring(1).id(), &Claims { rotations: vec![], revocations }, now, out);
                }
            }
            Happening::Links { up } => {
                let eth0 = Interface::ethernet(2, "eth0", &[("10.0.0.1".parse().unwrap(), 24)]);
                registry.set_links(if up { core::slice::from_ref(&eth0) } else { &[] }, now, out);
            }
            Happening::Time { seconds } => {
                self.second += u64::from(seconds);
                let calls = registry.fire(at(self.second), out);
                self.done.push(alloc::format!("{calls:?}"));
            }
            Happening::Restart => {
                registry.save(out);
                self.settle();
                self.registry = self::registry(self.limits, self.disk.values().cloned().collect(), now);
            }
        }
        self.settle();
    }

    fn settle(&mut self) {
        while let Some(action) = self.out.pop() {
            self.done.push(action.to_string());
            match action {
                crate::Action::Job(job) => {
                    let now = at(self.second);
                    let _ = self.registry.checked(&job.run(&keyring(0)), now, &mut self.out);
                }
                crate::Action::Persist(_, record) => {
                    match record.encode() {
                        Some(bytes) => drop(self.disk.insert(record.key(), Record::decode(&bytes).unwrap())),
                        None => drop(self.disk.remove(&record.key())),
                    }
                    if let Record::Forgotten(id) = record {
                        self.told.remove(&id);
                    }
                }
                crate::Action::Event(Event::TrustChanged { id, from, to }) => {
                    let before = self.told.insert(id, to).unwrap_or_default();
                    assert_eq!(before, from, "{id} was told to be something else");
                }
                crate::Action::Event(_) => {}
                crate::Action::Transmit(_) | crate::Action::Stream(..) => panic!("the registry sends nothing"),
            }
        }
    }

    fn check(&self) {
        self.registry.table.check();
        assert!(self.registry.keys.chains.is_empty() && self.registry.keys.checks.is_empty());
        for entry in self.registry.table.entries() {
            let peer = &entry.peer;
            assert_eq!(self.told.get(&peer.id).copied().unwrap_or_default(), peer.trust, "{}", peer.id);
            let counts = !matches!(peer.trust, Trust::Blocked | Trust::Revoked);
            assert!(counts || (!peer.online && peer.addresses.is_empty()), "{peer:?}");
            assert!(peer.successor.is_none() || peer.trust == Trust::Revoked, "{peer:?}");
            assert!(entry.pinned_from.is_none() || peer.trust == Trust::Pinned, "{entry:?}");
            assert!(peer.warnings.len() <= 8 && peer.history.addresses.len() <= 8);
            assert_ne!(peer.id, keyring(0).id(), "we are nobody's peer");
        }
        for record in self.disk.values() {
            if let Record::Peer(record) = record {
                let peer = self.registry.peer(&record.id).expect("whoever is stored is known");
                assert_eq!(
                    (record.trust, &record.alias),
                    (peer.trust, &peer.alias),
                    "trust and alias are stored at once"
                );
                assert_eq!(record.successor, peer.successor);
            }
        }
    }
}

/// Whether this holds of 300 sequences.
fn random(holds: fn(Vec<Happening>) -> bool) {
    let seed = std::env::var("QUICKCHECK_SEED").ok().and_then(|seed| seed.parse().ok()).unwrap_or(0x5eed_0011_u64);
    std::eprintln!("seed {seed}");
    let rng = Gen::from_size_and_seed(120, seed);
    QuickCheck::new().rng(rng).tests(300).quickcheck(holds);
}

#[test]
fn whatever_happens_the_indexes_agree_with_the_peers_and_the_disk_with_both() {
    fn holds(happenings: Vec<Happening>) -> bool {
        let mut storm = Storm::new();
        for happening in &happenings {
            storm.happens(happening);
            storm.check();
        }
        true
    }
    random(holds);
}

#[test]
fn what_is_said_again_needs_no_reading() {
    fn storms(happenings: Vec<Happening>) -> bool {
        let (mut reader, mut listener) = (Storm::new(), Storm { reads_all: false, ..Storm::new() });
        for happening in &happenings {
            for storm in [&mut reader, &mut listener] {
                storm.happens(happening);
            }
            let shown = |storm: &Storm| {
                let table = &storm.registry.table;
                let pulse = |id| table.pulse(id).map(|it| (it.last(), it.last_seen, it.ttl, it.expires, it.knows_us));
                let peers: Vec<_> = storm.registry.peers().map(|peer| (peer.clone(), pulse(&peer.id))).collect();
                (peers, storm.registry.poll_timeout(), storm.done.clone())
            };
            assert_eq!(shown(&listener), shown(&reader));
            reader.done.clear();
            listener.done.clear();
        }
        UNREAD.fetch_add(listener.unread, Ordering::Relaxed);
        true
    }
    static UNREAD: AtomicUsize = AtomicUsize::new(0);
    random(storms);
    let unread = UNREAD.load(Ordering::Relaxed);
    assert!(unread > 100, "so many were heard and not read: {unread}");
}

#[test]
fn a_million_strangers_evict_nobody_whom_somebody_cares_for() {
    let id = |number: u32| {
        let mut bytes = [3; 32];
        bytes[..4].copy_from_slice(&number.to_be_bytes());
        PeerId::from_bytes(bytes)
    };
    let mut out = Outbox::default();
    let mut registry = registry(Limits::default(), vec![], at(0));
    let cared_for = [TrustChange::Pin, TrustChange::Verify, TrustChange::Block];
    for (number, change) in (0..).zip(cared_for) {
        registry.change_trust(&id(number), change, at(1), &mut out).unwrap();
    }
    registry.shook_hands(&id(3), address(3), 2, false, at(1), &mut out);
    registry.shook_hands(&id(4), address(4), 2, true, at(1), &mut out);
    registry.set_alias(&id(4), Some("nas".to_string()), at(1), &mut out).unwrap();
    let ended = keyring(5);
    assert!(registry.revoke(&Revocation::sign(ended.id(), &ended).unwrap(), at(1), &mut out));
    let before: Vec<Peer> = registry.peers().cloned().collect();
    for number in 10..1_000_010 {
        let now = at(2 + u64::from(number / 1000));
        let source = SocketAddr::from((core::net::Ipv4Addr::from_bits(0x0a01_0000 + number % 0xffff), 17892));
        let mut heard = Announcement { id: id(number), source, ..announcement("nas", 1, 17892) };
        heard.body.addresses = vec![];
        registry.heard(&heard, false, now, &mut out);
        let proof = Proof { address: source, ..proof(1) };
        registry.proved(proof, &Answer { id: id(number), ..answer(1) }, now, &mut out);
        if number % 7 == 0 {
            registry.shook_hands(&id(number), source, 2, false, now, &mut out);
        }
        registry.goodbye(&id(number), 1, 2, now, &mut out);
        if number % 1000 == 0 {
            out = Outbox::default();
            let _ = registry.fire(now, &mut out);
        }
    }
    registry.table.check();
    assert_eq!(registry.peers().count(), 4096);
    assert_eq!(registry.peers().filter(|peer| peer.trust == Trust::Pinned).count(), 1024 + 2);
    for peer in before {
        let now = registry.peer(&peer.id).expect("it is remembered");
        assert_eq!((now.trust, &now.alias), (peer.trust, &peer.alias));
    }
}
