//! Conflicts between others: a name that one host has, and another one wants or takes (RFC 6762 §8, §9).
//!
//! The engine settles conflicts of its own names only, and hears those of others without a word. Whoever reads a capture wants
//! to know of them. Hosts are told apart by their source addresses, each family by itself.

use std::collections::BTreeMap;
use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

use landfall_core::wire::mdns::{Data, Message, Name, Record, Section};

/// Names that are remembered; over it, the one that was claimed longest ago goes.
const MOST: usize = 8192;

/// What is said by both families within this time of each other is one conflict.
const SAME: Duration = Duration::from_secs(1);

/// Two hosts under one name.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Conflict {
    /// Of a service (its SRV record) or of a host (an address record).
    pub(crate) of_service: bool,
    /// The name, in full: `Twin._http._tcp.local`. Not safe to print.
    pub(crate) name: String,
    /// The instance and its type, if it is a service's. Not safe to print.
    pub(crate) service: Option<(String, String)>,
    /// Who had it first.
    pub(crate) holder: IpAddr,
    /// Who wants it as well.
    pub(crate) claimant: IpAddr,
    /// It only asks whether it may have it, or says that it does.
    pub(crate) probes: bool,
}

/// Remembers who has which name.
#[derive(Debug, Default)]
pub(crate) struct Conflicts {
    /// By name, whether it is a service's, and whether it was heard by IPv4.
    claims: BTreeMap<(Vec<u8>, bool, bool), Claim>,
}

#[derive(Debug)]
struct Claim {
    holder: IpAddr,
    /// What it says the name means: target and port, or addresses.
    values: Vec<Vec<u8>>,
    at: Duration,
    until: Duration,
    /// Who was told of as wanting the same.
    claimants: Vec<IpAddr>,
    /// When the last of them did.
    disputed: Duration,
}

impl Conflicts {
    /// Takes note of a message, and gives the conflicts that are new with it.
    pub(crate) fn hear(&mut self, at: Duration, source: SocketAddr, payload: &[u8]) -> Vec<Conflict> {
        let Ok(message) = Message::parse(payload) else { return Vec::new() };
        let probes = !message.header().is_response();
        if message.header().opcode() != 0 || (!probes && source.port() != 5353) {
            return Vec::new();
        }
        let mut conflicts: Vec<Conflict> = Vec::new();
        for record in message.records().flatten() {
            // What a query has in its other sections are others' records that it knows (RFC 6762 §7.1).
            if probes && record.section != Section::Authority {
                continue;
            }
            let conflict = self.claim(at, source.ip(), &record, probes);
            conflicts.extend(conflict);
        }
        conflicts
    }

    fn claim(&mut self, at: Duration, source: IpAddr, record: &Record<'_>, probes: bool) -> Option<Conflict> {
        let (of_service, value) = match record.data {
            Data::Srv(srv) => {
                let mut value = srv.port.to_be_bytes().to_vec();
                srv.target.extend_lower(&mut value);
                (true, value)
            }
            Data::A(ip) if source.is_ipv4() && !ip.is_loopback() => (false, ip.octets().to_vec()),
            Data::Aaaa(ip) if source.is_ipv6() && !ip.is_loopback() => (false, ip.octets().to_vec()),
            Data::A(_)
            | Data::Aaaa(_)
            | Data::Ptr(_)
            | Data::Cname(_)
            | Data::Txt(_)
            | Data::Nsec(_)
            | Data::Hinfo(_)
            | Data::Opt(_)
            | Data::Opaque(_) => return None,
        };
        let mut name = Vec::new();
        record.name.extend_lower(&mut name);
        let key = (name, of_service, source.is_ipv4());
        if record.ttl == 0 {
            if self.claims.get(&key).is_some_and(|claim| claim.holder == source) {
                self.claims.remove(&key);
            }
            return None;
        }
        let until = at + Duration::from_secs(record.ttl.min(4500).into());
        let holder = self.claims.get(&key).map(|claim| claim.holder);
        match self.claims.get_mut(&key).filter(|claim| claim.until > at) {
            Some(claim) if claim.holder == source => {
                claim.until = until;
                if !claim.values.contains(&value) && claim.values.len() < 16 {
                    claim.values.push(value);
                }
                None
            }
            // A sleep proxy, or a host with two cards, says the same of the name.
            Some(claim) if claim.values.contains(&value) => None,
            Some(claim) => {
                if claim.claimants.contains(&source) || claim.claimants.len() >= 16 {
                    return None;
                }
                claim.claimants.push(source);
                claim.disputed = at;
                let (name, of_service, v4) = key;
                let other = self.claims.get(&(name, of_service, !v4));
                if other.is_some_and(|other| !other.claimants.is_empty() && at < other.disputed + SAME) {
                    return None;
                }
                let holder = holder?;
                let service = if of_service { service(&record.name) } else { None };
                let name = record.name.to_string();
                Some(Conflict { of_service, name, service, holder, claimant: source, probes })
            }
            None => {
                if self.claims.len() >= MOST {
                    let oldest = self.claims.iter().min_by_key(|(_, claim)| claim.at).map(|(key, _)| key.clone());
                    oldest.map(|key| self.claims.remove(&key));
                }
                let claim =
                    Claim { holder: source, values: vec![value], at, until, claimants: Vec::new(), disputed: at };
                self.claims.insert(key, claim);
                None
            }
        }
    }
}

/// Instance and type of a service's name.
fn service(name: &Name<'_>) -> Option<(String, String)> {
    let labels: Vec<String> = name.labels().map(|label| String::from_utf8_lossy(label).into_owned()).collect();
    match labels.as_slice() {
        [instance, kind, protocol, ..] => Some((instance.clone(), format!("{kind}.{protocol}"))),
        _ => None,
    }
}
