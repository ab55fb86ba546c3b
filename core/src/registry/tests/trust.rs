//! What handshakes, people and the network may do to how far a peer is trusted.

use alloc::string::{String, ToString};
use alloc::vec;

use super::*;
use crate::config::CommandError;
use crate::io::TrustChange;
use crate::wire::beacon;

const EVE: PeerId = PeerId::from_bytes([66; 32]);

fn registry() -> Registry {
    Registry::new(Some(OWN), Limits::default(), &[], Vec::new(), &seed(), at(0))
}

/// A registry that remembers Bob as so far trusted, or does not know him.
fn with(trust: Option<Trust>) -> Registry {
    let bob = |trust| Record::Peer(PeerRecord { trust, name: "bob".into(), ..PeerRecord::of(BOB) });
    Registry::new(Some(OWN), Limits::default(), &[], trust.map(bob).into_iter().collect(), &seed(), at(0))
}

fn remote(host: u8, port: u16) -> SocketAddr {
    SocketAddr::from(([10, 0, 0, host], port))
}

fn stored(out: &mut Outbox) -> Vec<Record> {
    core::iter::from_fn(|| out.pop())
        .filter_map(|action| match action {
            crate::Action::Persist(_, record) => Some(record),
            crate::Action::Transmit(_)
            | crate::Action::Stream(..)
            | crate::Action::Job(_)
            | crate::Action::Event(_) => None,
        })
        .collect()
}

/// Everything there is to know, read back from what was stored last of each peer.
fn restored(records: Vec<Record>) -> Registry {
    let mut last = alloc::collections::BTreeMap::new();
    for record in records {
        match record.encode() {
            Some(bytes) => drop(last.insert(record.key(), Record::decode(&bytes).unwrap())),
            None => drop(last.remove(&record.key())),
        }
    }
    Registry::new(Some(OWN), Limits::default(), &[], last.into_values().collect(), &seed(), at(1000))
}

#[test]
fn every_change_of_trust_ends_where_the_table_says() {
    use Trust::{Blocked, Pinned, Revoked, Seen, Verified};
    use TrustChange::{Block, Forget, Pin, Unblock, Verify};
    let unknown = Err(CommandError::NoSuchPeer);
    let blocked = Err(CommandError::Blocked);
    let ended = Err(CommandError::Revoked);
    // Unknown, seen, pinned, verified, blocked, revoked; what it becomes, or the error.
    let table = [
        (
            Pin,
            [Ok(Some(Pinned)), Ok(Some(Pinned)), Ok(Some(Pinned)), Ok(Some(Verified)), blocked.clone(), ended.clone()],
        ),
        (
            Verify,
            [Ok(Some(Verified)), Ok(Some(Verified)), Ok(Some(Verified)), Ok(Some(Verified)), blocked, ended.clone()],
        ),
        (
            Block,
            [
                Ok(Some(Blocked)),
                Ok(Some(Blocked)),
                Ok(Some(Blocked)),
                Ok(Some(Blocked)),
                Ok(Some(Blocked)),
                ended.clone(),
            ],
        ),
        (
            Unblock,
            [unknown.clone(), Ok(Some(Seen)), Ok(Some(Pinned)), Ok(Some(Verified)), Ok(Some(Seen)), ended.clone()],
        ),
        (Forget, [unknown, Ok(None), Ok(None), Ok(None), Ok(None), ended]),
    ];
    for (change, row) in table {
        let before = [None, Some(Seen), Some(Pinned), Some(Verified), Some(Blocked), Some(Revoked)];
        for (before, expected) in before.into_iter().zip(row) {
            let mut registry = with(before);
            let mut out = Outbox::default();
            let result = registry.change_trust(&BOB, change, at(1), &mut out);
            assert_eq!(result.clone().map(|()| registry.trust(&BOB)), expected, "{change:?} of {before:?}");
            registry.table.check();
            let mut actions: Vec<crate::Action> = core::iter::from_fn(|| out.pop()).collect();
            if result.is_err() {
                assert_eq!(registry.trust(&BOB), before, "an error changes nothing");
                assert!(actions.is_empty(), "{actions:?}");
                continue;
            }
            let events: Vec<Event> = actions
                .extract_if(.., |action| matches!(action, crate::Action::Event(_)))
                .filter_map(|action| if let crate::Action::Event(event) = action { Some(event) } else { None })
                .collect();
            let after = registry.trust(&BOB);
            let told = match after {
                None => vec![Event::Forgotten { id: BOB }],
                Some(to) => {
                    let from = before.unwrap_or(Seen);
                    if from == to { vec![] } else { vec![Event::TrustChanged { id: BOB, from, to }] }
                }
            };
            assert_eq!(events, told, "{change:?} of {before:?}");
            let [crate::Action::Persist(_, record)] = &actions[..] else { panic!("{actions:?}") };
            match (record, after) {
                (Record::Forgotten(id), None) => assert_eq!(*id, BOB),
                (Record::Peer(record), Some(trust)) => assert_eq!((record.id, record.trust), (BOB, trust)),
                other => panic!("{other:?}"),
            }
        }
    }
}

#[test]
fn nobody_changes_his_own_trust_and_an_observer_trusts_nobody() {
    let mut out = Outbox::default();
    for change in [TrustChange::Pin, TrustChange::Verify, TrustChange::Block, TrustChange::Unblock, TrustChange::Forget]
    {
        assert_eq!(registry().change_trust(&OWN, change, at(1), &mut out), Err(CommandError::OwnIdentity));
        let mut observer = Registry::new(None, Limits::default(), &[], Vec::new(), &seed(), at(0));
        assert_eq!(observer.change_trust(&BOB, change, at(1), &mut out), Err(CommandError::Observer));
    }
    registry().shook_hands(&OWN, remote(2, 1), 2, true, at(1), &mut out);
    assert!(out.pop().is_none());
}

#[test]
fn a_handshake_pins_whoever_is_seen_and_changes_no_other_trust() {
    use Trust::{Blocked, Pinned, Revoked, Seen, Verified};
    for (before, after) in [
        (None, Pinned),
        (Some(Seen), Pinned),
        (Some(Pinned), Pinned),
        (Some(Verified), Verified),
        (Some(Blocked), Blocked),
        (Some(Revoked), Revoked),
    ] {
        for asked_for in [false, true] {
            let (mut registry, mut out) = (with(before), Outbox::default());
            registry.shook_hands(&BOB, remote(2, 40_000), 2, asked_for, at(9), &mut out);
            let bob = registry.peer(&BOB).unwrap();
            let counts = u32::from(!matches!(after, Blocked | Revoked));
            assert_eq!((bob.trust, bob.history.handshakes), (after, counts), "{before:?}");
            assert_eq!(bob.history.last_handshake, (counts > 0).then_some(at(9).wall));
            assert!(!bob.online, "a handshake is no answer to a probe");
            registry.table.check();
            let changed = events(&mut out).len();
            assert_eq!(changed, usize::from(matches!(before, None | Some(Seen))));
        }
    }
}

#[test]
fn a_string_that_matched_verifies_whoever_is_not_blocked_or_ended() {
    use Trust::{Blocked, Pinned, Revoked, Seen, Verified};
    for (before, after) in [
        (None, Some(Verified)),
        (Some(Seen), Some(Verified)),
        (Some(Pinned), Some(Verified)),
        (Some(Verified), Some(Verified)),
        (Some(Blocked), Some(Blocked)),
        (Some(Revoked), Some(Revoked)),
    ] {
        let (mut registry, mut out) = (with(before), Outbox::default());
        registry.verified(&BOB, at(2), &mut out);
        assert_eq!(registry.trust(&BOB), after, "{before:?}");
    }
}

#[test]
fn a_stranger_who_connected_gets_its_name_by_its_card() {
    let (mut registry, mut out) = (registry(), Outbox::default());
    registry.shook_hands(&BOB, remote(2, 40_000), 2, false, at(9), &mut out);
    assert_eq!(registry.peer(&BOB).unwrap().profile.name, "");
    events(&mut out);
    let profile = Profile { name: "bob".into(), summary: "baking".into(), ..Profile::default() };
    let card = beacon::encode_announce(&profile, &[], &crate::succession::Statements::default());
    registry.introduced(&BOB, &card, at(10), &mut out);
    assert_eq!(registry.peer(&BOB).unwrap().profile, profile);
    registry.table.check();
    let records = stored(&mut out);
    assert!(matches!(&records[..], [Record::Peer(record)] if record.name == "bob"), "{records:?}");
    for end in 0..card.len() {
        registry.introduced(&BOB, &card[..end], at(10), &mut out);
    }
    registry.introduced(&EVE, &card, at(10), &mut out);
    assert_eq!(registry.peer(&BOB).unwrap().profile, profile, "half a card says nothing");
    assert!(registry.peer(&EVE).is_none());
    registry.change_trust(&BOB, TrustChange::Block, at(11), &mut out).unwrap();
    let other = beacon::encode_announce(
        &Profile { name: "rob".into(), ..Profile::default() },
        &[],
        &crate::succession::Statements::default(),
    );
    registry.introduced(&BOB, &other, at(12), &mut out);
    assert_eq!(registry.peer(&BOB).unwrap().profile, profile, "nothing of a blocked peer counts");
}

#[test]
fn a_card_of_a_peer_that_is_online_is_told_as_an_announce_would_be() {
    let mut out = Outbox::default();
    let mut registry = with_bob(&mut out);
    events(&mut out);
    let card = |name: &str| {
        let profile = Profile { name: name.into(), ..Profile::default() };
        beacon::encode_announce(&profile, &[], &crate::succession::Statements::default())
    };
    registry.introduced(&BOB, &card("bob"), at(10), &mut out);
    assert_eq!(events(&mut out), []);
    registry.introduced(&BOB, &card("robert"), at(10), &mut out);
    let renamed = PeerChange::Renamed { from: "bob".into() };
    assert_eq!(events(&mut out), [Event::PeerChanged { id: BOB, change: renamed }]);
    registry.table.check();
}

#[test]
fn handshakes_nobody_asked_for_pin_sixteen_per_address_and_1024_in_all() {
    let (mut registry, mut out) = (registry(), Outbox::default());
    let stranger = |number: u16| {
        let mut bytes = [7; 32];
        bytes[..2].copy_from_slice(&number.to_be_bytes());
        PeerId::from_bytes(bytes)
    };
    let address = |number: u16| SocketAddr::from(([10, 0, (number / 20 / 250) as u8, (number / 20 % 250) as u8], 1));
    let pinned = |registry: &Registry| registry.peers().filter(|peer| peer.trust == Trust::Pinned).count();
    for number in 0..20 {
        registry.shook_hands(&stranger(number), address(number), 2, false, at(1), &mut out);
    }
    assert_eq!((pinned(&registry), registry.peers().count()), (16, 20));
    for number in 20..2000 {
        registry.shook_hands(&stranger(number), address(number), 2, false, at(1), &mut out);
    }
    assert_eq!((pinned(&registry), registry.peers().count()), (1024, 2000));
    registry.table.check();

    // A restart gives nobody a second helping, and what a person asks for does not count.
    let mut registry = restored(stored(&mut out));
    assert_eq!(pinned(&registry), 1024);
    registry.shook_hands(&stranger(3000), address(3000), 2, false, at(2), &mut out);
    assert_eq!(pinned(&registry), 1024);
    registry.shook_hands(&stranger(3000), address(3000), 2, true, at(2), &mut out);
    assert_eq!(pinned(&registry), 1025);
    registry.shook_hands(&stranger(0), address(0), 2, true, at(2), &mut out);
    registry.shook_hands(&stranger(17), address(17), 2, false, at(2), &mut out);
    assert_eq!(registry.trust(&stranger(17)), Some(Trust::Pinned), "one that was asked for since makes room");
    for (number, change) in
        [(1, TrustChange::Pin), (2, TrustChange::Verify), (3, TrustChange::Block), (4, TrustChange::Forget)]
    {
        registry.change_trust(&stranger(number), change, at(3), &mut out).unwrap();
        let other = stranger(4000 + number);
        registry.shook_hands(&other, address(0), 2, false, at(3), &mut out);
        assert_eq!(registry.trust(&other), Some(Trust::Pinned), "{change:?} makes room");
        registry.table.check();
    }
}

#[test]
fn a_source_makes_no_more_peers_by_handshakes_than_by_announces() {
    let (mut registry, mut out) = (registry(), Outbox::default());
    for number in 0..1000_u16 {
        let mut bytes = [7; 32];
        bytes[..2].copy_from_slice(&number.to_be_bytes());
        registry.shook_hands(&PeerId::from_bytes(bytes), remote(2, 1), 2, false, at(1), &mut out);
    }
    assert_eq!(registry.peers().count(), 256);
    assert_eq!(registry.peers().filter(|peer| peer.trust == Trust::Pinned).count(), 16, "whoever is pinned stays");
    registry.table.check();
}

#[test]
fn where_sessions_were_is_remembered_the_latest_first_and_by_the_port_that_was_announced() {
    let mut out = Outbox::default();
    let mut registry = with_bob(&mut out);
    let used = |registry: &Registry| registry.peer(&BOB).unwrap().history.addresses.clone();
    registry.shook_hands(&BOB, remote(2, 50_000), 2, false, at(2), &mut out);
    assert_eq!(used(&registry), [remote(2, 17892)], "he dialled from a port of the moment");
    for host in 3..20 {
        registry.shook_hands(&BOB, remote(host, 1000), 2, true, at(2), &mut out);
    }
    registry.shook_hands(&BOB, remote(15, 1000), 2, true, at(2), &mut out);
    let hosts = [15, 19, 18, 17, 16, 14, 13, 12];
    assert_eq!(used(&registry), hosts.map(|host| remote(host, 1000)));
    registry.shook_hands(&EVE, remote(66, 50_000), 2, false, at(2), &mut out);
    assert!(registry.peer(&EVE).unwrap().history.addresses.is_empty(), "nobody knows where she listens");
    assert_eq!(restored(stored(&mut out)).peer(&BOB).unwrap().history, registry.peer(&BOB).unwrap().history);
}

#[test]
fn counts_are_stored_once_a_minute_and_when_the_peer_or_the_node_goes() {
    let mut out = Outbox::default();
    let mut registry = with_bob(&mut out);
    stored(&mut out);
    registry.talked(&BOB, 2, 0, at(10), &mut out);
    registry.talked(&BOB, 0, 3, at(30), &mut out);
    registry.handshake_failed(&BOB, at(69), &mut out);
    registry.talked(&EVE, 1, 1, at(69), &mut out);
    registry.handshake_failed(&EVE, at(69), &mut out);
    assert_eq!(stored(&mut out), []);
    assert!(registry.poll_timeout() <= Some(at(70).at));
    let _ = registry.fire(at(69), &mut out);
    assert_eq!(stored(&mut out), []);
    let _ = registry.fire(at(70), &mut out);
    let records = stored(&mut out);
    let [Record::Peer(record)] = &records[..] else { panic!("{records:?}") };
    let counts = (record.history.messages_sent, record.history.messages_received, record.history.failed_handshakes);
    assert_eq!(counts, (2, 3, 1));
    assert_eq!(record.last_seen, at(30).wall);

    registry.talked(&BOB, 1, 1, at(80), &mut out);
    registry.goodbye(&BOB, 1, 2, at(81), &mut out);
    assert!(matches!(&stored(&mut out)[..], [Record::Peer(record)] if record.history.messages_sent == 3));
    registry.talked(&BOB, 1, 1, at(90), &mut out);
    registry.save(&mut out);
    assert!(matches!(&stored(&mut out)[..], [Record::Peer(record)] if record.history.messages_sent == 4));
    registry.save(&mut out);
    let _ = registry.fire(at(1000), &mut out);
    assert_eq!(stored(&mut out), [], "what is stored is stored");
}

#[test]
fn what_is_forgotten_is_not_stored_again() {
    let mut out = Outbox::default();
    let mut registry = with_bob(&mut out);
    registry.talked(&BOB, 2, 0, at(10), &mut out);
    registry.change_trust(&BOB, TrustChange::Forget, at(11), &mut out).unwrap();
    assert_eq!(registry.poll_timeout(), None, "nothing is left to do for him");
    registry.save(&mut out);
    assert_eq!(stored(&mut out).last(), Some(&Record::Forgotten(BOB)));
    assert_eq!(registry.peers().count(), 0);
    registry.table.check();
    let reaction = registry.heard(&announcement("bob", 9, 17892), false, at(12), &mut out);
    assert!(reaction.prove && !reaction.known, "he may introduce himself anew");
}

#[test]
fn nothing_of_a_blocked_peer_counts_until_that_is_undone() {
    let mut out = Outbox::default();
    let mut registry = with_bob(&mut out);
    registry.talked(&BOB, 1, 0, at(2), &mut out);
    registry.change_trust(&BOB, TrustChange::Block, at(2), &mut out).unwrap();
    assert!(events(&mut out).contains(&Event::TrustChanged { id: BOB, from: Trust::Seen, to: Trust::Blocked }));
    let bob = registry.peer(&BOB).unwrap().clone();
    assert!(!bob.online && bob.addresses.is_empty());
    assert_eq!((registry.standing(&BOB), registry.table.online()), (Standing::Blocked, 0));
    assert_eq!(registry.heard(&announcement("rob", 5, 17892), false, at(3), &mut out), Reaction::default());
    registry.proved(proof(17892), &answer(1), at(3), &mut out);
    registry.proved(proof(17892), &answer(9), at(3), &mut out);
    assert!(!registry.goodbye(&BOB, 9, 9, at(3), &mut out));
    registry.shook_hands(&BOB, remote(2, 17892), 2, true, at(3), &mut out);
    assert_eq!(registry.fire(at(500), &mut out).len(), 0);
    assert_eq!(events(&mut out), []);
    assert_eq!(*registry.peer(&BOB).unwrap(), bob);
    assert_eq!(registry.destinations(&BOB), []);
    registry.table.check();

    registry.change_trust(&BOB, TrustChange::Unblock, at(600), &mut out).unwrap();
    assert!(registry.heard(&announcement("rob", 6, 17892), false, at(601), &mut out).prove);
    registry.proved(proof(17892), &answer(1), at(601), &mut out);
    assert!(registry.peer(&BOB).unwrap().online);
    registry.table.check();
}

#[test]
fn whoever_is_blocked_keeps_nobody_else_from_his_address() {
    let mut out = Outbox::default();
    let mut registry = with_bob(&mut out);
    registry.change_trust(&BOB, TrustChange::Block, at(2), &mut out).unwrap();
    events(&mut out);
    let eve = Announcement { id: EVE, ..announcement("eve", 1, 17892) };
    registry.heard(&eve, false, at(3), &mut out);
    registry.proved(proof(17892), &Answer { id: EVE, ..answer(1) }, at(3), &mut out);
    assert!(!events(&mut out).iter().any(|event| matches!(event, Event::Warning(_))));
    assert!(registry.peer(&EVE).unwrap().online);
}

#[test]
fn a_key_can_be_pinned_before_its_node_was_ever_met() {
    let (mut registry, mut out) = (registry(), Outbox::default());
    registry.heard(&announcement("bob", 7, 17892), false, at(1), &mut out);
    registry.change_trust(&BOB, TrustChange::Verify, at(1), &mut out).unwrap();
    registry.table.check();
    let bob = registry.peer(&BOB).unwrap();
    assert_eq!((bob.online, bob.trust, bob.first_seen), (false, Trust::Verified, at(1).wall));
    assert!(
        !registry.is_news(&BOB, 1, 7) && registry.is_news(&BOB, 1, 8),
        "what it announced is not forgotten for that"
    );
    registry.proved(proof(17892), &answer(1), at(2), &mut out);
    let bob = registry.peer(&BOB).unwrap();
    assert_eq!((bob.online, bob.profile.name.as_str(), bob.tcp_port), (true, "bob", 17892));
    assert_eq!(registry.table.candidates(), 0);
    registry.table.check();
}

#[test]
fn no_more_keys_can_be_pinned_than_there_is_room_for() {
    let limits = Limits { peers: 10, ..Limits::default() };
    let mut registry = Registry::new(Some(OWN), limits, &[], Vec::new(), &seed(), at(0));
    let mut out = Outbox::default();
    for number in 10..20 {
        registry.change_trust(&PeerId::from_bytes([number; 32]), TrustChange::Pin, at(1), &mut out).unwrap();
    }
    let pin = registry.change_trust(&BOB, TrustChange::Pin, at(1), &mut out);
    assert_eq!((pin, registry.trust(&BOB)), (Err(CommandError::TooManyPeers), None));
    registry.change_trust(&PeerId::from_bytes([10; 32]), TrustChange::Block, at(1), &mut out).unwrap();
    registry.change_trust(&PeerId::from_bytes([10; 32]), TrustChange::Unblock, at(1), &mut out).unwrap();
    registry.change_trust(&BOB, TrustChange::Pin, at(1), &mut out).unwrap();
    assert_eq!(registry.trust(&PeerId::from_bytes([10; 32])), None, "whom nobody cares for makes room");
    assert!(stored(&mut out).contains(&Record::Forgotten(PeerId::from_bytes([10; 32]))));
    registry.table.check();
}

#[test]
fn an_alias_is_short_plain_and_nobody_elses() {
    let (mut registry, mut out) = (with(Some(Trust::Seen)), Outbox::default());
    let longest = "a".repeat(32);
    let mut alias = |registry: &mut Registry, id: &PeerId, alias: &str| {
        registry.set_alias(id, Some(alias.to_string()), at(1), &mut out)
    };
    for refused in ["", "-nas", "Nas", "näs", "n s", "nas_", "nas.", "n\u{1b}", &"a".repeat(33)] {
        assert_eq!(alias(&mut registry, &BOB, refused), Err(CommandError::Alias), "{refused:?}");
    }
    for taken in ["nas", "0", "n-", "9-a", &longest] {
        assert_eq!(alias(&mut registry, &BOB, taken), Ok(()), "{taken:?}");
        registry.table.check();
    }
    assert_eq!(alias(&mut registry, &EVE, "eve"), Err(CommandError::NoSuchPeer));
    registry.change_trust(&EVE, TrustChange::Pin, at(1), &mut Outbox::default()).unwrap();
    assert_eq!(alias(&mut registry, &EVE, &longest), Err(CommandError::AliasTaken(BOB)));
    assert_eq!(alias(&mut registry, &EVE, "nas"), Ok(()), "he is called otherwise now");
    assert_eq!(alias(&mut registry, &EVE, "nas"), Ok(()), "it is hers already");
    let events = events(&mut out);
    let renamed =
        |id| events.iter().filter(|event| **event == Event::PeerChanged { id, change: PeerChange::Alias }).count();
    assert_eq!((renamed(BOB), renamed(EVE)), (5, 1));
}

#[test]
fn a_peer_with_an_alias_is_remembered_and_without_one_it_makes_room_again() {
    let limits = Limits { peers: 1, ..Limits::default() };
    let mut out = Outbox::default();
    let bob = Record::Peer(PeerRecord { name: "bob".into(), ..PeerRecord::of(BOB) });
    let mut registry = Registry::new(Some(OWN), limits, &[], vec![bob], &seed(), at(0));
    registry.set_alias(&BOB, Some(String::from("bob")), at(1), &mut out).unwrap();
    registry.table.check();
    assert_eq!(registry.change_trust(&EVE, TrustChange::Pin, at(1), &mut out), Err(CommandError::TooManyPeers));
    assert_eq!(restored(stored(&mut out)).peer(&BOB).unwrap().alias.as_deref(), Some("bob"));
    registry.set_alias(&BOB, None, at(1), &mut out).unwrap();
    registry.table.check();
    registry.change_trust(&EVE, TrustChange::Pin, at(1), &mut out).unwrap();
    assert!(registry.peer(&BOB).is_none());
}

#[test]
fn whom_somebody_cares_for_is_restored_first() {
    let limits = Limits { peers: 2, ..Limits::default() };
    let record = |number, trust, alias: Option<&str>| {
        let alias = alias.map(String::from);
        Record::Peer(PeerRecord { trust, alias, ..PeerRecord::of(PeerId::from_bytes([number; 32])) })
    };
    let records = vec![
        record(3, Trust::Seen, None),
        record(4, Trust::Revoked, None),
        record(5, Trust::Blocked, None),
        record(6, Trust::Seen, Some("six")),
    ];
    let registry = Registry::new(Some(OWN), limits, &[], records, &seed(), at(0));
    let known: Vec<u8> = registry.peers().map(|peer| peer.id.as_bytes()[0]).collect();
    assert_eq!(known, [5, 6]);
    registry.table.check();
    let twice = vec![record(3, Trust::Seen, Some("x")), record(4, Trust::Seen, Some("x"))];
    Registry::new(Some(OWN), limits, &[], twice, &seed(), at(0)).table.check();
}

#[test]
fn a_name_or_an_address_under_another_key_is_noted_at_both_and_survives_a_restart() {
    let mut out = Outbox::default();
    let mut registry = with_bob(&mut out);
    let eve = Announcement { id: EVE, ..announcement("bob", 1, 17892) };
    registry.heard(&eve.clone(), false, at(3), &mut out);
    registry.proved(proof(17892), &Answer { id: EVE, ..answer(1) }, at(3), &mut out);
    let address = proof(17892).address;
    let warnings = |registry: &Registry, id: &PeerId| registry.peer(id).unwrap().warnings.clone();
    assert_eq!(warnings(&registry, &EVE), [PeerWarning::SameAddress(BOB, address), PeerWarning::SameName(BOB)]);
    assert_eq!(warnings(&registry, &BOB), [PeerWarning::AddressTaken(EVE, address), PeerWarning::SameName(EVE)]);
    let told = events(&mut out).into_iter().filter(|event| matches!(event, Event::Warning(_))).count();
    assert_eq!(told, 2);
    registry.goodbye(&EVE, 1, 2, at(4), &mut out);
    registry.heard(&Announcement { sequence: 3, ..eve }, false, at(5), &mut out);
    registry.proved(proof(17892), &Answer { id: EVE, ..answer(1) }, at(5), &mut out);
    assert_eq!(warnings(&registry, &EVE).len(), 2, "twice is not more");
    registry.save(&mut out);
    let restored = restored(stored(&mut out));
    for id in [BOB, EVE] {
        assert_eq!(warnings(&restored, &id), warnings(&registry, &id));
    }
}

#[test]
fn a_peer_that_takes_anothers_name_while_it_is_there_is_warned_of() {
    let mut out = Outbox::default();
    let mut registry = with_bob(&mut out);
    let elsewhere = SocketAddr::from(([10, 0, 0, 66], 17892));
    let eve = |name: &str, sequence| {
        let mut eve = Announcement { id: EVE, source: elsewhere, ..announcement(name, sequence, 17892) };
        eve.body.addresses = vec![];
        eve
    };
    registry.heard(&eve("eve", 1), false, at(3), &mut out);
    registry.proved(Proof { address: elsewhere, ..proof(1) }, &Answer { id: EVE, ..answer(1) }, at(3), &mut out);
    events(&mut out);
    registry.heard(&eve("bob", 2), false, at(4), &mut out);
    let warning = Warning::SameName { id: EVE, known: BOB, name: "bob".into() };
    assert!(events(&mut out).contains(&Event::Warning(warning)));
    assert_eq!(registry.peer(&BOB).unwrap().warnings, [PeerWarning::SameName(EVE)]);
}

#[test]
fn the_last_eight_warnings_are_kept() {
    let mut out = Outbox::default();
    let mut registry = with_bob(&mut out);
    for number in 10..30 {
        let id = PeerId::from_bytes([number; 32]);
        registry.warn(Warning::SameName { id, known: BOB, name: "bob".into() }, at(2), &mut out);
    }
    let others: Vec<PeerWarning> =
        (22..30).map(|number| PeerWarning::SameName(PeerId::from_bytes([number; 32]))).collect();
    assert_eq!(registry.peer(&BOB).unwrap().warnings, others);
}
