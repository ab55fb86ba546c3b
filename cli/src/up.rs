//! `landfall up`: a node in this terminal.
//!
//! Everything is checked before anything is made: the flags, the interfaces, the home, the lock, the key. Then one thread
//! runs the node, answers on the socket and waits for signals; printing has a thread of its own.

use std::rc::Rc;
use std::time::Duration;

use async_signal::{Signal, Signals};
use landfall_core::{BrowseScope, Command, Config, Event, Profile, SoftwareKeyring};
use landfall_smol::{Handle, NodeOptions, Notice};
use smol::LocalExecutor;
use smol::stream::StreamExt;

use crate::args;
use crate::error::{Failure, plain};
use crate::home::Home;
use crate::node::{broke_down, cannot_start};
use crate::settled::Settled;
use crate::store::FileStore;
use crate::terminal::{BOLD, DIM, Printer, Sign, happened};
use crate::text::safe;
use crate::{happenings, identity_file, interfaces, name, port};

/// For the goodbyes; the engine itself takes 200 ms at most.
const FAREWELL: Duration = Duration::from_millis(700);

/// Runs the command.
pub(crate) fn run(options: &args::Up, locate: impl FnOnce() -> Result<Home, Failure>) -> Result<(), Failure> {
    if !options.foreground {
        return Err(Failure::Usage(String::from(
            "this version runs in the foreground only; start it with: landfall up --foreground",
        )));
    }
    let selection = interfaces::select(&options.interface)?;
    let home = locate()?;
    port::check(&selection, !options.no_ipv4, !options.no_ipv6)?;
    home.create()?;
    let _lock = home.lock()?;
    let keyring = identity_file::load_or_create(&home)?;
    let (store, records) = FileStore::open(&home.state())?;
    let profile = Profile {
        name: options.name.clone().unwrap_or_else(name::default_name),
        capabilities: options.capability.clone(),
        software: format!("landfall/{}", env!("CARGO_PKG_VERSION")),
        ..Profile::default()
    };
    let config = Config {
        network: options.network.clone(),
        interfaces: selection,
        ipv4: !options.no_ipv4,
        ipv6: !options.no_ipv6,
        records,
        ..Config::node(keyring.id(), profile)
    };
    let executor = Rc::new(LocalExecutor::new());
    smol::block_on(executor.run(live(Rc::clone(&executor), options, &home, config, keyring, store)))
}

async fn live(
    executor: Rc<LocalExecutor<'static>>,
    options: &args::Up,
    home: &Home,
    config: Config,
    keyring: SoftwareKeyring,
    store: FileStore,
) -> Result<(), Failure> {
    let mut signals = signals()?;
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
        let handle = handle.clone();
        executor
            .spawn(async move {
                if let Err(error) = handle.command(Command::Browse(BrowseScope::All)).await {
                    tracing::warn!("cannot look for services: {error}");
                }
            })
            .detach();
    }

    let asked_to_stop = async {
        let _ = signals.next().await;
        Ok(())
    };
    let nobody_reads = async { Err(printer.failed().await) };
    let ended = async { (&mut running).await.map_err(broke_down) };
    let answering = async { match answering.await {} };
    let outcome =
        smol::future::or(smol::future::or(asked_to_stop, nobody_reads), smol::future::or(ended, answering)).await;

    let impatient = async {
        let _ = signals.next().await;
        std::process::exit(130);
    };
    let farewell = async {
        handle.stop().await;
        telling.await;
        Ok(())
    };
    let late = async {
        smol::Timer::after(FAREWELL).await;
        Err(())
    };
    let said: Result<(), ()> = smol::future::or(impatient, smol::future::or(farewell, late)).await;
    if outcome.is_ok() {
        let words =
            if said.is_ok() { "said goodbye and stopped" } else { "stopped; its goodbyes were not sent in time" };
        printer.line(happened(Sign::Minus, &name, "this node", words));
    }
    if let Some(printer) = Rc::into_inner(printer) {
        printer.finish().await;
    }
    outcome
}

fn signals() -> Result<Signals, Failure> {
    #[cfg(unix)]
    let wanted = [Signal::Int, Signal::Term, Signal::Hup];
    #[cfg(not(unix))]
    let wanted = [Signal::Int];
    Signals::new(wanted).map_err(|error| Failure::Failed(format!("cannot listen for signals: {}", plain(&error))))
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
