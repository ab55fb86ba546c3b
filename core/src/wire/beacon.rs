//! placeholder
use alloc::string::String;
use alloc::vec::Vec;

/// What a node tells about itself.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Profile {
    /// A name for people: UTF-8, at most 63 bytes, no control characters. A suggestion, unique to nobody.
    pub name: String,
    /// What it can do: at most 16 of at most 64 bytes each.
    pub capabilities: Vec<String>,
    /// Whether it is busy.
    pub status: Status,
    /// What it is at, in at most 120 bytes.
    pub summary: String,
    /// DNS-SD types and ports of the services it fronts: at most 8.
    pub services: Vec<(String, u16)>,
    /// URL of its A2A agent card.
    pub agent_card: Option<String>,
    /// Program and version: `landfall/0.1.0`.
    pub software: String,
}

/// Whether a node is busy.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Status {
    /// Free.
    #[default]
    Idle,
    /// Busy.
    Working,
    /// Not to be disturbed.
    DoNotDisturb,
}
