//! `landfall up`: a node in this terminal.
//!
//! Everything is checked before anything is made: the flags, the interfaces, the home, the lock, the key. Then one thread
//! runs the node, answers on the socket and waits for signals; printing has a thread of its own.

use std::rc::Rc;

use landfall_core::{BrowseScope, Command, CommandError, Config, Event, Profile, Publication, SoftwareKeyring};
use landfall_smol::{Handle, NodeOptions, Notice, RequestError};
use smol::LocalExecutor;

use crate::args;
use crate::config_file::{Agent, Settings};
use crate::error::{Failure, plain};
use crate::home::Home;
use crate::node::{broke_down, cannot_start};
use crate::publishing::{caution, note};
use crate::settled::Settled;
use crate::stop::Signals;
use crate::store::FileStore;
use crate::terminal::{BOLD, DIM, Printer, Sign, happened};
use crate::text::safe;
use crate::{happenings, identity_file, interfaces, name, port};

/// The type of the services that nodes are.
const NODES: &str = "_landfall._tcp";

/// Runs the command.
pub(crate) fn run(options: &args::Up, locate: impl FnOnce() -> Result<Home, Failure>) -> Result<(), Failure> {
    if !options.foreground {
        return Err(Failure::Usage(String::from(
            "this version runs in the foreground only; start it with: landfall up --foreground",
        )));
    }
    let selection = interfaces::select(&options.interface)?;
    let home = locate()?;
    let settings = Settings::load(options.config.as_deref(), &home)?;
    let name = options.name.clone().unwrap_or_else(name::default_name);
    let publications = settings.publications(&name)?;
    port::check(&selection, !options.no_ipv4, !options.no_ipv6)?;
    home.create()?;
    let _lock = home.lock()?;
    let keyring = identity_file::load_or_create(&home)?;
    let (store, records) = FileStore::open(&home.state())?;
    let host = settings.host.unwrap_or_else(name::host_label);
    publications.iter().for_each(caution);
    if options.no_mdns && !publications.is_empty() {
        note("nothing of the config file is published with --no-mdns");
    }
    let card = |agent: &Agent| format!("http://{host}.local:{}{}", agent.port, agent.card);
    let profile = Profile {
        name,
        services: settings.agent.iter().map(|agent| (String::from("_a2a._tcp"), agent.port)).collect(),
        agent_card: settings.agent.as_ref().map(card),
        capabilities: options.capability.clone(),
        software: format!("landfall/{}", env!("CARGO_PKG_VERSION")),
        ..Profile::default()
    };
    let config = Config {
        network: options.network.clone(),
        interfaces: selection,
        ipv4: !options.no_ipv4,
        ipv6: !options.no_ipv6,
        host: Some(host),
        dns_sd: !options.no_mdns,
        mdns_unicast: settings.mdns_unicast,
        records,
        ..Config::node(keyring.id(), profile)
    };
    let executor = Rc::new(LocalExecutor::new());
    smol::block_on(executor.run(live(Rc::clone(&executor), options, &home, config, publications, keyring, store)))
}

async fn live(
    executor: Rc<LocalExecutor<'static>>,
    options: &args::Up,
    home: &Home,
    config: Config,
    publications: Vec<Publication>,
    keyring: SoftwareKeyring,
    store: FileStore,
) -> Result<(), Failure> {
    let mut signals = Signals::listen()?;
    let printer = Rc::new(
        Printer::start().map_err(|error| Failure::Failed(format!("cannot start a thread: {}", plain(&error))))?,
    );
    let (id, name) = (keyring.id().to_string(), config.profile.name.clone());
    let (driver, handle) =
        NodeOptions::node(config, keyring).store(store).mdns(!options.no_mdns).build().map_err(cannot_start)?;
    let events = Settled::new(handle.subscribe());

    #[cfg(unix)]
    let server = crate::ipc::Server::bind(home)?;
    #[cfg(unix)]
    let answering = server.run(Rc::clone(&executor), crate::ipc::Node::new(handle.clone(), id.clone(), name.clone()));
    #[cfg(not(unix))]
    let answering = smol::future::pending::<std::convert::Infallible>();

    introduce(&printer, &id, &name, home);
    let telling = executor.spawn(tell(events, handle.clone(), Rc::clone(&printer)));
    // Dropping the task would end the node without its goodbyes.
    let mut running = executor.spawn(driver.run());
    if !options.no_mdns {
        executor.spawn(look_and_publish(handle.clone(), publications)).detach();
    }

    let asked_to_stop = async {
        signals.next().await;
        Ok(())
    };
    let nobody_reads = async { Err(printer.failed().await) };
    let ended = async { (&mut running).await.map_err(broke_down) };
    let answering = async { match answering.await {} };
    let outcome =
        smol::future::or(smol::future::or(asked_to_stop, nobody_reads), smol::future::or(ended, answering)).await;

    let said = signals.farewell(&handle, telling).await;
    if outcome.is_ok() {
        let words = if said { "said goodbye and stopped" } else { "stopped; its goodbyes were not sent in time" };
        printer.line(happened(Sign::Minus, &name, "this node", words));
    }
    if let Some(printer) = Rc::into_inner(printer) {
        printer.finish().await;
    }
    outcome
}

async fn look_and_publish(handle: Handle, publications: Vec<Publication>) {
    let commands = publications.into_iter().map(Command::Publish);
    for command in std::iter::once(Command::Browse(BrowseScope::All)).chain(commands) {
        match handle.command(command).await {
            Ok(_) => {}
            // It is stopping, and says so itself.
            Err(RequestError::Gone | RequestError::Refused(CommandError::Stopping)) => return,
            Err(error) => tracing::warn!("multicast DNS: {error}"),
        }
    }
}

fn introduce(printer: &Printer, id: &str, name: &str, home: &Home) {
    printer.line(format!("{BOLD}landfall {}{BOLD:#}", env!("CARGO_PKG_VERSION")));
    printer.line(format!("  {DIM}name{DIM:#}  {}", safe(name)));
    printer.line(format!("  {DIM}id{DIM:#}    {id}"));
    printer.line(format!("  {DIM}home{DIM:#}  {}", home.shown()));
}

/// Tells what happens, until the node is gone.
async fn tell(mut events: Settled, handle: Handle, printer: Rc<Printer>) {
    while let Some(notice) = events.next().await {
        match notice {
            Notice::Event(Event::Stopped) => {}
            // Nodes are told of as peers, who have proved themselves; their services say the same again and prove nothing.
            Notice::Event(Event::ServiceFound(service) | Event::ServiceChanged(service))
                if service.name.kind.as_str() == NODES => {}
            Notice::Event(Event::ServiceLost(name)) if name.kind.as_str() == NODES => {}
            Notice::Event(event) => {
                if let Ok(Some(line)) = handle.inspect(move |engine| happenings::describe(&event, engine)).await {
                    printer.line(line);
                }
            }
            Notice::Missed(count) => {
                let words = format!("{count} events came faster than they could be shown; see: landfall peers");
                printer.line(happened(Sign::Mark, "this node", "warning", &words));
            }
        }
    }
}
