//! What the driver counts: the losses that no error reports.

/// Counts since the node's start.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct DriverCounters {
    /// Turns of the loop: how often something woke it. An idle node's grow only with its announced timers.
    pub turns: u64,
    /// Datagrams received and given to the engine.
    pub received: u64,
    /// Datagrams dropped because they arrived on another interface than their socket serves.
    pub misdirected: u64,
    /// Datagrams dropped because they were longer than 9000 bytes.
    pub oversized: u64,
    /// Datagrams handed to the system.
    pub sent: u64,
    /// Datagrams that the system refused to send.
    pub unsent: u64,
    /// Datagrams dropped because too many waited for a socket that could not send.
    pub overrun: u64,
    /// Datagrams dropped because no socket for their interface, protocol and address family is open.
    pub unroutable: u64,
    /// What became of streams.
    pub streams: StreamCounters,
}

/// What the driver counts of streams, since the node's start.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct StreamCounters {
    /// Connections that came in and were given to the engine.
    pub accepted: u64,
    /// Connections closed at once because they were made to an address that is not in use.
    pub misconnected: u64,
    /// How often nobody was accepted for a while, for want of descriptors or memory.
    pub unaccepted: u64,
    /// Connections that the engine asked for.
    pub dialled: u64,
}
