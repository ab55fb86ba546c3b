//! A node that hears nothing new allocates nothing: not for an announce, whoever's of however many, nor for what is said by mDNS.
//! A count is exact, so that it is held here, where every change is tested, and not only printed by a benchmark.

use allocation_counter::AllocationInfo;
use landfall_figures::crowd::{Crowd, Crypto, Told};
use landfall_figures::link::{Link, Said, Saying};

const CALLS: usize = 500;

/// What is allocated while all of this is heard, what is due in between left out.
fn allocated(crowd: &mut Crowd, told: &[Told]) -> AllocationInfo {
    allocation_counter::measure(|| {
        for told in told {
            allocation_counter::opt_out(|| crowd.settle(1));
            crowd.hear(told);
        }
    })
}

fn assert_none(what: &str, counted: AllocationInfo) {
    println!("{what}: {} allocations of {} bytes for {CALLS}", counted.count_total, counted.bytes_total);
    assert_eq!((counted.count_total, counted.bytes_total), (0, 0), "{what}");
}

#[test]
fn an_announce_of_a_known_peer_allocates_nothing_whether_it_is_fresh_or_was_heard_before() {
    for size in [1, 100, 2000] {
        let mut crowd = Crowd::new(size, Crypto::Run);
        let warm_up = crowd.announces(CALLS);
        let _ = allocated(&mut crowd, &warm_up);
        let before = crowd.counters();
        let told = crowd.announces(CALLS);
        assert_none(&format!("fresh announces among {size}"), allocated(&mut crowd, &told));
        assert_none(&format!("the same again among {size}"), allocated(&mut crowd, &told));
        let after = crowd.counters();
        assert_eq!(after.accepted - before.accepted, CALLS as u64, "{after:?}");
        assert_eq!(after.duplicate - before.duplicate, CALLS as u64, "{after:?}");
    }
}

#[test]
fn an_mdns_message_that_says_nothing_new_and_asks_nothing_allocates_nothing() {
    for (name, saying) in Saying::ALL {
        let mut link = Link::new(20);
        let warm_up = link.say(saying, CALLS);
        let _ = allocated_on(&mut link, &warm_up);
        let said = link.say(saying, CALLS);
        assert_none(name, allocated_on(&mut link, &said));
    }
}

fn allocated_on(link: &mut Link, said: &[Said]) -> AllocationInfo {
    allocation_counter::measure(|| {
        for said in said {
            allocation_counter::opt_out(|| link.settle(1));
            assert_eq!(link.hear(said), 0, "there is nothing to say");
        }
    })
}
