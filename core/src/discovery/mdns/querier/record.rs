//! A record as it is kept: what it says, its life, and when to ask for it again. All of it is a few numbers, so that tens
//! of thousands take a few megabytes.

use alloc::boxed::Box;
use alloc::vec::Vec;
use core::net::IpAddr;
use core::time::Duration;

use super::heap::{NOWHERE, Places, Tick};
use super::names::{NameId, Names};
use super::slab::{Id, Slab};
use super::sources::SourceId;
use crate::wire::mdns::{Data, MAX_NAME, Name, Nsec, RecordType};

//= RFC 6762 §10 "The recommended TTL value for other Multicast DNS resource records is 75 minutes."
/// Longer lives are cut to this, so that what a liar says ends some time.
pub(crate) const MAX_TTL: u16 = 4500;
//= RFC 6762 §10.1 "record a TTL of 1 and then delete the record one second later"
//= RFC 6762 §10.2 "declared invalid, and marked to expire from the cache in one second"
pub(crate) const GRACE: u32 = 1000;
//= RFC 6762 §5.2 "at 80% of the record lifetime, and then if no answer is received, at 85%, 90%, and 95%"
const REFRESHES: [u32; 4] = [80, 85, 90, 95];
/// What a record counts for in the cache's bound: one, and one more for each of these many bytes.
const COST_UNIT: usize = 512;

/// A record of the cache.
#[derive(Debug)]
pub(crate) struct Record {
    pub(crate) name: NameId,
    /// The next record of the same name: of its pointers, or of all others.
    pub(crate) next: Option<Id<Record>>,
    /// Its neighbours in the queue of its source, or in that of what nobody wants.
    pub(crate) older: Option<Id<Record>>,
    pub(crate) newer: Option<Id<Record>>,
    /// Who sent it last.
    pub(crate) source: SourceId,
    pub(crate) expires: Tick,
    /// Its place among the deadlines.
    pub(crate) place: u32,
    ttl: u16,
    pub(crate) cost: u8,
    /// How often it has been asked for again.
    refreshes: u8,
    /// Somebody browses or resolves by it.
    pub(crate) wanted: bool,
    /// A pointer that counts for a service instance.
    pub(crate) leads: bool,
    /// A pointer to an instance that does not answer.
    pub(crate) idle: bool,
    /// The network may be another one since it was heard: it is to be asked for, and to be told to nobody.
    suspect: bool,
    pub(crate) content: Content,
}

pub(crate) type RecordId = Id<Record>;

/// The data of a TXT record.
pub(crate) type Text = Box<[u8]>;

/// What a record says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Content {
    /// PTR. The list of a name's pointers can be long, so it runs both ways.
    Pointer { target: NameId, before: Option<RecordId> },
    /// SRV.
    Location { priority: u16, weight: u16, port: u16, target: NameId },
    /// TXT.
    Text(Id<Text>),
    /// A.
    V4([u8; 4]),
    /// AAAA.
    V6([u8; 16]),
    /// NSEC, of which only this is kept: whether the name has A and AAAA records.
    Denial { v4: bool, v6: bool },
}

impl Content {
    pub(crate) const fn rtype(&self) -> RecordType {
        match self {
            Self::Pointer { .. } => RecordType::PTR,
            Self::Location { .. } => RecordType::SRV,
            Self::Text(_) => RecordType::TXT,
            Self::V4(_) => RecordType::A,
            Self::V6(_) => RecordType::AAAA,
            Self::Denial { .. } => RecordType::NSEC,
        }
    }

    /// The name that it points to.
    pub(crate) const fn target(&self) -> Option<NameId> {
        match *self {
            Self::Pointer { target, .. } | Self::Location { target, .. } => Some(target),
            Self::Text(_) | Self::V4(_) | Self::V6(_) | Self::Denial { .. } => None,
        }
    }

    pub(crate) fn address(&self) -> Option<IpAddr> {
        match *self {
            Self::V4(octets) => Some(octets.into()),
            Self::V6(octets) => Some(octets.into()),
            Self::Pointer { .. } | Self::Location { .. } | Self::Text(_) | Self::Denial { .. } => None,
        }
    }

    /// The data with its names uncompressed, their case as it came; put together in `room` where it is not kept in one piece.
    /// NSEC is told to nobody and gives nothing.
    pub(crate) fn data<'a>(&'a self, names: &'a Names, texts: &'a Slab<Text>, room: &'a mut Room) -> &'a [u8] {
        match self {
            Self::Pointer { target, .. } => names.wire(*target),
            Self::Location { priority, weight, port, target } => {
                let fixed = [*priority, *weight, *port].map(u16::to_be_bytes);
                let bytes = fixed.as_flattened().iter().chain(names.wire(*target));
                let length = room.iter_mut().zip(bytes).map(|(slot, byte)| *slot = *byte).count();
                room.get(..length).unwrap_or_default()
            }
            Self::Text(id) => texts.get(*id).map(|text| &**text).unwrap_or_default(),
            Self::V4(octets) => octets,
            Self::V6(octets) => octets,
            Self::Denial { .. } => &[],
        }
    }

    /// Where in the data a name begins, if there is one.
    pub(crate) const fn name_at(&self) -> Option<usize> {
        match self {
            Self::Pointer { .. } => Some(0),
            Self::Location { .. } => Some(SRV_FIXED),
            Self::Text(_) | Self::V4(_) | Self::V6(_) | Self::Denial { .. } => None,
        }
    }
}

/// Priority, weight and port, before an SRV record's target.
const SRV_FIXED: usize = 6;
/// Room for the longest data with a name in it.
pub(crate) type Room = [u8; SRV_FIXED + MAX_NAME];
pub(crate) const ROOM: Room = [0; SRV_FIXED + MAX_NAME];

/// What a record of a message says, its names taken up.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Said<'a> {
    Kept(Content),
    Text(&'a [u8]),
}

impl<'a> Said<'a> {
    /// None for types that are not kept. Text is put into `scratch`.
    pub(crate) fn of(data: &Data<'_>, names: &mut Names, scratch: &'a mut Vec<u8>) -> Option<Self> {
        Some(Self::Kept(match data {
            Data::Ptr(target) => Content::Pointer { target: names.intern(*target)?, before: None },
            Data::Srv(srv) => {
                let target = names.intern(srv.target)?;
                Content::Location { priority: srv.priority, weight: srv.weight, port: srv.port, target }
            }
            Data::Txt(_) => {
                data.extend_uncompressed(scratch);
                return Some(Self::Text(scratch));
            }
            Data::A(ip) => Content::V4(ip.octets()),
            Data::Aaaa(ip) => Content::V6(ip.octets()),
            Data::Nsec(nsec) => Content::of_nsec(nsec),
            Data::Cname(_) | Data::Hinfo(_) | Data::Opt(_) | Data::Opaque(_) => return None,
        }))
    }

    pub(crate) const fn rtype(&self) -> RecordType {
        match self {
            Self::Kept(content) => content.rtype(),
            Self::Text(_) => RecordType::TXT,
        }
    }

    pub(crate) const fn target(&self) -> Option<NameId> {
        match self {
            Self::Kept(content) => content.target(),
            Self::Text(_) => None,
        }
    }

    pub(crate) fn is(&self, content: &Content, texts: &Slab<Text>) -> bool {
        match (self, content) {
            (Self::Text(said), Content::Text(id)) => texts.get(*id).is_some_and(|text| **text == **said),
            (Self::Kept(said), content) => said == content,
            (Self::Text(_), _) => false,
        }
    }

    /// What a record counts for that says this of `name`.
    pub(crate) fn cost(&self, name: NameId, names: &Names) -> u8 {
        let text = if let Self::Text(text) = self { text.len() } else { 0 };
        let target = self.target().map_or(0, |target| names.wire(target).len());
        let bytes = names.wire(name).len() + target + text;
        u8::try_from(1 + bytes / COST_UNIT).unwrap_or(u8::MAX)
    }
}

impl Content {
    fn of_nsec(nsec: &Nsec<'_>) -> Self {
        Self::Denial { v4: nsec.contains(RecordType::A), v6: nsec.contains(RecordType::AAAA) }
    }
}

impl Record {
    pub(crate) fn new(
        name: NameId,
        content: Content,
        source: SourceId,
        cost: u8,
        wanted: bool,
        ttl: u32,
        now: Tick,
    ) -> Self {
        let mut record = Self {
            name,
            next: None,
            older: None,
            newer: None,
            source,
            expires: now,
            place: NOWHERE,
            ttl: 0,
            cost,
            refreshes: 0,
            wanted,
            leads: false,
            idle: false,
            suspect: false,
            content,
        };
        record.renew(ttl, now);
        record
    }

    pub(crate) const fn rtype(&self) -> RecordType {
        self.content.rtype()
    }

    /// Whether it is among the last to be displaced.
    pub(crate) const fn is_held(&self) -> bool {
        self.wanted && !self.idle
    }

    /// Begins its life anew.
    pub(crate) fn renew(&mut self, ttl: u32, now: Tick) {
        self.ttl = u16::try_from(ttl).map_or(MAX_TTL, |ttl| ttl.min(MAX_TTL));
        self.expires = now.plus(self.life());
        self.refreshes = 0;
        self.suspect = false;
    }

    /// It said goodbye, or another one took its place.
    pub(crate) fn end_soon(&mut self, now: Tick) {
        self.expires = self.expires.earlier(now.plus(GRACE));
        self.refreshes = u8::MAX;
    }

    /// It may be of another network: it ends in `seconds` unless it is heard again, and is asked for before.
    pub(crate) fn suspect(&mut self, seconds: u16, now: Tick) {
        let end = now.plus(u32::from(seconds) * 1000);
        if end.is_before(self.expires) {
            (self.ttl, self.expires, self.refreshes) = (seconds, end, 0);
        }
        self.suspect = true;
    }

    /// Whether it ends within a second, by its own or another's word.
    pub(crate) const fn is_ending(&self) -> bool {
        self.refreshes == u8::MAX
    }

    /// When it was heard last. Of a record that was told to end this is earlier than the truth.
    pub(crate) fn received(&self) -> Tick {
        self.expires.minus(self.life())
    }

    /// How long ago that is.
    pub(crate) fn age(&self, now: Tick) -> Duration {
        now.since(self.received())
    }

    /// It is asked for again.
    pub(crate) const fn refreshed(&mut self) {
        self.refreshes = self.refreshes.saturating_add(1);
    }

    /// When to look at it again, if it is wanted: at its next refresh or at its end.
    /// `variation` is how many 65536ths of the 2 % are added.
    pub(crate) fn deadline(&self, now: Tick, variation: u32) -> Tick {
        // What a host does not have is not worth a question of its own: it is said with what the host has.
        if matches!(self.content, Content::Denial { .. }) {
            return self.expires;
        }
        let added = (u64::from(self.life() / 50) * u64::from(variation)) >> 16;
        for percent in REFRESHES.iter().skip(self.refreshes.into()) {
            //= RFC 6762 §5.2 "a random variation of 2% of the record TTL should be added"
            let after = self.life() / 100 * percent + u32::try_from(added).unwrap_or(0);
            let at = self.received().plus(after);
            // Asking twice within a second would be no more than asking once.
            let soonest = if self.refreshes == 0 { now } else { now.plus(GRACE) };
            if soonest.is_before(at) {
                return at.earlier(self.expires);
            }
        }
        self.expires
    }

    /// The seconds it has left, when that is at least half of what it had and nothing speaks against it.
    pub(crate) fn known_answer_ttl(&self, now: Tick) -> Option<u32> {
        let left = u32::try_from(self.expires.since(now).as_secs()).unwrap_or(u32::MAX);
        //= RFC 6762 §7.1 "SHOULD NOT include records in the Known-Answer list whose remaining TTL is less than half"
        let told = left.saturating_mul(2) >= u32::from(self.ttl) && left > 0 && !self.suspect;
        told.then_some(left)
    }

    /// Its life in milliseconds.
    fn life(&self) -> u32 {
        u32::from(self.ttl) * 1000
    }
}

/// The name that is the whole of some data, such as a PTR's.
pub(crate) fn target(data: &[u8]) -> Option<Name<'_>> {
    Name::from_wire(data).ok()
}

impl Places<Record> for Slab<Record> {
    fn place(&self, of: RecordId) -> u32 {
        self.get(of).map_or(NOWHERE, |record| record.place)
    }

    fn set_place(&mut self, of: RecordId, place: u32) {
        if let Some(record) = self.get_mut(of) {
            record.place = place;
        }
    }
}

/// Small random numbers, many of them, from a seed: what spreads refreshes over time and guards no secret.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Jitter(pub(crate) u64);

impl Jitter {
    /// Uniform over 0..=`max`. This is SplitMix64, scaled.
    pub(crate) fn up_to(&mut self, max: u32) -> u32 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mixed = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        let high = (mixed ^ (mixed >> 31)) >> 32;
        u32::try_from((high * (u64::from(max) + 1)) >> 32).unwrap_or(max)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_record_takes_56_bytes() {
        assert_eq!(size_of::<Record>(), 56);
    }

    #[test]
    fn jitter_reaches_both_ends_and_no_further() {
        let mut jitter = Jitter(7);
        let draws: Vec<u32> = (0..2000).map(|_| jitter.up_to(9)).collect();
        for value in 0..=9 {
            let seen = draws.iter().filter(|draw| **draw == value).count();
            assert!((120..=280).contains(&seen), "{value} was drawn {seen} times of 2000");
        }
        assert!(draws.iter().all(|draw| *draw <= 9));
    }
}
