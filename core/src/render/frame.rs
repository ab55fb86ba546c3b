//! What a frame of Landfall's own says, in a few words.

use core::fmt;

use crate::wire::Frame;
use crate::wire::beacon::{Beacon, Body, Kind};

pub(super) fn write(f: &mut fmt::Formatter<'_>, payload: &[u8]) -> fmt::Result {
    match Frame::parse(payload) {
        Ok(Frame::Beacon(beacon)) => write_beacon(f, &beacon),
        Ok(Frame::Probe(_)) => f.write_str(" probe"),
        Ok(Frame::Answer(answer)) => write!(f, " answer of {} to {}", answer.id.short(), answer.observed.0),
        Err(_) => Ok(()),
    }
}

fn write_beacon(f: &mut fmt::Formatter<'_>, beacon: &Beacon<'_>) -> fmt::Result {
    let header = &beacon.header;
    f.write_str(match header.kind {
        Kind::Announce => " announce",
        Kind::Discover => " discover",
        Kind::Goodbye => " goodbye",
    })?;
    match header.id {
        Some(id) => write!(f, " of {} seq {}", id.short(), header.sequence)?,
        None => f.write_str(" of nobody")?,
    }
    if header.answer_me {
        f.write_str(" asking")?;
    }
    if header.kind == Kind::Announce {
        write!(f, " ttl {}", header.ttl)?;
        if let Ok(body) = Body::decode(beacon.body()) {
            write!(f, " name {:?}", body.profile.name)?;
        }
    }
    Ok(())
}
