//! Whether the beacon's port can be shared, asked before a node starts.
//!
//! All nodes of a machine share UDP port 17892 and hear what is sent to everybody. A program that has the port for itself
//! would leave a node deaf to newcomers, so `up` refuses to start beside one. A node that runs already goes on, warns, and
//! tries again: that is the driver's part.

use std::io;
use std::net::{IpAddr, Ipv6Addr, SocketAddr, SocketAddrV6};

use landfall_core::{Interface, Selection};
use socket2::{Domain, Protocol, Socket, Type};

use crate::error::Failure;
use crate::interfaces;
use crate::text::safe;

const PORT: u16 = 17892;
const GROUP: Ipv6Addr = Ipv6Addr::new(0xff12, 0, 0, 0, 0, 0, 0, 0x4c46);

/// Fails when another program keeps the port from a node on the selected interfaces. What else may be wrong with an
/// interface can pass, and does not keep a node from starting.
pub(crate) fn check(selection: &Selection, ipv4: bool, ipv6: bool) -> Result<(), Failure> {
    let present = interfaces::present()?;
    for interface in selection.choose(&present) {
        let mut addresses = listening(interface).into_iter();
        let taken = addresses.find(|address| {
            let wanted = if address.is_ipv4() { ipv4 } else { ipv6 };
            wanted && bind(*address).is_err_and(|error| error.kind() == io::ErrorKind::AddrInUse)
        });
        if let Some(address) = taken {
            let family = if address.is_ipv4() { "IPv4" } else { "IPv6" };
            let look = if cfg!(target_os = "linux") { ", see: ss -lunp 'sport = :17892'" } else { "" };
            return Err(Failure::Failed(format!(
                "another program keeps UDP port {PORT} to itself ({family} on {}); end that program{look}",
                safe(&interface.name)
            )));
        }
    }
    Ok(())
}

/// The addresses that the node's shared sockets on this interface are bound to.
fn listening(interface: &Interface) -> Vec<SocketAddr> {
    let broadcasts = interface.addresses.iter().filter_map(|address| address.broadcast());
    let mut addresses: Vec<SocketAddr> = broadcasts.map(|ip| SocketAddr::new(IpAddr::V4(ip), PORT)).collect();
    if interface.has_ipv6() {
        addresses.push(SocketAddrV6::new(GROUP, PORT, 0, interface.index).into());
    }
    addresses
}

fn bind(address: SocketAddr) -> io::Result<()> {
    let socket = Socket::new(Domain::for_address(address), Type::DGRAM, Some(Protocol::UDP))?;
    if address.is_ipv6() {
        socket.set_only_v6(true)?;
    }
    socket.set_reuse_address(true)?;
    #[cfg(unix)]
    socket.set_reuse_port(true)?;
    socket.bind(&address.into())
}
