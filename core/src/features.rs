//! The parts of this crate, and what a build without one of them refuses.
//!
//! A part that is left out has a twin in `absent/` that does nothing, so that types and matches are the same in every build.
//! What would need the part is refused here, by name, before it reaches the twin.

use core::fmt;

use crate::config::Config;
use crate::io::Command;

/// A part of this crate, built if the cargo feature of its name is on.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Feature {
    /// Multicast DNS and DNS-SD: browse, resolve, publish.
    Mdns,
    /// Landfall's own announces, probes and introductions.
    Beacon,
    /// Handshakes, encrypted sessions and messages.
    Session,
    /// Keys, signatures, and who is known: part of `beacon` and of `session`.
    Keys,
}

impl Feature {
    /// Whether this build has it.
    #[must_use]
    pub const fn is_built(self) -> bool {
        match self {
            Self::Mdns => cfg!(feature = "mdns"),
            Self::Beacon => cfg!(feature = "beacon"),
            Self::Session => cfg!(feature = "session"),
            Self::Keys => cfg!(feature = "keys"),
        }
    }

    pub(crate) const fn check(self) -> Result<(), Self> {
        if self.is_built() { Ok(()) } else { Err(self) }
    }
}

impl fmt::Display for Feature {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Mdns => "this program is built without mDNS; add the feature `mdns` of landfall-core",
            Self::Beacon => "this program is built without beacons; add the feature `beacon` of landfall-core",
            Self::Session => "this program is built without sessions; add the feature `session` of landfall-core",
            Self::Keys => {
                "this program is built without keys and peers; add the feature `beacon` or `session` of landfall-core"
            }
        })
    }
}

impl Command {
    /// What it takes to obey; leaving is always possible.
    pub(crate) const fn feature(&self) -> Option<Feature> {
        Some(match self {
            Self::Browse(_)
            | Self::Resolve(_)
            | Self::StopBrowsing(_)
            | Self::Publish(_)
            | Self::Republish(..)
            | Self::Unpublish(_) => Feature::Mdns,
            Self::Discover => Feature::Beacon,
            Self::Connect(_)
            | Self::Disconnect(_)
            | Self::Ping(_)
            | Self::Send { .. }
            | Self::CompareSas(_)
            | Self::SasCompared { .. } => Feature::Session,
            Self::SetProfile(_) | Self::Trust(..) | Self::SetAlias(..) | Self::Revoke(_) => Feature::Keys,
            Self::Stop => return None,
        })
    }
}

impl Config {
    /// Refuses what is asked for and not built.
    pub(crate) fn check_built(&self) -> Result<(), Feature> {
        if self.identity.is_some() || !self.rotations.is_empty() || !self.records.is_empty() {
            Feature::Keys.check()?;
        }
        if self.tcp_port != 0 {
            Feature::Session.check()?;
        }
        if self.host.is_some() || self.mdns_unicast {
            Feature::Mdns.check()?;
        }
        if self.dns_sd {
            Feature::Mdns.check()?;
            Feature::Beacon.check()?;
        }
        if self.network.is_empty() { Ok(()) } else { Feature::Beacon.check() }
    }
}
