//! `landfall resolve`: the addresses of a host by its name on the link, asked by an observer that announces nothing.

use std::collections::BTreeMap;
use std::net::IpAddr;
use std::time::{Duration, Instant};

use landfall_core::{Command, Config, Event, Host, HostName, Selection};
use landfall_smol::{Events, Handle, Node, NodeOptions, Notice};
use serde::Serialize;
use smol::LocalExecutor;

use crate::args;
use crate::error::Failure;
use crate::interfaces::{looked_at, present, select};
use crate::node::{broke_down, cannot_start};
use crate::terminal::print;
use crate::text::{safe, safe_json};
use crate::view::InterfaceNames;

/// What a second interface may take longer than the first.
const OTHER_INTERFACES: Duration = Duration::from_millis(150);

/// Runs the command.
pub(crate) fn run(options: &args::Resolve) -> Result<(), Failure> {
    let config = Config { interfaces: select(&options.interface)?, ..Config::observer() };
    let selection = config.interfaces.clone();
    let interfaces = selection.choose(&present()?).len();
    let executor = LocalExecutor::new();
    let mut answers = Answers::new(options, interfaces);
    smol::block_on(executor.run(async {
        let (driver, handle) =
            Node::new(NodeOptions::observer(config).beacon(false).mdns(true)).map_err(cannot_start)?;
        let mut events = handle.subscribe();
        let running = executor.spawn(driver.run());
        let failed = async {
            running.await.map_err(broke_down)?;
            Err(Failure::Failed(String::from("the search ended early")))
        };
        let asking = async {
            for name in &options.host.0 {
                let asked = handle.command(Command::Resolve(name.clone())).await;
                asked.map_err(|error| Failure::Failed(format!("cannot ask: {error}")))?;
            }
            answers.collect(&mut events, &handle).await
        };
        let late = async {
            smol::Timer::after(options.timeout).await;
            Ok(())
        };
        smol::future::or(asking, smol::future::or(failed, late)).await
    }))?;
    answers.finish(&selection)
}

/// What was heard of the names.
struct Answers<'a> {
    options: &'a args::Resolve,
    /// How many interfaces may answer.
    interfaces: usize,
    /// By the name's number in the list of those asked for, and the interface.
    hosts: BTreeMap<(usize, u32), Host>,
    names: InterfaceNames,
    printed: Vec<String>,
}

impl<'a> Answers<'a> {
    fn new(options: &'a args::Resolve, interfaces: usize) -> Self {
        let (hosts, printed) = (BTreeMap::new(), Vec::new());
        Self { options, interfaces, hosts, names: InterfaceNames::default(), printed }
    }

    /// Listens until all is known.
    async fn collect(&mut self, events: &mut Events, handle: &Handle) -> Result<(), Failure> {
        let mut enough = None;
        loop {
            let waited = async {
                match enough {
                    Some(at) => drop(smol::Timer::at(at).await),
                    None => smol::future::pending().await,
                }
                None
            };
            match smol::future::or(async { Some(events.next().await) }, waited).await {
                Some(Some(Notice::Event(event))) => {
                    if self.names.is_empty() {
                        self.names =
                            handle.inspect(|engine| InterfaceNames::of(engine.interfaces())).await.unwrap_or_default();
                    }
                    self.take(event)?;
                }
                Some(Some(Notice::Missed(_))) => {}
                Some(None) | None => return Ok(()),
            }
            let pause = if self.interfaces > 1 { OTHER_INTERFACES } else { Duration::ZERO };
            enough = if self.is_enough() { enough.or_else(|| Some(Instant::now() + pause)) } else { None };
        }
    }

    fn take(&mut self, event: Event) -> Result<(), Failure> {
        match event {
            Event::HostFound(host) | Event::HostChanged(host) => {
                let Some(number) = self.number(&host.name) else { return Ok(()) };
                let wanted: Vec<IpAddr> = host.addresses.iter().copied().filter(|ip| self.is_wanted(*ip)).collect();
                for ip in wanted {
                    self.print_once(self.names.scoped(ip, host.interface))?;
                }
                self.hosts.insert((number, host.interface), host);
            }
            Event::HostLost { name, interface } => {
                if let Some(number) = self.number(&name) {
                    self.hosts.remove(&(number, interface));
                }
            }
            Event::Announcing { .. }
            | Event::Withdrawn { .. }
            | Event::Heard { .. }
            | Event::PeerOnline { .. }
            | Event::PeerChanged { .. }
            | Event::PeerOffline { .. }
            | Event::Warning(_)
            | Event::ServiceFound(_)
            | Event::ServiceChanged(_)
            | Event::ServiceLost(_)
            | Event::ServiceTypeFound(_)
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
            | Event::Stopped => {}
        }
        Ok(())
    }

    /// Addresses are printed as they come; JSON is printed at the end.
    fn print_once(&mut self, address: String) -> Result<(), Failure> {
        if self.options.json || self.printed.contains(&address) {
            return Ok(());
        }
        print(&safe(&address))?;
        self.printed.push(address);
        Ok(())
    }

    fn number(&self, name: &HostName) -> Option<usize> {
        self.options.host.0.iter().position(|asked| asked == name)
    }

    fn is_wanted(&self, ip: IpAddr) -> bool {
        match (self.options.ipv4, self.options.ipv6) {
            (false, false) | (true, true) => true,
            (true, false) => ip.is_ipv4(),
            (false, true) => ip.is_ipv6(),
        }
    }

    /// Whether more time would tell no more, or nothing that is asked for.
    fn is_enough(&self) -> bool {
        let one_family = self.options.ipv4 != self.options.ipv6;
        let has_one = || self.hosts.values().any(|host| host.addresses.iter().any(|ip| self.is_wanted(*ip)));
        let all_told = !self.hosts.is_empty() && self.hosts.values().all(|host| host.complete);
        all_told || (one_family && has_one())
    }

    /// Prints what is printed at the end, and says why if there is nothing.
    fn finish(&self, selection: &Selection) -> Result<(), Failure> {
        let mut found = false;
        for (number, name) in self.options.host.0.iter().enumerate() {
            let of_it: Vec<&Host> =
                self.hosts.iter().filter(|((n, _), _)| *n == number).map(|(_, host)| host).collect();
            let wanted = |host: &&Host| {
                let interface = self.names.name(host.interface);
                let ips: Vec<IpAddr> = host.addresses.iter().copied().filter(|ip| self.is_wanted(*ip)).collect();
                ips.into_iter().map(move |address| AddressJson { address, interface: interface.clone() })
            };
            let addresses: Vec<AddressJson> = of_it.iter().flat_map(wanted).collect();
            if addresses.is_empty() {
                continue;
            }
            found = true;
            if self.options.json {
                let complete = of_it.iter().all(|host| host.complete);
                let host = HostJson { host: name.to_string(), complete, addresses };
                let json = serde_json::to_string(&host).map_err(|error| Failure::Failed(error.to_string()))?;
                print(&safe_json(&json))?;
            }
        }
        // What was printed may be gone by now, and was there all the same.
        if found || !self.printed.is_empty() { Ok(()) } else { Err(self.nothing(selection)) }
    }

    fn nothing(&self, selection: &Selection) -> Failure {
        let present = match present() {
            Ok(present) => present,
            Err(failure) => return failure,
        };
        let looked = looked_at(selection, &present);
        let asked: Vec<String> = self.options.host.0.iter().map(ToString::to_string).collect();
        let asked = asked.join(" or ");
        let asked = safe(&asked);
        if looked.is_empty() {
            return Failure::Failed(format!("cannot ask for {asked}: no interface is up and has an address"));
        }
        let looked = looked.join(", ");
        let looked = safe(&looked);
        if self.hosts.values().any(|host| !host.addresses.is_empty()) {
            let (not, other) = if self.options.ipv4 { ("IPv4", "-4") } else { ("IPv6", "-6") };
            return Failure::Failed(format!(
                "{asked} told no {not} address on {looked}, but others; leave out {other}"
            ));
        }
        let is_of_link = |name: &HostName| {
            let text = name.to_string();
            !text.contains('.') || text.to_ascii_lowercase().ends_with(".local")
        };
        let try_this = if self.options.host.0.iter().any(is_of_link) {
            "is it on, and on this network? See who is: landfall discover"
        } else {
            "names that do not end in .local are mostly asked of DNS instead, such as by: getent hosts"
        };
        let timeout = self.options.timeout;
        Failure::Failed(format!("no address of {asked} found within {timeout:?} on {looked}; {try_this}"))
    }
}

#[derive(Serialize)]
struct HostJson {
    host: String,
    complete: bool,
    addresses: Vec<AddressJson>,
}

#[derive(Serialize)]
struct AddressJson {
    address: IpAddr,
    interface: String,
}
