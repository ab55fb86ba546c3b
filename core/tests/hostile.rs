//! What hostile and broken neighbours can do to a node: nothing that lasts.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]

use std::cell::RefCell;
use std::net::{IpAddr, SocketAddr};
use std::rc::Rc;

use landfall_core::{Event, InterfaceAddress, PeerRecord, Record, Trust, UnixTime, Warning};
use landfall_testvectors::forge::{Impostor, address_list};
use landfall_testvectors::oracle::Value;
use landfall_testvectors::sim::{Cast, Dice, Flight, Host, Kind, Lan, PORT, Verdict, WALL_AT_START, millis, secs};

/// Where attackers sit: on the link, and no host's.
fn lair(number: u8) -> SocketAddr {
    SocketAddr::from(([10, 77, 200, number], PORT))
}

/// A running impostor that answers every probe sent to its address, as an honest node would.
fn answering(lan: &mut Lan, impostor: Impostor, at: SocketAddr) -> Rc<RefCell<Impostor>> {
    let impostor = Rc::new(RefCell::new(impostor));
    let mind = Rc::clone(&impostor);
    lan.attack(move |flight| {
        let answer = mind.borrow().answer(&flight.payload, flight.source);
        match answer.filter(|_| flight.destination == at) {
            Some(answer) => {
                let (source, destination) = (flight.destination, flight.source);
                Verdict::Instead(vec![Flight { source, destination, payload: answer.into(), ..flight.clone() }])
            }
            None => Verdict::Pass,
        }
    });
    impostor
}

/// What must not change: who is known, who is there, under which name, at which proven addresses.
fn state(lan: &Lan, node: usize) -> Vec<String> {
    let line = |peer: &landfall_core::Peer| {
        let addresses: Vec<_> = peer.addresses.iter().map(|known| (known.address, known.state)).collect();
        let (id, name, online, trust) = (peer.id, &peer.profile.name, peer.online, peer.trust);
        format!("{id} {name:?} {online} {trust:?} {:?} {addresses:?}", peer.alias)
    };
    lan.engine(node).peers().map(line).collect()
}

#[test]
fn an_impostor_who_plays_by_the_rules_becomes_a_peer_so_that_these_tests_test_something() {
    let mut lan = Lan::new(1).nodes(1);
    let mallory = answering(&mut lan, Impostor::new(1), lair(1));
    lan.run_until(secs(1));
    let frame = mallory.borrow_mut().announce("mallory");
    lan.inject(lair(1), lan.broadcast(), frame);
    lan.run_for(secs(1));
    let peer = lan.engine(0).peer(&mallory.borrow().id()).expect("it proved itself");
    assert!(peer.online);
    assert_eq!(peer.profile.name, "mallory");
}

#[test]
fn junk_changes_nothing_and_provokes_nothing() {
    let mut lan = Lan::new(2).nodes(3);
    lan.run_until(secs(10));
    let before = (state(&lan, 0), lan.events(0).count());
    let sent = [Kind::Probe, Kind::Answer].map(|kind| lan.sent().total(kind));
    let mut dice = Dice::new(2, "junk");
    for number in 0..20_000_u64 {
        let mut bytes: Vec<u8> = (0..dice.below(300)).map(|_| dice.draw() as u8).collect();
        if number % 2 == 0 && bytes.len() >= 6 {
            bytes[..4].copy_from_slice(b"LNP1");
            bytes[4] = (dice.below(6)) as u8;
            bytes[5] = 0;
        }
        let source = SocketAddr::from(([10, 77, dice.draw() as u8, dice.draw() as u8], 1 + dice.below(65_535) as u16));
        let to = if number % 3 == 0 { lan.address(0, true) } else { lan.broadcast() };
        lan.inject(source, to, bytes);
        if number % 100 == 0 {
            lan.run_for(millis(10));
        }
    }
    lan.run_for(secs(1));
    assert_eq!((state(&lan, 0), lan.events(0).count()), before);
    assert_eq!([Kind::Probe, Kind::Answer].map(|kind| lan.sent().total(kind)), sent);
    let counters = lan.engine(0).counters();
    assert!(counters.malformed > 19_000, "{counters:?}");
    lan.run_for(secs(300));
    assert!(lan.all_know_all());
}

#[test]
fn announces_that_lack_fields_or_have_wrong_ones_harm_nobody() {
    let mut lan = Lan::new(3).nodes(2);
    let nameless = answering(&mut lan, Impostor::new(3), lair(3));
    lan.run_until(secs(5));
    let frame = nameless.borrow_mut().announce_fields([]);
    lan.inject(lair(3), lan.broadcast(), frame);
    lan.run_for(secs(1));
    let id = nameless.borrow().id();
    assert_eq!(lan.engine(0).peer(&id).expect("a node without a name is a node").profile.name, "");
    let before = state(&lan, 0);
    for (key, value) in [
        (1, Value::Integer(5)),
        (1, Value::Null),
        (2, Value::Text("10.0.0.1".into())),
        (3, Value::Text("all".into())),
        (4, Value::Integer(77)),
        (7, Value::Array(vec![Value::Array(vec![Value::Text("_x._tcp".into()), Value::Text("28789/$(cmd)#".into())])])),
        (8, Value::Bool(true)),
        (9, Value::Array(vec![])),
    ] {
        let frame = nameless.borrow_mut().announce_fields([(key, value)]);
        lan.inject(lair(3), lan.broadcast(), frame);
        lan.run_for(secs(1));
    }
    assert_eq!(state(&lan, 0), before);
    assert_eq!(lan.engine(0).counters().bad_body, 8);
}

#[test]
fn hostile_names_are_refused_or_shown_as_text() {
    let mut lan = Lan::new(4).nodes(1);
    let mallory = answering(&mut lan, Impostor::new(4), lair(4));
    lan.run_until(secs(1));
    let shell = "$(rm -rf ~)`id`;'\"\\";
    for name in ["\x1b[2Jcleared", "two\nlines", "a\0b", "\u{9b}2J", "tab\tbed", "\x7f"] {
        let frame = mallory.borrow_mut().announce(name);
        lan.inject(lair(4), lan.broadcast(), frame);
        lan.run_for(secs(1));
        assert_eq!(lan.engine(0).peers().count(), 0, "{name:?}");
    }
    for name in [shell, "a\u{202e}gpj.exe", "\u{200b}"] {
        let frame = mallory.borrow_mut().announce(name);
        lan.inject(lair(4), lan.broadcast(), frame);
        lan.run_for(secs(1));
        assert_eq!(lan.engine(0).peers().next().expect("a peer").profile.name, name);
    }
    let dangerous = |c: char| (c.is_control() && c != '\n') || matches!(c, '\u{202e}' | '\u{200b}');
    assert!(!lan.trace(0).contains(dangerous), "hostile text reaches the golden text raw");
}

#[test]
fn a_thousand_recorded_frames_replayed_in_any_order_change_nothing() {
    let mut lan = Lan::new(5).capturing().nodes(4);
    lan.run_until(secs(10));
    lan.restart(1);
    lan.run_until(secs(8_000));
    let mut recorded: Vec<Flight> = lan.captured().to_vec();
    assert!(recorded.len() >= 1000, "only {} frames", recorded.len());
    let mut dice = Dice::new(5, "shuffle");
    dice.shuffle(&mut recorded);
    recorded.truncate(1000);
    let replay = |lan: &mut Lan| {
        for flight in &recorded {
            lan.replay(flight);
            lan.run_for(millis(100));
        }
    };

    let before = state(&lan, 0);
    replay(&mut lan);
    assert_eq!(state(&lan, 0), before, "while the others run");

    (1..4).for_each(|node| lan.kill(node));
    lan.run_for(secs(200));
    let before = state(&lan, 0);
    assert!(before.iter().all(|line| line.contains(" false ")), "they are dead: {before:?}");
    let events = lan.events(0).count();
    replay(&mut lan);
    assert_eq!(state(&lan, 0), before, "after the others died");
    let news: Vec<_> = lan.events(0).skip(events).map(|(_, event)| event).collect();
    assert!(news.is_empty(), "{news:?}");

    lan.restart(0);
    lan.run_for(secs(1));
    // Names, addresses and when they were last seen, too: all that is known of them.
    let known = |lan: &Lan| lan.engine(0).peers().cloned().collect::<Vec<_>>();
    let before = known(&lan);
    assert!(before.len() == 3 && before.iter().all(|peer| !peer.online), "they are remembered: {before:?}");
    replay(&mut lan);
    assert_eq!(known(&lan), before, "after our restart");
}

#[test]
fn a_frame_with_any_one_bit_flipped_is_not_accepted() {
    let mut lan = Lan::new(6).nodes(1);
    lan.run_until(secs(1));
    let mut honest = Impostor::new(6);
    for frame in [honest.announce("honest"), honest.goodbye(), honest.discover()] {
        for bit in 0..frame.len() * 8 {
            let mut flipped = frame.clone();
            flipped[bit / 8] ^= 1 << (bit % 8);
            lan.inject(lair((bit % 250) as u8), lan.broadcast(), flipped);
            lan.run_for(millis(10));
        }
    }
    assert_eq!(lan.engine(0).counters().accepted, 0, "{:?}", lan.engine(0).counters());
    assert!(lan.engine(0).counters().forged > 1000, "{:?}", lan.engine(0).counters());
    assert!(!lan.events(0).any(|(_, event)| matches!(event, Event::Heard { .. })));
    lan.inject(lair(1), lan.broadcast(), honest.announce("honest"));
    lan.run_for(millis(10));
    assert_eq!(lan.engine(0).counters().accepted, 1, "the frame itself is good");
}

#[test]
fn an_answer_with_any_one_bit_flipped_proves_nothing() {
    for bit in (0..174 * 8).step_by(7) {
        let mut lan = Lan::new(7).nodes(1);
        let impostor = Impostor::new(7);
        let id = impostor.id();
        let mind = Rc::new(RefCell::new(impostor));
        let answerer = Rc::clone(&mind);
        lan.attack(move |flight| match answerer.borrow().answer(&flight.payload, flight.source) {
            Some(mut answer) if flight.destination == lair(7) => {
                answer[bit / 8] ^= 1 << (bit % 8);
                let (source, destination) = (flight.destination, flight.source);
                Verdict::Instead(vec![Flight { source, destination, payload: answer.into(), ..flight.clone() }])
            }
            Some(_) | None => Verdict::Pass,
        });
        lan.run_until(millis(100));
        let frame = mind.borrow_mut().announce("x");
        lan.inject(lair(7), lan.broadcast(), frame);
        lan.run_for(secs(2));
        assert!(lan.engine(0).peer(&id).is_none(), "bit {bit}");
    }
}

#[test]
fn forged_and_replayed_goodbyes_take_nobody_offline() {
    let mut lan = Lan::new(8).capturing().nodes(2);
    lan.run_until(secs(5));
    lan.stop(1);
    lan.run_for(secs(1));
    assert!(!lan.knows(0, 1));
    let is_goodbye = |flight: &&Flight| flight.payload.get(4) == Some(&3);
    let goodbyes: Vec<Flight> = lan.captured().iter().filter(is_goodbye).cloned().collect();
    assert!(goodbyes.len() >= 2);
    lan.restart(1);
    lan.run_for(secs(1));
    assert!(lan.knows(0, 1));
    goodbyes.iter().for_each(|flight| lan.replay(flight));
    let victim = lan.id(1);
    let mut mallory = Impostor::new(8);
    mallory.epoch += 1_000_000_000;
    let forged = mallory.frame_as(&victim, 3, 0, &[0xa0]);
    lan.inject(lan.address(1, true), lan.broadcast(), forged);
    lan.run_for(secs(1));
    assert!(lan.knows(0, 1));
    assert_eq!(lan.engine(0).counters().forged, 1);
}

#[test]
fn whoever_takes_over_an_address_inherits_nothing() {
    let bob = Lan::new(9).nodes(2).id(1);
    let mut lan = Lan::new(9).nodes(2).configure(move |node, config| {
        if node == 0 && !config.records.iter().any(|record| matches!(record, Record::Peer(_))) {
            config.records.push(Record::Peer(PeerRecord {
                id: bob,
                name: "bob".into(),
                alias: Some("my-bob".into()),
                trust: Trust::Verified,
                first_seen: WALL_AT_START,
                last_seen: WALL_AT_START,
                ..PeerRecord::of(bob)
            }));
        }
    });
    lan.run_until(secs(5));
    let was_at = lan.address(1, true);
    let peer = lan.peer(0, 1).unwrap();
    assert_eq!((peer.online, peer.trust, peer.alias.as_deref()), (true, Trust::Verified, Some("my-bob")));
    lan.kill(1);
    lan.replug(1, |host| host.interfaces.clear());
    let mallory = lan.add(Host::new(2).named("node-1"));
    lan.run_for(secs(5));
    assert_eq!(lan.address(mallory, true), was_at);
    let newcomer = lan.peer(0, mallory).expect("the newcomer is a peer of its own");
    assert_eq!((newcomer.online, newcomer.trust, newcomer.alias.as_deref()), (true, Trust::Seen, None));
    let old = lan.peer(0, 1).expect("the old one is remembered");
    assert_eq!((old.trust, old.alias.as_deref()), (Trust::Verified, Some("my-bob")));
    assert!(!old.addresses.iter().any(|known| known.address == was_at), "{:?}", old.addresses);
    assert!(!old.online, "nobody answers for it any more");
    let warned = |event: &Event| matches!(event, Event::Warning(Warning::SameAddress { known, .. }) if *known == bob);
    assert!(lan.events(0).any(|(_, event)| warned(event)));
}

#[test]
fn equal_names_stay_two_peers_and_are_warned_of() {
    let mut lan = Lan::new(10).nodes(1);
    lan.add(Host::new(2).named("printer"));
    lan.run_until(secs(5));
    lan.add(Host::new(3).named("printer"));
    lan.run_until(secs(10));
    assert!(lan.all_know_all());
    assert_eq!(lan.engine(0).peers().filter(|peer| peer.profile.name == "printer").count(), 2);
    let (id, known, name) = (lan.id(2), lan.id(1), String::from("printer"));
    let warning = Event::Warning(Warning::SameName { id, known, name });
    assert_eq!(lan.events(0).filter(|(_, event)| **event == warning).count(), 1);
}

/// Two nodes on `hosts` with nothing between them but a relay, which passes on everything, under its own address.
fn relayed(hosts: [Host; 2]) -> Lan {
    let mut lan = Lan::new(11);
    let [alice, bob] = hosts.map(|host| lan.add(host));
    let (relay, alice_at, bob_at) = (lair(9), lan.address(alice, true), lan.address(bob, true));
    let broadcast = lan.broadcast();
    lan.attack(move |flight| {
        if flight.source.is_ipv6() {
            return Verdict::Drop;
        }
        let to = match (flight.source, flight.destination) {
            (from, to) if to == broadcast => {
                if from == bob_at {
                    alice_at
                } else {
                    bob_at
                }
            }
            (from, to) if to == relay => {
                if from == alice_at {
                    bob_at
                } else {
                    alice_at
                }
            }
            _ => return Verdict::Drop,
        };
        Verdict::Instead(vec![Flight { source: relay, destination: to, ..flight.clone() }])
    });
    lan.run_until(secs(30));
    assert!(!lan.knows(alice, bob) && !lan.knows(bob, alice));
    lan
}

#[test]
fn a_relay_cannot_make_its_own_address_a_peers() {
    let lan = relayed([1, 2].map(Host::new));
    assert_eq!(lan.sent().total(Kind::Probe), 0, "neither says that it has the relay's address, so nobody asks there");
}

#[test]
fn a_relay_between_nodes_of_more_addresses_than_they_can_list_cannot_either() {
    let many = |number: u8| {
        let mut host = Host::new(number.into());
        let more = (0..8).map(|net| InterfaceAddress { ip: IpAddr::from([192, 168, net, number]), prefix: 24 });
        host.interfaces[0].interface.addresses.extend(more);
        host
    };
    let lan = relayed([1, 2].map(many));
    assert!(lan.sent().total(Kind::Answer) > 0, "the relay passed on the probes");
}

#[test]
fn a_spoofed_source_is_sent_little_and_listed_addresses_nothing() {
    let mut lan = Lan::new(12).capturing().nodes(1);
    lan.run_until(secs(10));
    let mark = lan.captured().len();
    let victim = lair(12);
    let others: Vec<IpAddr> = ["10.77.3.3", "192.0.2.1", "8.8.8.8", "127.0.0.1"].map(|ip| ip.parse().unwrap()).into();
    let mut mallory = Impostor::new(12);
    let mut provoked_by = 0;
    for _ in 0..100 {
        let frame = mallory.announce_fields([(1, Value::Text("x".into())), (2, address_list(&others))]);
        provoked_by += frame.len();
        lan.inject(victim, lan.broadcast(), frame);
        lan.run_for(millis(300));
    }
    let (to_victim, to_others): (Vec<_>, Vec<_>) = lan.captured()[mark..]
        .iter()
        .filter(|flight| flight.destination.ip() != lan.broadcast().ip())
        .filter(|flight| !flight.destination.ip().is_multicast())
        .partition(|flight| flight.destination == victim);
    assert!(to_others.is_empty(), "{to_others:?}");
    let bytes: usize = to_victim.iter().map(|flight| flight.payload.len()).sum();
    assert!(to_victim.len() <= 50, "{} datagrams for a hundred", to_victim.len());
    assert!(bytes <= provoked_by, "{bytes} bytes for {provoked_by}");
}

#[test]
fn one_spoofed_announce_is_not_amplified_beyond_its_retries() {
    let mut lan = Lan::new(13).capturing().nodes(1);
    lan.run_until(secs(10));
    let mark = lan.captured().len();
    let frame = Impostor::new(13).announce("x");
    let length = frame.len();
    lan.inject(lair(13), lan.broadcast(), frame);
    lan.run_for(secs(60));
    let sent: Vec<usize> = lan.captured()[mark..]
        .iter()
        .filter(|flight| flight.destination == lair(13))
        .map(|flight| flight.payload.len())
        .collect();
    assert!(sent.iter().all(|bytes| *bytes <= length), "{sent:?} for {length}");
    assert!(sent.len() <= 20, "twelve probes and eight announces are the most, not {}", sent.len());
}

#[test]
fn an_anonymous_question_is_answered_once_and_with_no_more_than_it_brought() {
    let mut lan = Lan::new(14).capturing().nodes(3);
    lan.run_until(secs(10));
    let mark = lan.captured().len();
    let question = landfall_testvectors::vectors::load("beacon")
        .into_iter()
        .find(|vector| vector.name == "beacon/discover-anonymous")
        .unwrap()
        .frame;
    lan.inject(lair(14), lan.broadcast(), question.clone());
    lan.run_for(secs(5));
    let answers: Vec<_> = lan.captured()[mark..].iter().filter(|flight| flight.destination == lair(14)).collect();
    assert_eq!(answers.len(), 3);
    assert!(answers.iter().all(|answer| answer.payload.len() <= question.len()));
}

#[test]
fn what_comes_from_off_the_link_or_from_impossible_sources_is_dropped() {
    let mut lan = Lan::new(15).nodes(1);
    lan.run_until(secs(1));
    let own = lan.address(0, true);
    for source in [
        "192.0.2.1:17892",
        "10.77.255.255:17892",
        "127.0.0.1:17892",
        "0.0.0.0:17892",
        "224.0.0.1:17892",
        "10.77.9.9:0",
        "[::1]:17892",
        "[ff02::1]:17892",
        "[2001:db8::1]:17892",
    ] {
        let source: SocketAddr = source.parse().unwrap();
        let frame = Impostor::new(15).announce("x");
        lan.inject(source, own, frame);
        lan.run_for(secs(1));
        let counters = lan.engine(0).counters();
        assert_eq!(counters.accepted, 0, "{source}: {counters:?}");
    }
    assert_eq!(lan.sent().mean(Kind::Probe, Cast::Unicast, 0..10), 0.0);
}

#[test]
fn a_copied_home_directory_is_alarmed_of() {
    let mut lan = Lan::new(16).nodes(2);
    lan.run_until(secs(20));
    let copy = lan.add_copy(0, Host::new(9));
    lan.run_until(secs(150));
    let alarm = |event: &Event| matches!(event, Event::Warning(Warning::OwnIdentityElsewhere { .. }));
    assert!(lan.events(0).any(|(_, event)| alarm(event)), "the original does not notice");
    assert!(lan.events(copy).any(|(_, event)| alarm(event)), "the copy does not notice");
}

#[test]
fn a_flood_of_forged_frames_stays_within_the_verify_budget_and_known_peers_are_heard() {
    let mut lan = Lan::new(17).nodes(2);
    lan.run_until(secs(10));
    let before = lan.engine(0).counters().verifications;
    let mut dice = Dice::new(17, "flood");
    let template = Impostor::new(17).announce("x");
    let mut restarted_at = None;
    for tick in 0..500_u64 {
        for _ in 0..100 {
            let mut frame = template.clone();
            frame[16..48].copy_from_slice(&dice.seed());
            let source = SocketAddr::from((
                [10, 77, dice.draw() as u8, dice.below(250) as u8],
                1024 + dice.below(60_000) as u16,
            ));
            lan.inject(source, lan.address(0, true), frame);
        }
        lan.run_for(millis(10));
        if tick == 200 {
            lan.restart(1);
            restarted_at = Some(lan.now());
        }
    }
    let spent = lan.engine(0).counters().verifications - before;
    assert!(spent <= 500 + 250 * 6 + 100, "{spent} verifications in five seconds");
    assert!(lan.engine(0).counters().unverified > 10_000, "{:?}", lan.engine(0).counters());
    let since = restarted_at.unwrap();
    let heard = lan.events(0).find(|(at, event)| {
        *at >= since && matches!(event, Event::PeerChanged { change: landfall_core::PeerChange::Restarted, .. })
    });
    let (at, _) = heard.expect("the peer's restart is noticed under the flood");
    assert!(at - since <= secs(2), "noticed after {:?}", at - since);
    assert!(lan.knows(0, 1));
}

#[test]
fn a_recording_from_before_our_own_first_start_wins_no_peer() {
    let mut lan = Lan::new(18).nodes(1);
    lan.run_until(secs(1));
    let mut stale = Impostor::new(18);
    stale.epoch = 1;
    stale.wall = UnixTime::from_millis(1);
    lan.inject(lair(18), lan.broadcast(), stale.announce("old"));
    lan.run_for(secs(40));
    assert_eq!(lan.engine(0).peers().count(), 0);
}
