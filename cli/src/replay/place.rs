//! Which host of a capture an engine stands in for, and which addresses that host has.

use std::collections::{BTreeMap, BTreeSet};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use landfall_core::InterfaceAddress;
use landfall_recordings::capture::Captured;

/// The prefix of an IPv4 address that was given without one.
const PREFIX_V4: u8 = 24;
const PREFIX_V6: u8 = 64;
/// A card that sends under more addresses than these is a router's.
const MOST_ADDRESSES: usize = 16;

/// Where an engine stands.
#[derive(Clone, Debug)]
pub(super) struct Place {
    pub(super) addresses: Vec<InterfaceAddress>,
    /// What is to be said of how they were found.
    pub(super) note: &'static str,
}

/// Reads `ADDRESS` or `ADDRESS/PREFIX`.
pub(crate) fn parse(text: &str) -> Result<InterfaceAddress, String> {
    let hint = || String::from("an address of a host, such as 10.0.0.7 or 10.0.0.7/16 or fe80::7");
    let (ip, prefix) = text.split_once('/').map_or((text, None), |(ip, prefix)| (ip, Some(prefix)));
    let ip: IpAddr = ip.split('%').next().unwrap_or_default().parse().map_err(|_| hint())?;
    let most = if ip.is_ipv4() { 32 } else { 128 };
    let prefix = match prefix {
        None if ip.is_ipv4() => PREFIX_V4,
        None => PREFIX_V6,
        Some(text) => text.parse().ok().filter(|prefix| (1..=most).contains(prefix)).ok_or_else(|| {
            format!("the prefix is the number of bits that a network's addresses share, from 1 to {most}")
        })?,
    };
    if ip.is_unspecified() || ip.is_multicast() || ip == IpAddr::V4(Ipv4Addr::BROADCAST) {
        return Err(hint());
    }
    Ok(InterfaceAddress { ip, prefix })
}

/// The host with these addresses, with what the capture tells of its others; or, without any, somebody who took no part.
pub(super) fn of(given: &[InterfaceAddress], datagrams: &[Captured]) -> Place {
    let used: BTreeSet<IpAddr> =
        datagrams.iter().flat_map(|captured| [captured.source.ip(), captured.destination.ip()]).collect();
    let mut addresses = given.to_vec();
    let mut note = "";
    if addresses.is_empty() {
        addresses.extend(bystander(datagrams, &used));
        note = "which takes no part in the capture; choose another host with --as";
    } else {
        let others = same_card(&addresses, datagrams);
        if !others.is_empty() {
            note = "its other addresses are those that its card sends from";
        }
        addresses.extend(others);
    }
    let is_link_local = |ip: IpAddr| matches!(ip, IpAddr::V6(v6) if v6.is_unicast_link_local());
    if !addresses.iter().any(|own| is_link_local(own.ip)) {
        let free = (0x4c46..=u16::MAX).map(|last| IpAddr::V6(Ipv6Addr::new(0xfe80, 0, 0, 0, 0, 0, 0, last)));
        let ip = free.into_iter().find(|ip| !used.contains(ip));
        addresses.extend(ip.map(|ip| InterfaceAddress { ip, prefix: PREFIX_V6 }));
    }
    Place { addresses, note }
}

/// The addresses that the cards of these hosts send from as well, on the link.
fn same_card(given: &[InterfaceAddress], datagrams: &[Captured]) -> Vec<InterfaceAddress> {
    let is_given = |ip: IpAddr| given.iter().any(|own| own.ip == ip);
    let cards: BTreeSet<[u8; 6]> = datagrams
        .iter()
        .filter(|captured| is_given(captured.source.ip()))
        .filter_map(|captured| captured.card)
        .collect();
    let sent: BTreeSet<IpAddr> = datagrams
        .iter()
        .filter(|captured| captured.card.is_some_and(|card| cards.contains(&card)))
        .map(|captured| captured.source.ip())
        .filter(|ip| !is_given(*ip) && !ip.is_unspecified())
        .collect();
    if sent.len() > MOST_ADDRESSES {
        return Vec::new();
    }
    let prefix = |ip: IpAddr| if ip.is_ipv4() { PREFIX_V4 } else { PREFIX_V6 };
    sent.into_iter().map(|ip| InterfaceAddress { ip, prefix: prefix(ip) }).collect()
}

/// An address that nobody uses, in the network that most datagrams come from.
fn bystander(datagrams: &[Captured], used: &BTreeSet<IpAddr>) -> Option<InterfaceAddress> {
    let mut networks: BTreeMap<[u8; 3], usize> = BTreeMap::new();
    for captured in datagrams {
        if let IpAddr::V4(v4) = captured.source.ip()
            && !v4.is_loopback()
            && !v4.is_unspecified()
        {
            let [a, b, c, _] = v4.octets();
            *networks.entry([a, b, c]).or_default() += 1;
        }
    }
    let (&[a, b, c], _) = networks.iter().max_by_key(|(_, count)| **count)?;
    let free = (1..=254).rev().map(|d| IpAddr::from([a, b, c, d])).find(|ip| !used.contains(ip))?;
    Some(InterfaceAddress { ip: free, prefix: PREFIX_V4 })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_is_read_with_and_without_a_prefix() {
        let read = |text| parse(text).map(|own| (own.ip.to_string(), own.prefix));
        assert_eq!(read("10.0.0.7"), Ok((String::from("10.0.0.7"), 24)));
        assert_eq!(read("10.0.0.7/16"), Ok((String::from("10.0.0.7"), 16)));
        assert_eq!(read("fe80::7%eth0"), Ok((String::from("fe80::7"), 64)));
        for wrong in ["", "host2", "10.0.0.7/33", "10.0.0.7/0", "fe80::1/129", "224.0.0.251", "::", "10.0.0.7/"] {
            assert!(parse(wrong).is_err(), "{wrong}");
        }
    }
}
