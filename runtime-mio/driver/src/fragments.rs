//! Lets the system send a datagram in fragments.
//!
//! quinn-udp forbids it on every socket, as QUIC wants. Multicast DNS sends a record that is too large for one packet of
//! the link in fragments, up to 9000 bytes (RFC 6762 §17); all else it splits itself.

use std::io;

use socket2::Socket;

/// Takes back what `UdpSocketState::new` set.
#[cfg(any(target_os = "linux", target_os = "android"))]
pub(crate) fn allow(socket: &Socket, is_ipv4: bool) -> io::Result<()> {
    use nix::sys::socket::{setsockopt, sockopt::Ipv6DontFrag};
    use rustix::net::sockopt::{
        Ipv4PathMtuDiscovery, Ipv6PathMtuDiscovery, set_ip_mtu_discover, set_ipv6_mtu_discover,
    };
    if is_ipv4 {
        set_ip_mtu_discover(socket, Ipv4PathMtuDiscovery::DONT)?;
    } else {
        setsockopt(socket, Ipv6DontFrag, &false)?;
        set_ipv6_mtu_discover(socket, Ipv6PathMtuDiscovery::DONT)?;
    }
    Ok(())
}

/// Takes back what `UdpSocketState::new` set.
#[cfg(target_vendor = "apple")]
pub(crate) fn allow(socket: &Socket, is_ipv4: bool) -> io::Result<()> {
    use nix::sys::socket::{setsockopt, sockopt};
    if is_ipv4 {
        setsockopt(socket, sockopt::IpDontFrag, &false)?;
    } else {
        setsockopt(socket, sockopt::Ipv6DontFrag, &false)?;
    }
    Ok(())
}

/// Elsewhere what is too large for the link is lost.
#[cfg(not(any(target_os = "linux", target_os = "android", target_vendor = "apple")))]
pub(crate) fn allow(_socket: &Socket, _is_ipv4: bool) -> io::Result<()> {
    Ok(())
}
