//! A judge that never finds anything would be no judge.

use std::time::Duration;

use super::*;

const START: Millis = 100_000;

/// Two nodes on the LAN, each on a host of its own, up since [`START`].
fn judge() -> Judge {
    let plan = Plan { seed: 1, nodes: 2, hosts: 2, interval: Duration::from_secs(1), record: None };
    let mut judge = Judge::new(&plan, START);
    for node in [0, 1] {
        hear(&mut judge, START, What::Up { node });
    }
    judge
}

fn hear(judge: &mut Judge, at: Millis, what: What) {
    judge.hear(1, Said { at, what });
}

fn seen(node: Number, online: &[Number], turns: u64, work: u64, waited: Millis) -> What {
    What::Seen(Seen { node, online: online.to_vec(), sessions: 0, turns, work, waited })
}

/// What was broken, and nothing else.
#[track_caller]
fn assert_broken(judge: &Judge, promises: &[Promise]) {
    let broken: Vec<Promise> = judge.broken.iter().map(|broken| broken.promise).collect();
    assert_eq!(broken, promises, "{:?}", judge.broken);
}

#[test]
fn a_peer_that_is_not_seen_in_time_is_found_and_one_that_is_late_for_want_of_a_processor_is_not() {
    let mut judge = judge();
    let by = START + judge.truth.bounds.meet + LATE;
    hear(&mut judge, by, seen(0, &[], 0, 0, 0));
    assert_broken(&judge, &[]);
    hear(&mut judge, by + 1, seen(0, &[], 0, 0, 3 * STARVED));
    assert_broken(&judge, &[]);
    assert_eq!(judge.figures.excused, 1);
    hear(&mut judge, by + 1, seen(1, &[], 0, 0, 0));
    assert_broken(&judge, &[]);
    let late = START + judge.truth.bounds.again + LATE + 3 * STARVED;
    hear(&mut judge, late + 1, seen(0, &[1], 0, 0, 3 * STARVED));
    hear(&mut judge, late + 1, seen(1, &[], 0, 0, 0));
    hear(&mut judge, late + 2, seen(1, &[], 0, 0, 0));
    assert_broken(&judge, &[Promise::NoLostPeer]);
}

#[test]
fn a_peer_that_is_gone_has_to_be_gone_for_others_and_a_killed_one_after_a_while() {
    for (with_goodbye, patience) in [(true, judge().truth.bounds.goodbye), (false, judge().truth.bounds.silent)] {
        let mut judge = judge();
        let end = START + 60_000;
        judge.truth.set_state(1, State::Between, end);
        if with_goodbye {
            judge.figures.stopping.insert(1);
        }
        hear(&mut judge, end, What::Gone { node: 1, trouble: None });
        hear(&mut judge, end + patience + LATE, seen(0, &[1], 0, 0, 0));
        assert_broken(&judge, &[]);
        hear(&mut judge, end + patience + LATE + 1, seen(0, &[1], 0, 0, 0));
        assert_broken(&judge, &[Promise::NoLostPeer]);
    }
}

#[test]
fn a_flap_is_found_though_nobody_looked_meanwhile() {
    let mut judge = judge();
    hear(&mut judge, START + 60_000, What::Lost { node: 0, peer: 1, silent: true });
    assert_broken(&judge, &[Promise::NoLostPeer]);
}

#[test]
fn strangers_and_addresses_that_nobody_had_are_found() {
    let mut judge = judge();
    let address = |text: &str| What::Address { node: 0, peer: 1, address: text.parse().expect("an address") };
    hear(&mut judge, START, address("10.77.0.2:17892"));
    hear(&mut judge, START, address("[fe80::2]:17892"));
    assert_broken(&judge, &[]);
    hear(&mut judge, START, address("10.77.0.1:17892"));
    hear(&mut judge, START, address("127.0.0.1:17892"));
    hear(&mut judge, START, What::Stranger { node: 0, key: "lp1".to_owned() });
    assert_broken(&judge, &[Promise::NoFalsePeer; 3]);
}

#[test]
fn a_loop_that_turns_for_nothing_a_panic_an_error_and_an_end_are_found() {
    let mut judge = judge();
    hear(&mut judge, START, seen(0, &[1], 0, 0, 0));
    hear(&mut judge, START + TURNS_WINDOW, seen(0, &[1], 1_000, 900, 0));
    assert_broken(&judge, &[]);
    hear(&mut judge, START + 2 * TURNS_WINDOW, seen(0, &[1], 2_000, 900, 0));
    hear(&mut judge, START, What::Panicked { line: "thread x".to_owned() });
    hear(&mut judge, START, What::Logged { error: false, line: "WARN".to_owned() });
    hear(&mut judge, START, What::Logged { error: true, line: "ERROR".to_owned() });
    hear(&mut judge, START, What::Gone { node: 0, trouble: None });
    assert_broken(&judge, &[Promise::NoBusyLoop, Promise::NoPanic, Promise::NoError, Promise::NoPanic]);
}

#[test]
fn a_process_that_grows_or_leaks_files_is_found() {
    let mut judge = judge();
    let health = |allocated, resident, files| What::Health(Health { allocated, resident, files });
    hear(&mut judge, START, health(50_000, 100_000, 80));
    let before = judge.health.clone();
    hear(&mut judge, START, health(57_628, 200_128, 80));
    judge.weigh(&before, START);
    assert_broken(&judge, &[]);
    hear(&mut judge, START, health(57_629, 100_000, 200));
    judge.weigh(&before, START);
    assert_broken(&judge, &[Promise::FewFiles, Promise::MemoryIsFlat]);
    hear(&mut judge, START, health(50_000, 200_129, 80));
    judge.weigh(&before, START);
    assert_broken(&judge, &[Promise::FewFiles, Promise::MemoryIsFlat, Promise::MemoryIsFlat]);
}
