//! Streams over loopback, between two nodes without engines or with plain sockets at the other end.

use std::io::{ErrorKind, Read, Write};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, Shutdown, SocketAddr, TcpStream};
use std::thread;

use bytes::Bytes;
use landfall_core::{InterfaceAddress, InterfaceKind};
use socket2::{Domain, SockRef, Socket, Type};

use super::*;
use crate::polled::Polled;
use crate::reactor::Token;

const LO: u32 = 1;
const LIMIT: Duration = Duration::from_secs(10);

#[derive(Clone, Debug, PartialEq, Eq)]
enum Told {
    Accepted(u32, SocketAddr),
    Connected,
    Received(Vec<u8>),
    Sent(usize),
    Closed(StreamEnd),
}

/// A node's streams, and all that was told of them.
struct Node {
    reactor: Polled,
    streams: Streams<Polled>,
    piece: Vec<u8>,
    told: Vec<(StreamId, Told)>,
    /// What was received and sent, by stream.
    received: BTreeMap<StreamId, Vec<u8>>,
    sent: BTreeMap<StreamId, usize>,
    turns: usize,
}

fn loopback() -> Interface {
    let addresses = [(IpAddr::from(Ipv4Addr::LOCALHOST), 8), (IpAddr::from(Ipv6Addr::LOCALHOST), 128)];
    Interface {
        index: LO,
        name: "lo".to_owned(),
        kind: InterfaceKind::Loopback,
        up: true,
        running: true,
        multicast: false,
        broadcast: false,
        default_route: false,
        mtu: 65_536,
        beacon_port: 0,
        addresses: addresses.map(|(ip, prefix)| InterfaceAddress { ip, prefix }).to_vec(),
    }
}

impl Node {
    fn new() -> Self {
        let reactor = Polled::default();
        let mut streams = Streams::new(reactor.clone(), Some(Listener::open(&reactor, true, true, 0).unwrap()));
        streams.serve(&[loopback()]);
        let (received, sent) = (BTreeMap::new(), BTreeMap::new());
        Self { reactor, streams, piece: vec![0; PIECE], told: Vec::new(), received, sent, turns: 0 }
    }

    fn port(&self) -> u16 {
        self.streams.listener.as_ref().unwrap().port()
    }

    fn address(&self) -> SocketAddr {
        (Ipv4Addr::LOCALHOST, self.port()).into()
    }

    fn client(&self) -> TcpStream {
        TcpStream::connect(self.address()).unwrap()
    }

    /// One turn, if anything happens or falls due within `limit`.
    fn turn(&mut self, limit: Duration) -> bool {
        let now = Instant::now();
        let due = self.streams.deadline().map_or(now + limit, |deadline| deadline.min(now + limit));
        let woken = if self.streams.is_ready() { Vec::new() } else { self.reactor.wait(due) };
        woken.into_iter().for_each(|token| self.wake(token));
        let woken = self.streams.is_ready();
        self.streams.expire(Instant::now());
        self.serve();
        woken
    }

    fn wake(&mut self, token: Token) {
        match token {
            Token::Listener => self.streams.knock(),
            Token::Stream(id) => self.streams.wake(id),
            other => panic!("{other:?}"),
        }
    }

    fn serve(&mut self) {
        self.turns += 1;
        let mut turn = Turn::new();
        while let Some((id, event)) = self.streams.next(&mut turn, &mut self.piece) {
            self.told.push((
                id,
                match event {
                    StreamEvent::Accepted { interface, remote } => Told::Accepted(interface, remote),
                    StreamEvent::Connected => Told::Connected,
                    StreamEvent::Received(bytes) => {
                        assert!(!bytes.is_empty() && bytes.len() <= PIECE);
                        self.received.entry(id).or_default().extend(bytes);
                        Told::Received(bytes.to_vec())
                    }
                    StreamEvent::Sent(count) => {
                        *self.sent.entry(id).or_default() += count;
                        Told::Sent(count)
                    }
                    StreamEvent::Closed(end) => Told::Closed(end),
                },
            ));
        }
    }

    /// Turns until `done`, at most for [`LIMIT`].
    fn until(&mut self, what: &str, done: impl Fn(&Self) -> bool) {
        let deadline = Instant::now() + LIMIT;
        while !done(self) {
            assert!(Instant::now() < deadline, "not within {LIMIT:?}: {what}; told {:?}", self.said());
            self.turn(Duration::from_millis(100));
        }
    }

    /// Turns until nothing has happened for `quiet`.
    fn rest(&mut self, quiet: Duration) {
        while self.turn(quiet) {}
    }

    fn accepted(&mut self) -> StreamId {
        let id = StreamId::Accepted(self.streams.accepted);
        self.until("somebody is accepted", |node| node.said().contains(&(id, "accepted")));
        id
    }

    fn dial(&mut self, number: u64, remote: SocketAddr) -> StreamId {
        let id = StreamId::Dialled(number);
        self.streams.command(id, StreamCommand::Connect { interface: LO, remote });
        id
    }

    fn send(&mut self, id: StreamId, bytes: &[u8]) {
        self.streams.command(id, StreamCommand::Send(Bytes::copy_from_slice(bytes)));
    }

    fn ends(&mut self, id: StreamId) -> StreamEnd {
        self.until("it ends", |node| node.end(id).is_some());
        self.rest(Duration::from_millis(20));
        let ends = self.told.iter().filter(|(of, told)| *of == id && matches!(told, Told::Closed(_))).count();
        assert_eq!(ends, 1, "told once");
        let last = self.told.iter().rfind(|(of, _)| *of == id).unwrap();
        assert!(matches!(last.1, Told::Closed(_)), "the last that is told of it");
        self.end(id).unwrap()
    }

    fn end(&self, id: StreamId) -> Option<StreamEnd> {
        self.told.iter().find_map(|(of, told)| match told {
            Told::Closed(end) if *of == id => Some(*end),
            _ => None,
        })
    }

    fn received(&self, id: StreamId) -> &[u8] {
        self.received.get(&id).map_or(&[], Vec::as_slice)
    }

    fn sent(&self, id: StreamId) -> usize {
        self.sent.get(&id).copied().unwrap_or_default()
    }

    fn said(&self) -> Vec<(StreamId, &'static str)> {
        let word = |told: &Told| match told {
            Told::Accepted(..) => "accepted",
            Told::Connected => "connected",
            Told::Received(_) => "received",
            Told::Sent(_) => "sent",
            Told::Closed(_) => "closed",
        };
        self.told.iter().map(|(id, told)| (*id, word(told))).collect()
    }
}

/// Bytes of which no part looks like another.
fn noise(length: usize) -> Vec<u8> {
    let mut state = 0x9e37_79b9_7f4a_7c15_u64;
    let mut next = || {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (state >> 56) as u8
    };
    (0..length).map(|_| next()).collect()
}

#[test]
fn two_nodes_connect_and_each_hears_what_the_other_sends() {
    let (mut a, mut b) = (Node::new(), Node::new());
    for (number, ip) in [IpAddr::from(Ipv4Addr::LOCALHOST), Ipv6Addr::LOCALHOST.into()].into_iter().enumerate() {
        if ip.is_ipv6() && !b.streams.listener.as_ref().unwrap().is_ipv6() {
            continue;
        }
        let ours = a.dial(number as u64, SocketAddr::new(ip, b.port()));
        a.until("it connects", |node| node.said().contains(&(ours, "connected")));
        let theirs = b.accepted();
        let (_, Told::Accepted(LO, remote)) = b.told.last().unwrap() else { panic!("{:?}", b.told) };
        assert_eq!(remote.ip(), ip, "an IPv4 address is one, whatever the socket is");
        a.send(ours, b"hello ");
        a.send(ours, b"there");
        a.until("it is sent", |node| node.sent(ours) == 11);
        b.until("it arrives", |node| node.received(theirs) == b"hello there");
        b.send(theirs, b"hi");
        b.until("it is sent", |node| node.sent(theirs) == 2);
        a.until("it arrives", |node| node.received(ours) == b"hi");
    }
    assert_eq!(a.streams.counters.dialled, b.streams.counters.accepted);
}

#[test]
fn a_dial_that_cannot_succeed_is_told_why_and_only_later() {
    let mut node = Node::new();
    let free = Listener::open(&Polled::default(), true, false, 0).unwrap().port();
    let refused = node.dial(0, (Ipv4Addr::LOCALHOST, free).into());
    let nowhere = node.dial(1, (Ipv4Addr::new(192, 0, 2, 1), 9).into());
    let unused = StreamId::Dialled(2);
    let remote = node.address();
    node.streams.command(unused, StreamCommand::Connect { interface: 77, remote });
    node.streams.links[0].addresses.pop();
    let wrong_family = node.dial(3, (Ipv6Addr::LOCALHOST, node.port()).into());
    assert!(node.told.is_empty());
    assert_eq!(node.ends(refused), StreamEnd::Refused);
    for id in [nowhere, unused, wrong_family] {
        assert_eq!(node.ends(id), StreamEnd::Unreachable, "{id:?}");
    }
    assert!(node.streams.table.is_empty() && node.streams.deadlines.is_empty());
}

/// Somebody whose queue of connections is full: the system drops further ones.
fn deaf() -> (Socket, SocketAddr, Vec<TcpStream>) {
    let socket = Socket::new(Domain::IPV4, Type::STREAM, None).unwrap();
    socket.bind(&SocketAddr::from((Ipv4Addr::LOCALHOST, 0)).into()).unwrap();
    socket.listen(0).unwrap();
    let address = socket.local_addr().unwrap().as_socket().unwrap();
    let connect = || TcpStream::connect_timeout(&address, Duration::from_millis(200));
    let filling = std::iter::from_fn(|| connect().ok()).take(64).collect();
    (socket, address, filling)
}

#[test]
fn a_dial_that_nobody_answers_is_given_up_after_ten_seconds() {
    let (_socket, address, _filling) = deaf();
    let mut node = Node::new();
    let id = node.dial(0, address);
    node.rest(Duration::from_millis(50));
    assert!(node.told.is_empty());
    let due = node.streams.deadline().unwrap().saturating_duration_since(Instant::now());
    assert!(due > Duration::from_secs(9) && due <= CONNECT_PATIENCE, "{due:?}");
    node.streams.expire(Instant::now() + due);
    assert_eq!(node.ends(id), StreamEnd::TimedOut);
    let another = node.dial(1, address);
    node.streams.command(another, StreamCommand::Close);
    node.rest(Duration::from_millis(20));
    assert_eq!(node.end(another), None, "the engine knows");
    assert!(node.streams.table.is_empty() && node.streams.deadlines.is_empty());
}

#[test]
fn a_stream_that_is_paused_hands_over_one_piece_more_at_most_and_holds_up_the_sender() {
    let mut node = Node::new();
    let mut client = node.client();
    let id = node.accepted();
    client.set_nonblocking(true).unwrap();
    node.streams.command(id, StreamCommand::Pause);
    let whole = noise(32 << 20);
    let mut written = 0;
    let mut fill = |written: &mut usize| {
        while let Ok(count) = client.write(&whole[*written..]) {
            *written += count;
            if *written == whole.len() {
                break;
            }
        }
    };
    fill(&mut written);
    node.rest(Duration::from_millis(50));
    fill(&mut written);
    assert!(node.received(id).len() <= PIECE, "{}", node.received(id).len());
    assert!(written < whole.len(), "the sender has to wait");
    node.streams.command(id, StreamCommand::Resume);
    let deadline = Instant::now() + LIMIT;
    while node.received(id).len() < whole.len() {
        assert!(Instant::now() < deadline);
        fill(&mut written);
        node.turn(Duration::from_millis(10));
    }
    assert!(node.received(id) == whole);
}

#[test]
fn much_is_sent_whole_and_in_order_and_every_byte_is_accounted_for() {
    let (mut a, mut b) = (Node::new(), Node::new());
    let ours = a.dial(0, b.address());
    a.until("it connects", |node| node.said().contains(&(ours, "connected")));
    let theirs = b.accepted();
    let whole = noise(16 << 20);
    for (number, piece) in whole.chunks(100_003).enumerate() {
        a.send(ours, piece);
        if number % 3 == 0 {
            a.send(ours, b"");
        }
    }
    let deadline = Instant::now() + LIMIT;
    while b.received(theirs).len() < whole.len() {
        assert!(Instant::now() < deadline, "{}", b.received(theirs).len());
        a.turn(Duration::from_millis(1));
        b.turn(Duration::from_millis(1));
    }
    a.rest(Duration::from_millis(10));
    assert!(b.received(theirs) == whole);
    assert_eq!(a.sent(ours), whole.len());
}

#[test]
fn of_one_who_says_that_it_sends_no_more_all_is_told_before_and_what_is_left_for_it_is_sent() {
    let mut node = Node::new();
    let mut client = node.client();
    let id = node.accepted();
    client.write_all(b"last words").unwrap();
    client.shutdown(Shutdown::Write).unwrap();
    let answer = noise(4 << 20);
    let expected = answer.len();
    node.send(id, &answer);
    let reader = thread::spawn(move || {
        thread::sleep(Duration::from_millis(50));
        let mut read = Vec::new();
        client.read_to_end(&mut read).map(|_| read)
    });
    assert_eq!(node.ends(id), StreamEnd::Finished);
    assert_eq!(node.received(id), b"last words");
    node.until("all is closed", |node| node.streams.table.is_empty());
    assert_eq!(reader.join().unwrap().unwrap().len(), expected);
    assert!(!node.streams.is_any_closing() && node.streams.deadlines.is_empty());
}

#[test]
fn a_reset_is_told_as_one_after_what_came_before() {
    let mut node = Node::new();
    let mut client = node.client();
    let id = node.accepted();
    node.rest(Duration::from_millis(20));
    client.write_all(b"before").unwrap();
    node.until("it arrives", |node| node.received(id) == b"before");
    SockRef::from(&client).set_linger(Some(Duration::ZERO)).unwrap();
    drop(client);
    assert_eq!(node.ends(id), StreamEnd::Broken);
}

#[test]
fn of_one_who_went_without_reading_all_is_told_although_sending_to_it_fails() {
    let mut node = Node::new();
    let mut client = node.client();
    let id = node.accepted();
    node.streams.command(id, StreamCommand::Pause);
    node.send(id, b"unread");
    node.until("it is sent", |node| node.sent(id) == 6);
    thread::sleep(Duration::from_millis(20));
    client.write_all(b"last words").unwrap();
    // With something unread this is a reset.
    drop(client);
    thread::sleep(Duration::from_millis(20));
    node.send(id, b"more");
    node.rest(Duration::from_millis(20));
    assert_eq!(node.end(id), None, "what came before is still to be told");
    node.streams.command(id, StreamCommand::Resume);
    assert_eq!(node.ends(id), StreamEnd::Broken);
    assert_eq!(node.received(id), b"last words");
    assert!(node.streams.table.is_empty());
}

#[test]
fn closing_sends_what_is_left_though_the_other_side_still_talks_and_tells_nothing_more() {
    let mut node = Node::new();
    let mut client = node.client();
    let id = node.accepted();
    let whole = noise(3 << 20);
    let expected = whole.len();
    client.write_all(b"unread when it closes").unwrap();
    node.send(id, &whole);
    node.streams.command(id, StreamCommand::Close);
    let told = node.told.len();
    let reader = thread::spawn(move || {
        let mut read = Vec::new();
        client.write_all(&[7; 10_000]).unwrap();
        client.read_to_end(&mut read).map(|_| read)
    });
    node.send(id, b"too late");
    node.until("it is closed", |node| node.streams.table.is_empty());
    let read = reader.join().unwrap().unwrap();
    assert!(read.len() == expected && read == whole);
    assert_eq!(node.told.len(), told);
    assert!(!node.streams.is_any_closing() && node.streams.deadlines.is_empty());
}

#[test]
fn one_who_does_not_read_is_dropped_a_second_after_closing_and_of_many_the_oldest_at_once() {
    let mut node = Node::new();
    let mut clients: Vec<_> = (0..MOST_CLOSING + 3).map(|_| node.client()).collect();
    node.until("all are there", |node| node.told.len() == clients.len());
    let first = StreamId::Accepted(0);
    for number in 0..clients.len() {
        node.send(StreamId::Accepted(number as u64), b"bye");
        node.streams.command(StreamId::Accepted(number as u64), StreamCommand::Close);
    }
    let mut said = String::new();
    clients[0].read_to_string(&mut said).unwrap();
    assert_eq!(said, "bye", "what the system takes at once is sent all the same");
    assert_eq!(node.streams.closing, MOST_CLOSING);
    assert!(!node.streams.table.contains_key(&first) && node.streams.is_any_closing());
    node.rest(Duration::from_millis(20));
    let due = node.streams.deadline().unwrap().saturating_duration_since(Instant::now());
    assert!(due <= CLOSE_PATIENCE && due > Duration::from_millis(500), "{due:?}");
    node.streams.expire(Instant::now() + CLOSE_PATIENCE);
    assert!(node.streams.table.is_empty() && node.streams.deadlines.is_empty());
    assert!(!node.streams.is_any_closing());
}

#[test]
fn a_stream_that_never_sent_anything_is_dropped_at_once_when_it_is_closed() {
    let mut node = Node::new();
    let mut client = node.client();
    let id = node.accepted();
    node.streams.command(id, StreamCommand::Close);
    assert!(node.streams.table.is_empty());
    assert!(matches!(client.read(&mut [0; 1]), Ok(0)));
    node.rest(Duration::from_millis(20));
    assert_eq!(node.told.len(), 1);
}

#[test]
fn who_connects_to_an_address_that_is_not_in_use_is_turned_away_unheard() {
    let mut node = Node::new();
    let mut astray = TcpStream::connect((Ipv4Addr::new(127, 0, 0, 2), node.port())).unwrap();
    let client = node.client();
    node.accepted();
    assert_eq!(astray.read(&mut [0; 1]).unwrap_err().kind(), ErrorKind::ConnectionReset);
    assert_eq!(node.told, [(StreamId::Accepted(0), Told::Accepted(LO, client.local_addr().unwrap()))]);
    assert_eq!((node.streams.counters.accepted, node.streams.counters.misconnected), (1, 1));
}

#[test]
fn an_ipv6_link_local_address_belongs_to_the_interface_that_its_scope_says() {
    let ip: Ipv6Addr = "fe80::1".parse().unwrap();
    let with =
        |index| Interface { index, addresses: vec![InterfaceAddress { ip: ip.into(), prefix: 64 }], ..loopback() };
    let links = [with(3), with(4)];
    let local = |scope| SocketAddr::from(std::net::SocketAddrV6::new(ip, 1, 0, scope));
    assert_eq!([3, 4, 5].map(|scope| interface_of(&links, local(scope))), [Some(3), Some(4), None]);
}

#[test]
fn one_who_sends_much_does_not_keep_others_waiting() {
    let mut node = Node::new();
    let mut loud: Vec<_> = (0..4).map(|_| node.client()).collect();
    let mut quiet = node.client();
    node.until("all are there", |node| node.told.len() == 5);
    for client in &mut loud {
        client.set_nonblocking(true).unwrap();
        while client.write(&[1; PIECE]).is_ok() {}
    }
    let id = StreamId::Accepted(4);
    node.turn(LIMIT);
    quiet.write_all(b"?").unwrap();
    thread::sleep(Duration::from_millis(10));
    let before = node.turns;
    node.until("it is heard", |node| node.received(id) == b"?");
    assert!(node.turns - before <= 4, "{} turns", node.turns - before);
}

#[test]
fn a_turn_looks_at_the_streams_that_can_do_something_and_at_no_others() {
    let mut node = Node::new();
    let mut clients: Vec<_> = (0..200).map(|_| node.client()).collect();
    node.until("all are there", |node| node.told.len() == clients.len());
    node.rest(Duration::from_millis(50));
    clients[77].write_all(b"x").unwrap();
    let deadline = Instant::now() + LIMIT;
    for token in node.reactor.wait(deadline) {
        node.wake(token);
    }
    assert_eq!(node.streams.queue, [StreamId::Accepted(77)]);
}

#[test]
fn a_node_that_restarts_gets_its_port_back_and_a_second_one_gets_another() {
    let mut node = Node::new();
    let client = node.client();
    let id = node.accepted();
    let port = node.port();
    let second = Listener::open(&Polled::default(), true, true, port).unwrap();
    assert!(second.port() != port && second.port() != 0);
    // Who closes first has to remember the connection for a minute.
    node.send(id, b"bye");
    node.until("it is sent", |node| node.sent(id) == 3);
    drop(node);
    drop(client);
    assert_eq!(Listener::open(&Polled::default(), true, true, port).unwrap().port(), port);
}

/// Where descriptors can be made to run out.
#[cfg(unix)]
mod few_files {
    use std::env;
    use std::fs::File;
    use std::process::Command;

    use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

    use super::*;

    const FEW_FILES: &str = "STREAMS_TEST_FEW_FILES";

    /// Runs the calling test again in a process of its own that may open so many files; true in that process.
    fn has_few_files(test: &str, limit: u64) -> bool {
        if env::var_os(FEW_FILES).is_some() {
            let Rlimit { maximum, .. } = getrlimit(Resource::Nofile);
            setrlimit(Resource::Nofile, Rlimit { current: Some(limit), maximum }).unwrap();
            return true;
        }
        let path = format!("{}::{test}", module_path!().split_once("::").unwrap().1);
        let mut command = Command::new(env::current_exe().unwrap());
        let output = command.args(["--exact", &path, "--nocapture"]).env(FEW_FILES, "1").output().unwrap();
        let said = String::from_utf8_lossy(&output.stdout) + String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success() && said.contains("1 passed"), "{said}");
        false
    }

    #[test]
    fn without_descriptors_somebody_is_told_at_once_nobody_spins_and_the_rest_is_accepted_when_there_are_some() {
        if !has_few_files(
            "without_descriptors_somebody_is_told_at_once_nobody_spins_and_the_rest_is_accepted_when_there_are_some",
            256,
        ) {
            return;
        }
        let mut node = Node::new();
        let mut clients: Vec<_> = (0..8).map(|_| node.client()).collect();
        let taken: Vec<File> = std::iter::from_fn(|| File::open("/dev/null").ok()).collect();
        assert!(!taken.is_empty());
        let started = Instant::now();
        while started.elapsed() < Duration::from_millis(350) {
            node.turn(Duration::from_millis(350));
        }
        let paused = node.streams.counters.unaccepted;
        assert!((2..=5).contains(&paused), "{paused} pauses in 350 ms");
        assert!(node.turns <= 16, "{} turns in 350 ms", node.turns);
        assert!(node.told.is_empty());
        assert!(clients[0].read(&mut [0; 1]).is_ok_and(|count| count == 0), "told by the descriptor kept for that");
        drop(taken);
        let rest = clients.len() - usize::try_from(node.streams.counters.unaccepted).unwrap();
        node.until("the rest is there", |node| node.told.len() >= rest);
        assert_eq!(node.told.len(), rest);
    }

    #[test]
    fn streams_leave_descriptors_to_the_rest_of_the_program_and_who_waited_gets_in_when_another_goes() {
        if !has_few_files(
            "streams_leave_descriptors_to_the_rest_of_the_program_and_who_waited_gets_in_when_another_goes",
            RESERVE as u64 + 10,
        ) {
            return;
        }
        let mut node = Node::new();
        let _clients: Vec<_> = (0..12).map(|_| node.client()).collect();
        node.until("ten are there", |node| node.told.len() == 10);
        node.rest(Duration::from_millis(20));
        assert_eq!(node.told.len(), 10);
        assert!(node.streams.counters.unaccepted > 0);
        node.streams.command(StreamId::Accepted(3), StreamCommand::Close);
        node.until("another is there", |node| node.told.len() == 11);
    }
}
