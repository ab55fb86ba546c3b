//! `landfall capture`: what this machine's driver hears and sends, as pcapng with the engine's decision beside each frame.
//!
//! A tap tells what goes into the engine, not why something is dropped. So a second engine of the same birth is given the
//! same inputs: by the first law it decides the same, and it can be asked. A frame is written once its decision is known, which
//! for a signature is when that was checked, and in the order of arrival.

use std::collections::{BTreeMap, VecDeque};
use std::net::{IpAddr, SocketAddr};
use std::path::Path;
use std::time::Duration;

use landfall_core::{
    Action, BEACON_PORT, BrowseScope, Channel, Command, Config, Datagram, Engine, Event, Input, Instant, Interface,
    Transmit, UnixTime,
};
use landfall_recordings::pcapng::{Direction, Packet, Writer};
use landfall_smol::{Node, NodeOptions, Tap};
use smol::LocalExecutor;

use crate::args;
use crate::error::{Failure, plain};
use crate::interfaces::{self, looked_at};
use crate::node::{broke_down, cannot_start};
use crate::record::{self, Sink};
use crate::replay::decisions::Decisions;
use crate::replay::said::Said;
use crate::stop::Signals;
use crate::terminal::{DIM, print};
use crate::text::safe;
use crate::view::InterfaceNames;
use crate::{happenings, publishing};

/// A frame waits for its decision no longer than this.
const PATIENCE: Duration = Duration::from_secs(2);
/// Frames that wait; over it the oldest is written without its decision.
const MOST_WAITING: usize = 4096;
/// Discovers are datagrams and can be lost, so there are two.
const AGAIN: Duration = Duration::from_secs(1);
const MDNS: u16 = 5353;

/// Runs the command.
pub(crate) fn run(options: &args::Capture) -> Result<(), Failure> {
    let selection = interfaces::select(&options.interface)?;
    let looked = looked_at(&selection, &interfaces::present()?).join(", ");
    if looked.is_empty() {
        return Err(Failure::Failed(String::from(
            "could not look anywhere: no interface is up and has an address; name one with --interface",
        )));
    }
    let config = Config { network: options.network.clone(), interfaces: selection, ..Config::observer() };
    let (sink, writing) = record::create(&options.file, options.limit)?;
    let mut signals = Signals::listen()?;
    let executor = LocalExecutor::new();
    print(&format!("{DIM}capturing on {} to {}; Ctrl-C ends it{DIM:#}", safe(&looked), shown(&options.file)))?;
    let outcome = smol::block_on(executor.run(async {
        let (driver, handle) =
            Node::new(NodeOptions::observer(config).mdns(true).tap(CaptureTap::new(sink))).map_err(cannot_start)?;
        let mut running = executor.spawn(driver.run());
        let looking = async {
            let refused = |error| Failure::Failed(format!("cannot ask: {error}"));
            handle.command(Command::Browse(BrowseScope::All)).await.map_err(refused)?;
            handle.command(Command::Discover).await.map_err(refused)?;
            smol::Timer::after(AGAIN).await;
            handle.command(Command::Discover).await.map_err(refused)?;
            smol::future::pending().await
        };
        let over = async {
            match options.timeout {
                Some(time) => {
                    let late = async {
                        smol::Timer::after(time).await;
                    };
                    smol::future::or(signals.next(), late).await;
                }
                None => signals.next().await,
            }
            Ok(())
        };
        let ended = async { (&mut running).await.map_err(broke_down) };
        let outcome: Result<(), Failure> = smol::future::or(over, smol::future::or(looking, ended)).await;
        // An observer says no goodbyes; stopping it ends the tap, which writes what still waits.
        handle.stop().await;
        let _ = smol::future::or(async { running.await.is_ok() }, async {
            smol::Timer::after(PATIENCE).await;
            false
        })
        .await;
        outcome
    }));
    drop(executor);
    let length = writing.finish().map_err(|error| Failure::at("write", &options.file, &error))?;
    outcome?;
    print(&format!(
        "{}: {length} bytes; look at it with: landfall replay, tcpdump -r, or Wireshark",
        shown(&options.file)
    ))
}

fn shown(path: &Path) -> String {
    safe(&path.to_string_lossy()).into_owned()
}

/// Writes frames with decisions.
struct CaptureTap {
    writer: Option<Writer<Sink>>,
    sink: Option<Sink>,
    shadow: Option<Engine>,
    decisions: Decisions,
    /// Both clocks at one moment.
    clock: (Instant, Duration),
    interfaces: BTreeMap<u32, Interface>,
    waiting: VecDeque<Waiting>,
}

/// A frame whose decision is awaited.
struct Waiting {
    /// Of an arrival; 0 for what is sent.
    number: u64,
    since: Instant,
    interface: u32,
    direction: Direction,
    source: SocketAddr,
    destination: SocketAddr,
    payload: Vec<u8>,
    title: String,
    decisions: Vec<String>,
}

impl CaptureTap {
    fn new(sink: Sink) -> Self {
        Self {
            writer: None,
            sink: Some(sink),
            shadow: None,
            decisions: Decisions::default(),
            clock: (Instant::ZERO, Duration::ZERO),
            interfaces: BTreeMap::new(),
            waiting: VecDeque::new(),
        }
    }

    fn wall(&self, now: Instant) -> Duration {
        let (then, wall) = self.clock;
        wall + now.since(then)
    }

    /// Does with the second engine what the first one is about to do.
    fn follow(&mut self, now: Instant, tell: impl FnOnce(&mut Engine)) {
        let Some(mut shadow) = self.shadow.take() else { return };
        tell(&mut shadow);
        while let Some(action) = shadow.poll_action() {
            self.decisions.action(&action);
            match &action {
                Action::Transmit(transmit) => self.sends(now, transmit),
                Action::Event(event) => self.event(event, &shadow),
                Action::Job(_) | Action::Persist(..) | Action::Stream(..) => {}
            }
        }
        for dropped in self.decisions.settled(&shadow) {
            if let Some(arrival) = &dropped.arrival {
                let times = if dropped.count > 1 { format!(" ({} times)", dropped.count) } else { String::new() };
                self.decided(arrival.number, format!("dropped: {}{times}", dropped.reason.words));
            }
        }
        if let Some(number) = self.decisions.accepted() {
            self.decided(number, String::from("accepted"));
        }
        self.shadow = Some(shadow);
        self.write_decided(now);
    }

    fn event(&mut self, event: &Event, engine: &Engine) {
        let Some(number) = self.decisions.current().map(|arrival| arrival.number) else { return };
        let words = if let Event::Heard { name, id, .. } = event {
            Some(format!("? {} {} is heard, and has yet to prove its key", safe(name), id.short()))
        } else {
            happenings::timeless(event, engine)
        };
        if let Some(words) = words {
            let plain = anstream::adapter::strip_str(&words).to_string();
            self.decided(number, plain.split_whitespace().collect::<Vec<_>>().join(" "));
        }
    }

    fn decided(&mut self, number: u64, decision: String) {
        if let Some(frame) = self.waiting.iter_mut().rev().find(|frame| frame.number == number && number > 0) {
            frame.decisions.push(decision);
        }
    }

    fn hears(&mut self, now: Instant, datagram: &Datagram<'_>) {
        let Some((number, title)) = self.decisions.current().map(|arrival| (arrival.number, arrival.said.title()))
        else {
            return;
        };
        let own = self.interfaces.get(&datagram.interface);
        let destination = datagram.destination.or_else(|| {
            let same_family = |ip: &IpAddr| ip.is_ipv4() == datagram.source.is_ipv4();
            own.and_then(|own| own.addresses.iter().map(|address| address.ip).find(same_family))
        });
        let shared = destination.is_none_or(|ip| {
            let broadcast =
                |own: &Interface| own.addresses.iter().any(|address| address.broadcast().is_some_and(|all| ip == all));
            ip.is_multicast() || own.is_some_and(broadcast)
        });
        let port = match datagram.channel {
            Channel::Mdns => MDNS,
            Channel::Beacon if shared => BEACON_PORT,
            Channel::Beacon => own.map_or(BEACON_PORT, |own| own.beacon_port),
        };
        let Some(destination) = destination else { return };
        self.wait(Waiting {
            number,
            since: now,
            interface: datagram.interface,
            direction: Direction::In,
            source: datagram.source,
            destination: SocketAddr::new(destination, port),
            payload: datagram.payload.to_vec(),
            title,
            decisions: Vec::new(),
        });
    }

    fn sends(&mut self, now: Instant, transmit: &Transmit) {
        let Transmit { channel, interface, destination, payload } = transmit;
        let own = self.interfaces.get(interface);
        let is_link_local = |ip: IpAddr| matches!(ip, IpAddr::V6(v6) if v6.is_unicast_link_local());
        let fits = |ip: &IpAddr| ip.is_ipv4() == destination.is_ipv4();
        let mut sources: Vec<IpAddr> =
            own.map(|own| own.addresses.iter().map(|address| address.ip).filter(fits).collect()).unwrap_or_default();
        sources.sort_by_key(|ip| !is_link_local(*ip));
        let Some(source) = sources.first() else { return };
        let port = match channel {
            Channel::Mdns => MDNS,
            Channel::Beacon => own.map_or(BEACON_PORT, |own| own.beacon_port),
        };
        let cause = self.decisions.current().map(|arrival| arrival.number);
        if let Some(number) = cause {
            let names = InterfaceNames::of(&self.interfaces.values().cloned().collect::<Vec<_>>());
            let what = Said::by(*channel, payload).what;
            self.decided(number, format!("answered by: {what} to {}", names.socket(*destination)));
        }
        self.wait(Waiting {
            number: 0,
            since: now,
            interface: *interface,
            direction: Direction::Out,
            source: SocketAddr::new(*source, port),
            destination: *destination,
            payload: payload.to_vec(),
            title: Said::by(*channel, payload).title(),
            decisions: Vec::new(),
        });
    }

    fn wait(&mut self, frame: Waiting) {
        if self.waiting.len() >= MOST_WAITING {
            self.write_one();
        }
        self.waiting.push_back(frame);
    }

    /// Writes the frames whose decision is known, as far as none before them waits.
    fn write_decided(&mut self, now: Instant) {
        while let Some(first) = self.waiting.front() {
            let is_pending = first.number > 0 && self.decisions.is_pending(first.number);
            if is_pending && now.since(first.since) < PATIENCE {
                return;
            }
            self.write_one();
        }
    }

    fn write_one(&mut self) {
        let Some(frame) = self.waiting.pop_front() else { return };
        let at = self.wall(frame.since);
        let name = self.interfaces.get(&frame.interface).map(|interface| interface.name.clone());
        let Some(writer) = &mut self.writer else { return };
        let comment = match (frame.direction, frame.decisions.as_slice()) {
            (Direction::Out, _) => format!("sent: {}", frame.title),
            (Direction::In, []) if self.decisions.is_pending(frame.number) => {
                format!("heard: {}; its signature was not checked by then", frame.title)
            }
            (Direction::In, []) => format!("heard: {}; nothing follows from it", frame.title),
            (Direction::In, decisions) => format!("heard: {}\n{}", frame.title, decisions.join("\n")),
        };
        let packet = Packet {
            at,
            direction: frame.direction,
            source: frame.source,
            destination: frame.destination,
            payload: &frame.payload,
            comment: &comment,
        };
        let written = name
            .map_or(Ok(()), |name| writer.interface(frame.interface, &safe(&name)))
            .and_then(|()| writer.packet(frame.interface, &packet));
        if let Err(error) = written {
            self.writer = None;
            self.waiting.clear();
            publishing::note(&format!("the capture ends here: {}", plain(&error)));
        }
    }
}

impl Tap for CaptureTap {
    fn start(&mut self, config: &Config, seed: &[u8; 32], now: Instant, wall: UnixTime) {
        self.clock = (now, Duration::from_millis(wall.as_millis()));
        // The driver's own engine is refused for the same reason, and says so.
        self.shadow = Engine::new(config.clone(), *seed, now, wall).ok();
        let program = format!("landfall {}", env!("CARGO_PKG_VERSION"));
        let about = "As the driver saw it: UDP only, without Ethernet headers. Beside each frame stands what the engine decided.";
        self.writer = self.sink.take().and_then(|sink| Writer::new(sink, &program, about).ok());
        self.follow(now, |_| {});
    }

    fn input(&mut self, now: Instant, input: &Input<'_>) {
        self.decisions.input(input);
        match input {
            Input::Interfaces(list) => {
                self.interfaces = list.iter().map(|interface| (interface.index, interface.clone())).collect();
            }
            Input::WallClock(wall) => self.clock = (now, Duration::from_millis(wall.as_millis())),
            Input::Datagram(datagram) => self.hears(now, datagram),
            Input::Timeout | Input::Job(_) | Input::Stream(..) | Input::Persisted(_) => {}
        }
        self.follow(now, |engine| engine.handle(input.clone(), now));
    }

    fn command(&mut self, now: Instant, command: &Command) {
        self.decisions.command();
        self.follow(now, |engine| drop(engine.command(command.clone(), now)));
    }

    fn action(&mut self, _now: Instant, _action: &Action) {}
}

impl Drop for CaptureTap {
    fn drop(&mut self) {
        while !self.waiting.is_empty() {
            self.write_one();
        }
    }
}
