//! `landfall advertise`: publishes one service from this terminal, by an observer that has no key.

use std::rc::Rc;

use landfall_core::{Command, Config, Engine, Event, Publication, Warning};
use landfall_smol::{Events, Handle, Node, NodeOptions, Notice};
use serde::Serialize;
use smol::LocalExecutor;

use crate::args;
use crate::error::{Failure, plain};
use crate::node::{broke_down, cannot_start};
use crate::publishing::{caution, refuse};
use crate::stop::Signals;
use crate::terminal::{BOLD, DIM, Printer, Sign, happened};
use crate::text::{safe, safe_json};
use crate::view::InterfaceNames;
use crate::{happenings, interfaces, name};

/// Runs the command.
pub(crate) fn run(options: &args::Advertise) -> Result<(), Failure> {
    let publication = Publication {
        subtypes: options.subtype.clone(),
        txt: options.txt.clone(),
        ..Publication::new(&options.name, options.kind.clone(), options.port)
    };
    if let Some(why) = refuse(&publication) {
        let flag = if why.contains("subtypes") { "--subtype" } else { "--txt" };
        return Err(Failure::Usage(format!("{flag}: {why}")));
    }
    let config = Config {
        host: Some(options.host.clone().unwrap_or_else(name::host_label)),
        interfaces: interfaces::select(&options.interface)?,
        ..Config::observer()
    };
    caution(&publication);
    let executor = Rc::new(LocalExecutor::new());
    smol::block_on(executor.run(live(&executor, options, config, publication)))
}

async fn live(
    executor: &LocalExecutor<'static>,
    options: &args::Advertise,
    config: Config,
    publication: Publication,
) -> Result<(), Failure> {
    let mut signals = Signals::listen()?;
    let printer = Rc::new(
        Printer::start().map_err(|error| Failure::Failed(format!("cannot start a thread: {}", plain(&error))))?,
    );
    if !options.json {
        printer.line(introduction(&publication, config.host.as_deref().unwrap_or_default()));
    }
    let (driver, handle) = Node::new(NodeOptions::observer(config).beacon(false).mdns(true)).map_err(cannot_start)?;
    let teller =
        Teller { handle: handle.clone(), printer: Rc::clone(&printer), port: options.port, json: options.json };
    let telling = executor.spawn(teller.tell(handle.subscribe()));
    // Dropping the task would end the node without its goodbyes.
    let mut running = executor.spawn(driver.run());

    let ended = async { (&mut running).await.map_err(broke_down) };
    let nobody_reads = async { Err(printer.failed().await) };
    let publishing = async {
        match handle.command(Command::Publish(publication)).await {
            Ok(_) => smol::future::pending().await,
            Err(error) => Err(Failure::Failed(format!("cannot publish: {error}"))),
        }
    };
    let asked_to_stop = async {
        signals.next().await;
        Ok(())
    };
    let outcome =
        smol::future::or(smol::future::or(asked_to_stop, nobody_reads), smol::future::or(ended, publishing)).await;

    let said = signals.farewell(&handle, telling).await;
    if outcome.is_ok() && !options.json {
        let words = if said { "said goodbye and stopped" } else { "stopped; its goodbyes were not sent in time" };
        printer.line(happened(Sign::Minus, &options.name, options.kind.as_str(), words));
    }
    if let Some(printer) = Rc::into_inner(printer) {
        printer.finish().await;
    }
    outcome
}

fn introduction(publication: &Publication, host: &str) -> String {
    format!(
        "advertising {BOLD}{}{BOLD:#} as {} at {}.local:{}  {DIM}Ctrl-C ends it{DIM:#}",
        safe(&publication.instance),
        safe(publication.kind.as_str()),
        safe(host),
        publication.port,
    )
}

/// Tells what becomes of the publication.
struct Teller {
    handle: Handle,
    printer: Rc<Printer>,
    port: u16,
    json: bool,
}

impl Teller {
    /// Until the node is gone.
    async fn tell(self, mut events: Events) {
        while let Some(notice) = events.next().await {
            let Notice::Event(event) = notice else { continue };
            let (json, port) = (self.json, self.port);
            let line = move |engine: &Engine| {
                if json { object(&event, engine, port) } else { sentence(&event, engine) }
            };
            if let Ok(Some(line)) = self.handle.inspect(line).await {
                self.printer.line(line);
            }
        }
    }
}

/// The line for people, if the event is one of ours.
fn sentence(event: &Event, engine: &Engine) -> Option<String> {
    match event {
        Event::Withdrawn { name, .. } => {
            Some(happened(Sign::Minus, name, "interface", "is not used any more; it is published there no longer"))
        }
        Event::Published { .. }
        | Event::Renamed { .. }
        | Event::HostRenamed { .. }
        | Event::Warning(Warning::NoInterface) => happenings::describe(event, engine),
        Event::Warning(_)
        | Event::Announcing { .. }
        | Event::Heard { .. }
        | Event::PeerOnline { .. }
        | Event::PeerChanged { .. }
        | Event::PeerOffline { .. }
        | Event::ServiceFound(_)
        | Event::ServiceChanged(_)
        | Event::ServiceLost(_)
        | Event::ServiceTypeFound(_)
        | Event::HostFound(_)
        | Event::HostChanged(_)
        | Event::HostLost { .. }
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

#[derive(Serialize)]
#[serde(tag = "event", rename_all = "snake_case")]
enum Told<'a> {
    Published {
        instance: &'a str,
        #[serde(rename = "type")]
        kind: &'a str,
        domain: &'static str,
        host: String,
        port: u16,
        interface: String,
    },
    Renamed {
        #[serde(rename = "type")]
        kind: &'a str,
        from: &'a str,
        to: &'a str,
    },
    HostRenamed {
        from: String,
        to: String,
    },
    Withdrawn {
        interface: &'a str,
    },
    Warning {
        text: &'static str,
    },
}

/// The JSON object, if the event is one of ours.
fn object(event: &Event, engine: &Engine, port: u16) -> Option<String> {
    let told = match event {
        Event::Published { name, host, .. } => Told::Published {
            instance: &name.instance,
            kind: name.kind.as_str(),
            domain: "local",
            host: host.to_string(),
            port,
            interface: InterfaceNames::of(engine.interfaces()).name(name.interface),
        },
        Event::Renamed { kind, from, to, .. } => Told::Renamed { kind: kind.as_str(), from, to },
        Event::HostRenamed { from, to } => Told::HostRenamed { from: from.to_string(), to: to.to_string() },
        Event::Withdrawn { name, .. } => Told::Withdrawn { interface: name },
        Event::Warning(Warning::NoInterface) => {
            Told::Warning { text: "no interface is up and has an address; waiting for one" }
        }
        Event::Warning(_)
        | Event::Announcing { .. }
        | Event::Heard { .. }
        | Event::PeerOnline { .. }
        | Event::PeerChanged { .. }
        | Event::PeerOffline { .. }
        | Event::ServiceFound(_)
        | Event::ServiceChanged(_)
        | Event::ServiceLost(_)
        | Event::ServiceTypeFound(_)
        | Event::HostFound(_)
        | Event::HostChanged(_)
        | Event::HostLost { .. }
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
        | Event::Stopped => return None,
    };
    serde_json::to_string(&told).ok().map(|json| safe_json(&json).into_owned())
}
