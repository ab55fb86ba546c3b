//! Multicast DNS beside other programs of the machine: who gets what is sent to the port that all of them share.

use std::net::{IpAddr, Ipv4Addr, SocketAddr, UdpSocket};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use crate::lab::eventually;
use landfall_core::{Action, BrowseScope, Channel, Command, Config, Input, Instant, PeerId, Selection, UnixTime};
use landfall_driver::{NodeOptions, Tap};
use socket2::{Domain, Protocol, Socket, Type};

use super::{Running, run};

const SOON: Duration = Duration::from_secs(3);
const OWN: IpAddr = IpAddr::V4(Ipv4Addr::new(10, 77, 0, 1));

/// What a node sent and heard by multicast DNS, and whether it took port 5353 for its own.
#[derive(Clone, Default)]
struct Ear(Arc<Mutex<Heard>>);

#[derive(Default)]
struct Heard {
    unicast: bool,
    sent: Vec<(SocketAddr, Vec<u8>)>,
    heard: Vec<(Option<IpAddr>, Vec<u8>)>,
}

impl Tap for Ear {
    fn start(&mut self, config: &Config, _seed: &[u8; 32], _now: Instant, _wall: UnixTime) {
        self.0.lock().unwrap().unicast = config.mdns_unicast;
    }

    fn input(&mut self, _now: Instant, input: &Input<'_>) {
        if let Input::Datagram(datagram) = input
            && datagram.channel == Channel::Mdns
        {
            self.0.lock().unwrap().heard.push((datagram.destination, datagram.payload.to_vec()));
        }
    }

    fn command(&mut self, _now: Instant, _command: &Command) {}

    fn action(&mut self, _now: Instant, action: &Action) {
        if let Action::Transmit(transmit) = action
            && transmit.channel == Channel::Mdns
        {
            self.0.lock().unwrap().sent.push((transmit.destination, transmit.payload.to_vec()));
        }
    }
}

fn observer(mdns_unicast: bool) -> (Running, Ear) {
    let interfaces = Selection::Only(vec!["eth0".to_owned()]);
    let config = Config { interfaces, mdns_unicast, ..Config::observer() };
    let ear = Ear::default();
    let options = NodeOptions::observer(config).beacon(false).mdns(true).tap(ear.clone());
    (run(PeerId::from_bytes([0; 32]), options), ear)
}

fn browse(node: &Running, kind: &str) {
    let browse = Command::Browse(BrowseScope::Type(kind.parse().expect("a type")));
    node.command(browse);
}

/// A socket as other mDNS programs open it.
fn other_program(address: [u8; 4]) -> UdpSocket {
    let socket = Socket::new(Domain::IPV4, Type::DGRAM, Some(Protocol::UDP)).unwrap();
    socket.set_reuse_address(true).unwrap();
    socket.set_reuse_port(true).unwrap();
    socket.bind(&SocketAddr::from((address, 5353)).into()).unwrap();
    socket.into()
}

/// What is sent to port 5353 of the host alone is heard when no other program wants it.
pub fn what_is_sent_to_port_5353_of_the_host_alone_is_heard_when_no_other_program_wants_it() {
    let (node, ear) = observer(true);
    browse(&node, "_x._tcp");
    eventually(SOON, "its sockets are open", || (!ear.0.lock().unwrap().sent.is_empty()).then_some(()));
    let asker = UdpSocket::bind((OWN, 0)).unwrap();
    asker.send_to(b"a question", (OWN, 5353)).unwrap();
    eventually(SOON, "unicast is heard", || {
        ear.0.lock().unwrap().heard.contains(&(Some(OWN), b"a question".to_vec())).then_some(())
    });
    let (second, second_ear) = observer(true);
    assert!(ear.0.lock().unwrap().unicast);
    assert!(!second_ear.0.lock().unwrap().unicast, "two would take each other's datagrams");
    second.stop();
    node.stop();
}

/// What is sent to port 5353 of the host alone is left to a program that was there before.
pub fn what_is_sent_to_port_5353_of_the_host_alone_is_left_to_a_program_that_was_there_before() {
    let responder = other_program([0, 0, 0, 0]);
    for mdns_unicast in [false, true] {
        let (node, ear) = observer(mdns_unicast);
        assert!(!ear.0.lock().unwrap().unicast);
        browse(&node, "_x._tcp");
        eventually(SOON, "its sockets are open", || (!ear.0.lock().unwrap().sent.is_empty()).then_some(()));
        let asker = UdpSocket::bind((OWN, 0)).unwrap();
        asker.send_to(b"a question", (OWN, 5353)).unwrap();
        responder.set_read_timeout(Some(SOON)).unwrap();
        // It hears the node's multicasts, too.
        let mut buffer = [0; 512];
        let is_the_question = |length: usize, buffer: &[u8]| &buffer[..length] == b"a question";
        while !is_the_question(responder.recv(&mut buffer).expect("it is not stolen"), &buffer) {}
        node.stop();
    }
}

/// A program that listens to the group only does not keep the port from us.
pub fn a_program_that_listens_to_the_group_only_does_not_keep_the_port_from_us() {
    let _listener = other_program([224, 0, 0, 251]);
    let (node, ear) = observer(true);
    assert!(ear.0.lock().unwrap().unicast);
    node.stop();
}
