//! Takes back some of what quinn-udp sets on every socket, as QUIC wants it.
//!
//! It forbids fragments. Multicast DNS sends a record that is too large for one packet of the link in fragments, up to 9000
//! bytes (RFC 6762 §17); all else it splits itself. And it has the kernel note when a datagram arrived, and how congested the way
//! was, which costs each datagram something and is nothing to us.

use std::io;

use socket2::Socket;

/// Nothing is told of a datagram but where it comes from and where it was sent to. A system that goes on telling is no trouble.
pub(crate) fn tell_less(socket: &Socket, is_ipv4: bool) {
    #[cfg(any(target_os = "linux", target_os = "android"))]
    {
        use nix::sys::socket::{setsockopt, sockopt::ReceiveTimestampns};
        let _ = setsockopt(socket, ReceiveTimestampns, &false);
        let _ = if is_ipv4 { socket.set_recv_tos_v4(false) } else { socket.set_recv_tclass_v6(false) };
    }
    #[cfg(not(any(target_os = "linux", target_os = "android")))]
    let _ = (socket, is_ipv4);
}

/// Lets the system send a datagram in fragments.
#[cfg(any(target_os = "linux", target_os = "android"))]
pub(crate) fn allow_fragments(socket: &Socket, is_ipv4: bool) -> io::Result<()> {
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

/// Lets the system send a datagram in fragments.
#[cfg(target_vendor = "apple")]
pub(crate) fn allow_fragments(socket: &Socket, is_ipv4: bool) -> io::Result<()> {
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
pub(crate) fn allow_fragments(_socket: &Socket, _is_ipv4: bool) -> io::Result<()> {
    Ok(())
}
