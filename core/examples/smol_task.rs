//! The engine as one task of a program on smol: commands go in by a channel, events come out by another.
//!
//! `landfall-smol` is a complete driver on the same runtime. This is for who wants to see how little a driver is, or has an
//! executor of his own: nothing here but `race` and `Timer` is smol's own idea.
//!
//! ```text
//! $ cargo run -p landfall-core --example smol_task -- 192.168.1.7/24
//! "nas" is at 192.168.1.20:17892
//! 1 peer; said goodbye
//! ```

// Clocks are what core must not read and a driver must; a buffer is sliced at the length that the system gives.
#![allow(clippy::disallowed_types, clippy::indexing_slicing)]

use std::error::Error;
use std::fs::File;
use std::io::{self, Read};
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::time::{Duration, Instant as StdInstant, SystemTime, UNIX_EPOCH};

use landfall_core::{
    Action, Channel, Command, Config, Datagram, Engine, Event, Input, Instant, Interface, JobDone, Profile,
    SoftwareKeyring, UnixTime,
};
use smol::Timer;
use smol::channel::{Receiver, Sender, unbounded};
use smol::future::FutureExt as _;
use smol::net::UdpSocket;

/// An event, and the name of the peer that it is about, if there is one.
type News = (Event, Option<String>);

fn main() -> Result<(), Box<dyn Error>> {
    let argument = std::env::args().nth(1).ok_or("name this machine's address on the network: 192.168.1.7/24")?;
    let (ip, prefix) = argument.split_once('/').ok_or("the address needs its prefix length: 192.168.1.7/24")?;
    let (ip, prefix): (IpAddr, u8) = (ip.parse()?, prefix.parse()?);

    smol::block_on(async {
        let (commands, wanted) = unbounded();
        let (told, events) = unbounded();
        let node = Node::new(ip, prefix, wanted, told).await?;
        let task = smol::spawn(node.run());

        // The rest of the program: it has the two ends of the channels and knows nothing of sockets and clocks.
        let mut peers = 0;
        let listen = async {
            while let Ok((event, name)) = events.recv().await {
                if let (Event::PeerOnline { address, .. }, Some(name)) = (event, name) {
                    peers += 1;
                    println!("{name:?} is at {address}");
                }
            }
        };
        let enough = async {
            Timer::after(Duration::from_secs(5)).await;
        };
        listen.race(enough).await;
        commands.send(Command::Stop).await?;
        task.await?;
        println!("{peers} peer{}; said goodbye", if peers == 1 { "" } else { "s" });
        Ok(())
    })
}

/// What wakes the task.
enum Wake {
    Datagram(usize, SocketAddr),
    Done(JobDone),
    Wanted(Command),
    Deadline,
}

struct Node {
    engine: Engine,
    keyring: Arc<SoftwareKeyring>,
    socket: UdpSocket,
    start: StdInstant,
    wanted: Receiver<Command>,
    told: Sender<News>,
    /// Both ends of the way back from the threads that run jobs.
    done: (Sender<JobDone>, Receiver<JobDone>),
}

impl Node {
    async fn new(
        ip: IpAddr,
        prefix: u8,
        wanted: Receiver<Command>,
        told: Sender<News>,
    ) -> Result<Self, Box<dyn Error>> {
        // Announces are answered by unicast, so one socket will do to find everybody. Example `mio_loop` has the second one,
        // which hears those who come later as soon as they announce.
        let socket = UdpSocket::bind((ip, 0)).await?;
        socket.set_broadcast(true)?;
        let mut secrets = [[0; 32]; 2];
        let mut random = File::open("/dev/urandom")?;
        secrets.iter_mut().try_for_each(|secret| random.read_exact(secret))?;
        let keyring = Arc::new(SoftwareKeyring::from_seed(&secrets[0]));

        let profile = Profile { name: "smol task".into(), ..Profile::default() };
        let config = Config { ipv6: false, ..Config::node(keyring.id(), profile) };
        let wall = UnixTime::from_millis(SystemTime::now().duration_since(UNIX_EPOCH)?.as_millis() as u64);
        let mut engine = Engine::new(config, secrets[1], Instant::ZERO, wall)?;
        let mut lan = Interface::ethernet(1, "lan", &[(ip, prefix)]);
        lan.beacon_port = socket.local_addr()?.port();
        engine.handle(Input::Interfaces(&[lan]), Instant::ZERO);
        Ok(Self { engine, keyring, socket, start: StdInstant::now(), wanted, told, done: unbounded() })
    }

    /// Runs until the engine has stopped: one input, then every action, then sleep.
    async fn run(mut self) -> io::Result<()> {
        let mut buffer = [0; 2048];
        loop {
            if self.drain().await {
                return Ok(());
            }
            let wake = self.wake(&mut buffer).await?;
            let now = self.now();
            match wake {
                Wake::Datagram(length, source) => {
                    let payload = &buffer[..length];
                    let datagram =
                        Datagram { channel: Channel::Beacon, interface: 1, source, destination: None, payload };
                    self.engine.handle(Input::Datagram(datagram), now);
                }
                Wake::Done(done) => self.engine.handle(Input::Job(done), now),
                // A command that makes no sense is refused in words; here nobody waits for the answer.
                Wake::Wanted(command) => drop(self.engine.command(command, now)),
                Wake::Deadline => self.engine.handle(Input::Timeout, now),
            }
        }
    }

    /// Waits for whatever comes first. Each of these may be dropped half-way without loss.
    async fn wake(&self, buffer: &mut [u8]) -> io::Result<Wake> {
        let datagram = async {
            let (length, source) = self.socket.recv_from(buffer).await?;
            Ok(Wake::Datagram(length, source))
        };
        let done = async { Ok(self.done.1.recv().await.map_or(Wake::Deadline, Wake::Done)) };
        // Whoever let go of the other end has no more to say: then it is time to leave.
        let wanted = async { Ok(self.wanted.recv().await.map_or(Wake::Wanted(Command::Stop), Wake::Wanted)) };
        let deadline = async {
            match self.engine.poll_timeout() {
                Some(due) => Timer::at(self.start + due.since(Instant::ZERO)).await,
                None => smol::future::pending().await,
            };
            Ok(Wake::Deadline)
        };
        done.or(datagram).or(deadline).or(wanted).await
    }

    /// Carries out every action; whether the engine has stopped.
    async fn drain(&mut self) -> bool {
        while let Some(action) = self.engine.poll_action() {
            match action {
                Action::Transmit(transmit) if transmit.channel == Channel::Beacon => {
                    self.socket.send_to(&transmit.payload, transmit.destination).await.ok();
                }
                // Off to the threads that smol has for such; results may come back in any order.
                Action::Job(job) => {
                    let (keyring, done) = (Arc::clone(&self.keyring), self.done.0.clone());
                    smol::spawn(async move {
                        let result = smol::unblock(move || job.run(&*keyring)).await;
                        done.send(result).await.ok();
                    })
                    .detach();
                }
                // With a new key at every start there is nothing to remember; who keeps the key writes the record first.
                Action::Persist(commit, _) => self.engine.handle(Input::Persisted(commit), self.now()),
                Action::Event(Event::Stopped) => return true,
                Action::Event(event) => {
                    let peer = if let Event::PeerOnline { id, .. } = &event { self.engine.peer(id) } else { None };
                    let name = peer.map(|peer| peer.profile.name.clone());
                    self.told.send((event, name)).await.ok();
                }
                Action::Transmit(_) | Action::Stream(..) => {}
            }
        }
        false
    }

    fn now(&self) -> Instant {
        Instant::from_micros(self.start.elapsed().as_micros() as u64)
    }
}
