//! A blocking loop on `std::net` alone: finds the nodes of the local network.
//!
//! ```text
//! $ cargo run -p landfall-core --example blocking -- 192.168.1.7/24
//! "nas" is at 192.168.1.20:17892, 412 µs away
//! ```
//!
//! The argument is this machine's address on that network, with its prefix length; `std::net` cannot list interfaces. Nor can
//! it share UDP port 17892 with a node that runs here, so nothing is heard of what others announce to everybody. That does not
//! matter to one who asks: a question to everybody is answered by unicast, to the port it came from.
//!
//! The program is an *observer*: it has no key, announces nothing, and needs no store. After five seconds it ends.

// Clocks are what core must not read and a driver must; a buffer is sliced at the length that the system gives.
#![allow(clippy::disallowed_types, clippy::indexing_slicing)]

use std::error::Error;
use std::fs::File;
use std::io::Read;
use std::net::{IpAddr, UdpSocket};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use landfall_core::{Action, Channel, Command, Config, Datagram, Engine, Event, Input, Instant, Interface, UnixTime};

fn main() -> Result<(), Box<dyn Error>> {
    let argument = std::env::args().nth(1).ok_or("name this machine's address on the network: 192.168.1.7/24")?;
    let (ip, prefix) = argument.split_once('/').ok_or("the address needs its prefix length: 192.168.1.7/24")?;
    let (ip, prefix): (IpAddr, u8) = (ip.parse()?, prefix.parse()?);

    // Bound to the interface's own address, so what is sent leaves there, and what arrives came in there.
    let socket = UdpSocket::bind((ip, 0))?;
    socket.set_broadcast(true)?;

    // The clock that the engine is told: microseconds since whatever moment the driver likes.
    let start = std::time::Instant::now();
    let now = || Instant::from_micros(start.elapsed().as_micros() as u64);
    let wall = UnixTime::from_millis(SystemTime::now().duration_since(UNIX_EPOCH)?.as_millis() as u64);

    // All of the engine's randomness comes from this; elsewhere than on Unix, ask the crate getrandom for it.
    let mut seed = [0; 32];
    File::open("/dev/urandom")?.read_exact(&mut seed)?;

    let config = Config { ipv6: false, ..Config::observer() };
    let mut engine = Engine::new(config, seed, now(), wall)?;
    // The index only has to be the one that the datagrams below are said to arrive on.
    engine.handle(Input::Interfaces(&[Interface::ethernet(1, "lan", &[(ip, prefix)])]), now());
    engine.command(Command::Discover, now())?;

    let mut buffer = [0; 2048];
    while start.elapsed() < Duration::from_secs(5) {
        // Everything that the last input led to, in this order, and what that leads to.
        while let Some(action) = engine.poll_action() {
            match action {
                // A datagram that cannot be sent is a lost packet, nothing more.
                Action::Transmit(transmit) if transmit.channel == Channel::Beacon => {
                    socket.send_to(&transmit.payload, transmit.destination).ok();
                }
                // Signatures of others are verified here and now, in about 50 µs each. `()` is the keyring of who has no key.
                Action::Job(job) => engine.handle(Input::Job(job.run(&())), now()),
                Action::Event(Event::PeerOnline { id, address, rtt }) => {
                    let name = engine.peer(&id).map_or("", |peer| &peer.profile.name);
                    println!("{name:?} is at {address}, {} µs away", rtt.as_micros());
                }
                // An observer stores nothing and has no streams, and nobody asked for mDNS.
                Action::Event(_) | Action::Persist(..) | Action::Stream(..) | Action::Transmit(_) => {}
            }
        }
        // Now the next deadline is in the future: wait for a datagram, but no longer than until then.
        let wait = engine.poll_timeout().map_or(Duration::from_secs(1), |deadline| deadline.since(now()));
        socket.set_read_timeout(Some(wait.clamp(Duration::from_millis(1), Duration::from_secs(1))))?;
        match socket.recv_from(&mut buffer) {
            Ok((length, source)) => {
                let payload = &buffer[..length];
                let datagram = Datagram { channel: Channel::Beacon, interface: 1, source, destination: None, payload };
                engine.handle(Input::Datagram(datagram), now());
            }
            // Nothing came in time, or a port that is closed said so: whatever is due is done.
            Err(_) => engine.handle(Input::Timeout, now()),
        }
    }
    Ok(())
}
