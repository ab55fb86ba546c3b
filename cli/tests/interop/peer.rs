//! Other people's programs: where they are, how each is told what to publish or to browse for, and how each tells.

use std::path::{Path, PathBuf};
use std::process::Command;

use landfall_testvectors::lab::{Host, Skip};
use serde_json::{Value, json};

use super::avahi::Avahi;
use super::talk::{Finding, Happening, Talk, Txt};
use super::{avahi, mdns_sd_peer};

/// What installs the peers that are not Debian packages.
pub(crate) const INSTALL: &str = "run cli/tests/interop/install";

const INSTALLED: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../target/interop");
const PROGRAMS: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/interop/peers");

/// An implementation of multicast DNS that is not ours.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Stack {
    /// The responder of most Linux machines.
    Avahi,
    /// python-zeroconf, of Home Assistant.
    Zeroconf,
    /// `@homebridge/ciao`, a publisher without a browser.
    Ciao,
    /// bonjour-service, of many Node.js programs.
    Bonjour,
    /// The crate mdns-sd.
    MdnsSd,
}

/// What to publish.
#[derive(Clone, Debug)]
pub(crate) struct Offer {
    pub(crate) name: String,
    pub(crate) kind: &'static str,
    pub(crate) port: u16,
    pub(crate) txt: Vec<(&'static str, Option<&'static str>)>,
    pub(crate) subtypes: Vec<&'static str>,
    /// Whether to make sure first that nobody has the name; bonjour-service can be told not to.
    pub(crate) probe: bool,
}

/// Which families a program is told to use; a host may have fewer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Families {
    Both,
    V4,
    V6,
}

/// A running peer, with what it needs to run.
pub(crate) struct Peer {
    pub(crate) talk: Talk,
    daemon: Option<Avahi>,
}

impl Offer {
    /// A service with nothing special about it.
    pub(crate) fn plain(name: &str, kind: &'static str, port: u16) -> Self {
        Self { name: name.to_owned(), kind, port, txt: vec![("is", Some("plain"))], subtypes: Vec::new(), probe: true }
    }

    /// What a reader has to make of its TXT.
    pub(crate) fn read_txt(&self) -> Txt {
        read_txt(&self.txt)
    }
}

/// What a reader has to make of these pairs.
pub(crate) fn read_txt(pairs: &[(&str, Option<&str>)]) -> Txt {
    pairs.iter().map(|(key, value)| ((*key).to_owned(), value.map(str::to_owned))).collect()
}

impl Families {
    fn numbers(self) -> Value {
        match self {
            Self::Both => json!([4, 6]),
            Self::V4 => json!([4]),
            Self::V6 => json!([6]),
        }
    }

    /// The addresses of a host in these families.
    pub(crate) fn addresses(self, host: &Host) -> Vec<String> {
        let (v4, v6) = (host.ipv4().to_string(), host.ipv6().to_string());
        match self {
            Self::Both => vec![v4, v6],
            Self::V4 => vec![v4],
            Self::V6 => vec![v6],
        }
    }
}

impl Stack {
    /// Whether it can publish a TXT key without a value; the Node.js programs write `key=`.
    pub(crate) fn publishes_valueless_keys(self) -> bool {
        match self {
            Self::Avahi | Self::Zeroconf | Self::MdnsSd => true,
            Self::Ciao | Self::Bonjour => false,
        }
    }

    /// Whether a dot in an instance name stays within its label (RFC 6763 §4.3). python-zeroconf and ciao make two labels
    /// of it, which is no instance name, and bonjour-service replaces it.
    pub(crate) fn publishes_dots_in_names(self) -> bool {
        match self {
            Self::Avahi | Self::MdnsSd => true,
            Self::Zeroconf | Self::Ciao | Self::Bonjour => false,
        }
    }

    /// The host of its services as its SRV record has it: bonjour-service leaves `.local` away.
    pub(crate) fn host_name(self, host: &Host) -> String {
        let label = format!("host{}", host.number());
        match self {
            Self::Avahi | Self::Zeroconf | Self::Ciao | Self::MdnsSd => format!("{label}.local"),
            Self::Bonjour => label,
        }
    }

    /// Publishes on a host.
    pub(crate) fn publish(self, host: &Host, offer: &Offer, families: Families) -> Result<Peer, Skip> {
        let order = json!({ "families": families.numbers(), "publish": {
            "name": offer.name, "type": offer.kind, "port": offer.port, "txt": offer.txt, "subtypes": offer.subtypes,
            "probe": offer.probe,
            "host": format!("host{}", host.number()), "addresses": families.addresses(host),
        }});
        let (daemon, command) = match self {
            Self::Avahi => {
                let daemon = Avahi::start(host)?;
                (Some(daemon), python(host, "avahi_peer.py")?)
            }
            Self::Zeroconf => (None, python(host, "zeroconf_peer.py")?),
            Self::Ciao => (None, node(host, "ciao")?),
            Self::Bonjour => (None, node(host, "bonjour")?),
            Self::MdnsSd => (None, mdns_sd_peer::command(host)),
        };
        Ok(Peer { talk: self.talk(host, "publisher", command, &order), daemon })
    }

    /// Browses on a host, for a subtype or for all of the type.
    pub(crate) fn browse(
        self,
        host: &Host,
        kind: &str,
        subtype: Option<&str>,
        families: Families,
    ) -> Result<Peer, Skip> {
        let order = json!({ "families": families.numbers(), "browse": { "type": kind, "subtype": subtype } });
        let command = match self {
            Self::Avahi => {
                let daemon = Avahi::start(host)?;
                let talk = daemon.browse(host, kind, subtype);
                return Ok(Peer { talk, daemon: Some(daemon) });
            }
            Self::Zeroconf => python(host, "zeroconf_peer.py")?,
            Self::Ciao => panic!("ciao has no browser"),
            Self::Bonjour => {
                assert!(subtype.is_none(), "bonjour-service cannot browse for a subtype");
                node(host, "bonjour")?
            }
            Self::MdnsSd => mdns_sd_peer::command(host),
        };
        Ok(Peer { talk: self.talk(host, "browser", command, &order), daemon: None })
    }

    fn talk(self, host: &Host, role: &str, mut command: Command, order: &Value) -> Talk {
        match self {
            Self::MdnsSd => drop(command.env(mdns_sd_peer::ORDER, order.to_string())),
            Self::Avahi | Self::Zeroconf | Self::Ciao | Self::Bonjour => drop(command.arg(order.to_string())),
        }
        Talk::start(format!("{self:?}, a {role} on host {}", host.number()), command, read_json)
    }
}

impl Peer {
    /// Has it publish other TXT.
    pub(crate) fn change_txt(&mut self, txt: &[(&str, Option<&str>)]) -> std::time::Instant {
        self.talk.tell(&json!({ "txt": txt }).to_string())
    }

    /// Another avahi-browse beside the first, at the same daemon.
    pub(crate) fn ask_again(&self, host: &Host, kind: &str) -> Talk {
        self.daemon.as_ref().expect("an avahi-daemon").browse(host, kind, None)
    }

    /// Has it say goodbye.
    pub(crate) fn withdraw(&mut self) -> std::time::Instant {
        self.talk.tell(r#"{"withdraw":true}"#)
    }
}

fn python(host: &Host, program: &str) -> Result<Command, Skip> {
    let python = installed("venv/bin/python", "python-zeroconf, with its virtual environment,")?;
    let mut command = host.command(python);
    command.arg(Path::new(PROGRAMS).join(program));
    Ok(command)
}

fn node(host: &Host, library: &str) -> Result<Command, Skip> {
    let modules = installed("node/node_modules", "@homebridge/ciao and bonjour-service")?;
    if !avahi::has(host, "node") {
        return Err(Skip::new("`node` is not installed", INSTALL));
    }
    let mut command = host.command("node");
    command.env("NODE_PATH", modules).arg(Path::new(PROGRAMS).join("node_peer.js")).arg(library);
    Ok(command)
}

fn installed(path: &str, what: &str) -> Result<PathBuf, Skip> {
    let path = Path::new(INSTALLED).join(path);
    if path.exists() { Ok(path) } else { Err(Skip::new(format!("{what} is not installed"), INSTALL)) }
}

/// A line of the programs in `peers/`, and of [`mdns_sd_peer`].
fn read_json(line: &str) -> Option<Happening> {
    let value: Value = serde_json::from_str(line).ok()?;
    let instance = || value["instance"].as_str().map(str::to_owned);
    let scope = String::from("all");
    match value["event"].as_str()? {
        "published" => Some(Happening::Published(instance()?)),
        "renamed" => Some(Happening::Renamed(instance()?)),
        "refused" => Some(Happening::Refused),
        "found" | "changed" => {
            let texts = |array: &Value| {
                array.as_array().into_iter().flatten().filter_map(Value::as_str).map(without_scope).collect()
            };
            let finding = Finding {
                instance: instance()?,
                host: value["host"].as_str()?.trim_end_matches('.').to_owned(),
                port: value["port"].as_u64()?.try_into().ok()?,
                addresses: texts(&value["addresses"]),
                txt: txt_of(&value["txt"]),
            };
            Some(Happening::Found { scope, finding })
        }
        "lost" => Some(Happening::Lost { scope, instance: instance()? }),
        _ => None,
    }
}

/// An object of keys with a string or null each, as it is printed by the peers and by us.
pub(crate) fn txt_of(value: &Value) -> Txt {
    let pairs = value.as_object().into_iter().flatten();
    pairs.map(|(key, value)| (key.clone(), value.as_str().map(str::to_owned))).collect()
}

/// An address as `fe80::2%eth0` or without what follows the `%`.
pub(crate) fn without_scope(address: &str) -> String {
    address.split_once('%').map_or(address, |(address, _)| address).to_owned()
}
