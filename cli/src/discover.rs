//! `landfall discover`: what is on this network, asked by an observer that has no key and announces nothing.

mod found;
mod kinds;

use std::collections::{BTreeMap, BTreeSet};
use std::io::Write;
use std::time::Duration;

use landfall_core::{
    BrowseScope, Command, Config, Engine, Event, Interface, PeerChange, PeerId, Selection, ServiceName,
};
use landfall_smol::{Handle, NodeOptions, Notice};
use smol::LocalExecutor;

use crate::args;
use crate::error::Failure;
use crate::node::{broke_down, cannot_start};
use crate::settled::Settled;
use crate::terminal::{BOLD, DIM, print};
use crate::text::safe;
use crate::view::InterfaceNames;
use crate::{happenings, interfaces};
use found::{Found, FoundNode, Lost};

/// What arrives within this of each other is shown together, so that each type has one heading and not many.
const TOGETHER: Duration = Duration::from_millis(300);
/// Discovers are datagrams and can be lost, so there are two.
const AGAIN: Duration = Duration::from_secs(1);

/// Runs the command.
pub(crate) fn run(options: &args::Discover) -> Result<(), Failure> {
    if let Some(kind) = options.kind.as_ref().filter(|kind| kind.is_overlong()) {
        let _ = writeln!(
            anstream::stderr(),
            "landfall: note: {} is longer than the 15 characters of RFC 6335; some programs will not find it",
            safe(kind.as_str())
        );
    }
    let config = Config {
        network: options.network.clone(),
        interfaces: interfaces::select(&options.interface)?,
        ..Config::observer()
    };
    let selection = config.interfaces.clone();
    let executor = LocalExecutor::new();
    smol::block_on(executor.run(async {
        let (driver, handle) = NodeOptions::observer(config).mdns(true).build().map_err(cannot_start)?;
        let mut events = Settled::new(handle.subscribe());
        let running = executor.spawn(driver.run());
        let failed = async { running.await.map_err(broke_down) };
        let asking = async {
            ask(&handle, options).await;
            smol::future::pending().await
        };
        if options.watch && !options.json {
            let looked = looked_at(&selection, &interfaces::present()?);
            print(&format!("{DIM}watching {}; Ctrl-C ends it{DIM:#}", safe(&looked)))?;
        }
        let mut view = View::new(options);
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
        let asking_and_failing = async {
            smol::future::or(asking, failed).await?;
            Err(Failure::Failed(String::from("the search ended early")))
        };
        let count: usize = smol::future::or(showing, asking_and_failing).await?;
        if count == 0 {
            say_where_we_looked(options, &selection)?;
        }
        Ok(())
    }))
}

async fn ask(handle: &Handle, options: &args::Discover) {
    let scope = options.kind.clone().map_or(BrowseScope::All, BrowseScope::Type);
    let mut asked = handle.command(Command::Browse(scope)).await.map(drop);
    if options.kind.is_none() {
        asked = asked.and(handle.command(Command::Discover).await.map(drop));
        smol::Timer::after(AGAIN).await;
        asked = asked.and(handle.command(Command::Discover).await.map(drop));
    }
    if let Err(error) = asked {
        tracing::warn!("cannot ask: {error}");
    }
}

/// What was shown so far, and what waits to be.
struct View<'a> {
    options: &'a args::Discover,
    waiting: Vec<Found>,
    heading: Option<String>,
    /// What is there, as it was shown last.
    nodes: BTreeMap<PeerId, FoundNode>,
    services: BTreeSet<ServiceName>,
    /// How many different ones there were.
    count: usize,
}

impl<'a> View<'a> {
    fn new(options: &'a args::Discover) -> Self {
        Self {
            options,
            waiting: Vec::new(),
            heading: None,
            nodes: BTreeMap::new(),
            services: BTreeSet::new(),
            count: 0,
        }
    }

    async fn show(&mut self, events: &mut Settled, handle: &Handle) -> Result<(), Failure> {
        loop {
            let notice = if self.waiting.is_empty() {
                events.next().await
            } else {
                let more = async {
                    smol::Timer::after(TOGETHER).await;
                    Some(None)
                };
                match smol::future::or(async { events.next().await.map(Some) }, more).await {
                    Some(None) => {
                        self.flush()?;
                        continue;
                    }
                    Some(Some(notice)) => Some(notice),
                    None => None,
                }
            };
            match notice {
                Some(Notice::Event(event)) => self.tell(event, handle).await?,
                Some(Notice::Missed(count)) => tracing::warn!("{count} findings came faster than they could be shown"),
                None => return Ok(()),
            }
        }
    }

    async fn tell(&mut self, event: Event, handle: &Handle) -> Result<(), Failure> {
        let nodes = self.options.kind.is_none();
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
                    return if differs { print(&found.json()) } else { Ok(()) };
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
        let mut waiting = std::mem::take(&mut self.waiting);
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
            let found = engine.peer(&id).filter(|_| nodes).map(|peer| Found::node(peer, &names))?;
            Some(Told::Found { found, line: None })
        }
        Event::PeerOnline { id, .. } | Event::PeerChanged { id, .. } => {
            let found = engine.peer(&id).filter(|_| nodes).map(|peer| Found::node(peer, &names))?;
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
        | Event::Stopped => None,
    }
}

/// Nothing was found, which is an answer too; but somebody may wonder whether we looked in the right place.
fn say_where_we_looked(options: &args::Discover, selection: &Selection) -> Result<(), Failure> {
    let present = interfaces::present()?;
    let looked = looked_at(selection, &present);
    let what = options.kind.as_ref().map_or_else(|| String::from("nothing"), |kind| format!("no {kind}"));
    let line = if looked.is_empty() {
        let all: Vec<String> = present.iter().map(describe).collect();
        format!("could not look anywhere: no interface is up and has an address ({})", safe(&all.join(", ")))
    } else {
        format!("{what} found within {:?} on {}", options.timeout, safe(&looked))
    };
    let _ = writeln!(anstream::stderr(), "landfall: {line}");
    Ok(())
}

/// The names of the interfaces in use.
fn looked_at(selection: &Selection, present: &[Interface]) -> String {
    selection.choose(present).iter().map(|interface| interface.name.as_str()).collect::<Vec<_>>().join(", ")
}

fn describe(interface: &Interface) -> String {
    let why = match (interface.up, interface.addresses.is_empty()) {
        (false, _) => "down",
        (true, true) => "no address",
        (true, false) => "not used unless asked for with --interface",
    };
    format!("{}: {why}", interface.name)
}
