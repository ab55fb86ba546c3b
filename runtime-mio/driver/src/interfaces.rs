//! Lists this machine's network interfaces, with the facts by which the engine chooses among them.
//!
//! What an interface is follows from what the system says of it, never from its name. On Linux the kernel is asked over
//! netlink, which always answers for the network namespace of the asking thread (sysfs may show another one). Elsewhere
//! the crate netdev is asked.
//!
//! IPv6 addresses that a node should not announce are left out where the system tells: those still or unsuccessfully
//! under duplicate address detection (RFC 4862 §5.4), deprecated ones (§5.5.4) and temporary ones (RFC 8981).

use std::io;

use landfall_core::Interface;

#[cfg(target_os = "linux")]
#[path = "interfaces/linux.rs"]
mod system;
#[cfg(not(target_os = "linux"))]
#[path = "interfaces/portable.rs"]
mod system;

/// All interfaces of this machine (on Linux: of this network namespace), in index order. Takes a few system calls, up
/// to some tens of milliseconds on a machine with very many interfaces or routes.
///
/// # Errors
/// When the system does not tell.
pub fn interfaces() -> io::Result<Vec<Interface>> {
    let mut interfaces = system::interfaces()?;
    interfaces.sort_by_key(|interface| interface.index);
    Ok(interfaces)
}

#[cfg(test)]
mod tests {
    use landfall_core::{InterfaceKind, Selection};

    use super::*;

    #[test]
    fn loopback_is_listed_as_loopback_with_its_address() {
        let interfaces = interfaces().unwrap();
        let loopback = interfaces.iter().find(|interface| interface.kind == InterfaceKind::Loopback).unwrap();
        let address = loopback.addresses.iter().find(|address| address.ip.is_ipv4());
        assert_eq!(address.map(|address| (address.ip.is_loopback(), address.prefix)), Some((true, 8)));
        assert!(loopback.index > 0 && loopback.up);
    }

    #[test]
    fn interfaces_are_listed_in_index_order_and_automatic_choice_takes_no_loopback() {
        let interfaces = interfaces().unwrap();
        assert!(interfaces.is_sorted_by_key(|interface| interface.index));
        let chosen = Selection::Automatic.choose(&interfaces);
        assert!(chosen.iter().all(|interface| interface.kind != InterfaceKind::Loopback));
    }
}
