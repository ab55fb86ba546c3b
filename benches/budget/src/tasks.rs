//! The hot paths that have a budget. Each is made ready here, and is then one call, in which nothing is done but the path.
//!
//! What a path leaves behind is kept in the task, so that dropping it counts nowhere. A task is good for one call.

use std::hint::black_box;
use std::time::Duration;

use landfall_core::session::channel::{Opener, Sealer};
use landfall_core::wire::beacon::{Beacon, Body};
use landfall_core::wire::mdns::{MessageWriter, NameBuf, RecordType};
use landfall_core::{Channel, Command, Input, JobDone, JobOutput, Publication, Secret, Transmit};

use crate::handshake::{Recorded, Sides};
use crate::node::{self, Node};
use crate::{codec, packet};

/// One hot path, ready.
pub type Task = Box<dyn FnMut()>;

/// What makes one ready.
pub type Prepare = fn() -> Task;

/// All of them by name.
pub const ALL: [(&str, Prepare); 19] = [
    ("mdns_read", mdns_read),
    ("mdns_written", mdns_written),
    ("mdns_written_again", mdns_written_again),
    ("beacon_read", beacon_read),
    ("announce_checked", announce_checked),
    ("announce_heard", announce_heard),
    ("announce_heard_again", announce_heard_again),
    ("replay_refused", replay_refused),
    ("probe_answered", probe_answered),
    ("service_found", service_found),
    ("service_heard_again", service_heard_again),
    ("question_answered", question_answered),
    ("frame_sealed", frame_sealed),
    ("frame_opened", frame_opened),
    ("handshake_initiated", handshake_initiated),
    ("handshake_answered", handshake_answered),
    ("turn_without_cause", turn_without_cause),
    ("turn_in_a_crowd", turn_in_a_crowd),
    ("announce_made", announce_made),
];

/// mDNS: 30 records in 1410 bytes are read.
#[must_use]
pub fn mdns_read() -> Task {
    let bytes = packet::bytes();
    task(move || codec::parse(black_box(&bytes)))
}

/// mDNS: the same 30 records are written into a new message.
#[must_use]
pub fn mdns_written() -> Task {
    let records = codec::prepare(&packet::entries());
    task(move || codec::encode(black_box(&records)))
}

/// mDNS: and into one whose memory is there.
#[must_use]
pub fn mdns_written_again() -> Task {
    let (records, mut writer) = (codec::prepare(&packet::entries()), MessageWriter::response(packet::BUDGET));
    codec::encode_again(&mut writer, &records);
    task(move || codec::encode_again(&mut writer, black_box(&records)))
}

/// A beacon frame and its body are read, its signature unchecked.
#[must_use]
pub fn beacon_read() -> Task {
    let frame = first_announce(1);
    task(move || {
        let beacon = Beacon::parse(black_box(&frame)).expect("our own frame");
        Body::decode(beacon.body()).expect("our own body")
    })
}

/// A peer's new announce goes through every check up to the one of its signature.
#[must_use]
pub fn announce_checked() -> Task {
    let (mut node, peer, frame) = about_to_hear();
    task(move || {
        node.feed(Channel::Beacon, peer.address(), black_box(&frame));
        node.job().expect("its signature is to be verified")
    })
}

/// And through all: the signature, the registry, and what is made of it.
#[must_use]
pub fn announce_heard() -> Task {
    let (mut node, peer, frame) = about_to_hear();
    task(move || node.hear(peer.address(), black_box(&frame)))
}

/// What is left of that for a peer that says what it said before, once the signature was checked.
#[must_use]
pub fn announce_heard_again() -> Task {
    let (mut node, mut peer, frame) = about_to_hear();
    node.hear(peer.address(), &frame);
    let frame = announce_of(&mut peer);
    node.pass(peer.now.since(node.now));
    node.feed(Channel::Beacon, peer.address(), &frame);
    let id = node.job().expect("its signature is to be verified").id();
    task(move || {
        node.engine.handle(Input::Job(JobDone { id, output: JobOutput::Verified(true) }), node.now);
        node.drain()
    })
}

/// An announce that was heard before.
#[must_use]
pub fn replay_refused() -> Task {
    let (mut node, peer, frame) = about_to_hear();
    node.hear(peer.address(), &frame);
    task(move || node.feed(Channel::Beacon, peer.address(), black_box(&frame)))
}

/// A probe is heard, its answer signed and sent.
#[must_use]
pub fn probe_answered() -> Task {
    let [mut node, mut peer] = node::acquainted();
    // A node that starts anew probes whom it hears.
    let announce = announce_of(&mut node);
    let mut stranger = Node::new(3);
    let said = stranger.hear(node.address(), &announce);
    let probe: Transmit = said.sent.into_iter().find(|it| it.destination == node.address()).expect("it probes");
    drop(peer.drain());
    task(move || {
        let said = node.hear(stranger.address(), black_box(&probe.payload));
        assert!(!said.sent.is_empty(), "it is answered");
        said
    })
}

/// mDNS: a service among 100 that is looked for is heard for the first time, kept and told.
#[must_use]
pub fn service_found() -> Task {
    let mut node = browsing();
    let (source, packet) = node::printer(1000);
    task(move || {
        let said = node.hear_mdns(source, black_box(&packet));
        assert!(said.events.len() == 1, "it is told");
        said
    })
}

/// mDNS: a service among 100 that is known is heard again.
#[must_use]
pub fn service_heard_again() -> Task {
    let mut node = browsing();
    let (source, packet) = node::printer(50);
    node.pass(Duration::from_secs(5));
    task(move || node.hear_mdns(source, black_box(&packet)))
}

/// mDNS: a question for the type of a published service is heard, and answered when its time has come.
#[must_use]
pub fn question_answered() -> Task {
    let mut node = Node::with(1, |config| config.host = Some("host1".into()));
    let publication = Publication::new("Office Printer", "_ipp._tcp".parse().expect("a type"), 631);
    node.engine.command(Command::Publish(publication), node.now).expect("it can be published");
    node.pass(Duration::from_secs(10));
    let kind: NameBuf = "_ipp._tcp.local".parse().expect("a name");
    let mut question = MessageWriter::query(512);
    question.question(kind.as_name(), RecordType::PTR, false).expect("it fits");
    let question = question.finish();
    let source = ([10, 0, 0, 9], 5353).into();
    task(move || {
        node.hear_mdns(source, black_box(&question));
        let said = node.pass(Duration::from_millis(200));
        assert!(!said.sent.is_empty(), "it is answered");
        said
    })
}

/// Session: 1 KiB is sealed.
#[must_use]
pub fn frame_sealed() -> Task {
    let mut sealer = Sealer::new(&Secret::from_bytes([1; 32]), 7);
    let body = [5; 1024];
    drop(sealer.seal_now(&body));
    task(move || sealer.seal_now(black_box(&body)).expect("a frame"))
}

/// Session: and opened.
#[must_use]
pub fn frame_opened() -> Task {
    let chain = Secret::from_bytes([1; 32]);
    let (mut sealer, mut opener) = (Sealer::new(&chain, 7), Opener::new(&chain, 7));
    let mut seal = || sealer.seal_now(&[5; 1024]).expect("a frame");
    opener.open_now(seal()).expect("it opens");
    let mut frame = Some(seal());
    task(move || opener.open_now(frame.take().expect("one call")).expect("it opens"))
}

/// Session: the initiator's part of a handshake.
#[must_use]
pub fn handshake_initiated() -> Task {
    let sides = Sides::default();
    let m2 = sides.shake_hands().m2;
    task(move || sides.initiate(black_box(&m2)))
}

/// Session: the responder's part.
#[must_use]
pub fn handshake_answered() -> Task {
    let sides = Sides::default();
    let Recorded { m1, m3, .. } = sides.shake_hands();
    task(move || sides.respond(black_box(&m1), &m3))
}

/// A turn of the engine in which nothing is due.
#[must_use]
pub fn turn_without_cause() -> Task {
    let [mut node, _] = node::acquainted();
    task(move || {
        node.engine.handle(Input::Timeout, node.now);
        (node.engine.poll_action(), node.engine.poll_timeout())
    })
}

/// The next turn that falls due among 100 peers.
#[must_use]
pub fn turn_in_a_crowd() -> Task {
    let mut node = node::crowd(100);
    task(move || node.turn().expect("a node always has a next turn"))
}

/// The node's own announce falls due, is written, signed and sent.
#[must_use]
pub fn announce_made() -> Task {
    let mut node = Node::new(1);
    node.pass(Duration::from_secs(10));
    task(move || {
        let said = node.turn().expect("a node always has a next turn");
        assert!(!said.sent.is_empty(), "it is sent");
        said
    })
}

/// A task that keeps what its call gives.
fn task<R: 'static>(mut call: impl FnMut() -> R + 'static) -> Task {
    let mut kept = Vec::with_capacity(1);
    Box::new(move || kept.push(call()))
}

/// A node, a peer that it knows, and that peer's next announce.
fn about_to_hear() -> (Node, Node, Vec<u8>) {
    let [mut node, mut peer] = node::acquainted();
    let frame = announce_of(&mut peer);
    node.pass(peer.now.since(node.now));
    (node, peer, frame)
}

fn announce_of(node: &mut Node) -> Vec<u8> {
    loop {
        let said = node.turn().expect("a node announces");
        if let Some(sent) = said.sent.into_iter().find(|sent| sent.payload.first_chunk() == Some(b"LNP1")) {
            return sent.payload.to_vec();
        }
    }
}

fn first_announce(host: u8) -> Vec<u8> {
    announce_of(&mut Node::new(host))
}

fn browsing() -> Node {
    let mut node = Node::browsing(1, 100);
    for number in 0..100 {
        let (source, packet) = node::printer(number);
        node.hear_mdns(source, &packet);
    }
    node
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_hot_path_can_be_gone() {
        for (name, prepare) in ALL {
            println!("{name}");
            prepare()();
        }
    }
}
