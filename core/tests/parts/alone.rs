//! A program that is built with some parts of landfall-core, says which, and checks that the others are refused by name.
//!
//! No test by itself, since a test of this crate is built with all of its features: `cli/tests/lan/embedding.rs` builds and
//! runs it in a package of its own.

use landfall_core::{
    Action, BrowseScope, Command, CommandError, Config, ConfigError, Engine, Event, Feature, Input, Instant, Interface,
    PeerId, Profile, Publication, TrustChange, UnixTime,
};

const PARTS: [Feature; 4] = [Feature::Mdns, Feature::Beacon, Feature::Session, Feature::Keys];

fn id(byte: u8) -> PeerId {
    PeerId::from_bytes([byte; 32])
}

fn engine(config: Config) -> Result<Engine, ConfigError> {
    Engine::new(config, [42; 32], Instant::ZERO, UnixTime::from_millis(1_800_000_000_000))
}

fn main() {
    let built: Vec<String> =
        PARTS.into_iter().filter(|part| part.is_built()).map(|part| format!("{part:?}").to_lowercase()).collect();
    println!("built: {}", built.join(" "));
    for part in PARTS.into_iter().filter(|part| !part.is_built()) {
        println!("refused: {part}");
    }
    configurations();
    commands();
    leaving();
}

/// Each asks for one part more than an observer does.
fn configurations() {
    let profile = Profile { name: "nas".into(), ..Profile::default() };
    let observer = Config::observer();
    assert!(engine(observer.clone()).is_ok(), "an observer is possible in every build");
    for (part, config) in [
        (Feature::Keys, Config::node(id(1), profile)),
        (Feature::Session, Config { tcp_port: 17892, ..observer.clone() }),
        (Feature::Mdns, Config { host: Some("nas".into()), ..observer.clone() }),
        (Feature::Mdns, Config { mdns_unicast: true, ..observer.clone() }),
        (Feature::Beacon, Config { network: "workshop".into(), ..observer }),
    ] {
        let refused = engine(config.clone()).err();
        let expected = (!part.is_built()).then_some(ConfigError::NotBuilt(part));
        assert_eq!(refused, expected, "{config:?}");
    }
}

fn commands() {
    let own = if Feature::Keys.is_built() { Some(id(1)) } else { None };
    let config = Config { identity: own, ..Config::node(id(1), Profile { name: "nas".into(), ..Profile::default() }) };
    let mut engine = engine(config).expect("no more than what is built");
    let publication = Publication::new("web", "_http._tcp".parse().expect("a type"), 80);
    let all = [
        (Feature::Mdns, Command::Browse(BrowseScope::All)),
        (Feature::Mdns, Command::Resolve("nas.local".parse().expect("a host"))),
        (Feature::Mdns, Command::Publish(publication)),
        (Feature::Beacon, Command::Discover),
        (Feature::Session, Command::Connect(id(2))),
        (Feature::Session, Command::Disconnect(id(2))),
        (Feature::Session, Command::Ping(id(2))),
        (Feature::Session, Command::Send { to: id(2), body: Vec::new().into() }),
        (Feature::Session, Command::CompareSas(id(2))),
        (Feature::Session, Command::SasCompared { peer: id(2), matches: true }),
        (Feature::Keys, Command::SetProfile(Profile { name: "other".into(), ..Profile::default() })),
        (Feature::Keys, Command::Trust(id(2), TrustChange::Pin)),
        (Feature::Keys, Command::SetAlias(id(2), None)),
    ];
    for (part, command) in all {
        while engine.poll_action().is_some() {}
        let before = engine.poll_timeout();
        let answer = engine.command(command.clone(), Instant::ZERO);
        if part.is_built() {
            assert!(!matches!(answer, Err(CommandError::NotBuilt(_))), "{command:?}: {answer:?}");
        } else {
            assert_eq!(answer, Err(CommandError::NotBuilt(part)), "{command:?}");
            assert!(engine.poll_action().is_none() && engine.poll_timeout() == before, "{command:?} has an effect");
        }
    }
}

/// The driver's law holds until the end, and there is one.
fn leaving() {
    let mut now = Instant::ZERO;
    let mut engine = engine(Config::observer()).expect("an observer");
    let eth0 = Interface::ethernet(3, "eth0", &[("10.0.0.7".parse().expect("an address"), 24)]);
    engine.handle(Input::Interfaces(&[eth0]), now);
    engine.command(Command::Stop, now).expect("leaving is always possible");
    let mut stopped = false;
    while !stopped {
        while let Some(action) = engine.poll_action() {
            stopped |= matches!(action, Action::Event(Event::Stopped));
        }
        if !stopped {
            let due = engine.poll_timeout().expect("it has not stopped yet");
            assert!(due > now);
            now = due;
            engine.handle(Input::Timeout, now);
        }
    }
    assert_eq!(engine.poll_timeout(), None);
}
