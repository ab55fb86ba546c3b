//! `landfall up`: a node in this terminal.
//!
//! Everything is checked before anything is made: the flags, the interfaces, the home, the lock, the key. Then one thread
//! runs the node, answers on the socket and waits for signals; printing has a thread of its own.

use std::path::{Path, PathBuf};
use std::rc::Rc;
use std::time::Duration;

use landfall_core::{BrowseScope, Command, CommandError, Config, Event, Profile, Publication, Record, SoftwareKeyring};
use landfall_smol::{FileStore, Handle, Node, NodeOptions, Notice, RequestError, key_file};
use smol::LocalExecutor;

use crate::args;
use crate::config_file::{Agent, Settings};
use crate::error::{Failure, plain};
use crate::home::Home;
use crate::node::{broke_down, cannot_start};
use crate::publishing::{caution, note};
use crate::record::{self, Sink, TraceTap, Writing};
use crate::settled::Settled;
use crate::stop::Signals;
use crate::succession_file::{advice, keep_revocation, rotations};
use crate::terminal::{BOLD, DIM, Printer, Sign, happened};
use crate::text::safe;
use crate::view::Clock;
use crate::{happenings, interfaces, machine, name, port};

/// The type of the services that nodes are.
const NODES: &str = "_landfall._tcp";
/// For the announces that tell of the end of the node's key: five in three seconds.
const LAST_WORDS: Duration = Duration::from_millis(3300);
const COPIED: &str = "this home was last used on another machine. If it was moved, all is well. If it is a copy, that machine \
                      has the same key, and others cannot tell the two apart: give one of them a home of its own";

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
    let who = Who::of(options, &home)?;
    let recording = options.record.as_deref().map(|path| record::create(path, options.record_limit)).transpose()?;
    let Who { keyring, revocation, store, records } = who;
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
        rotations: if store.is_some() { rotations(&home, &keyring.id()) } else { Vec::new() },
        records,
        ..Config::node(keyring.id(), profile)
    };
    allow_many_streams();
    let executor = Rc::new(LocalExecutor::new());
    let (sink, writing) = recording.unzip();
    let parts = Parts { config, publications, keyring, store, revocation, sink };
    let outcome = smol::block_on(executor.run(live(Rc::clone(&executor), options, &home, parts)));
    // The node, and with it all that is to be written, must be gone before the file's end is waited for.
    drop(executor);
    match (writing.map(Writing::finish), &options.record) {
        (Some(Err(error)), Some(path)) if outcome.is_ok() => Err(Failure::at("write", path, &error)),
        _ => outcome,
    }
}

/// Whose node it is, and what it remembers.
struct Who {
    keyring: SoftwareKeyring,
    /// The file of the key's revocation, if that was made just now.
    revocation: Option<PathBuf>,
    /// `None` for a node that is to be forgotten.
    store: Option<FileStore>,
    records: Vec<Record>,
}

impl Who {
    /// The home's own; or, to be recorded, a key in memory that nobody will miss, unless its owner wants it otherwise.
    fn of(options: &args::Up, home: &Home) -> Result<Self, Failure> {
        if options.record.is_some() && !options.record_secrets {
            if home.identity().exists() {
                return Err(Failure::Usage(format!(
                    "a recording holds the node's random seed and with it the keys of all its sessions, and its messages in the \
                     clear; so the identity in {} is not recorded unless you add --record-secrets. With an empty --home DIR a \
                     throw-away key is used",
                    home.shown()
                )));
            }
            let seed = landfall_smol::seed().map_err(|error| Failure::Failed(plain(&error)))?;
            let keyring = SoftwareKeyring::from_seed(&seed);
            return Ok(Self { keyring, revocation: None, store: None, records: Vec::new() });
        }
        let keyring = key_file::load_or_create(&home.identity())?;
        let revocation = keep_revocation(home, &keyring)?;
        if machine::has_moved(home) {
            note(COPIED);
        }
        let (store, records) = FileStore::open(&home.state())?;
        Ok(Self { keyring, revocation, store: Some(store), records })
    }
}

/// What a node is made of.
struct Parts {
    config: Config,
    publications: Vec<Publication>,
    keyring: SoftwareKeyring,
    store: Option<FileStore>,
    /// The file of its key's revocation, if that was made just now.
    revocation: Option<PathBuf>,
    /// Where it is recorded.
    sink: Option<Sink>,
}

/// A thousand sessions and as many strangers at the door need more descriptors than shells give by default.
fn allow_many_streams() {
    #[cfg(unix)]
    {
        use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
        const ENOUGH: u64 = 4096;
        let Rlimit { current, maximum } = getrlimit(Resource::Nofile);
        let wanted = maximum.map_or(ENOUGH, |maximum| maximum.min(ENOUGH));
        if current.is_some_and(|current| current < wanted)
            && let Err(error) = setrlimit(Resource::Nofile, Rlimit { current: Some(wanted), maximum })
        {
            tracing::debug!("the limit of open files stays as it is: {}", std::io::Error::from(error));
        }
    }
}

async fn live(
    executor: Rc<LocalExecutor<'static>>,
    options: &args::Up,
    home: &Home,
    parts: Parts,
) -> Result<(), Failure> {
    let Parts { config, publications, keyring, store, revocation, sink } = parts;
    let mut signals = Signals::listen()?;
    let printer = Rc::new(
        Printer::start().map_err(|error| Failure::Failed(format!("cannot start a thread: {}", plain(&error))))?,
    );
    let (id, name) = (keyring.id(), config.profile.name.clone());
    let is_throw_away = store.is_none();
    let mut made = NodeOptions::node(config, keyring).mdns(!options.no_mdns);
    if let Some(store) = store {
        made = made.store(store);
    }
    if let Some(sink) = sink {
        made = made.tap(TraceTap::new(sink));
    }
    let (driver, handle) = Node::new(made).map_err(cannot_start)?;
    let clock = Clock::started_now();
    let (revoked, own_key_revoked) = smol::channel::bounded::<()>(1);
    let events = Settled::new(handle.subscribe());

    #[cfg(unix)]
    let server = crate::ipc::Server::bind(home)?;
    #[cfg(unix)]
    let node = crate::ipc::Node::new(handle.clone(), home.clone(), id, name.clone(), clock, revoked);
    #[cfg(unix)]
    let answering = server.run(Rc::clone(&executor), node);
    #[cfg(not(unix))]
    let answering = async {
        let _unused = (&clock, &revoked);
        smol::future::pending::<std::convert::Infallible>().await
    };

    introduce(&printer, &id.to_string(), &name, home, revocation.as_deref());
    if let Some(path) = &options.record {
        say_what_is_recorded(&printer, path, is_throw_away);
    }
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
    let disowned = async {
        match own_key_revoked.recv().await {
            Ok(()) => drop(smol::Timer::after(LAST_WORDS).await),
            Err(_) => smol::future::pending().await,
        }
        Ok(())
    };
    let asked_to_stop = smol::future::or(asked_to_stop, disowned);
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

fn introduce(printer: &Printer, id: &str, name: &str, home: &Home, revocation: Option<&Path>) {
    printer.line(format!("{BOLD}landfall {}{BOLD:#}", env!("CARGO_PKG_VERSION")));
    printer.line(format!("  {DIM}name{DIM:#}  {}", safe(name)));
    printer.line(format!("  {DIM}id{DIM:#}    {id}"));
    printer.line(format!("  {DIM}home{DIM:#}  {}", home.shown()));
    if let Some(path) = revocation {
        printer.line(format!("  {DIM}key{DIM:#}   is new; {}", advice(path)));
    }
}

fn say_what_is_recorded(printer: &Printer, path: &Path, is_throw_away: bool) {
    let whose = if is_throw_away { "a throw-away key that is kept nowhere" } else { "the node's own key" };
    printer.line(format!("  {DIM}rec{DIM:#}   {}, with {whose}", safe(&path.to_string_lossy())));
    printer.line(String::from(
        "        It holds the random seed (and so the keys of all sessions), what the node remembers of its peers, every \
         datagram and every message in the clear, and not the signing key. Show it to nobody whom you would not show those.",
    ));
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
