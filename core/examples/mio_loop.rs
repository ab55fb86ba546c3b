//! A game server that had a mio loop long before it had neighbours: what it takes to be found on the local network.
//!
//! What was there: one `Poll`, the game's own socket, a tick of 50 ms. What is new: [`Discovery`], two sockets of it in the
//! same `Poll`, and three lines of the loop, marked NEW.
//!
//! ```text
//! $ cargo run -p landfall-core --example mio_loop -- 192.168.1.7/24
//! arena: announcing on lan
//! arena: "nas" is there, at 192.168.1.20:17892
//! arena: 160 ticks, 0 packets of players
//! arena: said goodbye
//! ```
//!
//! mio is edge-triggered: a socket is told of once, so it is read until it would block, or nobody tells of it again.

// Clocks are what core must not read and a driver must; a buffer is sliced at the length that the system gives.
#![allow(clippy::disallowed_types, clippy::indexing_slicing)]

use std::error::Error;
use std::fs::File;
use std::io::{self, Read};
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::time::{Duration, Instant as StdInstant, SystemTime, UNIX_EPOCH};

use landfall_core::{
    Action, BEACON_PORT, Channel, Command, Config, Datagram, Engine, Event, Input, Instant, Interface, Profile,
    SoftwareKeyring, UnixTime,
};
use mio::net::UdpSocket;
use mio::{Events, Interest, Poll, Registry, Token};
use socket2::{Domain, Protocol, Socket, Type};

const GAME: Token = Token(0);
const OWN: Token = Token(1);
const SHARED: Token = Token(2);
const TICK: Duration = Duration::from_millis(50);
/// A server runs for ever; an example does not.
const MATCH: Duration = Duration::from_secs(8);

fn main() -> Result<(), Box<dyn Error>> {
    let argument = std::env::args().nth(1).ok_or("name this machine's address on the network: 192.168.1.7/24")?;
    let (ip, prefix) = argument.split_once('/').ok_or("the address needs its prefix length: 192.168.1.7/24")?;
    let (ip, prefix): (Ipv4Addr, u8) = (ip.parse()?, prefix.parse()?);

    let mut poll = Poll::new()?;
    let mut game = UdpSocket::bind(SocketAddr::from((ip, 0)))?;
    poll.registry().register(&mut game, GAME, Interest::READABLE)?;
    let port = game.local_addr()?.port();
    let mut discovery = Discovery::new(poll.registry(), ip, prefix, port)?; // NEW

    let mut events = Events::with_capacity(64);
    let (mut ticks, mut packets) = (0, 0);
    let start = StdInstant::now();
    let mut next_tick = start;
    while !discovery.is_stopped() {
        let now = StdInstant::now();
        if now >= next_tick {
            ticks += 1; // the world moves on
            next_tick += TICK;
        }
        if start.elapsed() >= MATCH {
            discovery.stop();
        }
        discovery.turn()?; // NEW: whatever is due
        let deadline = discovery.deadline().map_or(next_tick, |due| due.min(next_tick)); // NEW
        match poll.poll(&mut events, Some(deadline.saturating_duration_since(StdInstant::now()))) {
            Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
            other => other?,
        }
        for event in &events {
            match event.token() {
                GAME => packets += play(&game)?,
                token => discovery.readable(token)?,
            }
        }
    }
    println!("arena: {ticks} ticks, {packets} packets of players\narena: said goodbye");
    Ok(())
}

/// The game: whatever a player sends comes back.
fn play(game: &UdpSocket) -> io::Result<usize> {
    let (mut buffer, mut packets) = ([0; 1500], 0);
    loop {
        match game.recv_from(&mut buffer) {
            Ok((length, player)) => {
                packets += 1;
                game.send_to(&buffer[..length], player).ok();
            }
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => return Ok(packets),
            Err(error) if is_passing(&error) => {}
            Err(error) => return Err(error),
        }
    }
}

/// The engine, its sockets and its clock.
struct Discovery {
    engine: Engine,
    keyring: SoftwareKeyring,
    /// Everything is sent from here, and everything meant for this node alone arrives here.
    own: UdpSocket,
    /// Only hears what is said to everybody; other nodes of this host hear it too.
    shared: UdpSocket,
    start: StdInstant,
    stopped: bool,
}

impl Discovery {
    fn new(registry: &Registry, ip: Ipv4Addr, prefix: u8, game_port: u16) -> Result<Self, Box<dyn Error>> {
        let mut lan = Interface::ethernet(1, "lan", &[(IpAddr::V4(ip), prefix)]);
        let broadcast = lan.addresses[0].broadcast().ok_or("a network of one or two addresses has no broadcast")?;

        // The first node of a host has port 17892 to itself, each other one a port of its own: both are equally good.
        let wanted = [BEACON_PORT, 0].map(|port| SocketAddr::from((ip, port)));
        let mut own = UdpSocket::bind(wanted[0]).or_else(|_| UdpSocket::bind(wanted[1]))?;
        own.set_broadcast(true)?;
        lan.beacon_port = own.local_addr()?.port();
        let mut shared = shared_socket(broadcast)?;
        registry.register(&mut own, OWN, Interest::READABLE)?;
        registry.register(&mut shared, SHARED, Interest::READABLE)?;

        let mut secrets = [[0; 32]; 2];
        let mut random = File::open("/dev/urandom")?;
        secrets.iter_mut().try_for_each(|secret| random.read_exact(secret))?;
        // A server that is to be recognised tomorrow keeps this one in a file of mode 0600.
        let keyring = SoftwareKeyring::from_seed(&secrets[0]);

        let services = vec![(String::from("_arena._udp"), game_port)];
        let profile = Profile { name: "arena".into(), services, ..Profile::default() };
        let config = Config { ipv6: false, ..Config::node(keyring.id(), profile) };
        let wall = UnixTime::from_millis(SystemTime::now().duration_since(UNIX_EPOCH)?.as_millis() as u64);
        let mut engine = Engine::new(config, secrets[1], Instant::ZERO, wall)?;
        engine.handle(Input::Interfaces(&[lan]), Instant::ZERO);
        Ok(Self { engine, keyring, own, shared, start: StdInstant::now(), stopped: false })
    }

    fn now(&self) -> Instant {
        Instant::from_micros(self.start.elapsed().as_micros() as u64)
    }

    /// When [`Discovery::turn`] has something to do.
    fn deadline(&self) -> Option<StdInstant> {
        self.engine.poll_timeout().map(|due| self.start + due.since(Instant::ZERO))
    }

    /// Does what is due. To call it too often costs nothing.
    fn turn(&mut self) -> io::Result<()> {
        self.engine.handle(Input::Timeout, self.now());
        self.drain()
    }

    /// Reads one of the two sockets until it would block, one datagram after the other.
    fn readable(&mut self, token: Token) -> io::Result<()> {
        let mut buffer = [0; 2048];
        loop {
            let socket = if token == OWN { &self.own } else { &self.shared };
            match socket.recv_from(&mut buffer) {
                Ok((length, source)) => {
                    let payload = &buffer[..length];
                    let datagram =
                        Datagram { channel: Channel::Beacon, interface: 1, source, destination: None, payload };
                    self.engine.handle(Input::Datagram(datagram), self.now());
                    self.drain()?;
                }
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => return Ok(()),
                Err(error) if is_passing(&error) => {}
                Err(error) => return Err(error),
            }
        }
    }

    /// Carries out everything that the last input led to, in the order given.
    fn drain(&mut self) -> io::Result<()> {
        while let Some(action) = self.engine.poll_action() {
            match action {
                // A full socket buffer is a lost packet as any other: what matters is sent again.
                Action::Transmit(transmit) if transmit.channel == Channel::Beacon => {
                    self.own.send_to(&transmit.payload, transmit.destination).ok();
                }
                // 20 to 50 µs each, of a tick of 50 ms; example `crypto_workers` has the other way.
                Action::Job(job) => self.engine.handle(Input::Job(job.run(&self.keyring)), self.now()),
                // With a new key at every start there is nothing to remember. Who keeps the key keeps the records too: what
                // `encode` gives under `key`, flushed to the disk before this is said.
                Action::Persist(commit, _) => self.engine.handle(Input::Persisted(commit), self.now()),
                Action::Event(event) => self.tell(&event),
                // Neither mDNS nor sessions were asked for in the configuration.
                Action::Transmit(_) | Action::Stream(..) => {}
            }
        }
        Ok(())
    }

    fn tell(&mut self, event: &Event) {
        let name_of = |id| self.engine.peer(id).map_or("", |peer| &peer.profile.name);
        if let Event::Announcing { name, .. } = event {
            println!("arena: announcing on {name}");
        } else if let Event::PeerOnline { id, address, .. } = event {
            println!("arena: {:?} is there, at {address}", name_of(id));
        } else if let Event::PeerOffline { id, .. } = event {
            println!("arena: {:?} is gone", name_of(id));
        }
        self.stopped |= *event == Event::Stopped;
    }

    /// Says goodbye; [`Discovery::is_stopped`] says when that is done, 120 ms later.
    fn stop(&mut self) {
        // Refused only when it was said before.
        self.engine.command(Command::Stop, self.now()).ok();
    }

    fn is_stopped(&self) -> bool {
        self.stopped
    }
}

/// A socket that shares port 17892 with other nodes of this host, and hears broadcasts only.
fn shared_socket(broadcast: Ipv4Addr) -> io::Result<UdpSocket> {
    let socket = Socket::new(Domain::IPV4, Type::DGRAM, Some(Protocol::UDP))?;
    socket.set_reuse_address(true)?;
    #[cfg(unix)]
    socket.set_reuse_port(true)?;
    socket.set_nonblocking(true)?;
    // Elsewhere than on Linux no socket can be bound to a broadcast address; there it hears unicast, too.
    let place = if cfg!(target_os = "linux") { broadcast } else { Ipv4Addr::UNSPECIFIED };
    socket.bind(&SocketAddr::from((place, BEACON_PORT)).into())?;
    Ok(UdpSocket::from_std(socket.into()))
}

/// What a UDP socket reports of packets that it sent earlier, and a signal's interruption: read on.
fn is_passing(error: &io::Error) -> bool {
    matches!(
        error.kind(),
        io::ErrorKind::Interrupted
            | io::ErrorKind::ConnectionRefused
            | io::ErrorKind::ConnectionReset
            | io::ErrorKind::HostUnreachable
            | io::ErrorKind::NetworkUnreachable
    )
}
