//! The records that publications make on one link.

use alloc::collections::{BTreeMap, BTreeSet};
use alloc::format;
use alloc::string::String;
use alloc::vec::Vec;
use core::net::IpAddr;

use super::names::{Claim, ClaimId, Names};
use crate::discovery::publication::Publication;
use crate::discovery::service::ServiceType;
use crate::interface::{Interface, InterfaceKind};
use crate::wire::mdns::{Name, NameBuf, RecordType};

//= RFC 6762 §10 "the recommended TTL value for Multicast DNS resource records with a host name as the resource record's
//= name (e.g., A, AAAA, HINFO) or a host name contained within the resource record's rdata (e.g., SRV, reverse mapping
//= PTR record) SHOULD be 120 seconds"
const HOST_TTL: u32 = 120;
//= RFC 6762 §10 "The recommended TTL value for other Multicast DNS resource records is 75 minutes."
const OTHER_TTL: u32 = 4500;
/// The most addresses of one family that a host is said to have on one link, so that they all fit one packet.
const MAX_ADDRESSES: usize = 16;
/// The name that lists the link's types (RFC 6763 §9).
const ENUMERATION: [&[u8]; 4] = [b"_services", b"_dns-sd", b"_udp", b"local"];

/// How a record is shared, announced and taken back.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    /// Ours alone: probed for, and sent with the cache-flush bit.
    Unique,
    /// Says which types a name of ours has; comes along with others and is not taken back.
    Negative,
    /// One of a set that others add to.
    Shared,
    /// Shared, and as true for others as for us, so that nobody says goodbye for it.
    Common,
    /// Only told when asked for.
    OnDemand,
}

impl Kind {
    pub(super) const fn is_unique(self) -> bool {
        matches!(self, Self::Unique | Self::Negative)
    }

    pub(super) const fn is_announced(self) -> bool {
        matches!(self, Self::Unique | Self::Shared | Self::Common)
    }

    pub(super) const fn says_goodbye(self) -> bool {
        matches!(self, Self::Unique | Self::Shared)
    }
}

/// A record as it should be.
#[derive(Clone, Debug)]
pub(super) struct Draft {
    pub(super) name: NameBuf,
    pub(super) rtype: RecordType,
    /// Its data, names uncompressed.
    pub(super) data: Vec<u8>,
    pub(super) ttl: u32,
    pub(super) kind: Kind,
    /// Whether the names it depends on are ours on this link by now, so that it may be told.
    pub(super) is_active: bool,
}

/// Collects the drafts of one link.
#[derive(Debug, Default)]
pub(super) struct Drafts {
    pub(super) all: Vec<Draft>,
    types: BTreeMap<ServiceType, usize>,
}

impl Drafts {
    /// The records of a publication: how it is listed, where it is and what it says of itself.
    pub(super) fn publication(&mut self, publication: &Publication, instance: &Claim, host: &Claim, is_active: bool) {
        let kind = &publication.kind;
        let Ok(type_name) = kind.to_name() else { return };
        self.enumeration(kind, &type_name, is_active);
        let target = instance.name.as_wire();
        self.push(&type_name, RecordType::PTR, target, OTHER_TTL, Kind::Shared, is_active);
        //= RFC 6763 §7.1 "_printer._sub._http._tcp"
        for subtype in &publication.subtypes {
            if let Ok(name) = subtype.to_name(kind) {
                self.push(&name, RecordType::PTR, target, OTHER_TTL, Kind::Shared, is_active);
            }
        }
        let [high, low] = publication.port.to_be_bytes();
        let mut srv = alloc::vec![0, 0, 0, 0, high, low];
        srv.extend_from_slice(host.name.as_wire());
        self.push(&instance.name, RecordType::SRV, &srv, HOST_TTL, Kind::Unique, is_active);
        self.push(&instance.name, RecordType::TXT, &publication.txt_data(), OTHER_TTL, Kind::Unique, is_active);
        self.negative(&instance.name, &[RecordType::TXT, RecordType::SRV], is_active);
    }

    /// The addresses of a host on this link.
    //= RFC 6762 §6.2 "it MUST include all addresses that are valid on the interface on which it is sending the message,
    //= and MUST NOT include addresses that are not valid on that interface"
    pub(super) fn host(&mut self, host: &Claim, interface: &Interface, is_active: bool) {
        let mut types = Vec::new();
        for family in [RecordType::A, RecordType::AAAA] {
            for ip in addresses(interface, family, &host.sharers) {
                let (data, reverse) = match ip {
                    IpAddr::V4(v4) => (Vec::from(v4.octets()), reverse_v4(v4.octets())),
                    IpAddr::V6(v6) => (Vec::from(v6.octets()), reverse_v6(v6.octets())),
                };
                self.push(&host.name, family, &data, HOST_TTL, Kind::Unique, is_active);
                if let Some(reverse) = reverse {
                    self.push(&reverse, RecordType::PTR, host.name.as_wire(), HOST_TTL, Kind::OnDemand, is_active);
                }
                if !types.contains(&family) {
                    types.push(family);
                }
            }
        }
        // What another program of this machine says the host has must not be denied.
        for ip in &host.sharers {
            let family = if ip.is_ipv4() { RecordType::A } else { RecordType::AAAA };
            if !types.contains(&family) {
                types.push(family);
            }
        }
        self.negative(&host.name, &types, is_active);
    }

    //= RFC 6763 §9 "A DNS query for PTR records with the name "_services._dns-sd._udp.<Domain>" yields a set of PTR
    //= records, where the rdata of each PTR record is the two-label <Service> name, plus the same domain"
    fn enumeration(&mut self, kind: &ServiceType, type_name: &NameBuf, is_active: bool) {
        if let Some(index) = self.types.get(kind) {
            if let Some(draft) = self.all.get_mut(*index) {
                draft.is_active |= is_active;
            }
            return;
        }
        if let Ok(name) = NameBuf::from_labels(ENUMERATION) {
            self.types.insert(kind.clone(), self.all.len());
            self.push(&name, RecordType::PTR, type_name.as_wire(), OTHER_TTL, Kind::Common, is_active);
        }
    }

    //= RFC 6762 §6.1 "asserting the nonexistence of that record using a DNS NSEC record"
    fn negative(&mut self, name: &NameBuf, types: &[RecordType], is_active: bool) {
        let mut bitmap = [0_u8; 32];
        let mut used = 0;
        for rtype in types {
            //= RFC 6762 §6.1 "The Type Bit Map block number is 0."
            let Ok(low) = u8::try_from(rtype.0) else { continue };
            if let Some(byte) = bitmap.get_mut(usize::from(low / 8)) {
                *byte |= 0x80 >> (low % 8);
                used = used.max(usize::from(low / 8) + 1);
            }
        }
        let Some(bits) = bitmap.get(..used).filter(|bits| !bits.is_empty()) else { return };
        let mut data = Vec::from(name.as_wire());
        data.extend([0, u8::try_from(used).unwrap_or(32)]);
        data.extend_from_slice(bits);
        self.push(name, RecordType::NSEC, &data, HOST_TTL, Kind::Negative, is_active);
    }

    fn push(&mut self, name: &NameBuf, rtype: RecordType, data: &[u8], ttl: u32, kind: Kind, is_active: bool) {
        self.all.push(Draft { name: name.clone(), rtype, data: data.into(), ttl, kind, is_active });
    }
}

/// Everything a link has to say, given which names are ours there.
pub(super) fn drafts<'p>(
    names: &Names,
    publications: impl Iterator<Item = (&'p Publication, ClaimId, ClaimId)>,
    interface: &Interface,
    is_ours: impl Fn(ClaimId) -> bool,
) -> Vec<Draft> {
    let mut drafts = Drafts::default();
    for (publication, instance, host) in publications {
        let is_active = is_ours(instance) && is_ours(host);
        if let (Some(instance), Some(host)) = (names.get(instance), names.get(host)) {
            drafts.publication(publication, instance, host, is_active);
        }
    }
    for id in names.ids() {
        if let Some(claim) = names.get(id).filter(|claim| claim.is_host()) {
            drafts.host(claim, interface, is_ours(id));
        }
    }
    drafts.all
}

/// The addresses of a link that its neighbours can reach, in order.
///
/// Another program that goes by this machine's name may tell fewer: avahi leaves out link-local addresses where there are
/// better ones, and takes those it did not tell for another machine's, which costs the machine its name. So of a family that
/// it tells addresses of, only those are told here too.
fn addresses<'i>(
    interface: &'i Interface,
    family: RecordType,
    sharers: &'i BTreeSet<IpAddr>,
) -> impl Iterator<Item = IpAddr> + use<'i> {
    let is_loopback = interface.kind == InterfaceKind::Loopback;
    let useful = move |ip: &IpAddr| {
        let wanted = if ip.is_ipv4() { RecordType::A } else { RecordType::AAAA };
        wanted == family && !ip.is_unspecified() && !ip.is_multicast() && (!ip.is_loopback() || is_loopback)
    };
    let useful = interface.addresses.iter().map(|address| address.ip).filter(useful);
    let is_told = useful.clone().any(|ip| sharers.contains(&ip));
    useful.filter(move |ip| !is_told || sharers.contains(ip)).take(MAX_ADDRESSES)
}

fn reverse_v4(octets: [u8; 4]) -> Option<NameBuf> {
    let labels: Vec<String> = octets.iter().rev().map(|octet| format!("{octet}")).collect();
    let domain: [&[u8]; 2] = [b"in-addr", b"arpa"];
    NameBuf::from_labels(labels.iter().map(String::as_bytes).chain(domain)).ok()
}

fn reverse_v6(octets: [u8; 16]) -> Option<NameBuf> {
    let nibbles = octets.iter().rev().flat_map(|octet| [octet & 15, octet >> 4]);
    let labels: Vec<String> = nibbles.map(|nibble| format!("{nibble:x}")).collect();
    let domain: [&[u8]; 2] = [b"ip6", b"arpa"];
    NameBuf::from_labels(labels.iter().map(String::as_bytes).chain(domain)).ok()
}

/// The names in a record's data are put in lower case: two records say the same exactly when these bytes are.
pub(super) fn lower_data(rtype: RecordType, data: &[u8]) -> Vec<u8> {
    let name_at = match rtype {
        RecordType::PTR | RecordType::NSEC => 0,
        RecordType::SRV => 6,
        _ => return data.into(),
    };
    let Ok((name, end)) = Name::read(data, name_at) else { return data.into() };
    let mut lower = Vec::from(data.get(..name_at).unwrap_or_default());
    name.extend_lower(&mut lower);
    lower.extend_from_slice(data.get(end..).unwrap_or_default());
    lower
}

#[cfg(test)]
mod tests {
    use alloc::string::ToString;

    use super::*;

    #[test]
    fn an_address_is_looked_up_by_its_bytes_in_reverse() {
        assert_eq!(reverse_v4([10, 0, 0, 7]).unwrap().to_string(), "7.0.0.10.in-addr.arpa");
        let v6 = reverse_v6("fe80::1".parse::<core::net::Ipv6Addr>().unwrap().octets()).unwrap().to_string();
        assert!(v6.starts_with("1.0.0.0.") && v6.ends_with(".0.8.e.f.ip6.arpa"), "{v6}");
    }
}
