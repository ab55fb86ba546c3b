//! Keys that end: whom a rotation makes trusted, what a revocation takes back, and what false claims cost.

use alloc::collections::VecDeque;
use alloc::string::{String, ToString};
use alloc::vec;

use super::*;
use crate::Action;
use crate::io::TrustChange;
use crate::job::{JobDone, JobOutput, SoftwareKeyring};
use crate::record::RevocationRecord;
use crate::succession::{Claims, Revocation, RevocationClaim, RotationClaim, RotationReason, Statements};
use crate::time::UnixTime;
use crate::wire::statements;

const DAY: u64 = 24 * 3600;

fn keyring(number: u8) -> SoftwareKeyring {
    SoftwareKeyring::from_seed(&[number; 32])
}

fn id(number: u8) -> PeerId {
    keyring(number).id()
}

fn rotation_for(old: u8, new: u8, reason: RotationReason) -> Rotation {
    Rotation::sign((id(old), &keyring(old)), (id(new), &keyring(new)), at(0).wall.as_millis(), reason).unwrap()
}

fn rotation(old: u8, new: u8) -> Rotation {
    rotation_for(old, new, RotationReason::Routine)
}

fn revocation(number: u8) -> Revocation {
    Revocation::sign(id(number), &keyring(number)).unwrap()
}

/// A chain through these keys as its last one tells it: the latest first.
fn chain(keys: &[u8]) -> Vec<Rotation> {
    keys.windows(2).rev().map(|pair| rotation(pair[0], pair[1])).collect()
}

fn claims(rotations: &[Rotation], revocations: &[Revocation]) -> Claims {
    Claims {
        rotations: rotations.iter().map(|rotation| RotationClaim::read(&rotation.encode()).unwrap()).collect(),
        revocations: revocations
            .iter()
            .map(|revocation| RevocationClaim::read(&revocation.encode()).unwrap())
            .collect(),
    }
}

/// A registry with its outbox, and everything that came out of it.
struct World {
    registry: Registry,
    out: Outbox,
    events: Vec<Event>,
    records: Vec<Record>,
    ended: Vec<PeerId>,
    checks: usize,
    now: Now,
}

impl World {
    fn new(known: &[(u8, Trust)]) -> Self {
        let peer = |(number, trust): &(u8, Trust)| {
            let name = alloc::format!("n{number}");
            let first_seen = UnixTime::from_millis((*number).into());
            Record::Peer(PeerRecord { trust: *trust, name, first_seen, ..PeerRecord::of(id(*number)) })
        };
        Self::restored(known.iter().map(peer).collect(), at(0))
    }

    fn restored(records: Vec<Record>, now: Now) -> Self {
        let registry = Registry::new(Some(id(1)), Limits::default(), &[], records, &seed(), now);
        let out = Outbox::default();
        Self { registry, out, events: vec![], records: vec![], ended: vec![], checks: 0, now }
    }

    /// What its disk would make of it after a restart.
    fn restart(&self, now: Now) -> Self {
        let mut disk = alloc::collections::BTreeMap::new();
        for record in &self.records {
            match record.encode() {
                Some(bytes) => drop(disk.insert(record.key(), Record::decode(&bytes).unwrap())),
                None => drop(disk.remove(&record.key())),
            }
        }
        Self::restored(disk.into_values().collect(), now)
    }

    /// Does what is asked for until nothing is.
    fn settle(&mut self) {
        let mut waiting = VecDeque::new();
        loop {
            while let Some(action) = self.out.pop() {
                match action {
                    Action::Job(job) => waiting.push_back(job),
                    Action::Event(event) => self.events.push(event),
                    Action::Persist(_, record) => self.records.push(record),
                    Action::Transmit(_) | Action::Stream(..) => panic!("the registry sends nothing"),
                }
            }
            let Some(job) = waiting.pop_front() else { break };
            self.checks += 1;
            assert!(self.registry.owns(job.id()));
            let ended = self.registry.checked(&job.run(&keyring(1)), self.now, &mut self.out);
            self.ended.extend(ended);
        }
        assert!(self.registry.keys.chains.is_empty() && self.registry.keys.checks.is_empty());
        self.registry.table.check();
    }

    fn hears(&mut self, from: u8, rotations: &[Rotation], revocations: &[Revocation]) {
        let now = self.now;
        self.registry.heard_claims(&id(from), &claims(rotations, revocations), now, &mut self.out);
        self.settle();
    }

    fn revokes(&mut self, revocation: &Revocation) -> bool {
        let news = self.registry.revoke(revocation, self.now, &mut self.out);
        self.settle();
        news
    }

    fn does(&mut self, number: u8, change: TrustChange) {
        self.registry.change_trust(&id(number), change, self.now, &mut self.out).unwrap();
        self.settle();
    }

    fn calls(&mut self, number: u8, alias: &str) {
        self.registry.set_alias(&id(number), Some(alias.to_string()), self.now, &mut self.out).unwrap();
        self.settle();
    }

    fn later(&mut self, seconds: u64) {
        self.now = at(self.now.at.since(Instant::ZERO).as_secs() + seconds);
    }

    fn trust(&self, number: u8) -> Option<Trust> {
        self.registry.trust(&id(number))
    }

    fn peer(&self, number: u8) -> &Peer {
        self.registry.peer(&id(number)).unwrap()
    }

    fn warnings(&self) -> usize {
        self.events.iter().filter(|event| matches!(event, Event::Warning(_))).count()
    }
}

#[test]
fn a_rotation_hands_trust_alias_history_and_age_on_to_the_new_key() {
    let mut world = World::new(&[(2, Trust::Verified)]);
    world.calls(2, "nas");
    let used = SocketAddr::from(([10, 0, 0, 2], 17892));
    world.registry.shook_hands(&id(2), used, 2, true, at(5), &mut world.out);
    world.registry.talked(&id(2), 4, 5, at(6), &mut world.out);
    world.registry.handshake_failed(&id(2), at(6), &mut world.out);
    world.settle();
    world.events.clear();
    world.hears(3, &chain(&[2, 3]), &[]);
    let new = world.peer(3).clone();
    assert_eq!((new.trust, new.alias.as_deref(), new.profile.name.as_str()), (Trust::Verified, Some("nas"), "n2"));
    assert_eq!((new.first_seen, world.registry.last_seen(&id(3))), (UnixTime::from_millis(2), Some(at(6).wall)));
    let history = History {
        handshakes: 1,
        failed_handshakes: 1,
        last_handshake: Some(at(5).wall),
        messages_sent: 4,
        messages_received: 5,
        addresses: vec![used],
    };
    assert_eq!(new.history, history);
    let old = world.peer(2).clone();
    assert_eq!(
        (old.trust, old.successor, old.alias, old.history),
        (Trust::Revoked, Some(id(3)), None, History::default())
    );
    let expected = [
        Event::Rotated { old: id(2), new: id(3), reason: RotationReason::Routine },
        Event::TrustChanged { id: id(2), from: Trust::Verified, to: Trust::Revoked },
        Event::TrustChanged { id: id(3), from: Trust::Seen, to: Trust::Verified },
    ];
    assert_eq!((&world.events[..], &world.ended[..], world.checks), (&expected[..], &[id(2)][..], 2));

    // Again, and after a restart, it is no news.
    world.hears(3, &chain(&[2, 3]), &[]);
    let mut after = world.restart(at(100));
    after.hears(3, &chain(&[2, 3]), &[]);
    assert_eq!((world.checks, after.checks), (2, 0));
    assert_eq!((after.peer(3), after.peer(2)), (&new, world.peer(2)));
}

#[test]
fn what_the_new_key_has_and_what_the_old_one_leaves_come_together() {
    use RotationReason::{Compromise, Routine};
    use Trust::{Blocked, Pinned, Revoked, Seen, Verified};
    for (old, reason, new, expected) in [
        (Seen, Routine, Seen, Seen),
        (Seen, Routine, Verified, Verified),
        (Pinned, Routine, Seen, Pinned),
        (Pinned, Routine, Pinned, Pinned),
        (Verified, Routine, Pinned, Verified),
        (Verified, Compromise, Seen, Pinned),
        (Verified, Compromise, Verified, Verified),
        (Pinned, Compromise, Seen, Pinned),
        (Blocked, Routine, Seen, Blocked),
        (Blocked, Compromise, Verified, Blocked),
        (Verified, Routine, Blocked, Blocked),
    ] {
        let mut world = World::new(&[(2, old), (3, new)]);
        world.hears(3, &[rotation_for(2, 3, reason)], &[]);
        assert_eq!((world.trust(2), world.trust(3)), (Some(Revoked), Some(expected)), "{old:?} {reason:?} {new:?}");
        let both = expected == Blocked;
        assert_eq!(world.ended.len(), if both { 2 } else { 1 });
        assert_eq!(world.restart(at(9)).peer(3), world.peer(3));
    }
    let mut world = World::new(&[(2, Verified), (3, Revoked)]);
    world.hears(3, &chain(&[2, 3]), &[]);
    assert_eq!((world.trust(2), world.checks), (Some(Verified), 0), "to a key that ended there is no way");
}

#[test]
fn an_alias_of_its_own_stays_with_the_new_key() {
    let mut world = World::new(&[(2, Trust::Pinned), (3, Trust::Pinned)]);
    world.calls(2, "nas");
    world.calls(3, "nas-2");
    world.hears(3, &chain(&[2, 3]), &[]);
    assert_eq!((world.peer(3).alias.as_deref(), &world.peer(2).alias), (Some("nas-2"), &None));
}

#[test]
fn a_rotation_of_a_key_that_nobody_knows_means_nothing() {
    let mut world = World::new(&[(5, Trust::Pinned)]);
    world.hears(3, &chain(&[2, 3]), &[]);
    assert_eq!((world.checks, world.registry.peers().count()), (0, 1));
}

#[test]
fn whoever_was_away_follows_a_chain_of_eight_and_nobody_reads_one_of_nine() {
    let keys: Vec<u8> = (2..=10).collect();
    let mut world = World::new(&[(2, Trust::Verified)]);
    world.calls(2, "nas");
    world.hears(10, &chain(&keys), &[]);
    assert_eq!((world.trust(10), world.peer(10).alias.as_deref()), (Some(Trust::Verified), Some("nas")));
    assert_eq!((world.checks, world.ended.len()), (16, 8));
    for number in 2..10 {
        assert_eq!((world.trust(number), world.peer(number).successor), (Some(Trust::Revoked), Some(id(number + 1))));
    }
    let nine: Vec<u8> = (2..=11).collect();
    let told = statements::encode(&Statements { rotations: chain(&nine), revocations: vec![] });
    assert_eq!(statements::decode(&told).unwrap().rotations.len(), 8, "no more than eight are written");
    let mut body = vec![0xa1, 0x10, 0x89];
    for rotation in chain(&nine) {
        body.extend([0x58, 201]);
        body.extend(rotation.encode());
    }
    assert!(statements::decode(&body).is_err());
    assert!(Body::decode(&body).is_err());
}

#[test]
fn only_the_links_from_the_first_known_key_on_are_checked() {
    for (known, checks) in [(2, 8), (3, 6), (4, 4), (5, 2)] {
        let mut world = World::new(&[(known, Trust::Pinned)]);
        world.hears(6, &chain(&[2, 3, 4, 5, 6]), &[]);
        assert_eq!((world.trust(6), world.checks), (Some(Trust::Pinned), checks));
    }
}

#[test]
fn a_chain_that_has_a_gap_or_leads_to_somebody_else_is_not_looked_at() {
    let mut world = World::new(&[(2, Trust::Pinned), (4, Trust::Pinned)]);
    world.hears(5, &[rotation(4, 5), rotation(2, 3)], &[]);
    world.hears(4, &chain(&[2, 3]), &[]);
    world.hears(3, &[rotation(2, 3), rotation(3, 4)], &[]);
    world.hears(1, &chain(&[2, 1]), &[]);
    assert_eq!(world.checks, 0);
    // Round and round: the second half leads back to a key that has ended.
    world.hears(2, &[rotation(3, 2), rotation(2, 3)], &[]);
    assert_eq!((world.trust(2), world.trust(3)), (Some(Trust::Revoked), Some(Trust::Pinned)));
}

#[test]
fn no_flipped_bit_and_no_cut_leaves_a_rotation_or_a_revocation_true() {
    let bytes = rotation(2, 3).encode();
    assert_eq!(bytes.len(), Rotation::LENGTH);
    for bit in 0..bytes.len() * 8 {
        let mut flipped = bytes.clone();
        flipped[bit / 8] ^= 1 << (bit % 8);
        assert!(Rotation::decode(&flipped).is_err(), "bit {bit}");
        let Some(claim) = RotationClaim::read(&flipped) else { continue };
        let mut world = World::new(&[(2, Trust::Pinned), (3, Trust::Seen)]);
        let from = claim.new_id();
        world.registry.heard_claims(
            &from,
            &Claims { rotations: vec![claim], revocations: vec![] },
            at(1),
            &mut world.out,
        );
        world.settle();
        assert_eq!((world.trust(2), world.trust(3)), (Some(Trust::Pinned), Some(Trust::Seen)), "bit {bit}");
        assert_eq!((world.registry.peers().count(), world.records.len(), world.events.len()), (2, 0, 0));
    }
    for end in 0..bytes.len() {
        assert!(Rotation::decode(&bytes[..end]).is_err() && RotationClaim::read(&bytes[..end]).is_none());
    }
    assert!(Rotation::decode(&[&bytes[..], &[0]].concat()).is_err());
    let bytes = revocation(2).encode();
    assert_eq!(bytes.len(), Revocation::LENGTH);
    for bit in 0..bytes.len() * 8 {
        let mut flipped = bytes.clone();
        flipped[bit / 8] ^= 1 << (bit % 8);
        assert!(Revocation::decode(&flipped).is_err(), "bit {bit}");
        let claim = RevocationClaim::read(&flipped).unwrap();
        let mut world = World::new(&[(2, Trust::Pinned)]);
        world.registry.heard_claims(
            &id(3),
            &Claims { rotations: vec![], revocations: vec![claim] },
            at(1),
            &mut world.out,
        );
        world.settle();
        assert_eq!((world.trust(2), world.records.len(), world.ended.len()), (Some(Trust::Pinned), 0, 0), "bit {bit}");
    }
    for end in 0..bytes.len() {
        assert!(Revocation::decode(&bytes[..end]).is_err() && RevocationClaim::read(&bytes[..end]).is_none());
    }
    assert!(Revocation::decode(&[&bytes[..], &[0]].concat()).is_err());
}

#[test]
fn a_statement_reads_back_as_it_was_signed() {
    for reason in [RotationReason::Routine, RotationReason::Compromise] {
        let rotation = rotation_for(2, 3, reason);
        assert_eq!(Rotation::decode(&rotation.encode()), Ok(rotation));
    }
    assert_eq!(Revocation::decode(&revocation(2).encode()), Ok(revocation(2)));
    let same = (id(2), &keyring(2));
    assert_eq!(Rotation::sign(same, same, 1, RotationReason::Routine), None, "a key does not follow itself");
    // Each signature is of its own key: the two keyrings swapped do not make a true one.
    let crossed = Rotation::sign((id(2), &keyring(3)), (id(3), &keyring(2)), 1, RotationReason::Routine).unwrap();
    assert!(Rotation::decode(&crossed.encode()).is_err());
    assert_eq!(rotation(2, 3).encode()[..32], *id(2).as_bytes());
    assert_eq!(rotation(2, 3).encode()[32..64], *id(3).as_bytes());
}

#[test]
fn one_signature_of_two_is_none() {
    let forged = |old: &SoftwareKeyring, new: &SoftwareKeyring| {
        Rotation::sign((id(2), old), (id(3), new), 1, RotationReason::Routine).unwrap()
    };
    for (rotation, checks) in [(forged(&keyring(9), &keyring(3)), 1), (forged(&keyring(2), &keyring(9)), 2)] {
        let mut world = World::new(&[(2, Trust::Verified)]);
        world.hears(3, &[rotation], &[]);
        assert_eq!((world.trust(2), world.trust(3), world.checks), (Some(Trust::Verified), None, checks));
        world.hears(3, &[rotation], &[]);
        assert_eq!(world.checks, checks, "what was refuted is not checked again");
        world.hears(3, &chain(&[2, 3]), &[]);
        assert_eq!(world.trust(3), Some(Trust::Verified), "and the true one is no worse for it");
    }
}

#[test]
fn a_forged_link_ends_a_chain_where_it_is() {
    let forged = Rotation::sign((id(3), &keyring(9)), (id(4), &keyring(4)), 1, RotationReason::Routine).unwrap();
    let mut world = World::new(&[(2, Trust::Pinned)]);
    world.hears(4, &[forged, rotation(2, 3)], &[]);
    assert_eq!((world.trust(2), world.trust(3), world.trust(4)), (Some(Trust::Revoked), Some(Trust::Pinned), None));
    world.hears(4, &[forged, rotation(2, 3)], &[]);
    assert_eq!(world.checks, 3);
}

#[test]
fn of_two_successors_the_first_stands_and_both_are_warned_of_once() {
    let mut world = World::new(&[(2, Trust::Verified), (4, Trust::Seen)]);
    world.hears(3, &chain(&[2, 3]), &[]);
    for _ in 0..3 {
        world.hears(4, &chain(&[2, 4]), &[]);
    }
    assert_eq!((world.trust(3), world.trust(4), world.checks), (Some(Trust::Verified), Some(Trust::Seen), 4));
    assert_eq!(world.peer(2).successor, Some(id(3)));
    assert_eq!(world.peer(3).warnings, [PeerWarning::Forked(id(4))]);
    assert_eq!(world.peer(4).warnings, [PeerWarning::Forked(id(3))]);
    let warning = Event::Warning(Warning::Forked { old: id(2), known: id(3), id: id(4) });
    assert_eq!(world.events.iter().filter(|event| **event == warning).count(), 1);
    assert_eq!(world.warnings(), 1);
    let forged = Rotation::sign((id(2), &keyring(9)), (id(5), &keyring(5)), 1, RotationReason::Routine).unwrap();
    let mut world = World::new(&[(2, Trust::Verified)]);
    world.hears(3, &chain(&[2, 3]), &[]);
    world.hears(5, &[forged], &[]);
    assert_eq!((world.warnings(), world.trust(5)), (0, None), "nobody can raise a false alarm");
}

#[test]
fn a_revocation_beats_a_rotation_whichever_is_heard_first() {
    let mut world = World::new(&[(2, Trust::Verified)]);
    world.calls(2, "nas");
    world.hears(9, &[], &[revocation(2)]);
    assert_eq!((world.trust(2), &world.ended[..]), (Some(Trust::Revoked), &[id(2)][..]));
    assert!(world.events.contains(&Event::Revoked { id: id(2) }));
    world.hears(3, &chain(&[2, 3]), &[]);
    assert_eq!((world.trust(3), world.checks), (None, 1), "it counts for nothing");
    assert_eq!(world.peer(2).alias.as_deref(), Some("nas"), "so that nobody else is reached under it");

    let mut world = World::new(&[(2, Trust::Verified)]);
    world.calls(2, "nas");
    world.hears(3, &chain(&[2, 3]), &[]);
    world.events.clear();
    world.hears(9, &[], &[revocation(2)]);
    assert_eq!((world.trust(2), world.trust(3)), (Some(Trust::Revoked), Some(Trust::Seen)));
    assert_eq!((world.peer(2).successor, world.peer(3).alias.as_deref()), (None, None));
    assert_eq!(world.peer(2).alias.as_deref(), Some("nas"));
    assert_eq!(world.peer(3).warnings, [PeerWarning::PredecessorRevoked(id(2))]);
    let expected =
        [Event::Revoked { id: id(2) }, Event::TrustChanged { id: id(3), from: Trust::Verified, to: Trust::Seen }];
    assert_eq!(world.events, expected);
    let after = world.restart(at(50));
    assert_eq!((after.peer(2), after.peer(3)), (world.peer(2), world.peer(3)));
    world.hears(9, &[], &[revocation(2)]);
    assert_eq!(world.events, expected, "once is enough");
}

#[test]
fn a_revocation_takes_back_what_came_down_a_chain_until_somebody_vouched_for_a_key() {
    let with_chain = |vouched: Option<u8>| {
        let mut world = World::new(&[(2, Trust::Pinned)]);
        for number in 3..=5 {
            world.hears(number, &chain(&[number - 1, number]), &[]);
            if vouched == Some(number) {
                world.does(number, TrustChange::Verify);
            }
        }
        world = world.restart(at(10));
        world.hears(9, &[], &[revocation(2)]);
        world
    };
    let world = with_chain(None);
    assert_eq!(
        (world.trust(3), world.trust(4), world.trust(5)),
        (Some(Trust::Revoked), Some(Trust::Revoked), Some(Trust::Seen))
    );
    assert_eq!(world.peer(5).warnings, [PeerWarning::PredecessorRevoked(id(2))]);
    for vouched in 3..=5 {
        let world = with_chain(Some(vouched));
        assert_eq!((world.trust(5), world.warnings()), (Some(Trust::Verified), 0), "{vouched} was compared in full");
    }
    let mut world = World::new(&[(2, Trust::Blocked)]);
    world.hears(3, &chain(&[2, 3]), &[]);
    world.hears(9, &[], &[revocation(2)]);
    assert_eq!(world.trust(3), Some(Trust::Blocked), "that takes a person");
}

#[test]
fn what_a_person_said_of_the_new_key_is_not_taken_back_and_what_a_handshake_did_is() {
    let pinned_from = SocketAddr::from(([10, 0, 0, 3], 1));
    for (asked_for, expected) in [(true, Trust::Pinned), (false, Trust::Seen)] {
        let mut world = World::new(&[(2, Trust::Pinned)]);
        world.registry.shook_hands(&id(3), pinned_from, 2, asked_for, at(1), &mut world.out);
        world.hears(3, &chain(&[2, 3]), &[]);
        assert_eq!(world.registry.table.entry(&id(3)).unwrap().pinned_from, None, "the person who pinned 2 meant 3");
        world.hears(9, &[], &[revocation(2)]);
        assert_eq!(world.trust(3), Some(expected));
        // Nor does a handshake that nobody here asked for give it back.
        world.registry.shook_hands(&id(3), pinned_from, 2, false, at(2), &mut world.out);
        assert_eq!(world.trust(3), Some(expected));
        world.registry.shook_hands(&id(3), pinned_from, 2, true, at(3), &mut world.out);
        assert_eq!(world.trust(3), Some(Trust::Pinned));
        world.settle();
    }
    // A pin that no person asked for stays one, and counts as one.
    let mut world = World::new(&[]);
    world.registry.shook_hands(&id(2), pinned_from, 2, false, at(1), &mut world.out);
    world.hears(3, &chain(&[2, 3]), &[]);
    assert_eq!(world.registry.table.entry(&id(3)).unwrap().pinned_from, Some(pinned_from.ip()));
    world.registry.shook_hands(&id(4), pinned_from, 2, false, at(1), &mut world.out);
    world.hears(5, &chain(&[4, 5]), &[]);
    world.does(5, TrustChange::Verify);
    assert_eq!(world.registry.table.entry(&id(5)).unwrap().pinned_from, None);
}

#[test]
fn a_revocation_of_an_unknown_key_counts_on_command_and_not_on_hearsay() {
    let mut world = World::new(&[]);
    world.hears(9, &[], &[revocation(2)]);
    assert_eq!((world.checks, world.trust(2), world.records.len()), (0, None, 0));
    assert!(world.revokes(&revocation(2)));
    assert!(!world.revokes(&revocation(2)));
    assert_eq!((world.trust(2), world.registry.standing(&id(2))), (Some(Trust::Revoked), Standing::Blocked));
    assert_eq!(world.events.iter().filter(|event| **event == Event::Revoked { id: id(2) }).count(), 1);
    let after = world.restart(at(DAY));
    assert_eq!(
        (after.trust(2), &after.registry.keys.statements().revocations[..]),
        (Some(Trust::Revoked), &[revocation(2)][..])
    );
}

#[test]
fn a_tombstone_cannot_be_forgotten_pinned_or_named_and_stays_when_room_is_needed() {
    let limits = Limits { peers: 2, ..Limits::default() };
    let mut out = Outbox::default();
    let mut registry = Registry::new(Some(OWN), limits, &[], vec![], &seed(), at(0));
    assert!(registry.revoke(&revocation(2), at(0), &mut out));
    for change in [TrustChange::Pin, TrustChange::Verify, TrustChange::Block, TrustChange::Unblock, TrustChange::Forget]
    {
        assert_eq!(registry.change_trust(&id(2), change, at(1), &mut out), Err(crate::CommandError::Revoked));
    }
    let alias = Some(String::from("nas"));
    assert_eq!(registry.set_alias(&id(2), alias, at(1), &mut out), Err(crate::CommandError::Revoked));
    for host in 10..20 {
        registry.shook_hands(&id(host), SocketAddr::from(([10, 0, 0, host], 1)), 2, true, at(1), &mut out);
    }
    assert_eq!((registry.trust(&id(2)), registry.peers().count()), (Some(Trust::Revoked), 2));
    assert!(!registry.revoke(&revocation(3), at(1), &mut out), "there is no room for another");
    registry.table.check();
}

#[test]
fn tombstones_of_strangers_make_room_and_those_of_whom_somebody_knew_do_not() {
    for (trust, stays) in [(Trust::Seen, false), (Trust::Pinned, true), (Trust::Verified, true), (Trust::Blocked, true)]
    {
        let mut world = World::new(&[(2, trust)]);
        world.hears(9, &[], &[revocation(2)]);
        assert_eq!(world.registry.table.entry(&id(2)).unwrap().is_cared_for(), stays, "{trust:?} revoked");
        assert_eq!(world.restart(at(5)).registry.table.entry(&id(2)).unwrap().is_cared_for(), stays);
        let mut world = World::new(&[(2, trust)]);
        world.hears(3, &chain(&[2, 3]), &[]);
        assert_eq!(world.registry.table.entry(&id(2)).unwrap().is_cared_for(), stays, "{trust:?} rotated");
        let kept_by_command = world.revokes(&revocation(2));
        assert!(kept_by_command && world.registry.table.entry(&id(2)).unwrap().is_cared_for());
    }
    let mut world = World::new(&[(2, Trust::Seen)]);
    world.hears(9, &[], &[revocation(2)]);
    assert!(!world.revokes(&revocation(2)), "it is no news");
    assert!(world.restart(at(5)).registry.table.entry(&id(2)).unwrap().is_cared_for(), "but somebody cares now");
}

#[test]
fn a_successor_is_not_kept_out_by_the_key_it_follows() {
    let limits = Limits { peers: 2, ..Limits::default() };
    let seen = |number| Record::Peer(PeerRecord::of(id(number)));
    let pinned = Record::Peer(PeerRecord { trust: Trust::Pinned, ..PeerRecord::of(id(9)) });
    let mut world = World::new(&[]);
    world.registry = Registry::new(Some(id(1)), limits, &[], vec![seen(2), pinned], &seed(), at(0));
    world.hears(3, &chain(&[2, 3]), &[]);
    assert_eq!((world.trust(2), world.trust(3)), (Some(Trust::Seen), None), "there is no room, so nothing changes");
    world.registry = Registry::new(Some(id(1)), limits, &[], vec![seen(2), seen(9)], &seed(), at(0));
    world.hears(3, &chain(&[2, 3]), &[]);
    assert_eq!((world.trust(2), world.trust(3), world.trust(9)), (Some(Trust::Revoked), Some(Trust::Seen), None));
}

#[test]
fn whoever_rotates_again_and_again_leaves_eight_tombstones() {
    let mut world = World::new(&[(2, Trust::Pinned)]);
    for number in 3..40 {
        world.now = at(u64::from(number) * 40 * 24 * 3600);
        world.hears(number, &chain(&[number - 1, number]), &[]);
        assert_eq!(world.trust(number), Some(Trust::Pinned));
        assert!(world.registry.peers().count() <= 9, "{} peers", world.registry.peers().count());
    }
    assert_eq!(world.restart(world.now).registry.peers().count(), 9);
}

#[test]
fn a_thief_who_rotates_on_and_on_cannot_wear_out_what_a_revocation_follows() {
    let mut world = World::new(&[(2, Trust::Verified)]);
    for number in 3..40 {
        world.now = at(u64::from(number) * 10);
        world.hears(number, &chain(&[number - 1, number]), &[]);
    }
    assert_eq!(
        (world.trust(10), world.trust(11)),
        (Some(Trust::Verified), None),
        "the ninth in a month is not followed"
    );
    world.hears(9, &[], &[revocation(2)]);
    assert_eq!(world.trust(10), Some(Trust::Seen));
}

#[test]
fn a_key_follows_one_other_so_that_nothing_hides_what_a_revocation_takes_back() {
    let mut world = World::new(&[(2, Trust::Pinned), (3, Trust::Pinned)]);
    world.hears(4, &chain(&[2, 4]), &[]);
    world.hears(4, &chain(&[3, 4]), &[]);
    assert_eq!(world.trust(3), Some(Trust::Pinned), "the second is not followed");
    world.hears(9, &[], &[revocation(2)]);
    assert_eq!(world.trust(4), Some(Trust::Seen));
}

#[test]
fn checks_come_from_a_budget_and_are_not_lost_for_good_when_it_is_used_up() {
    let mut world = World::new(&[(2, Trust::Pinned)]);
    let mut forged = 0_u64;
    let mut flood = |world: &mut World, times: usize| {
        for _ in 0..times {
            forged += 1;
            let keyring = keyring(9);
            let rotation =
                Rotation::sign((id(2), &keyring), (id(3), &keyring), forged, RotationReason::Routine).unwrap();
            world.hears(3, &[rotation], &[]);
        }
    };
    flood(&mut world, 1000);
    assert_eq!(world.checks, 100);
    world.hears(3, &chain(&[2, 3]), &[]);
    assert_eq!((world.checks, world.trust(3)), (100, None));
    world.later(1);
    flood(&mut world, 1000);
    assert_eq!(world.checks, 150);
    world.later(1);
    world.hears(3, &chain(&[2, 3]), &[]);
    assert_eq!((world.checks, world.trust(3)), (152, Some(Trust::Pinned)));
}

#[test]
fn strangers_cannot_use_up_what_is_checked_for_pinned_peers() {
    let mut world = World::new(&[(2, Trust::Pinned), (4, Trust::Pinned), (5, Trust::Seen), (6, Trust::Pinned)]);
    for number in 0..200 {
        let keyring = keyring(9);
        let rotation = Rotation::sign((id(2), &keyring), (id(3), &keyring), number, RotationReason::Routine).unwrap();
        world.hears(3, &[rotation], &[]);
    }
    assert_eq!(world.checks, 100);
    world.hears(5, &[], &[revocation(6)]);
    assert_eq!((world.checks, world.trust(6)), (100, Some(Trust::Pinned)));
    world.hears(4, &[], &[revocation(6)]);
    assert_eq!((world.checks, world.trust(6)), (101, Some(Trust::Revoked)));
}

#[test]
fn whoever_said_what_is_false_is_not_listened_to_for_an_hour() {
    let forged = Revocation::sign(id(2), &keyring(9)).unwrap();
    for liar in [Trust::Seen, Trust::Verified] {
        let mut world = World::new(&[(2, Trust::Pinned), (4, liar), (5, Trust::Seen), (6, Trust::Pinned)]);
        world.hears(4, &[], &[forged]);
        assert_eq!((world.checks, world.trust(2)), (1, Some(Trust::Pinned)));
        world.later(3599);
        world.hears(4, &[], &[revocation(6)]);
        assert_eq!((world.checks, world.trust(6)), (1, Some(Trust::Pinned)));
        world.hears(5, &[], &[revocation(2)]);
        assert_eq!((world.checks, world.trust(2)), (2, Some(Trust::Revoked)), "others are");
        world.later(1);
        world.hears(4, &[], &[revocation(6)]);
        assert_eq!((world.checks, world.trust(6)), (3, Some(Trust::Revoked)));
    }
}

#[test]
fn what_is_under_way_is_bounded_and_asked_for_once() {
    let mut world = World::new(&[(2, Trust::Pinned)]);
    let now = at(1);
    for _ in 0..10 {
        world.registry.heard_claims(&id(3), &claims(&chain(&[2, 3]), &[revocation(2)]), now, &mut world.out);
    }
    assert_eq!(world.registry.keys.checks.len(), 2);
    for number in 0..1000_u16 {
        let mut from = [7; 32];
        from[..2].copy_from_slice(&number.to_be_bytes());
        let mut bytes = rotation(2, 3).encode();
        bytes[32..64].copy_from_slice(&from);
        let rotations = vec![RotationClaim::read(&bytes).unwrap()];
        world.registry.heard_claims(
            &PeerId::from_bytes(from),
            &Claims { rotations, revocations: vec![] },
            now,
            &mut world.out,
        );
    }
    assert!(world.registry.keys.checks.len() <= 64 && world.registry.keys.chains.len() <= 64);
    world.settle();
}

#[test]
fn a_result_of_nothing_that_was_asked_changes_nothing() {
    let mut world = World::new(&[(2, Trust::Pinned)]);
    world.registry.heard_claims(&id(3), &claims(&chain(&[2, 3]), &[]), at(1), &mut world.out);
    let Some(Action::Job(job)) = world.out.pop() else { panic!("a signature is to be checked") };
    for output in [JobOutput::Signed([0; 64]), JobOutput::SigningFailed, JobOutput::Opened(None)] {
        let mut other = World::new(&[(2, Trust::Pinned)]);
        other.registry.heard_claims(&id(3), &claims(&chain(&[2, 3]), &[]), at(1), &mut other.out);
        other.registry.checked(&JobDone { id: job.id(), output }, at(1), &mut other.out);
        assert!(other.registry.keys.chains.is_empty());
        other.out = Outbox::default();
        assert_eq!(other.trust(3), None);
    }
    let done = job.run(&keyring(1));
    assert!(world.registry.checked(&done, at(1), &mut world.out).is_empty());
    assert!(world.registry.checked(&done, at(1), &mut world.out).is_empty());
    assert_eq!(world.registry.keys.checks.len(), 1, "the second signature, once");
}

#[test]
fn a_node_under_its_next_key_is_not_mistaken_for_an_impostor() {
    let mut world = World::new(&[]);
    let heard = |world: &mut World, number: u8, sequence, rotations: &[Rotation]| {
        let mut heard = Announcement { id: id(number), ..announcement("bob", sequence, 17892) };
        heard.body.claims = claims(rotations, &[]);
        world.registry.heard(&heard, false, at(1), &mut world.out);
    };
    let proves = |world: &mut World, number: u8| {
        world.registry.proved(proof(17892), &Answer { id: id(number), ..answer(1) }, at(1), &mut world.out);
    };
    heard(&mut world, 2, 1, &[]);
    proves(&mut world, 2);
    world.does(2, TrustChange::Pin);
    // The proof overtakes the checks.
    heard(&mut world, 3, 1, &chain(&[2, 3]));
    proves(&mut world, 3);
    world.settle();
    let new = world.peer(3);
    assert_eq!((new.online, new.trust, new.warnings.len()), (true, Trust::Pinned, 0));
    assert_eq!((world.warnings(), world.peer(2).online, world.peer(2).addresses.len()), (0, false, 0));
    // The checks are done first.
    heard(&mut world, 4, 1, &chain(&[2, 3, 4]));
    world.settle();
    assert_eq!((world.trust(4), world.peer(4).online), (Some(Trust::Pinned), false));
    proves(&mut world, 4);
    world.settle();
    assert_eq!((world.peer(4).online, world.peer(4).profile.name.as_str(), world.warnings()), (true, "bob", 0));
    // Somebody who merely says so is warned of as anybody would be.
    let forged = Rotation::sign((id(4), &keyring(9)), (id(9), &keyring(9)), 1, RotationReason::Routine).unwrap();
    heard(&mut world, 9, 1, &[forged]);
    proves(&mut world, 9);
    assert_eq!(world.warnings(), 0);
    world.settle();
    let address = proof(17892).address;
    assert_eq!(world.peer(9).warnings, [PeerWarning::SameAddress(id(4), address), PeerWarning::SameName(id(4))]);
    assert_eq!((world.warnings(), world.trust(9)), (2, Some(Trust::Seen)));
}

#[test]
fn what_was_warned_of_between_the_two_keys_is_settled_by_the_rotation() {
    let mut world = World::new(&[(2, Trust::Pinned), (3, Trust::Seen), (5, Trust::Seen)]);
    for (newcomer, known) in [(3, 2), (5, 2), (5, 3)] {
        let name = String::from("n");
        world.registry.warn(Warning::SameName { id: id(newcomer), known: id(known), name }, at(1), &mut world.out);
    }
    world.hears(3, &chain(&[2, 3]), &[]);
    assert_eq!(world.peer(3).warnings, [PeerWarning::SameName(id(5))]);
    assert!(world.peer(2).warnings.is_empty());
}

#[test]
fn our_own_key_revoked_is_told_before_all_else_and_never_forgotten() {
    let mut world = World::new(&[(2, Trust::Pinned)]);
    assert!(!world.registry.own_key_revoked());
    world.registry.news_of_keys();
    world.revokes(&revocation(9));
    world.hears(2, &[], &[revocation(1)]);
    assert!(world.registry.own_key_revoked());
    assert_eq!(world.ended, [id(1)]);
    assert!(world.events.contains(&Event::Revoked { id: id(1) }));
    assert!(world.events.contains(&Event::Warning(Warning::OwnKeyEnded { successor: None })));
    assert_eq!(world.registry.news_of_keys().unwrap().revocations, [revocation(1)], "nothing else is worth saying");
    assert_eq!(world.registry.news_of_keys(), None);
    let checks = world.checks;
    world.hears(2, &[], &[revocation(1)]);
    assert!(!world.revokes(&revocation(1)));
    assert_eq!((world.checks, world.ended.len()), (checks, 1), "once is enough");
    let mut after = world.restart(at(40 * DAY));
    let _ = after.registry.fire(at(400 * DAY), &mut after.out);
    assert!(after.registry.own_key_revoked());
    assert_eq!(after.registry.keys.statements().revocations, [revocation(1)]);
}

#[test]
fn our_own_key_in_another_hand_is_warned_of_once() {
    let mut world = World::new(&[]);
    for _ in 0..3 {
        world.hears(3, &chain(&[1, 3]), &[]);
    }
    let warning = Event::Warning(Warning::OwnKeyEnded { successor: Some(id(3)) });
    assert_eq!((&world.events[..], world.checks, world.registry.peers().count()), (&[warning][..], 2, 0));
    assert!(!world.registry.own_key_revoked() && world.ended.is_empty());
}

#[test]
fn revocations_are_told_for_thirty_days_across_restarts() {
    let mut world = World::new(&[(2, Trust::Pinned)]);
    world.hears(9, &[], &[revocation(2)]);
    let mut after = world.restart(at(20 * DAY));
    assert_eq!(after.registry.keys.statements().revocations, [revocation(2)]);
    after.records = world.records.clone();
    let deadline = after.registry.poll_timeout().unwrap();
    assert_eq!(deadline, at(30 * DAY).at);
    let _ = after.registry.fire(at(30 * DAY - 1), &mut after.out);
    assert_eq!(after.registry.keys.statements().revocations, [revocation(2)]);
    after.registry.news_of_keys();
    let _ = after.registry.fire(at(30 * DAY), &mut after.out);
    after.settle();
    assert_eq!(after.registry.news_of_keys(), Some(Statements::default()));
    assert_eq!(after.registry.poll_timeout(), None);
    assert_eq!(after.records.last(), Some(&Record::RevocationGone(id(2))));
    assert_eq!(after.restart(at(31 * DAY)).trust(2), Some(Trust::Revoked), "the tombstone stays");
}

#[test]
fn our_own_rotations_are_told_for_thirty_days_after_the_last() {
    let day = |number: u64| at(0).wall.as_millis() + number * DAY * 1000;
    let sign = |old: u8, new: u8, epoch| {
        Rotation::sign((id(old), &keyring(old)), (id(new), &keyring(new)), epoch, RotationReason::Routine).unwrap()
    };
    let rotations = [sign(8, 9, day(0)), sign(9, 1, day(10))];
    let mut out = Outbox::default();
    let mut registry = Registry::new(Some(id(1)), Limits::default(), &rotations, vec![], &seed(), at(20 * DAY));
    assert_eq!(registry.news_of_keys().unwrap().rotations, [rotations[1], rotations[0]], "the latest first");
    assert_eq!(
        statements::decode(&registry.succession().unwrap()).unwrap(),
        claims(&[rotations[1], rotations[0]], &[])
    );
    assert_eq!(registry.poll_timeout(), Some(at(40 * DAY).at));
    let _ = registry.fire(at(40 * DAY - 1), &mut out);
    assert_eq!(registry.news_of_keys(), None);
    let _ = registry.fire(at(40 * DAY), &mut out);
    assert_eq!((registry.news_of_keys(), registry.succession()), (Some(Statements::default()), None));
    let registry = Registry::new(Some(id(1)), Limits::default(), &rotations, vec![], &seed(), at(50 * DAY));
    assert_eq!((registry.succession(), registry.poll_timeout()), (None, None));
}

#[test]
fn sixty_four_revocations_are_told_and_those_somebody_cares_for_stay() {
    let mut world = World::new(&[]);
    let many = 2..=100_u8;
    for number in many.clone() {
        let seen = Announcement { id: id(number), ..announcement("x", 1, 17892) };
        world.registry.heard(&seen, false, at(1), &mut world.out);
        world.registry.proved(proof(17892), &Answer { id: id(number), ..answer(1) }, at(1), &mut world.out);
    }
    world.does(2, TrustChange::Pin);
    for number in many {
        world.now = at(10 * u64::from(number));
        world.hears(200, &[], &[revocation(number)]);
        assert_eq!(world.trust(number), Some(Trust::Revoked));
    }
    let told = |world: &World| world.registry.keys.statements().revocations;
    assert_eq!((told(&world).len(), told(&world)[0]), (64, revocation(2)), "the one that was pinned comes first");
    assert!(!told(&world).contains(&revocation(3)) && told(&world).contains(&revocation(100)));
    let again = world.restart(at(2000));
    assert_eq!(told(&again), told(&world));
    for number in 101..=163 {
        assert!(world.revokes(&revocation(number)));
    }
    assert!(!told(&world).contains(&revocation(100)));
    world.does(200, TrustChange::Pin);
    let _ = world.registry.change_trust(&id(200), TrustChange::Forget, at(2000), &mut world.out);
    world.registry.heard(&Announcement { id: id(201), ..announcement("y", 1, 1) }, false, at(2000), &mut world.out);
    world.registry.proved(proof(1), &Answer { id: id(201), ..answer(1) }, at(2000), &mut world.out);
    world.now = at(3000);
    world.hears(200, &[], &[revocation(201)]);
    assert_eq!(world.trust(201), Some(Trust::Revoked), "it counts");
    assert!(!told(&world).contains(&revocation(201)), "but is not worth forgetting another for");
    assert!(world.revokes(&revocation(1)), "our own always is");
    assert_eq!(told(&world), [revocation(1)]);
    let too_many = (2..=90).map(|number| {
        Record::Revocation(RevocationRecord { revocation: revocation(number), since: at(1).wall, kept: false })
    });
    let registry = Registry::new(Some(id(1)), Limits::default(), &[], too_many.collect(), &seed(), at(2));
    assert_eq!(registry.keys.statements().revocations.len(), 64);
}

#[test]
fn inside_a_session_a_peer_is_listened_to_every_ten_seconds() {
    let mut world = World::new(&[(2, Trust::Pinned), (3, Trust::Seen), (5, Trust::Pinned)]);
    let body = statements::encode(&Statements { rotations: chain(&[2, 3]), revocations: vec![revocation(5)] });
    let says = |world: &mut World, number: u8, body: &[u8], second: u64| {
        world.registry.heard_succession(&id(number), body, at(second), &mut world.out);
        world.settle();
    };
    says(&mut world, 9, &body, 1);
    assert_eq!(world.checks, 0, "nobody knows 9");
    for end in 0..body.len() {
        says(&mut world, 3, &body[..end], 10 + 10 * end as u64);
    }
    says(&mut world, 3, &[&body[..], &[0]].concat(), 90_000);
    assert_eq!(world.checks, 0, "half a map says nothing");
    says(&mut world, 3, &body, 90_009);
    assert_eq!(world.checks, 0, "it spoke a moment ago");
    says(&mut world, 3, &body, 90_010);
    assert_eq!(
        (world.trust(2), world.trust(3), world.trust(5)),
        (Some(Trust::Revoked), Some(Trust::Pinned), Some(Trust::Revoked))
    );
    assert_eq!(world.checks, 3);
    let told = statements::decode(&world.registry.succession().unwrap()).unwrap();
    assert_eq!(told, claims(&[], &[revocation(5)]), "and hands the revocation on");
    assert_eq!(World::new(&[]).registry.succession(), None);
}

#[test]
fn an_observer_keeps_no_record_of_keys() {
    let mut out = Outbox::default();
    let mut registry = Registry::new(None, Limits::default(), &[], vec![], &seed(), at(0));
    assert!(registry.revoke(&revocation(2), at(1), &mut out));
    assert!(core::iter::from_fn(|| out.pop()).all(|action| !matches!(action, Action::Persist(..))));
}
