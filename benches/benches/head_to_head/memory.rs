//! What a node holds for each peer that it knows, and for each service of a link: every byte that its machine asked the
//! allocator for, counted when it is given back.
//!
//! The first of each kind pays for tables that stay; between two sizes of a crowd only what is the peer's or the service's own
//! is left, with the room that growing tables keep.

use landfall_budget::node::{Node, printer};
use landfall_core::Engine;
use landfall_figures::crowd::{Crowd, Crypto};
use landfall_figures::rows::{Figure, Unit};

use crate::Run;

const PEERS: [usize; 2] = [100, 10_000];
const SERVICES: [u32; 2] = [100, 10_000];

pub(crate) fn measure(run: &mut Run) {
    let [few, many] = PEERS.map(|peers| held(Crowd::new(peers, Crypto::Believed).into_engine()));
    let each = (many - few) / (PEERS[1] - PEERS[0]) as f64;
    run.add_each(
        "memory of a node",
        Unit::Bytes,
        [
            Figure::new("landfall, a node that knows nobody", [held(Node::new(1).engine)]),
            Figure::new("landfall, each peer that is online", [each]).note("of 10 000"),
        ],
    );
    let [few, many] = SERVICES.map(|services| {
        let mut node = Node::browsing(1, services as usize);
        for number in 0..services {
            let (source, packet) = printer(number);
            node.hear_mdns(source, &packet);
        }
        assert_eq!(node.engine.services().count(), services as usize);
        held(node.engine)
    });
    let each = (many - few) / f64::from(SERVICES[1] - SERVICES[0]);
    let service = Figure::new("landfall, each service of a host of its own", [each]);
    run.add_each("memory of a node", Unit::Bytes, [service.note("of 10 000; PTR, SRV, TXT of 52 bytes, A")]);
}

/// The bytes that an engine gives back.
fn held(engine: Engine) -> f64 {
    let counted = allocation_counter::measure(|| drop(engine));
    -counted.bytes_current as f64
}
