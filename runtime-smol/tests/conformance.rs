//! The scenarios that every driver has to pass.

#![cfg(unix)]

use std::thread::{self, JoinHandle};
use std::time::Duration;

use landfall_core::Event;
use landfall_smol::{Events, Handle, Node, NodeOptions, Notice, Replay, RequestError};
use landfall_testvectors::conformance::real::{Ask, Driver, Recording, Remote};
use landfall_testvectors::conformance::scenarios;
use landfall_testvectors::trace::Given;
use smol::channel::{Sender, bounded};
use smol::{Timer, block_on, future};

scenarios!(Driver { start, replay });

/// A node on a thread of its own.
struct Elsewhere {
    handle: Handle,
    events: Events,
    /// Dropped to have the node dropped.
    alive: Option<Sender<()>>,
    thread: Option<JoinHandle<()>>,
}

fn start(options: NodeOptions) -> Box<dyn Remote> {
    let (node, handle) = Node::new(options).expect("it can be built");
    let events = handle.subscribe();
    let (alive, killed) = bounded::<()>(1);
    let death = async move {
        let _ = killed.recv().await;
        Ok(())
    };
    let thread = thread::spawn(|| block_on(future::or(node.run(), death)).expect("it runs"));
    Box::new(Elsewhere { handle, events, alive: Some(alive), thread: Some(thread) })
}

fn replay(recorded: &[u8]) -> Vec<u8> {
    let (trace, options, recording) = Recording::again(recorded);
    let mut node = Replay::new(options, trace.born(), trace.wall()).expect("it can be built");
    let played = trace.play(|at, given| match given {
        Given::Input(input) => {
            node.input(at, input);
            None
        }
        Given::Command(command) => node.command(at, command).ok(),
    });
    played.expect("a whole trace");
    recording.end()
}

impl Remote for Elsewhere {
    fn ask(&self, ask: Ask) -> bool {
        match ask {
            Ask::Command(command, reply) => match block_on(self.handle.command(command)) {
                Ok(id) => reply(Ok(id)),
                Err(RequestError::Refused(error)) => reply(Err(error)),
                Err(RequestError::Gone) => return false,
            },
            Ask::Inspect(look) => return block_on(self.handle.inspect(look)).is_ok(),
            Ask::Counters(reply) => match block_on(self.handle.counters()) {
                Ok(counters) => reply(counters),
                Err(_) => return false,
            },
        }
        true
    }

    fn next_event(&mut self, limit: Duration) -> Option<Event> {
        let next = async {
            loop {
                match self.events.next().await? {
                    Notice::Event(event) => return Some(event),
                    Notice::Missed(_) => {}
                }
            }
        };
        block_on(future::or(next, async {
            Timer::after(limit).await;
            None
        }))
    }

    fn stop(&mut self) {
        block_on(self.handle.stop());
        if let Some(thread) = self.thread.take() {
            thread.join().expect("it ended well");
        }
    }

    fn kill(&mut self) {
        self.alive = None;
        if let Some(thread) = self.thread.take() {
            thread.join().expect("it ended at once");
        }
    }
}
