//! What a node tells about itself, and the bounds of it.

use alloc::string::String;
use alloc::vec::Vec;

#[cfg(feature = "keys")]
use super::beacon::fits_a_frame;
use crate::config::ProfileError;

pub(super) const MAX_NAME: usize = 63;
pub(super) const MAX_CAPABILITIES: usize = 16;
pub(super) const MAX_CAPABILITY: usize = 64;
pub(super) const MAX_SUMMARY: usize = 120;
pub(super) const MAX_SERVICES: usize = 8;
pub(super) const MAX_SERVICE: usize = 80;
pub(super) const MAX_URL: usize = 200;
pub(super) const MAX_SOFTWARE: usize = 64;

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
    /// URL of its A2A agent card: at most 200 bytes.
    pub agent_card: Option<String>,
    /// Program and version: `landfall/0.1.0`. At most 64 bytes.
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

impl Status {
    pub(super) const fn code(self) -> u8 {
        match self {
            Self::Idle => 0,
            Self::Working => 1,
            Self::DoNotDisturb => 2,
        }
    }

    pub(super) const fn from_code(code: u8) -> Option<Self> {
        match code {
            0 => Some(Self::Idle),
            1 => Some(Self::Working),
            2 => Some(Self::DoNotDisturb),
            _ => None,
        }
    }
}

impl Profile {
    /// Whether every field keeps its bound and a frame can carry them all.
    ///
    /// # Errors
    /// Names the first field that does not.
    pub fn check(&self) -> Result<(), ProfileError> {
        let refuse = |field, bound| Err(ProfileError { field, bound });
        if !text_fits(&self.name, MAX_NAME) || self.name.is_empty() {
            return refuse("the name", "1 to 63 bytes of UTF-8 without control characters");
        }
        if self.capabilities.len() > MAX_CAPABILITIES
            || !self.capabilities.iter().all(|capability| text_fits(capability, MAX_CAPABILITY))
        {
            return refuse("capabilities", "at most 16, each at most 64 bytes without control characters");
        }
        if !text_fits(&self.summary, MAX_SUMMARY) {
            return refuse("the summary", "at most 120 bytes without control characters");
        }
        if self.services.len() > MAX_SERVICES || !self.services.iter().all(|(kind, _)| text_fits(kind, MAX_SERVICE)) {
            return refuse("services", "at most 8, each type at most 80 bytes without control characters");
        }
        if !self.agent_card.as_ref().is_none_or(|url| text_fits(url, MAX_URL)) {
            return refuse("the agent card's URL", "at most 200 bytes without control characters");
        }
        if !text_fits(&self.software, MAX_SOFTWARE) {
            return refuse("the software's name", "at most 64 bytes without control characters");
        }
        if !fits_a_frame(self) {
            return refuse("the whole profile", "at most about 900 bytes, so that an announce fits one datagram");
        }
        Ok(())
    }

    /// The profile without what makes it long.
    pub(super) fn brief(&self) -> Self {
        Self { name: self.name.clone(), status: self.status, software: self.software.clone(), ..Self::default() }
    }
}

pub(super) fn text_fits(text: &str, max: usize) -> bool {
    text.len() <= max && !text.chars().any(char::is_control)
}

/// Without frames there is none that it would have to fit.
#[cfg(not(feature = "keys"))]
fn fits_a_frame(_: &Profile) -> bool {
    true
}
