//! One life of a node: from its start to its end, by either driver, on a thread of its own.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::io;
use std::net::SocketAddr;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc;
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;

use landfall_core::{Command, CommandId, Engine, Event, Message, MessageId, OfflineReason, PeerId, Record};
use landfall_smol::{DriverCounters, MemoryStore, NodeOptions, Notice};
use mio::{Events, Poll, Token, Waker};
use smol::channel;
use smol::future;

use crate::clock::{WallClock, waited};
use crate::plan::{Number, People, Plan, RECORDED, Runtime, body, number_in};
use crate::talk::{Seen, Teller, What};
use crate::tap::SoakTap;

/// What of a node outlasts a life.
#[derive(Clone, Debug, Default)]
pub(crate) struct Home {
    pub(crate) store: MemoryStore,
    pub(crate) clock: WallClock,
    /// The messages that were told of, as many as the store can hold and more.
    told: Arc<Mutex<VecDeque<MessageId>>>,
}

impl Home {
    /// A home with nothing in its store, on the same machine.
    pub(crate) fn emptied(&self) -> Self {
        Self { clock: self.clock.clone(), ..Self::default() }
    }
}

/// How many messages are kept in mind so as not to tell of them twice; a node keeps 256.
const KEPT_IN_MIND: usize = 512;

/// What a node is asked to do.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Ask {
    Send { to: Number, number: u64, length: usize },
    Look,
    Stop,
    Kill,
}

/// A node that runs, or has ended.
pub(crate) enum Life {
    Smol(channel::Sender<Ask>),
    Mio(mpsc::Sender<Ask>, Arc<Waker>),
    /// Its thread could not be started.
    None,
}

impl Life {
    pub(crate) fn begin(plan: &Plan, node: Number, home: &Home, people: &Arc<People>, teller: &Teller) -> Self {
        let work = Arc::new(AtomicU64::new(0));
        let mut config = plan.config(node);
        config.records = home.store.records();
        let record = plan.record.as_deref().filter(|_| node == RECORDED);
        let clock = home.clock.clone();
        let options = NodeOptions::node(config, plan.keyring(node))
            .store(home.store.clone())
            .tap(SoakTap::new(Arc::clone(&work), record))
            .wall_clock(move || clock.read());
        let talk = Talk {
            node,
            people: Arc::clone(people),
            teller: teller.clone(),
            home: home.clone(),
            work,
            sent: BTreeMap::new(),
            told: Arc::default(),
        };
        let name = format!("node-{node}");
        let (life, started) = match plan.runtime(node) {
            Runtime::Smol => {
                let (asks, asked) = channel::unbounded();
                let run = move |talk: &mut Talk| smol::block_on(run_smol(options, &asked, talk));
                (Self::Smol(asks), thread::Builder::new().name(name).spawn(move || talk.through(run)))
            }
            Runtime::Mio => {
                let made = Poll::new().and_then(|poll| Ok((Waker::new(poll.registry(), OURS)?, poll)));
                let (asks, asked) = mpsc::channel();
                match made {
                    Ok((waker, poll)) => {
                        let waker = Arc::new(waker);
                        let life = Self::Mio(asks, Arc::clone(&waker));
                        let run = move |talk: &mut Talk| run_mio(options, poll, waker, &asked, talk);
                        (life, thread::Builder::new().name(name).spawn(move || talk.through(run)))
                    }
                    Err(error) => (Self::None, Err(error)),
                }
            }
        };
        if let Err(error) = started {
            teller.tell(What::Gone { node, trouble: Some(format!("it cannot be started: {error}")) });
        }
        life
    }

    /// Whoever has ended hears nothing.
    pub(crate) fn ask(&self, ask: Ask) {
        match self {
            Self::Smol(asks) => drop(asks.try_send(ask)),
            Self::Mio(asks, waker) => {
                let _ = asks.send(ask);
                let _ = waker.wake();
            }
            Self::None => {}
        }
    }
}

/// The token of the loop's own waker; a node's sockets come after it.
const OURS: Token = Token(0);

/// A node in a loop that was there before, as an embedder's is.
fn run_mio(
    options: NodeOptions,
    mut poll: Poll,
    waker: Arc<Waker>,
    asked: &mpsc::Receiver<Ask>,
    talk: &mut Talk,
) -> Result<(), String> {
    let first = Token(OURS.0 + 1);
    let mut node = landfall_mio::Node::with_registry(options, poll.registry(), first, waker).map_err(text)?;
    let looker = talk.looker();
    let mut events = Events::with_capacity(256);
    while !node.is_over() {
        match poll.poll(&mut events, node.timeout()) {
            Err(error) if error.kind() != io::ErrorKind::Interrupted => return Err(text(error)),
            Ok(()) | Err(_) => {}
        }
        for event in &events {
            node.handle(event);
        }
        node.work().map_err(text)?;
        for ask in asked.try_iter() {
            match ask {
                Ask::Send { to, number, length } => {
                    let result = node.command(talk.message(to, number, length));
                    talk.sent(to, number, result);
                }
                Ask::Look => looker.tell(looker.look(node.engine()), &node.counters(), talk.work()),
                Ask::Stop => drop(node.command(Command::Stop)),
                Ask::Kill => return Ok(()),
            }
        }
        while let Some(notice) = node.next_event() {
            talk.notice(notice);
        }
    }
    Ok(())
}

async fn run_smol(options: NodeOptions, asked: &channel::Receiver<Ask>, talk: &mut Talk) -> Result<(), String> {
    enum Next {
        Asked(Option<Ask>),
        Happened(Option<Notice>),
    }
    let (node, handle) = landfall_smol::Node::new(options).map_err(text)?;
    let mut events = handle.subscribe();
    let running = async { node.run().await.map_err(text) };
    let talking = async {
        let looker = Arc::new(talk.looker());
        loop {
            let asked = async { Next::Asked(asked.recv().await.ok()) };
            match future::or(asked, async { Next::Happened(events.next().await) }).await {
                Next::Happened(Some(notice)) => talk.notice(notice),
                Next::Asked(Some(Ask::Send { to, number, length })) => {
                    let result = handle.command(talk.message(to, number, length)).await;
                    talk.sent(to, number, result);
                }
                Next::Asked(Some(Ask::Look)) => {
                    let there = Arc::clone(&looker);
                    let seen = handle.inspect(move |engine| there.look(engine)).await;
                    if let (Ok(seen), Ok(counters)) = (seen, handle.counters().await) {
                        looker.tell(seen, &counters, talk.work());
                    }
                }
                Next::Asked(Some(Ask::Stop)) => handle.stop().await,
                Next::Asked(Some(Ask::Kill) | None) => return Ok(()),
                // The node is over, and will be seen to be.
                Next::Happened(None) => future::pending().await,
            }
        }
    };
    let result = future::or(running, talking).await;
    while let Some(notice) = events.try_next() {
        talk.notice(notice);
    }
    result
}

fn text(error: impl std::fmt::Display) -> String {
    error.to_string()
}

/// Tells of a node what the director wants to know.
struct Talk {
    node: Number,
    people: Arc<People>,
    teller: Teller,
    home: Home,
    work: Arc<AtomicU64>,
    sent: BTreeMap<CommandId, (Number, u64)>,
    /// The addresses of peers that were told of in this life.
    told: Arc<Mutex<BTreeSet<(Number, SocketAddr)>>>,
}

impl Talk {
    /// Runs the node, and tells of its end, however that comes.
    fn through(mut self, run: impl FnOnce(&mut Self) -> Result<(), String>) {
        self.teller.tell(What::Up { node: self.node });
        let mut end = End { node: self.node, teller: self.teller.clone(), trouble: Some("it panicked".to_owned()) };
        end.trouble = run(&mut self).err();
        self.read_what_is_stored();
    }

    fn notice(&mut self, notice: Notice) {
        let event = match notice {
            Notice::Event(event) => event,
            Notice::Missed(count) => return self.teller.tell(What::Missed { node: self.node, count }),
        };
        let node = self.node;
        match event {
            Event::PeerOnline { id, .. } => {
                if let Some(peer) = self.number(&id) {
                    self.teller.tell(What::Met { node, peer });
                }
            }
            Event::PeerOffline { id, reason } => {
                if let Some(peer) = self.number(&id) {
                    self.teller.tell(What::Lost { node, peer, silent: reason == OfflineReason::Silent });
                }
            }
            Event::MessageReceived(message) => self.received(&message),
            Event::MessageDelivered { command, .. } => {
                if let Some((to, number)) = self.sent.remove(&command) {
                    self.teller.tell(What::Delivered { node, to, number });
                }
            }
            Event::MessageFailed { command, reason, .. } => {
                if let Some((to, number)) = self.sent.remove(&command) {
                    self.teller.tell(What::Failed { node, to, number, why: format!("{reason:?}") });
                }
            }
            // All else is in what the engine shows, or of no concern here.
            _ => {}
        }
    }

    fn number(&self, id: &PeerId) -> Option<Number> {
        let number = self.people.number(id);
        if number.is_none() {
            self.teller.tell(What::Stranger { node: self.node, key: id.to_string() });
        }
        number
    }

    fn received(&self, message: &Message) {
        {
            let mut told = self.home.told.lock().unwrap_or_else(PoisonError::into_inner);
            if told.len() >= KEPT_IN_MIND {
                told.pop_front();
            }
            told.push_back(message.id);
        }
        let Some(from) = self.number(&message.from) else { return };
        self.teller.tell(match number_in(&message.body, from, self.node) {
            Some(number) => What::Received { node: self.node, from, number },
            None => What::Garbled { node: self.node, from: message.from.to_string(), length: message.body.len() },
        });
    }

    /// A message that was stored, and acknowledged, counts as received although the node ended before it could say so.
    fn read_what_is_stored(&self) {
        let mut stored: Vec<Message> = Vec::new();
        for record in self.home.store.records() {
            if let Record::Message(message) = record {
                stored.push(message);
            }
        }
        stored.sort_by_key(|message| message.number);
        for message in stored {
            let is_told = self.home.told.lock().unwrap_or_else(PoisonError::into_inner).contains(&message.id);
            if !is_told {
                self.received(&message);
            }
        }
    }

    fn message(&self, to: Number, number: u64, length: usize) -> Command {
        Command::Send { to: self.people.id(to), body: body(self.node, to, number, length) }
    }

    fn sent<E: std::fmt::Debug>(&mut self, to: Number, number: u64, result: Result<CommandId, E>) {
        match result {
            Ok(id) => drop(self.sent.insert(id, (to, number))),
            Err(why) => {
                let why = format!("refused: {why:?}");
                self.teller.tell(What::Failed { node: self.node, to, number, why });
            }
        }
    }

    fn work(&self) -> u64 {
        self.work.load(Ordering::Relaxed)
    }

    fn looker(&self) -> Looker {
        Looker {
            node: self.node,
            people: Arc::clone(&self.people),
            teller: self.teller.clone(),
            told: Arc::clone(&self.told),
        }
    }
}

/// Looks at an engine, wherever that is.
struct Looker {
    node: Number,
    people: Arc<People>,
    teller: Teller,
    told: Arc<Mutex<BTreeSet<(Number, SocketAddr)>>>,
}

impl Looker {
    /// Whom it sees, and how many sessions it has.
    fn look(&self, engine: &Engine) -> (Vec<Number>, usize) {
        let node = self.node;
        // An interface's port is that of IPv4 where there is IPv4; by IPv6 the node may have another one.
        let own = |address: SocketAddr| {
            engine.interfaces().iter().any(|link| {
                link.beacon_port == address.port()
                    && link.has_ipv4() == address.is_ipv4()
                    && link.addresses.iter().any(|own| own.ip == address.ip())
            })
        };
        let mut told = self.told.lock().unwrap_or_else(PoisonError::into_inner);
        let mut online = Vec::new();
        for peer in engine.peers() {
            let Some(number) = self.people.number(&peer.id).filter(|number| *number != node) else {
                self.teller.tell(What::Stranger { node, key: peer.id.to_string() });
                continue;
            };
            for address in peer.addresses.iter().map(|known| known.address) {
                if told.insert((number, address)) {
                    self.teller.tell(What::Address { node, peer: number, address });
                }
                if peer.online && own(address) {
                    self.teller.tell(What::OwnAddress { node, peer: number, address });
                }
            }
            if peer.online {
                online.push(number);
            }
        }
        (online, engine.sessions().len())
    }

    fn tell(&self, (online, sessions): (Vec<Number>, usize), counters: &DriverCounters, work: u64) {
        let seen = Seen { node: self.node, online, sessions, turns: counters.turns, work, waited: waited() };
        self.teller.tell(What::Seen(seen));
    }
}

/// Tells of the end of a life when it is dropped, as it is in a panic, too.
struct End {
    node: Number,
    teller: Teller,
    trouble: Option<String>,
}

impl Drop for End {
    fn drop(&mut self) {
        self.teller.tell(What::Gone { node: self.node, trouble: self.trouble.take() });
    }
}
