//! Browses mDNS and nothing else: prints the DNS-SD services of the local network as they come and go.
//!
//! It needs the feature `mdns` alone, so neither curves nor ciphers are built. In a crate of your own that is
//! `landfall-core = { version = "0.1", default-features = false, features = ["mdns"] }`.
//!
//! ```text
//! $ cargo run -p landfall-core --example browse -- 192.168.1.7/24
//! found "Kitchen printer" _ipp._tcp at "printer.local" port 631 192.168.1.30
//! ```
//!
//! The argument is this machine's address on that network, with its prefix length. A second one names a type to browse for;
//! without it every service of every type is listed. After five seconds it ends.

// Clocks are what core must not read and a driver must; a buffer is sliced at the length that the system gives.
#![allow(clippy::disallowed_types, clippy::indexing_slicing)]

use std::error::Error;
use std::fs::File;
use std::io::Read;
use std::net::{IpAddr, Ipv4Addr, UdpSocket};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use landfall_core::{
    Action, BrowseScope, Channel, Command, Config, Datagram, Engine, Event, Input, Instant, Interface, UnixTime,
};

const GROUP: Ipv4Addr = Ipv4Addr::new(224, 0, 0, 251);

fn main() -> Result<(), Box<dyn Error>> {
    let mut arguments = std::env::args().skip(1);
    let argument = arguments.next().ok_or("name this machine's address on the network: 192.168.1.7/24")?;
    let (ip, prefix) = argument.split_once('/').ok_or("the address needs its prefix length: 192.168.1.7/24")?;
    let (ip, prefix): (Ipv4Addr, u8) = (ip.parse()?, prefix.parse()?);
    let scope = arguments.next().map_or(Ok(BrowseScope::All), |kind| kind.parse().map(BrowseScope::Type))?;

    // Port 5353 is every responder's, and `std::net` cannot share it. Where it is taken, questions from a port of our own are
    // answered there, by unicast (RFC 6762 §6.7); what others announce to everybody is not heard then.
    let socket = UdpSocket::bind((Ipv4Addr::UNSPECIFIED, 5353)).or_else(|_| UdpSocket::bind((ip, 0)))?;
    socket.join_multicast_v4(&GROUP, &ip)?;
    socket.set_multicast_ttl_v4(255)?;

    let start = std::time::Instant::now();
    let now = || Instant::from_micros(start.elapsed().as_micros() as u64);
    let wall = UnixTime::from_millis(SystemTime::now().duration_since(UNIX_EPOCH)?.as_millis() as u64);
    let mut seed = [0; 32];
    File::open("/dev/urandom")?.read_exact(&mut seed)?;

    let config = Config { ipv6: false, ..Config::observer() };
    let mut engine = Engine::new(config, seed, now(), wall)?;
    engine.handle(Input::Interfaces(&[Interface::ethernet(1, "lan", &[(IpAddr::V4(ip), prefix)])]), now());
    engine.command(Command::Browse(scope), now())?;

    // What needs a part that is not built is refused in words, and nothing happens.
    if let Err(refused) = engine.command(Command::Discover, now()) {
        println!("no nodes: {refused}");
    }

    let mut buffer = [0; 9000]; // the longest mDNS message (RFC 6762 §17)
    while start.elapsed() < Duration::from_secs(5) {
        while let Some(action) = engine.poll_action() {
            match action {
                Action::Transmit(transmit) if transmit.channel == Channel::Mdns => {
                    socket.send_to(&transmit.payload, transmit.destination).ok();
                }
                // As text, what the network says of itself is quoted and escaped: it may be anything.
                Action::Event(Event::ServiceFound(service)) => println!("found {service}"),
                Action::Event(Event::ServiceChanged(service)) => println!("changed {service}"),
                Action::Event(Event::ServiceLost(name)) => println!("lost {name}"),
                // An observer stores nothing, and browsing takes no cryptography.
                Action::Event(_) | Action::Transmit(_) | Action::Persist(..) | Action::Stream(..) | Action::Job(_) => {}
            }
        }
        let wait = engine.poll_timeout().map_or(Duration::from_secs(1), |deadline| deadline.since(now()));
        socket.set_read_timeout(Some(wait.clamp(Duration::from_millis(1), Duration::from_secs(1))))?;
        match socket.recv_from(&mut buffer) {
            Ok((length, source)) => {
                let payload = &buffer[..length];
                // Whether it was multicast is what `std::net` does not tell; then only neighbours are believed.
                let datagram = Datagram { channel: Channel::Mdns, interface: 1, source, destination: None, payload };
                engine.handle(Input::Datagram(datagram), now());
            }
            Err(_) => engine.handle(Input::Timeout, now()),
        }
    }
    Ok(())
}
