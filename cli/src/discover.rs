//! `landfall discover`: what is on this network, asked by an observer that has no key and announces nothing.

pub(crate) mod found;
mod kinds;

use std::collections::{BTreeMap, BTreeSet};
use std::io::Write;
use std::time::{Duration, Instant};

use landfall_core::{
    BrowseScope, Command, Config, Engine, Event, Interface, PeerChange, PeerId, Selection, ServiceName,
};
use landfall_smol::{Handle, Node, NodeOptions, Notice};
use smol::LocalExecutor;

use crate::args;
use crate::error::Failure;
use crate::interfaces::looked_at;
use crate::node::{broke_down, cannot_start};
use crate::publishing::note;
use crate::settled::Settled;
use crate::spinner::{Spinner, TURN};
use crate::stop::Signals;
use crate::terminal::{BOLD, DIM, print};
use crate::text::safe;
use crate::view::InterfaceNames;
use crate::{happenings, interfaces};
use found::{Found, FoundNode, Lost};

/// What arrives within this of each other is shown together, so that each type has one heading and not many.
const TOGETHER: Duration = Duration::from_millis(300);
/// Nothing waits longer than this for more of its kind.
const LONGEST: Duration = Duration::from_secs(1);
/// Discovers are datagrams and can be lost, so there are two.
const AGAIN: Duration = Duration::from_secs(1);

/// Runs the command.
pub(crate) fn run(options: &args::Discover) -> Result<(), Failure> {
    if let Some(kind) = options.kind.as_ref().filter(|kind| kind.is_overlong()) {
        note(&format!("{kind} is longer than the 15 characters of RFC 6335; some programs will not find it"));
    }
    let config = Config {
        network: options.network.clone(),
        interfaces: interfaces::select(&options.interface)?,
        ..Config::observer()
    };
    let selection = config.interfaces.clone();
    let looked = looked_at(&selection, &interfaces::present()?).join(", ");
    let mut view = View::new(options, looked);
    // A spinner would stay on the screen after Ctrl-C; everything else ends well as it is.
    let mut signals = if view.spinner.is_on() { Some(Signals::listen()?) } else { None };
    let executor = LocalExecutor::new();
    smol::block_on(executor.run(async {
        let (driver, handle) =
            Node::new(NodeOptions::observer(config).beacon(options.wants_nodes()).mdns(true)).map_err(cannot_start)?;
        let mut events = Settled::new(handle.subscribe());
        let running = executor.spawn(driver.run());
        let failed = async {
            running.await.map_err(broke_down)?;
            Err(Failure::Failed(String::from("the search ended early")))
        };
        let asking = async {
            ask(&handle, options).await?;
            smol::future::pending().await
        };
        let interrupted = async {
            match &mut signals {
                Some(signals) => signals.next().await,
                None => smol::future::pending().await,
            }
            Err(Failure::Interrupted)
        };
        if options.watch && !options.json {
            print(&format!("{DIM}watching {}; Ctrl-C ends it{DIM:#}", safe(&view.looked)))?;
        }
        let showing = async {
            let timeout = async {
                if options.watch {
                    smol::future::pending::<()>().await;
                }
                smol::Timer::after(options.timeout).await;
                Ok(())
            };
            smol::future::or(timeout, view.show(&mut events, &handle)).await?;
            while let Some(event) = events.release() {
                view.tell(event, &handle).await?;
            }
            view.flush()?;
            Ok(view.count)
        };
        let otherwise = smol::future::or(interrupted, smol::future::or(asking, failed));
        let count: usize = smol::future::or(showing, otherwise).await?;
        if count == 0 {
            say_where_we_looked(options, &selection)?;
        }
        Ok(())
    }))
}

impl args::Discover {
    /// Nodes have no service type by which they could be asked for.
    fn wants_nodes(&self) -> bool {
        self.kind.is_none()
    }
}

async fn ask(handle: &Handle, options: &args::Discover) -> Result<(), Failure> {
    let scope = match (options.kind.clone(), options.subtype.clone()) {
        (Some(kind), Some(subtype)) => BrowseScope::Subtype(kind, subtype),
        (Some(kind), None) => BrowseScope::Type(kind),
        (None, _) => BrowseScope::All,
    };
    let refused = |error| Failure::Failed(format!("cannot ask: {error}"));
    handle.command(Command::Browse(scope)).await.map_err(refused)?;
    if options.wants_nodes() {
        handle.command(Command::Discover).await.map_err(refused)?;
        smol::Timer::after(AGAIN).await;
        handle.command(Command::Discover).await.map_err(refused)?;
    }
    Ok(())
}

/// What was shown so far, and what waits to be.
struct View<'a> {
    options: &'a args::Discover,
    /// The names of the interfaces.
    looked: String,
    spinner: Spinner,
    end: Instant,
    waiting: Vec<Found>,
    heading: Option<String>,
    /// What is there, as it was shown last.
    nodes: BTreeMap<PeerId, FoundNode>,
    services: BTreeSet<ServiceName>,
    /// How many different ones there were.
    count: usize,
}

impl<'a> View<'a> {
    fn new(options: &'a args::Discover, looked: String) -> Self {
        Self {
            options,
            looked,
            spinner: Spinner::new(!options.json && !options.watch),
            end: Instant::now() + options.timeout,
            waiting: Vec::new(),
            heading: None,
            nodes: BTreeMap::new(),
            services: BTreeSet::new(),
            count: 0,
        }
    }

    async fn show(&mut self, events: &mut Settled, handle: &Handle) -> Result<(), Failure> {
        let mut last = Instant::now();
        // When the first of those that wait came.
        let mut first: Option<Instant> = None;
        loop {
            first = if self.waiting.is_empty() { None } else { first.or_else(|| Some(Instant::now())) };
            let due = first.map(|first| (last + TOGETHER).min(first + LONGEST));
            let turn = self.spinner.is_on().then(|| Instant::now() + TURN);
            let pause = async {
                match due.into_iter().chain(turn).min() {
                    Some(at) => drop(smol::Timer::at(at).await),
                    None => smol::future::pending().await,
                }
                None
            };
            match smol::future::or(async { Some(events.next().await) }, pause).await {
                Some(Some(Notice::Event(event))) => {
                    self.tell(event, handle).await?;
                    last = Instant::now();
                }
                Some(Some(Notice::Missed(count))) => {
                    tracing::warn!("{count} findings came faster than they could be shown");
                }
                Some(None) => return Ok(()),
                None => {}
            }
            if due.is_some_and(|due| due <= Instant::now()) {
                self.flush()?;
            }
            self.spin();
        }
    }

    fn spin(&mut self) {
        let left = self.end.saturating_duration_since(Instant::now()).as_secs_f64().ceil();
        let words = format!("looking on {}: {} found, {left} s left", safe(&self.looked), self.count);
        self.spinner.turn(&words);
    }

    async fn tell(&mut self, event: Event, handle: &Handle) -> Result<(), Failure> {
        let nodes = self.options.wants_nodes();
        match handle.inspect(move |engine| translate(event, engine, nodes)).await {
            Ok(Some(told)) => self.take(told),
            Ok(None) | Err(_) => Ok(()),
        }
    }

    fn take(&mut self, told: Told) -> Result<(), Failure> {
        match told {
            Told::Found { found, line } => {
                let (fresh, differs) = match &found {
                    Found::Node(node) => {
                        let earlier = self.nodes.insert(node.id, node.clone());
                        (earlier.is_none(), earlier.is_none_or(|earlier| node.differs(&earlier)))
                    }
                    Found::Service(service) => (self.services.insert(service.service.name.clone()), true),
                };
                self.count += usize::from(fresh);
                if self.options.json {
                    return if differs { print(&found.json(fresh)) } else { Ok(()) };
                }
                if self.options.watch {
                    return line.map_or(Ok(()), |line| print(&line));
                }
                if let Some(earlier) = self.waiting.iter_mut().find(|earlier| earlier.is_same_as(&found)) {
                    *earlier = found;
                } else if fresh {
                    self.waiting.push(found);
                }
                Ok(())
            }
            Told::Lost { lost, line } => {
                match &lost {
                    Lost::Node(id) => drop(self.nodes.remove(id)),
                    Lost::Service { name, .. } => {
                        self.services.remove(name);
                    }
                }
                if self.options.json {
                    return print(&lost.json());
                }
                if self.options.watch {
                    return line.map_or(Ok(()), |line| print(&line));
                }
                Ok(())
            }
            Told::Line(line) if self.options.watch && !self.options.json => print(&line),
            Told::Line(_) => Ok(()),
        }
    }

    /// Shows what waits, each type under its heading.
    fn flush(&mut self) -> Result<(), Failure> {
        self.spinner.clear();
        let mut waiting = std::mem::take(&mut self.waiting);
        // A node is shown as such, and not once more as the service that it publishes itself as.
        waiting.retain(|found| !self.nodes.keys().any(|node| found.is_service_of(node)));
        // What belongs under the heading that stands goes first.
        waiting.sort_by_key(|found| {
            let heading = found.heading();
            (
                Some(&heading) != self.heading.as_ref(),
                !matches!(found, Found::Node(_)),
                heading,
                found.name().to_owned(),
            )
        });
        for found in waiting {
            let heading = found.heading();
            if self.heading.as_ref() != Some(&heading) {
                if self.heading.is_some() {
                    print("")?;
                }
                let meaning = found.meaning().map(|meaning| format!("  {DIM}{meaning}{DIM:#}")).unwrap_or_default();
                print(&format!("{BOLD}{}{BOLD:#}{meaning}", safe(&heading)))?;
                self.heading = Some(heading);
            }
            print(&found.line())?;
            if let Some(text) = found.text().filter(|_| self.options.kind.is_some()) {
                print(&format!("      {DIM}{text}{DIM:#}"))?;
            }
        }
        Ok(())
    }
}

/// An event, with all that the engine knows about it.
enum Told {
    Found { found: Found, line: Option<String> },
    Lost { lost: Lost, line: Option<String> },
    Line(String),
}

fn translate(event: Event, engine: &Engine, nodes: bool) -> Option<Told> {
    let names = InterfaceNames::of(engine.interfaces());
    let line = happenings::describe(&event, engine);
    match event {
        Event::PeerChanged { id, change: PeerChange::Profile } => {
            // No line: nodes answer an observer's question briefly and tell everybody the rest, by turns.
            let found = engine.peer(&id).filter(|_| nodes).map(|peer| Found::node(peer, engine, &names))?;
            Some(Told::Found { found, line: None })
        }
        Event::PeerOnline { id, .. } | Event::PeerChanged { id, .. } => {
            let found = engine.peer(&id).filter(|_| nodes).map(|peer| Found::node(peer, engine, &names))?;
            Some(Told::Found { found, line })
        }
        Event::PeerOffline { id, .. } => nodes.then_some(Told::Lost { lost: Lost::Node(id), line }),
        Event::ServiceFound(service) | Event::ServiceChanged(service) => {
            Some(Told::Found { found: Found::service(service, &names), line })
        }
        Event::ServiceLost(name) => {
            let interface = names.name(name.interface);
            Some(Told::Lost { lost: Lost::Service { name, interface }, line })
        }
        Event::Warning(_) => line.map(Told::Line),
        Event::Announcing { .. }
        | Event::Withdrawn { .. }
        | Event::Heard { .. }
        | Event::ServiceTypeFound(_)
        | Event::HostFound(_)
        | Event::HostChanged(_)
        | Event::HostLost { .. }
        | Event::Published { .. }
        | Event::Renamed { .. }
        | Event::HostRenamed { .. }
        | Event::SessionOpened { .. }
        | Event::SessionClosed { .. }
        | Event::ConnectFailed { .. }
        | Event::Connected { .. }
        | Event::Pong { .. }
        | Event::PingLost { .. }
        | Event::MessageDelivered { .. }
        | Event::MessageFailed { .. }
        | Event::MessageReceived(_)
        | Event::SasReady { .. }
        | Event::SasFailed { .. }
        | Event::TrustChanged { .. }
        | Event::Rotated { .. }
        | Event::Revoked { .. }
        | Event::Forgotten { .. }
        | Event::Stopped => None,
    }
}

/// Nothing was found, which is an answer too; but somebody may wonder whether we looked in the right place.
fn say_where_we_looked(options: &args::Discover, selection: &Selection) -> Result<(), Failure> {
    let present = interfaces::present()?;
    let looked = looked_at(selection, &present).join(", ");
    let what = match (&options.kind, &options.subtype) {
        (None, _) => String::from("nothing"),
        (Some(kind), None) => format!("no {kind}"),
        (Some(kind), Some(subtype)) => format!("no {kind} of the subtype {}", safe(subtype.as_str())),
    };
    let line = if looked.is_empty() {
        let all: Vec<String> = present.iter().map(describe).collect();
        format!("could not look anywhere: no interface is up and has an address ({})", safe(&all.join(", ")))
    } else {
        format!("{what} found within {:?} on {}", options.timeout, safe(&looked))
    };
    let _ = writeln!(anstream::stderr(), "landfall: {line}");
    Ok(())
}

fn describe(interface: &Interface) -> String {
    let why = match (interface.up, interface.addresses.is_empty()) {
        (false, _) => "down",
        (true, true) => "no address",
        (true, false) => "not used unless asked for with --interface",
    };
    format!("{}: {why}", interface.name)
}
