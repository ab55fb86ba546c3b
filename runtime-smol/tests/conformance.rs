//! The scenarios that every driver has to pass.

#![cfg(unix)]

use std::thread::{self, JoinHandle};
use std::time::Duration;

use landfall_core::Event;
use landfall_smol::RequestError;
use landfall_smol::{Events, Handle, Node, NodeOptions, Notice};
use landfall_testvectors::conformance::{Ask, Remote, scenarios};
use smol::{Timer, block_on, future};

scenarios!(start);

/// A node on a thread of its own.
struct Elsewhere {
    handle: Handle,
    events: Events,
    thread: Option<JoinHandle<()>>,
}

fn start(options: NodeOptions) -> Box<dyn Remote> {
    let (node, handle) = Node::new(options).expect("it can be built");
    let events = handle.subscribe();
    let thread = Some(thread::spawn(|| block_on(node.run()).expect("it runs")));
    Box::new(Elsewhere { handle, events, thread })
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
                match self.events.next().await.expect("the node runs") {
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
}
