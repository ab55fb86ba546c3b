//! Sessions as the system sees them: ports, connections, bytes a second.

use std::collections::VecDeque;
use std::fs;
use std::net::{IpAddr, Ipv4Addr, SocketAddr, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use crate::lab::report;
use bytes::Bytes;
use landfall_core::{Command, CommandId, Event, PeerId};
use landfall_driver::NodeOptions;
use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
use socket2::{Domain, Socket, Type};

use super::{Running, config, run, sh, start};

const SOON: Duration = Duration::from_secs(3);
const MEBIBYTE: usize = 1 << 20;

/// Two nodes on this interface that know each other.
fn two(interface: &str) -> (Running, Running) {
    let mut a = start(1, "a", &[interface]);
    let mut b = start(2, "b", &[interface]);
    let (a_id, b_id) = (a.id, b.id);
    a.expect_peer(SOON, b_id);
    b.expect_peer(SOON, a_id);
    (a, b)
}

fn command(node: &Running, command: Command) -> CommandId {
    node.command(command)
}

/// Opens a session and says how long that took.
fn connect(from: &mut Running, to: PeerId, limit: Duration) -> Duration {
    let started = Instant::now();
    let asked = command(from, Command::Connect(to));
    from.expect(limit, "a session", |event| match event {
        Event::Connected { command, id } if *command == asked && *id == to => Some(()),
        Event::ConnectFailed { command: Some(command), reason, .. } if *command == asked => {
            panic!("no session after {:?}: {reason:?}", started.elapsed())
        }
        _ => None,
    });
    started.elapsed()
}

/// Where `node` was told that it can open a session with `peer`, by IPv4.
fn session_address(node: &Running, peer: PeerId) -> SocketAddr {
    let started = Instant::now();
    loop {
        let known = node.inspect(move |engine| engine.peer(&peer).cloned());
        let known = known.expect("a peer");
        if let Some(address) = known.addresses.iter().find(|known| known.address.is_ipv4()) {
            return SocketAddr::new(address.address.ip(), known.tcp_port);
        }
        assert!(started.elapsed() < SOON, "{:?}", known.addresses);
        thread::sleep(Duration::from_millis(10));
    }
}

/// Two nodes of one host listen on a port each and announce which.
pub fn two_nodes_of_one_host_listen_on_a_port_each_and_announce_which() {
    let (a, b) = two("eth0");
    let (to_a, to_b) = (session_address(&b, a.id), session_address(&a, b.id));
    assert!(to_a.port() == 17_892 && to_b.port() != 17_892, "{to_a} {to_b}");
    for (node, address) in [(&a, to_a), (&b, to_b)] {
        TcpStream::connect(address).expect("somebody listens there");
        // The node uses eth0 alone.
        let elsewhere = (IpAddr::from(Ipv4Addr::LOCALHOST), address.port());
        TcpStream::connect(elsewhere).expect("the port is one for all addresses");
        thread::sleep(Duration::from_millis(100));
        let streams = node.counters().streams;
        assert_eq!((streams.accepted, streams.misconnected), (1, 1));
    }
    a.stop();
    b.stop();
}

/// A node that wants no sessions and one without an identity have no tcp port.
pub fn a_node_that_wants_no_sessions_and_one_without_an_identity_have_no_tcp_port() {
    let (plain, keyring) = config(1, "a", &["eth0"]);
    let (mut nobody, _) = config(2, "", &["eth0"]);
    nobody.identity = None;
    for options in [NodeOptions::node(plain, keyring).sessions(false), NodeOptions::observer(nobody)] {
        let node = run(PeerId::from_bytes([0; 32]), options);
        node.counters();
        let tables = ["/proc/net/tcp", "/proc/net/tcp6"].map(|file| fs::read_to_string(file).unwrap());
        let lines = tables.iter().flat_map(|table| table.lines());
        let listening = lines.filter(|line| line.split_whitespace().nth(3) == Some("0A")).count();
        assert_eq!(listening, 0);
        node.stop();
    }
}

/// Sixty four mebibytes arrive one message after the other.
pub fn sixty_four_mebibytes_arrive_one_message_after_the_other() {
    const MESSAGES: usize = 64;
    let (mut a, mut b) = two("lo");
    let b_id = b.id;
    connect(&mut a, b_id, SOON);
    let body = Bytes::from(vec![0x5a; MEBIBYTE]);
    let started = Instant::now();
    let send = |a: &Running| command(a, Command::Send { to: b_id, body: body.clone() });
    let mut waiting: VecDeque<CommandId> = (0..3).map(|_| send(&a)).collect();
    let mut begun = waiting.len();
    while let Some(first) = waiting.pop_front() {
        a.expect(Duration::from_secs(10), "the next is delivered", |event| match event {
            Event::MessageDelivered { command, .. } if *command == first => Some(()),
            Event::MessageFailed { reason, .. } => panic!("{reason:?}"),
            _ => None,
        });
        if begun < MESSAGES {
            begun += 1;
            waiting.push_back(send(&a));
        }
    }
    let took = started.elapsed();
    let mut arrived = 0;
    b.expect(SOON, "all of them", |event| {
        arrived += usize::from(matches!(event, Event::MessageReceived(_)));
        (arrived == MESSAGES).then_some(())
    });
    let rate = MESSAGES as f64 / took.as_secs_f64();
    report(&format!("FIGURE: {MESSAGES} MiB between two nodes of one machine in {took:?}: {rate:.0} MiB/s"));
    a.stop();
    b.stop();
}

/// Lets this process open as many files as it may, and says how many.
fn allow_many_files() -> usize {
    let Rlimit { maximum, .. } = getrlimit(Resource::Nofile);
    setrlimit(Resource::Nofile, Rlimit { current: maximum, maximum }).expect("up to the maximum");
    maximum.map_or(usize::MAX, |maximum| usize::try_from(maximum).unwrap_or(usize::MAX))
}

/// Connects from `source`, says nothing, and keeps the connection.
fn intrude(source: Ipv4Addr, target: SocketAddr) -> Option<Socket> {
    let socket = Socket::new(Domain::IPV4, Type::STREAM, None).expect("a socket");
    socket.bind(&SocketAddr::from((source, 0)).into()).expect("our address");
    socket.connect_timeout(&target.into(), SOON).is_ok().then_some(socket)
}

/// Ten thousand idle connections from one source keep no honest peer waiting.
pub fn ten_thousand_idle_connections_from_one_source_keep_no_honest_peer_waiting() {
    let most = 10_000.min(allow_many_files().saturating_sub(3000));
    sh("ip address add 10.77.0.200/24 dev eth0");
    let (a, mut b) = two("eth0");
    let (a_id, target) = (a.id, session_address(&b, a.id));
    let intruder = Ipv4Addr::new(10, 77, 0, 200);
    let started = Instant::now();
    let mut held: VecDeque<Socket> = (0..most).filter_map(|_| intrude(intruder, target)).collect();
    let filling = started.elapsed();
    let idle = connect(&mut b, a_id, SOON);
    command(&b, Command::Disconnect(a_id));
    b.expect(SOON, "it is closed", |event| matches!(event, Event::SessionClosed { .. }).then_some(()));
    let stop = Arc::new(AtomicBool::new(false));
    let flooding = {
        let stop = Arc::clone(&stop);
        thread::spawn(move || {
            let mut more = 0_u64;
            while !stop.load(Ordering::Relaxed) {
                more += 1;
                held.pop_front();
                held.extend(intrude(intruder, target));
            }
            (held.len(), more)
        })
    };
    thread::sleep(Duration::from_millis(200));
    let flooded = connect(&mut b, a_id, SOON);
    stop.store(true, Ordering::Relaxed);
    let (held, more) = flooding.join().unwrap();
    let streams = a.counters().streams;
    report(&format!(
        "FIGURE: {held} idle connections from one source, made in {filling:?}: an honest peer has its session in {idle:?}, \
         and in {flooded:?} while {more} more come and go; {streams:?}"
    ));
    assert!(held >= most * 99 / 100, "{held} of {most}");
    assert!(idle < Duration::from_secs(1), "{idle:?}");
    a.stop();
    b.stop();
}
