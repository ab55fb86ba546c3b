//! Network interfaces.

use std::net::IpAddr;

use landfall_core::{Interface, InterfaceAddress, InterfaceKind};
use serde::{Deserialize, Serialize};

#[derive(Debug, PartialEq, Serialize, Deserialize)]
pub(in crate::trace) struct InterfaceForm {
    index: u32,
    name: String,
    kind: KindForm,
    /// Up, running, multicast, broadcast, default route.
    flags: (bool, bool, bool, bool, bool),
    mtu: u32,
    beacon_port: u16,
    addresses: Vec<(IpAddr, u8)>,
}

#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
enum KindForm {
    Hardware,
    Virtual,
    Bridge,
    Member,
    PointToPoint,
    Loopback,
}

impl InterfaceForm {
    pub(in crate::trace) fn of(interface: &Interface) -> Self {
        let Interface {
            index,
            name,
            kind,
            up,
            running,
            multicast,
            broadcast,
            default_route,
            mtu,
            beacon_port,
            addresses,
        } = interface;
        Self {
            index: *index,
            name: name.clone(),
            kind: match kind {
                InterfaceKind::Hardware => KindForm::Hardware,
                InterfaceKind::Virtual => KindForm::Virtual,
                InterfaceKind::Bridge => KindForm::Bridge,
                InterfaceKind::Member => KindForm::Member,
                InterfaceKind::PointToPoint => KindForm::PointToPoint,
                InterfaceKind::Loopback => KindForm::Loopback,
            },
            flags: (*up, *running, *multicast, *broadcast, *default_route),
            mtu: *mtu,
            beacon_port: *beacon_port,
            addresses: addresses.iter().map(|address| (address.ip, address.prefix)).collect(),
        }
    }

    pub(in crate::trace) fn interface(&self) -> Interface {
        let (up, running, multicast, broadcast, default_route) = self.flags;
        Interface {
            index: self.index,
            name: self.name.clone(),
            kind: match self.kind {
                KindForm::Hardware => InterfaceKind::Hardware,
                KindForm::Virtual => InterfaceKind::Virtual,
                KindForm::Bridge => InterfaceKind::Bridge,
                KindForm::Member => InterfaceKind::Member,
                KindForm::PointToPoint => InterfaceKind::PointToPoint,
                KindForm::Loopback => InterfaceKind::Loopback,
            },
            up,
            running,
            multicast,
            broadcast,
            default_route,
            mtu: self.mtu,
            beacon_port: self.beacon_port,
            addresses: self
                .addresses
                .iter()
                .map(|(ip, prefix)| InterfaceAddress { ip: *ip, prefix: *prefix })
                .collect(),
        }
    }
}
