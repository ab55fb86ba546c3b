//! The names that this node claims as its own, the same on all links: of service instances and of hosts.
//!
//! Whoever loses one takes the next of its series: `Name`, `Name (2)`, `Name (3)` and `nas`, `nas-2`, `nas-3`. No two of our
//! own are ever the same.

use alloc::collections::{BTreeMap, BTreeSet};
use alloc::format;
use alloc::string::String;
use alloc::sync::Arc;
use alloc::vec::Vec;
use core::net::IpAddr;

use crate::discovery::service::{HostName, ServiceType};
use crate::io::CommandId;
use crate::wire::mdns::{MAX_LABEL, NameBuf, NameError};

/// The domain of the link (RFC 6762 §3).
const LOCAL: &[u8] = b"local";

/// The most addresses of this machine that are remembered as another program's too.
const MAX_SHARED: usize = 256;

/// A claimed name, whatever it is at the moment.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct ClaimId(u32);

/// What a claimed name is for.
#[derive(Clone, Debug)]
pub(super) enum Bearer {
    /// A service instance of this type.
    Instance(Option<CommandId>, ServiceType),
    /// A host, by the label that it was configured with, in lower case.
    Host(String),
}

/// A name that is claimed.
#[derive(Clone, Debug)]
pub(super) struct Claim {
    pub(super) bearer: Bearer,
    /// Its first label as it is now.
    pub(super) label: String,
    pub(super) name: NameBuf,
    /// The name in lower-case wire form.
    pub(super) lower: Arc<[u8]>,
    /// The addresses that another program on this machine tells of the host: its name is the machine's, not ours alone.
    pub(super) sharers: BTreeSet<IpAddr>,
    base: String,
    number: u32,
}

impl Claim {
    pub(super) const fn is_host(&self) -> bool {
        matches!(self.bearer, Bearer::Host(_))
    }

    /// Whether another program on this machine goes by this host's name too.
    pub(super) fn is_shared(&self) -> bool {
        !self.sharers.is_empty()
    }

    pub(super) fn host_name(&self) -> HostName {
        HostName::from_name(self.name.clone())
    }
}

/// All the names that are claimed.
#[derive(Debug, Default)]
pub(super) struct Names {
    claims: BTreeMap<ClaimId, Claim>,
    by_name: BTreeMap<Arc<[u8]>, ClaimId>,
    hosts: BTreeMap<String, ClaimId>,
    next: u32,
}

impl Names {
    pub(super) fn get(&self, id: ClaimId) -> Option<&Claim> {
        self.claims.get(&id)
    }

    pub(super) fn ids(&self) -> Vec<ClaimId> {
        self.claims.keys().copied().collect()
    }

    /// Whose name this is, given in lower-case wire form.
    pub(super) fn find(&self, lower: &[u8]) -> Option<ClaimId> {
        self.by_name.get(lower).copied()
    }

    /// Claims a name for a service instance: the one asked for, or the next of its series if one of ours has that already.
    pub(super) fn claim_instance(
        &mut self,
        publication: Option<CommandId>,
        kind: ServiceType,
        label: &str,
    ) -> Result<ClaimId, NameError> {
        self.claim(Bearer::Instance(publication, kind), label)
    }

    /// The claim of a host's name; the same for everything that is published on this host.
    pub(super) fn claim_host(&mut self, label: &str) -> Result<ClaimId, NameError> {
        let key = label.to_ascii_lowercase();
        if let Some(id) = self.hosts.get(&key) {
            return Ok(*id);
        }
        let id = self.claim(Bearer::Host(key.clone()), label)?;
        self.hosts.insert(key, id);
        Ok(id)
    }

    fn claim(&mut self, bearer: Bearer, label: &str) -> Result<ClaimId, NameError> {
        let Series { number, label: now, name, lower } = self.next_free(&bearer, label, 0)?;
        let id = ClaimId(self.next);
        self.next = self.next.saturating_add(1);
        self.by_name.insert(Arc::clone(&lower), id);
        let base = String::from(label);
        let claim = Claim { bearer, label: now, name, lower, sharers: BTreeSet::new(), base, number };
        self.claims.insert(id, claim);
        Ok(id)
    }

    /// The first name of a series after its `number`th that is not one of ours.
    fn next_free(&self, bearer: &Bearer, base: &str, mut number: u32) -> Result<Series, NameError> {
        loop {
            number = number.saturating_add(1);
            let label = match bearer {
                Bearer::Instance(..) => instance_label(base, number),
                Bearer::Host(_) => host_label(base, number),
            };
            let name = full_name(bearer, &label)?;
            let mut lower = Vec::new();
            name.as_name().extend_lower(&mut lower);
            if !self.by_name.contains_key(lower.as_slice()) {
                return Ok(Series { number, label, name, lower: lower.into() });
            }
        }
    }

    /// Gives up a name.
    pub(super) fn release(&mut self, id: ClaimId) {
        let Some(claim) = self.claims.remove(&id) else { return };
        self.by_name.remove(&claim.lower);
        if let Bearer::Host(key) = claim.bearer {
            self.hosts.remove(&key);
        }
    }

    /// Somebody else has the name: takes the next of its series that is not one of ours.
    pub(super) fn advance(&mut self, id: ClaimId) {
        let Some(claim) = self.claims.get(&id) else { return };
        let Ok(next) = self.next_free(&claim.bearer, &claim.base, claim.number) else { return };
        let Series { number, label, name, lower } = next;
        let Some(claim) = self.claims.get_mut(&id) else { return };
        self.by_name.remove(&claim.lower);
        self.by_name.insert(Arc::clone(&lower), id);
        (claim.number, claim.label, claim.name, claim.lower) = (number, label, name, lower);
        claim.sharers.clear();
    }

    /// Another program on this machine says that the machine of this name has that address. False when that was known.
    pub(super) fn add_sharer(&mut self, id: ClaimId, address: IpAddr) -> bool {
        let claim = self.claims.get_mut(&id).filter(|claim| claim.is_host() && claim.sharers.len() < MAX_SHARED);
        claim.is_some_and(|claim| claim.sharers.insert(address))
    }
}

/// One name of a series.
struct Series {
    number: u32,
    label: String,
    name: NameBuf,
    lower: Arc<[u8]>,
}

fn full_name(bearer: &Bearer, label: &str) -> Result<NameBuf, NameError> {
    match bearer {
        Bearer::Instance(_, kind) => {
            let kind = kind.as_str().split('.').map(str::as_bytes);
            NameBuf::from_labels([label.as_bytes()].into_iter().chain(kind).chain([LOCAL]))
        }
        Bearer::Host(_) => NameBuf::from_labels([label.as_bytes(), LOCAL]),
    }
}

/// The `number`th name of the series that begins with `base`.
fn instance_label(base: &str, number: u32) -> String {
    if number <= 1 {
        return String::from(base);
    }
    with_suffix(base, &format!(" ({number})"))
}

/// A host's name does not count on from a number that it ends with: `node-5` is followed by `node-5-2`, since `node-6` is most
/// likely another machine.
fn host_label(base: &str, number: u32) -> String {
    if number <= 1 { String::from(base) } else { with_suffix(base, &format!("-{number}")) }
}

/// Cuts `base` where a character ends, so that it fits a label together with its suffix.
fn with_suffix(base: &str, suffix: &str) -> String {
    let mut end = base.len().min(MAX_LABEL.saturating_sub(suffix.len()));
    while !base.is_char_boundary(end) {
        end -= 1;
    }
    format!("{}{suffix}", base.get(..end).unwrap_or_default())
}

#[cfg(test)]
mod tests {
    use alloc::string::ToString;

    use super::*;

    #[test]
    fn a_series_counts_in_parentheses_for_services_and_behind_a_hyphen_for_hosts() {
        let mut names = Names::default();
        let instance = names.claim_instance(None, "_ipp._tcp".parse().unwrap(), "Printer").unwrap();
        let host = names.claim_host("node-5").unwrap();
        let label = |names: &Names, id| names.get(id).unwrap().label.clone();
        for (service, machine) in [("Printer", "node-5"), ("Printer (2)", "node-5-2"), ("Printer (3)", "node-5-3")] {
            assert_eq!((label(&names, instance), label(&names, host)), (service.to_string(), machine.to_string()));
            names.advance(instance);
            names.advance(host);
        }
    }

    #[test]
    fn a_label_of_63_bytes_is_cut_between_characters_to_make_room_for_its_number() {
        let base = "é".repeat(31) + "x";
        assert_eq!(base.len(), 63);
        let second = instance_label(&base, 2);
        assert_eq!(second, "é".repeat(29) + " (2)");
        assert_eq!(instance_label(&"x".repeat(63), 100).len(), 63);
        assert_eq!(host_label(&"x".repeat(63), 2).len(), 63);
    }

    #[test]
    fn no_two_names_of_ours_are_the_same_whatever_their_case() {
        let mut names = Names::default();
        let kind: ServiceType = "_ipp._tcp".parse().unwrap();
        let first = names.claim_instance(Some(CommandId(1)), kind.clone(), "Printer").unwrap();
        let second = names.claim_instance(Some(CommandId(2)), kind, "PRINTER").unwrap();
        assert_eq!(names.get(second).unwrap().label, "PRINTER (2)");
        names.advance(first);
        assert_eq!(names.get(first).unwrap().label, "Printer (3)");
        names.release(first);
        assert!(names.find(b"\x0bprinter (3)\x04_ipp\x04_tcp\x05local\0").is_none());
        assert_eq!(names.find(b"\x0bprinter (2)\x04_ipp\x04_tcp\x05local\0"), Some(second));
    }

    #[test]
    fn everything_on_one_host_shares_the_claim_to_its_name() {
        let mut names = Names::default();
        assert_eq!(names.claim_host("nas"), names.claim_host("NAS"));
    }
}
