//! The scenarios that every driver has to pass: the first node of each in a loop that was there before it, the others with
//! polls of their own.

#![cfg(unix)]

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use landfall_core::{Command, Event};
use landfall_mio::{Node, NodeOptions, Notice, Replay};
use landfall_testvectors::conformance::real::{Ask, Driver, Recording, Remote};
use landfall_testvectors::conformance::scenarios;
use landfall_testvectors::trace::Given;
use mio::{Events, Poll, Token, Waker};

scenarios!(Driver { start, replay });

/// A loop on a thread of its own, with a node in it.
struct Elsewhere {
    asks: Sender<Ask>,
    /// None for a node that looks by itself now and then.
    waker: Option<Arc<Waker>>,
    killed: Arc<AtomicBool>,
    events: Receiver<Event>,
    thread: Option<JoinHandle<()>>,
}

const OURS: Token = Token(7);
const FIRST_OF_THE_NODE: Token = Token(8);

fn start(options: NodeOptions) -> Box<dyn Remote> {
    static IS_SECOND: AtomicBool = AtomicBool::new(false);
    if IS_SECOND.swap(true, Ordering::Relaxed) { alone(options) } else { guest(options) }
}

fn guest(options: NodeOptions) -> Box<dyn Remote> {
    let poll = Poll::new().expect("a poll");
    let waker = Arc::new(Waker::new(poll.registry(), OURS).expect("a waker"));
    let node = Node::with_registry(options, poll.registry(), FIRST_OF_THE_NODE, Arc::clone(&waker));
    let node = node.expect("it can be built");
    let ((asks, asked), (tell, events)) = (channel(), channel());
    let killed = Arc::new(AtomicBool::new(false));
    let dies = Arc::clone(&killed);
    let thread = Some(thread::spawn(move || run(poll, node, &dies, &asked, &tell)));
    Box::new(Elsewhere { asks, waker: Some(waker), killed, events, thread })
}

fn alone(options: NodeOptions) -> Box<dyn Remote> {
    let mut node = Node::new(options).expect("it can be built");
    let ((asks, asked), (tell, events)) = (channel(), channel());
    let killed = Arc::new(AtomicBool::new(false));
    let dies = Arc::clone(&killed);
    let thread = thread::spawn(move || {
        while !node.is_over() && !dies.load(Ordering::Relaxed) {
            node.turn(Some(Duration::from_millis(5))).expect("it turns");
            answer(&mut node, &asked);
            hand_on(&mut node, &tell);
        }
    });
    Box::new(Elsewhere { asks, waker: None, killed, events, thread: Some(thread) })
}

fn run(mut poll: Poll, mut node: Node, dies: &AtomicBool, asked: &Receiver<Ask>, tell: &Sender<Event>) {
    let mut events = Events::with_capacity(64);
    while !node.is_over() && !dies.load(Ordering::Relaxed) {
        poll.poll(&mut events, node.timeout()).expect("it polls");
        for event in &events {
            assert_eq!(node.handle(event), event.token() != OURS);
        }
        node.work().expect("it works");
        answer(&mut node, asked);
        hand_on(&mut node, tell);
    }
}

fn answer(node: &mut Node, asked: &Receiver<Ask>) {
    for ask in asked.try_iter() {
        match ask {
            Ask::Command(command, reply) => reply(node.command(command)),
            Ask::Inspect(look) => look(node.engine()),
            Ask::Counters(reply) => reply(node.counters()),
        }
    }
}

fn hand_on(node: &mut Node, tell: &Sender<Event>) {
    while let Some(notice) = node.next_event() {
        if let Notice::Event(event) = notice {
            let _ = tell.send(event);
        }
    }
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

impl Elsewhere {
    fn wake(&self) {
        if let Some(waker) = &self.waker {
            let _ = waker.wake();
        }
    }
}

impl Remote for Elsewhere {
    fn ask(&self, ask: Ask) -> bool {
        let there = self.asks.send(ask).is_ok();
        self.wake();
        there
    }

    fn next_event(&mut self, limit: Duration) -> Option<Event> {
        self.events.recv_timeout(limit).ok()
    }

    fn stop(&mut self) {
        self.ask(Ask::Command(Command::Stop, Box::new(drop)));
        if let Some(thread) = self.thread.take() {
            thread.join().expect("it ended well");
        }
    }

    fn kill(&mut self) {
        self.killed.store(true, Ordering::Relaxed);
        self.wake();
        if let Some(thread) = self.thread.take() {
            thread.join().expect("it ended at once");
        }
    }
}
