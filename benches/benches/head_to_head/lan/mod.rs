//! How soon a program on another host prints a service that was published: ours, avahi, python-zeroconf and mdns-sd, each as
//! publisher and as browser, on a LAN of network namespaces.
//!
//! Every program has a host of its own and runs before anything is published. The clock starts when the publisher is told the
//! name, by a line on its standard input (avahi: by starting avahi-publish, its daemon being up), and stops when a browser
//! has printed the resolved service; all browsers wait for one and the same packet. The publishers take turns.
//!
//! Most of each figure is RFC 6762 §8.1: three probes 250 ms apart after a random delay of up to 250 ms, before which nobody may
//! tell of a name. So publishers differ in what they do beyond that, and by luck (avahi draws its delay once in ten seconds);
//! browsers, with one publisher, in a few milliseconds.

mod avahi;
mod program;
mod roles;

use std::path::Path;
use std::thread;
use std::time::{Duration, Instant};

use landfall_figures::rows::{Figure, Unit};
use landfall_testvectors::lab::{Host, Lab, Skip};

use crate::Run;
use avahi::Avahi;
use program::Program;
use roles::Role;
pub(crate) use roles::{is_role, play};

const KIND: &str = "_http._tcp";
const PYTHON: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../target/interop/venv/bin/python");
const PROGRAM: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/benches/head_to_head/lan/zeroconf_peer.py");
const INSTALL: &str = "run cli/tests/interop/install";
const TRIES: usize = 10;
/// Longer than anything here takes.
const PATIENCE: Duration = Duration::from_secs(15);
/// Programs start and ask their first questions.
const SETTLE: Duration = Duration::from_secs(3);

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Stack {
    Landfall,
    Avahi,
    Zeroconf,
    MdnsSd,
}

const STACKS: [Stack; 4] = [Stack::Landfall, Stack::Avahi, Stack::Zeroconf, Stack::MdnsSd];

pub(crate) fn measure(run: &mut Run) {
    if let Err(why) = measured(run) {
        run.leave_out(why.to_string());
    }
}

fn measured(run: &mut Run) -> Result<(), Skip> {
    let lab = Lab::new(8)?;
    let (mut publishers, mut browsers) = (Vec::new(), Vec::new());
    for (number, stack) in (1..).step_by(2).zip(STACKS) {
        let pair = stack.publisher(lab.host(number)).and_then(|it| Ok((it, stack.browser(lab.host(number + 1))?)));
        match pair {
            Ok((publisher, browser)) => {
                publishers.push((stack, publisher));
                browsers.push((stack, browser));
            }
            Err(skip) => run.leave_out(format!("{}: {skip}", stack.name())),
        }
    }
    thread::sleep(SETTLE);
    // By publisher and browser.
    let mut times = vec![vec![Vec::new(); browsers.len()]; publishers.len()];
    for attempt in 1..=run.rounds(TRIES) {
        for ((stack, publisher), times) in publishers.iter_mut().zip(&mut times) {
            let name = format!("{}-{attempt}", stack.name());
            let began = publisher.publish(&name);
            for ((browsing, browser), times) in browsers.iter_mut().zip(times) {
                match browser.prints(&name, began + PATIENCE) {
                    Some(at) => times.push((at - began).as_secs_f64() * 1e3),
                    None => println!("  {} does not print what {} publishes", browsing.name(), stack.name()),
                }
            }
        }
    }
    let figure =
        |stack: Stack, times: &Vec<f64>| (!times.is_empty()).then(|| Figure::new(stack.name(), times.iter().copied()));
    let own = publishers.iter().enumerate().filter_map(|(at, (stack, _))| figure(*stack, &times[at][at]));
    run.add("published to printed, one program on two hosts", Unit::Millis, own.collect());
    for ((stack, _), times) in publishers.iter().zip(&times) {
        let figures = browsers.iter().zip(times).filter_map(|((browsing, _), times)| figure(*browsing, times));
        run.add(&format!("published by {} to printed by", stack.name()), Unit::Millis, figures.collect());
    }
    Ok(())
}

/// A program that publishes what it is told.
enum Publisher<'a> {
    Told(Program),
    Avahi(Avahi<'a>),
}

/// A program that prints what it finds, and the daemon that it asks, if it does.
struct Browser<'a> {
    program: Program,
    has_found: fn(&str, &str) -> bool,
    _daemon: Option<Avahi<'a>>,
}

impl Stack {
    fn name(self) -> &'static str {
        match self {
            Self::Landfall => "landfall",
            Self::Avahi => "avahi",
            Self::Zeroconf => "python-zeroconf",
            Self::MdnsSd => "mdns-sd",
        }
    }

    fn publisher(self, host: &Host) -> Result<Publisher<'_>, Skip> {
        if self == Self::Avahi {
            Avahi::start(host).map(Publisher::Avahi)
        } else {
            self.role(host, "publish").map(Publisher::Told)
        }
    }

    fn browser(self, host: &Host) -> Result<Browser<'_>, Skip> {
        if self == Self::Avahi {
            let daemon = Avahi::start(host)?;
            let program = daemon.browse();
            return Ok(Browser { program, has_found: avahi::has_found, _daemon: Some(daemon) });
        }
        let has_found = |line: &str, name: &str| line.strip_prefix("found ") == Some(name);
        Ok(Browser { program: self.role(host, "browse")?, has_found, _daemon: None })
    }

    /// A program that publishes what its standard input says, or prints what it finds.
    fn role(self, host: &Host, role: &str) -> Result<Program, Skip> {
        let command = match self {
            Self::Landfall => roles::command(host, Role::Landfall, role),
            Self::MdnsSd => roles::command(host, Role::MdnsSd, role),
            Self::Zeroconf => {
                if !Path::new(PYTHON).exists() {
                    return Err(Skip::new("it is not installed", INSTALL));
                }
                let mut command = host.command(PYTHON);
                command.args([PROGRAM, role, &host.ipv4().to_string(), &format!("host{}", host.number()), KIND]);
                command
            }
            Self::Avahi => unreachable!("it is told by commands of its own"),
        };
        let mut program = Program::start(command);
        let is_ready = program.says(|line| line == "ready", Instant::now() + PATIENCE).is_some();
        if is_ready { Ok(program) } else { Err(Skip::new("it did not start", "run it by hand to see why")) }
    }
}

impl Publisher<'_> {
    /// Tells it to, and when it was told.
    fn publish(&mut self, name: &str) -> Instant {
        let now = Instant::now();
        match self {
            Self::Told(program) => program.tell(name),
            Self::Avahi(daemon) => daemon.publish(name),
        }
        now
    }
}

impl Browser<'_> {
    /// When it printed the service, if it does before `limit`.
    fn prints(&mut self, name: &str, limit: Instant) -> Option<Instant> {
        self.program.says(|line| (self.has_found)(line, name), limit)
    }
}
