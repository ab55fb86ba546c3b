//! One process on one host, with its share of the nodes in it, each on a thread of its own. It does what the director orders on
//! standard input, and says on standard output what its nodes do; when there are no more orders it leaves.

use std::alloc::System;
use std::collections::BTreeMap;
use std::io::{self, BufRead};
use std::panic;
use std::process::ExitCode;
use std::sync::Arc;

use rustix::param::page_size;
use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
use stats_alloc::{INSTRUMENTED_SYSTEM, Stats, StatsAlloc};
use tracing_subscriber::fmt::MakeWriter;

use crate::clock::WallClock;
use crate::life::{Ask, Home, Life};
use crate::plan::{Number, People, Plan};
use crate::talk::{Health, Order, Teller, What};

#[global_allocator]
static MEMORY: &StatsAlloc<System> = &INSTRUMENTED_SYSTEM;

/// Runs until there are no more orders.
pub(crate) fn run(plan: &str) -> ExitCode {
    let Ok(plan) = serde_json::from_str::<Plan>(plan) else {
        eprintln!("soak: --house is for the soak itself, which passes its plan");
        return ExitCode::from(2);
    };
    let Rlimit { maximum, .. } = getrlimit(Resource::Nofile);
    // Without it a process has room for forty nodes, which is what a machine with a lower limit gets.
    let _ = setrlimit(Resource::Nofile, Rlimit { current: maximum, maximum });
    let teller = Teller::to(io::stdout());
    listen_for_trouble(&teller);
    let mut house = House { people: Arc::new(plan.people()), plan, teller, rooms: BTreeMap::new() };
    for line in io::stdin().lock().lines().map_while(Result::ok) {
        match serde_json::from_str(&line) {
            Ok(order) => house.obey(order),
            Err(error) => eprintln!("soak: an order that makes no sense: {error}: {line}"),
        }
    }
    // The nodes end as in a crash; whoever wanted them to say goodbye has ordered that.
    ExitCode::SUCCESS
}

struct House {
    plan: Plan,
    people: Arc<People>,
    teller: Teller,
    rooms: BTreeMap<Number, Room>,
}

/// What of a node outlasts its lives, and the life that it has.
#[derive(Default)]
struct Room {
    home: Home,
    life: Option<Life>,
}

impl House {
    fn obey(&mut self, order: Order) {
        match order {
            Order::Start { node, keep } => {
                let room = self.rooms.entry(node).or_default();
                if !keep {
                    room.home = room.home.emptied();
                }
                // A life that was stopped has ended, or the director would not order another.
                room.life = Some(Life::begin(&self.plan, node, &room.home, &self.people, &self.teller));
            }
            Order::Stop { node } => self.ask(node, Ask::Stop),
            Order::Kill { node } => self.ask(node, Ask::Kill),
            Order::Send { from, to, number, length } => self.ask(from, Ask::Send { to, number, length }),
            Order::Jump { node, by } => self.clock(node).jump(by),
            Order::Look => {
                for life in self.rooms.values().filter_map(|room| room.life.as_ref()) {
                    life.ask(Ask::Look);
                }
                self.teller.tell(What::Health(health()));
            }
        }
    }

    fn ask(&self, node: Number, ask: Ask) {
        if let Some(life) = self.rooms.get(&node).and_then(|room| room.life.as_ref()) {
            life.ask(ask);
        }
    }

    fn clock(&mut self, node: Number) -> WallClock {
        self.rooms.entry(node).or_default().home.clock.clone()
    }
}

fn health() -> Health {
    let statm = std::fs::read_to_string("/proc/self/statm").unwrap_or_default();
    let pages: u64 = statm.split_whitespace().nth(1).and_then(|pages| pages.parse().ok()).unwrap_or(0);
    let files = std::fs::read_dir("/proc/self/fd").map_or(0, Iterator::count);
    let Stats { bytes_allocated, bytes_deallocated, .. } = MEMORY.stats();
    let allocated = bytes_allocated.saturating_sub(bytes_deallocated) as u64 / 1024;
    Health { allocated, resident: pages * page_size() as u64 / 1024, files }
}

/// Has the director told of every panic, in any thread, and of every line of the log that warns or worse.
fn listen_for_trouble(teller: &Teller) {
    let own = teller.clone();
    panic::set_hook(Box::new(move |panicked| {
        let thread = std::thread::current().name().unwrap_or("without a name").to_owned();
        own.tell(What::Panicked { line: format!("thread {thread}: {panicked}") });
    }));
    let log = tracing_subscriber::fmt().with_ansi(false).without_time().with_max_level(tracing::Level::WARN);
    let _ = log.with_writer(Log(teller.clone())).try_init();
}

struct Log(Teller);

/// One line of the log.
struct Line {
    teller: Teller,
    error: bool,
    line: Vec<u8>,
}

impl<'a> MakeWriter<'a> for Log {
    type Writer = Line;

    fn make_writer(&'a self) -> Line {
        Line { teller: self.0.clone(), error: true, line: Vec::new() }
    }

    fn make_writer_for(&'a self, of: &tracing::Metadata<'_>) -> Line {
        let error = *of.level() == tracing::Level::ERROR;
        Line { teller: self.0.clone(), error, line: Vec::new() }
    }
}

impl io::Write for Line {
    fn write(&mut self, piece: &[u8]) -> io::Result<usize> {
        self.line.extend_from_slice(piece);
        Ok(piece.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl Drop for Line {
    fn drop(&mut self) {
        let line = String::from_utf8_lossy(&self.line).trim().to_owned();
        if !line.is_empty() {
            self.teller.tell(What::Logged { error: self.error, line });
        }
    }
}
