//! How nodes find, keep and lose each other, on good networks and on crippled ones.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]

use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

use landfall_core::{AddressState, Command, Event, OfflineReason, PeerChange, Profile, Warning};
use landfall_testvectors::sim::{Cast, Host, Kind, Lan, ethernet, millis, secs};

fn pair(seed: u64) -> Lan {
    let mut lan = Lan::new(seed).nodes(2);
    lan.run_until(secs(5));
    assert!(lan.all_know_all());
    lan
}

fn confirmed(lan: &Lan, a: usize, b: usize) -> Vec<SocketAddr> {
    let peer = lan.peer(a, b).expect("a has b as a peer");
    let proven = peer.addresses.iter().filter(|known| known.state == AddressState::Confirmed);
    proven.map(|known| SocketAddr::new(known.address.ip(), known.address.port())).collect()
}

#[test]
fn a_newcomer_and_those_who_are_there_know_each_other_within_a_tenth_of_a_second() {
    for seed in 0..50 {
        let mut lan = Lan::new(seed).nodes(2);
        lan.run_until(secs(30));
        let newcomer = lan.add(Host::new(3));
        let known = lan.run_until_holds(secs(31), Lan::all_know_all);
        let took = known.expect("they know each other within a second") - secs(30);
        assert!(took <= millis(100), "seed {seed}: it took {took:?}");
        assert!(!confirmed(&lan, 0, newcomer).is_empty());
    }
}

#[test]
fn two_who_start_together_tell_each_other_no_more_than_a_few_times() {
    for seed in 0..20 {
        let mut lan = Lan::new(seed).latency(millis(1), millis(1)).nodes(2);
        lan.run_until(secs(40));
        assert!(lan.all_know_all());
        let told = lan.sent().seconds(Kind::Announce, Cast::Unicast, 0..40).sum::<u32>();
        // Both directions, both families, and each may be repeated until the other has shown that it knows.
        assert!(told <= 16, "seed {seed}: {told} unicast announces between two nodes that nothing was lost between");
    }
}

#[test]
fn on_a_network_that_loses_a_third_two_know_each_other_within_five_seconds() {
    let late = |seed: &u64| {
        let mut lan = Lan::new(*seed).loss(0.3).nodes(1);
        lan.run_until(secs(20));
        lan.add(Host::new(2));
        lan.run_until_holds(secs(25), Lan::all_know_all).is_none()
    };
    let late: Vec<u64> = (0..300).filter(late).collect();
    assert!(late.is_empty(), "with these seeds it takes longer: {late:?}");
}

#[test]
fn a_stopped_peer_is_offline_within_a_second() {
    let mut lan = pair(1);
    lan.stop(1);
    lan.run_for(millis(200));
    assert!(!lan.is_running(1), "a stop takes at most 200 ms");
    lan.run_for(millis(800));
    assert!(!lan.knows(0, 1));
    let goodbye = Event::PeerOffline { id: lan.id(1), reason: OfflineReason::Goodbye };
    assert!(lan.events(0).any(|(_, event)| *event == goodbye));
}

#[test]
fn a_stop_is_heard_by_most_even_when_a_third_of_all_datagrams_is_lost() {
    let heard = |seed: &u64| {
        let mut lan = Lan::new(*seed).loss(0.3).nodes(2);
        lan.run_until_holds(secs(60), Lan::all_know_all);
        lan.stop(1);
        lan.run_for(secs(1));
        !lan.knows(0, 1)
    };
    let count = (0..100).filter(heard).count();
    assert!(count >= 95, "only {count} of 100 goodbyes were heard");
}

#[test]
fn a_killed_peer_is_offline_within_three_minutes_and_not_before_it_may_be_late() {
    for seed in 0..20 {
        let mut lan = pair(seed);
        lan.run_until(secs(100 + seed * 7));
        lan.kill(1);
        lan.run_for(secs(60));
        assert!(lan.knows(0, 1), "seed {seed}: a minute of silence is no death");
        lan.run_for(secs(120));
        assert!(!lan.knows(0, 1), "seed {seed}: still online three minutes after it was killed");
    }
}

#[test]
fn nobody_is_lost_in_an_hour_at_a_loss_of_ten_percent() {
    let mut lan = Lan::new(3).loss(0.1).nodes(5);
    lan.run_until(secs(60));
    assert!(lan.all_know_all());
    lan.run_until(secs(3600));
    for node in 0..5 {
        let lost = lan.events(node).filter(|(_, event)| matches!(event, Event::PeerOffline { .. })).count();
        assert_eq!(lost, 0, "node {node} lost {lost} peers who were there");
    }
}

#[test]
fn a_restarted_peer_is_the_same_peer_at_once() {
    let mut lan = pair(4);
    let first_seen = lan.peer(0, 1).unwrap().first_seen;
    lan.restart(1);
    lan.run_for(millis(100));
    assert!(lan.all_know_all(), "{:?}", lan.strangers());
    let peer = lan.peer(0, 1).unwrap();
    assert_eq!((peer.first_seen, lan.engine(0).peers().count()), (first_seen, 1));
    let restarted = Event::PeerChanged { id: lan.id(1), change: PeerChange::Restarted };
    assert!(lan.events(0).any(|(_, event)| *event == restarted));
    assert!(!lan.events(0).any(|(_, event)| matches!(event, Event::PeerOffline { .. })));
}

#[test]
fn a_peer_that_crashes_over_and_over_is_one_peer_and_its_epoch_always_grows() {
    let mut lan = pair(5);
    for round in 0..30_u64 {
        // At odd moments, so that some crashes hit a commit under way.
        lan.run_for(Duration::from_micros(700 * round));
        lan.restart(1);
    }
    lan.run_for(secs(2));
    assert!(lan.all_know_all(), "{:?}", lan.strangers());
    assert_eq!(lan.engine(0).peers().count(), 1);
}

#[test]
fn after_everybody_restarted_they_know_each_other_again_and_kept_their_records() {
    let mut lan = Lan::new(6).nodes(5);
    lan.run_until(secs(20));
    let first_seen = lan.peer(0, 1).unwrap().first_seen;
    (0..5).for_each(|node| lan.kill(node));
    lan.run_for(secs(1000));
    (0..5).for_each(|node| lan.restart(node));
    lan.run_for(secs(2));
    assert!(lan.all_know_all(), "{:?}", lan.strangers());
    assert_eq!(lan.peer(0, 1).unwrap().first_seen, first_seen);
}

#[test]
fn without_ipv4_they_find_each_other() {
    let mut lan = Lan::new(7).hosts(3, |host| host.without(IpAddr::is_ipv4));
    assert!(lan.run_until_holds(secs(1), Lan::all_know_all).is_some(), "{:?}", lan.strangers());
}

#[test]
fn without_ipv6_they_find_each_other() {
    let mut lan = Lan::new(8).hosts(3, |host| host.without(IpAddr::is_ipv6));
    assert!(lan.run_until_holds(secs(1), Lan::all_know_all).is_some(), "{:?}", lan.strangers());
}

#[test]
fn without_broadcast_they_find_each_other() {
    let mut lan = Lan::new(9).without_broadcast().nodes(3);
    assert!(lan.run_until_holds(secs(1), Lan::all_know_all).is_some(), "{:?}", lan.strangers());
}

#[test]
fn without_multicast_they_find_each_other() {
    let mut lan = Lan::new(10).without_multicast().nodes(3);
    assert!(lan.run_until_holds(secs(1), Lan::all_know_all).is_some(), "{:?}", lan.strangers());
}

#[test]
fn families_that_are_turned_off_are_not_used() {
    for ipv4 in [true, false] {
        let mut lan = Lan::new(11).capturing().nodes(2).configure(move |_, config| {
            config.ipv4 = ipv4;
            config.ipv6 = !ipv4;
        });
        lan.run_until(secs(10));
        assert!(lan.all_know_all());
        assert!(lan.captured().iter().all(|flight| flight.destination.is_ipv4() == ipv4));
    }
}

#[test]
fn two_nodes_on_one_host_know_each_other_and_their_neighbour() {
    let mut lan = Lan::new(12).nodes(1);
    lan.add(Host::new(2));
    lan.add(Host::new(2).port(40_001));
    lan.add(Host::new(2).port(40_002));
    assert!(lan.run_until_holds(secs(2), Lan::all_know_all).is_some(), "{:?}", lan.strangers());
    lan.run_for(secs(200));
    assert!(lan.all_know_all(), "{:?}", lan.strangers());
    let same_address = |event: &Event| matches!(event, Event::Warning(Warning::SameAddress { .. }));
    assert!(!(0..4).any(|node| lan.events(node).any(|(_, event)| same_address(event))));
}

#[test]
fn nobody_lists_itself_or_an_address_of_its_own() {
    let mut lan = Lan::new(13).duplication(0.2).nodes(4);
    lan.add(Host::new(9).plug(Some(0), ethernet(1, 9)));
    lan.run_until(secs(200));
    for node in 0..lan.len() {
        let own: Vec<IpAddr> =
            lan.engine(node).interfaces().iter().flat_map(|link| &link.addresses).map(|a| a.ip).collect();
        for peer in lan.engine(node).peers() {
            assert_ne!(peer.id, lan.id(node));
            assert!(peer.addresses.iter().all(|known| !own.contains(&known.address.ip())), "{peer:?}");
        }
        assert_eq!(lan.engine(node).peers().count(), lan.len() - 1);
    }
}

#[test]
fn a_new_address_is_known_to_the_others_within_two_seconds() {
    for (seed, ip) in [(14, IpAddr::from([10, 77, 9, 9])), (15, "fe80::9:9".parse().unwrap())] {
        let mut lan = pair(seed);
        lan.run_until(secs(40));
        let before = lan.address(1, ip.is_ipv4());
        lan.renumber(1, ip);
        lan.run_for(secs(2));
        let now = confirmed(&lan, 0, 1);
        assert!(now.contains(&SocketAddr::new(ip, before.port())), "{now:?} lacks {ip}");
        assert!(!now.contains(&before), "{before} is still there: {now:?}");
        assert!(!lan.events(0).any(|(_, event)| matches!(event, Event::PeerOffline { .. })));
    }
}

#[test]
fn an_address_in_another_prefix_is_known_within_two_seconds_when_all_move_there() {
    let mut lan = pair(16);
    for node in 0..2 {
        lan.replug(node, |host| {
            let address = &mut host.interfaces[0].interface.addresses[0];
            address.ip = IpAddr::from([192, 168, 7, 1 + u8::try_from(node).unwrap()]);
            address.prefix = 24;
        });
    }
    lan.run_for(secs(2));
    assert!(lan.all_know_all(), "{:?}", lan.strangers());
    assert!(confirmed(&lan, 0, 1).contains(&"192.168.7.2:17892".parse().unwrap()), "{:?}", confirmed(&lan, 0, 1));
}

#[test]
fn a_changed_profile_is_known_at_once() {
    let mut lan = pair(17);
    lan.run_until(secs(30));
    let profile = Profile { name: "new name".into(), capabilities: vec!["chat".into()], ..Profile::default() };
    lan.command(1, Command::SetProfile(profile.clone())).unwrap();
    lan.run_for(millis(100));
    assert_eq!(lan.peer(0, 1).unwrap().profile, profile);
    let renamed = PeerChange::Renamed { from: "node-1".into() };
    assert!(lan.events(0).any(|(_, event)| *event == Event::PeerChanged { id: lan.id(1), change: renamed.clone() }));
}

#[test]
fn a_partition_that_heals_leaves_all_knowing_all() {
    let mut lan = Lan::new(18).nodes(6);
    lan.run_until(secs(10));
    lan.partition(&[&[0, 1, 2], &[3, 4, 5]]);
    lan.run_for(secs(300));
    assert!(!lan.knows(0, 3) && !lan.knows(5, 2), "three minutes of silence are long enough");
    assert!(lan.knows(0, 1) && lan.knows(4, 5));
    lan.heal();
    lan.run_for(secs(75));
    assert!(lan.all_know_all(), "{:?}", lan.strangers());
}

#[test]
fn a_machine_that_wakes_from_sleep_knows_its_peers_again_within_two_seconds() {
    let mut lan = pair(19);
    lan.run_until(secs(30));
    lan.sleep(1, secs(3600));
    lan.run_for(secs(3600));
    assert!(!lan.knows(0, 1), "a sleeper is not there");
    lan.run_for(secs(2));
    assert!(lan.all_know_all(), "{:?}", lan.strangers());
}

#[test]
fn a_peer_that_left_while_a_machine_slept_is_offline_soon_after_it_wakes() {
    let mut lan = pair(20);
    lan.sleep(1, secs(3600));
    lan.run_for(secs(1000));
    lan.kill(0);
    lan.run_for(secs(2600) + secs(5));
    assert!(!lan.knows(1, 0));
}

#[test]
fn a_clock_that_jumps_either_way_loses_nobody() {
    const YEAR: i64 = 365 * 24 * 3600 * 1000;
    for jump in [YEAR, -YEAR, 3_600_000, -3_600_000] {
        let mut lan = pair(21);
        lan.jump_wall(1, jump);
        lan.run_for(secs(400));
        assert!(lan.all_know_all(), "after a jump by {jump} ms: {:?}", lan.strangers());
        assert!(!lan.events(0).chain(lan.events(1)).any(|(_, event)| matches!(event, Event::PeerOffline { .. })));
        lan.restart(1);
        lan.run_for(millis(200));
        assert!(lan.all_know_all(), "after a restart in that time: {:?}", lan.strangers());
        lan.jump_wall(1, -jump);
        lan.restart(1);
        lan.run_for(millis(200));
        assert!(lan.all_know_all(), "after a restart back in the old time: {:?}", lan.strangers());
    }
}

#[test]
fn clocks_that_disagree_by_years_keep_nobody_apart() {
    const YEAR: i64 = 365 * 24 * 3600 * 1000;
    let mut lan = Lan::new(22);
    lan.add(Host::new(1).wall_ahead(-20 * YEAR));
    lan.add(Host::new(2).wall_ahead(20 * YEAR));
    lan.add(Host::new(3));
    assert!(lan.run_until_holds(secs(2), Lan::all_know_all).is_some(), "{:?}", lan.strangers());
}

#[test]
fn a_node_with_two_interfaces_on_two_links_knows_the_peers_of_both_and_they_not_each_other() {
    let mut lan = Lan::new(23);
    let left = lan.add(Host::new(1));
    let middle = lan.add(Host::new(2).plug(Some(1), ethernet(1, 2)));
    let right = lan.add(Host::new(3));
    lan.replug(right, |host| {
        host.interfaces[0].interface = ethernet(1, 3);
        host.interfaces[0].link = Some(1);
    });
    lan.run_until(secs(5));
    assert!(lan.knows(left, middle) && lan.knows(middle, left) && lan.knows(right, middle) && lan.knows(middle, right));
    assert!(!lan.knows(left, right) && !lan.knows(right, left));
}

#[test]
fn only_the_network_card_is_announced_on_beside_docker_veth_and_a_tunnel() {
    use landfall_core::InterfaceKind::{Bridge, PointToPoint, Virtual};
    let virtual_one = |index: u32, name: &str, kind| {
        let mut interface = ethernet(0, 200);
        interface.index = index;
        interface.name = name.into();
        interface.kind = kind;
        interface.default_route = false;
        interface
    };
    let mut lan = Lan::new(24).nodes(1);
    lan.add(
        Host::new(2)
            .plug(None, virtual_one(5, "docker0", Bridge))
            .plug(None, virtual_one(6, "veth12", Virtual))
            .plug(None, virtual_one(7, "tun0", PointToPoint)),
    );
    lan.run_until(secs(5));
    assert!(lan.all_know_all());
    let names: Vec<&str> = lan.engine(1).interfaces().iter().map(|interface| interface.name.as_str()).collect();
    assert_eq!(names, ["eth0"]);
    let announcing = |event: &Event| matches!(event, Event::Announcing { .. });
    assert_eq!(lan.events(1).filter(|(_, event)| announcing(event)).count(), 1);
}

#[test]
fn networks_of_different_names_do_not_see_each_other() {
    let mut lan = Lan::new(25).nodes(4).configure(|node, config| {
        config.network = if node < 2 { String::new() } else { "lab".into() };
    });
    lan.run_until(secs(70));
    assert!(lan.knows(0, 1) && lan.knows(2, 3));
    assert!(!lan.knows(0, 2) && !lan.knows(3, 1));
    assert!(lan.engine(0).counters().other_network > 0);
}
