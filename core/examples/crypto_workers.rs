//! Bring your own crypto workers: jobs go out to a pool of threads, results come in, and their order does not matter.
//!
//! Two nodes in one process, joined by a wire that is a queue, find each other, shake hands and send 200 messages, while four
//! threads do all the arithmetic. The engine never waits: it says which jobs there are, and takes each result whenever it
//! comes. What has to happen in order (sequence numbers, nonces, bytes of a stream) it puts in order itself.
//!
//! ```text
//! $ cargo run -p landfall-core --example crypto_workers
//! alpha knows beta, beta knows alpha
//! 200 messages delivered, 200 received in order
//! 868 jobs on 4 threads, 117 of their results overtook an earlier one; 404 small jobs done in place
//! ```

// Clocks are what core must not read and a driver must; a buffer is sliced at the length that the system gives.
#![allow(clippy::disallowed_types, clippy::indexing_slicing)]

use std::collections::{BTreeMap, VecDeque};
use std::error::Error;
use std::fs::File;
use std::io::Read;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, channel};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::{Duration, Instant as StdInstant, SystemTime, UNIX_EPOCH};

use landfall_core::{
    Action, BEACON_PORT, Channel, Command, Config, Datagram, Engine, Event, Input, Instant, Interface, Job, JobDone,
    JobId, PeerId, Profile, SoftwareKeyring, StreamCommand, StreamEnd, StreamEvent, StreamId, Transmit, UnixTime,
};

const THREADS: usize = 4;
const MESSAGES: usize = 200;
/// Jobs that take longer than so many microseconds are worth a thread switch. A real pool measures that.
const WORTH_A_THREAD: u32 = 5;

fn main() -> Result<(), Box<dyn Error>> {
    let mut random = File::open("/dev/urandom")?;
    let mut secret = || -> Result<[u8; 32], Box<dyn Error>> {
        let mut bytes = [0; 32];
        random.read_exact(&mut bytes)?;
        Ok(bytes)
    };
    // The engines never see these: workers sign.
    let keyrings = Arc::new([SoftwareKeyring::from_seed(&secret()?), SoftwareKeyring::from_seed(&secret()?)]);
    let ids = [keyrings[0].id(), keyrings[1].id()];
    let nodes = [Node::new("alpha", 1, ids[0], secret()?)?, Node::new("beta", 2, ids[1], secret()?)?];
    let pool = Pool::start(&keyrings);
    let mut world =
        World { nodes, pool, keyrings, start: StdInstant::now(), wire: VecDeque::new(), paused: BTreeMap::new() };

    world.run_until("both know each other", |nodes| nodes[0].online && nodes[1].online)?;
    println!("alpha knows beta, beta knows alpha");

    let now = world.now();
    for number in 0..MESSAGES {
        let body = text(number).into_bytes().into();
        // The first one opens the session; the others wait for it.
        world.nodes[0].engine.command(Command::Send { to: ids[1], body }, now)?;
    }
    world.run_until("all is delivered", |nodes| nodes[0].delivered == MESSAGES && nodes[1].received == MESSAGES)?;
    println!("{MESSAGES} messages delivered, {MESSAGES} received in order");

    let Pool { given, overtaken, in_place, .. } = world.pool;
    println!(
        "{given} jobs on {THREADS} threads, {overtaken} of their results overtook an earlier one; {in_place} small jobs done in place"
    );
    Ok(())
}

/// A message of 8 KiB: its number, and zeros.
fn text(number: usize) -> String {
    format!("{number:0>8192}")
}

/// The threads, and the two channels to and from them. A number says whose job it is.
struct Pool {
    jobs: Sender<(usize, Job)>,
    results: Receiver<(usize, JobDone)>,
    given: usize,
    overtaken: usize,
    in_place: usize,
    /// The newest job of each node whose result has come.
    newest: [Option<JobId>; 2],
}

impl Pool {
    fn start(keyrings: &Arc<[SoftwareKeyring; 2]>) -> Self {
        let (jobs, waiting) = channel::<(usize, Job)>();
        let (done, results) = channel();
        let waiting = Arc::new(Mutex::new(waiting));
        for _ in 0..THREADS {
            let (waiting, done, keyrings) = (Arc::clone(&waiting), done.clone(), Arc::clone(keyrings));
            // A job owns all it needs, so it can go to any thread; what is secret in it is erased when it is done.
            thread::spawn(move || {
                loop {
                    let next = waiting.lock().map(|queue| queue.recv());
                    // The pool is gone, and so is the program.
                    let Ok(Ok((node, job))) = next else { return };
                    if done.send((node, job.run(&keyrings[node]))).is_err() {
                        return;
                    }
                }
            });
        }
        Self { jobs, results, given: 0, overtaken: 0, in_place: 0, newest: [None; 2] }
    }

    fn give(&mut self, node: usize, job: Job) -> Result<(), Box<dyn Error>> {
        self.given += 1;
        self.jobs.send((node, job)).map_err(|_| "every worker has died".into())
    }

    /// The next result, or nothing if there is none within that time.
    fn take(&mut self, wait: Duration) -> Result<Option<(usize, JobDone)>, Box<dyn Error>> {
        match self.results.recv_timeout(wait) {
            Ok((node, done)) => {
                let newest = &mut self.newest[node];
                self.overtaken += usize::from(newest.is_some_and(|newest| done.id < newest));
                *newest = (*newest).max(Some(done.id));
                Ok(Some((node, done)))
            }
            Err(RecvTimeoutError::Timeout) => Ok(None),
            Err(RecvTimeoutError::Disconnected) => Err("every worker has died".into()),
        }
    }
}

struct Node {
    engine: Engine,
    ip: IpAddr,
    online: bool,
    delivered: usize,
    received: usize,
}

impl Node {
    fn new(name: &str, number: u8, id: PeerId, seed: [u8; 32]) -> Result<Self, Box<dyn Error>> {
        let ip = IpAddr::from(Ipv4Addr::new(10, 0, 0, number));
        let profile = Profile { name: name.into(), ..Profile::default() };
        let config = Config { ipv6: false, tcp_port: BEACON_PORT, ..Config::node(id, profile) };
        let wall = UnixTime::from_millis(SystemTime::now().duration_since(UNIX_EPOCH)?.as_millis() as u64);
        let mut engine = Engine::new(config, seed, Instant::ZERO, wall)?;
        engine.handle(Input::Interfaces(&[Interface::ethernet(1, "wire", &[(ip, 24)])]), Instant::ZERO);
        Ok(Self { engine, ip, online: false, delivered: 0, received: 0 })
    }
}

/// What is on its way to a node.
enum Arrival {
    Datagram(Transmit),
    Stream(StreamId, What),
}

/// What happens to a stream, with its bytes.
enum What {
    Accepted,
    Connected,
    Received(Vec<u8>),
    Sent(usize),
    Closed,
}

struct World {
    nodes: [Node; 2],
    pool: Pool,
    keyrings: Arc<[SoftwareKeyring; 2]>,
    start: StdInstant,
    wire: VecDeque<(usize, Arrival)>,
    /// The streams that nobody reads at present, and what has arrived on them.
    paused: BTreeMap<(usize, StreamId), Vec<Arrival>>,
}

impl World {
    fn now(&self) -> Instant {
        Instant::from_micros(self.start.elapsed().as_micros() as u64)
    }

    fn run_until(&mut self, what: &str, over: impl Fn(&[Node; 2]) -> bool) -> Result<(), Box<dyn Error>> {
        let limit = StdInstant::now() + Duration::from_secs(8);
        while !over(&self.nodes) {
            if StdInstant::now() > limit {
                return Err(format!("not within 8 s: {what}").into());
            }
            self.drain()?;
            if let Some((to, arrival)) = self.wire.pop_front() {
                self.arrive(to, arrival);
                continue;
            }
            // Nothing is on the wire: wait for a worker, or for the next deadline of either.
            let now = self.now();
            let deadline = self.nodes.iter().filter_map(|node| node.engine.poll_timeout()).min();
            let wait = deadline.map_or(Duration::from_secs(1), |due| due.since(now));
            match self.pool.take(wait)? {
                Some((node, done)) => self.nodes[node].engine.handle(Input::Job(done), self.now()),
                None => {
                    let now = self.now();
                    self.nodes.iter_mut().for_each(|node| node.engine.handle(Input::Timeout, now));
                }
            }
        }
        Ok(())
    }

    /// Carries out what both engines want.
    fn drain(&mut self) -> Result<(), Box<dyn Error>> {
        for number in [0, 1] {
            while let Some(action) = self.nodes[number].engine.poll_action() {
                let now = self.now();
                let node = &mut self.nodes[number];
                match action {
                    Action::Job(job) if job.cost() <= WORTH_A_THREAD => {
                        self.pool.in_place += 1;
                        node.engine.handle(Input::Job(job.run(&self.keyrings[number])), now);
                    }
                    Action::Job(job) => self.pool.give(number, job)?,
                    Action::Transmit(transmit) => self.wire.push_back((1 - number, Arrival::Datagram(transmit))),
                    Action::Stream(stream, command) => self.stream(number, stream, command),
                    // The records are forgotten with the program.
                    Action::Persist(commit, _) => node.engine.handle(Input::Persisted(commit), now),
                    Action::Event(Event::PeerOnline { .. }) => node.online = true,
                    Action::Event(Event::MessageDelivered { .. }) => node.delivered += 1,
                    Action::Event(Event::MessageReceived(message)) => {
                        if message.body != text(node.received) {
                            return Err("a message is out of order".into());
                        }
                        node.received += 1;
                    }
                    Action::Event(_) => {}
                }
            }
        }
        Ok(())
    }

    /// What one dialled, the other accepted, under the same number.
    fn stream(&mut self, from: usize, stream: StreamId, command: StreamCommand) {
        let to = 1 - from;
        match command {
            StreamCommand::Connect { .. } => {
                self.wire.push_back((to, Arrival::Stream(far_end(stream), What::Accepted)));
                self.wire.push_back((from, Arrival::Stream(stream, What::Connected)));
            }
            // At most 64 KiB are handed over at a time.
            StreamCommand::Send(bytes) => self.wire.extend(bytes.chunks(65_536).map(|piece| {
                let arrival = Arrival::Stream(far_end(stream), What::Received(piece.to_vec()));
                (to, arrival)
            })),
            StreamCommand::Close => self.wire.push_back((to, Arrival::Stream(far_end(stream), What::Closed))),
            // Not a hint: what is read all the same, beyond one piece, is taken for a flood, and the stream is closed.
            StreamCommand::Pause => drop(self.paused.entry((from, stream)).or_default()),
            StreamCommand::Resume => {
                let waiting = self.paused.remove(&(from, stream)).unwrap_or_default();
                waiting.into_iter().rev().for_each(|arrival| self.wire.push_front((from, arrival)));
            }
        }
    }

    fn arrive(&mut self, to: usize, arrival: Arrival) {
        let now = self.now();
        let source = SocketAddr::new(self.nodes[1 - to].ip, BEACON_PORT);
        let engine = &mut self.nodes[to].engine;
        match arrival {
            Arrival::Datagram(Transmit { payload, .. }) => {
                let payload = &payload[..];
                let datagram = Datagram { channel: Channel::Beacon, interface: 1, source, destination: None, payload };
                engine.handle(Input::Datagram(datagram), now);
            }
            Arrival::Stream(stream, what) => {
                if let Some(waiting) = self.paused.get_mut(&(to, stream))
                    && matches!(what, What::Received(_) | What::Closed)
                {
                    return waiting.push(Arrival::Stream(stream, what));
                }
                // The sender hears that its bytes are taken when they are, so that it keeps no more ready than that.
                if let What::Received(bytes) = &what {
                    self.wire.push_back((1 - to, Arrival::Stream(far_end(stream), What::Sent(bytes.len()))));
                }
                let event = match &what {
                    What::Accepted => {
                        StreamEvent::Accepted { interface: 1, remote: SocketAddr::new(source.ip(), 40_000) }
                    }
                    What::Connected => StreamEvent::Connected,
                    What::Received(bytes) => StreamEvent::Received(bytes),
                    What::Sent(bytes) => StreamEvent::Sent(*bytes),
                    What::Closed => StreamEvent::Closed(StreamEnd::Finished),
                };
                engine.handle(Input::Stream(stream, event), now);
            }
        }
    }
}

/// What the other node calls a stream.
fn far_end(stream: StreamId) -> StreamId {
    match stream {
        StreamId::Dialled(number) => StreamId::Accepted(number),
        StreamId::Accepted(number) => StreamId::Dialled(number),
    }
}
