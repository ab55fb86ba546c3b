//! An announce's body in its bytes: all of it is checked once, and nothing is copied. A node says the same of itself in every
//! round, so what it says is compared with what is known before anything of it is kept.

use alloc::string::String;
use alloc::vec::Vec;
use core::net::IpAddr;

use minicbor::Decoder;

use super::{Body, MAX_ADDRESSES, Profile, Status};
use crate::succession::{Claims, RevocationClaim, RotationClaim};
use crate::wire::cbor::{List, NotCanonical, decode_strict};
use crate::wire::profile::{
    MAX_CAPABILITIES, MAX_CAPABILITY, MAX_NAME, MAX_SERVICE, MAX_SERVICES, MAX_SOFTWARE, MAX_SUMMARY, MAX_URL,
    text_fits,
};
use crate::wire::{FrameError, MAX_FRAME, statements};

/// What an announce says, in its bytes or kept.
pub(crate) trait Says {
    /// Whether it is this that it says of its sender.
    fn is(&self, profile: &Profile) -> bool;

    fn profile(&self) -> Profile;

    /// The addresses it says it has.
    fn addresses(&self) -> &[IpAddr];

    /// Puts what it says of keys that ended in place of what is there.
    fn put_claims(&self, claims: &mut Claims);

    /// To be kept.
    fn to_body(&self) -> Body;

    /// The bytes that all this was read from, if it was and nothing in them is to be looked at each time: claims are.
    fn words(&self) -> Option<&[u8]>;

    /// The addresses it claims are all it has, so that one that is missing is gone.
    fn lists_all_addresses(&self) -> bool {
        (1..MAX_ADDRESSES).contains(&self.addresses().len())
    }
}

impl Says for Body {
    fn is(&self, profile: &Profile) -> bool {
        self.profile == *profile
    }

    fn profile(&self) -> Profile {
        self.profile.clone()
    }

    fn addresses(&self) -> &[IpAddr] {
        &self.addresses
    }

    fn put_claims(&self, claims: &mut Claims) {
        claims.clone_from(&self.claims);
    }

    fn to_body(&self) -> Body {
        self.clone()
    }

    fn words(&self) -> Option<&[u8]> {
        None
    }
}

/// A body whose fields have all been read once.
#[derive(Clone, Copy, Debug)]
pub(crate) struct BodyView<'a> {
    bytes: &'a [u8],
    name: &'a str,
    addresses: [IpAddr; MAX_ADDRESSES],
    address_count: usize,
    capabilities: List<'a, &'a str>,
    status: Status,
    summary: &'a str,
    services: List<'a, (&'a str, u16)>,
    agent_card: Option<&'a str>,
    software: &'a str,
    rotations: List<'a, RotationClaim>,
    revocations: List<'a, RevocationClaim>,
}

impl<'a> BodyView<'a> {
    /// Reads a body. Unknown keys are skipped.
    ///
    /// # Errors
    /// [`FrameError::Body`] when it is not canonical CBOR, or a field has the wrong type or breaks its bound.
    pub(crate) fn read(bytes: &'a [u8]) -> Result<Self, FrameError> {
        decode_strict(bytes, MAX_FRAME, Self::fields).map_err(|_| FrameError::Body)
    }

    fn fields(decoder: &mut Decoder<'a>) -> Result<Self, NotCanonical> {
        let mut view = Self {
            bytes: decoder.input(),
            name: "",
            addresses: [IpAddr::from([0; 4]); MAX_ADDRESSES],
            address_count: 0,
            capabilities: List::empty(capability),
            status: Status::default(),
            summary: "",
            services: List::empty(service),
            agent_card: None,
            software: "",
            rotations: List::empty(statements::rotation),
            revocations: List::empty(statements::revocation),
        };
        for _ in 0..decoder.map()?.ok_or(NotCanonical)? {
            // A key that is no small integer is one we do not know.
            let Ok(key) = decoder.probe().u32() else {
                decoder.skip()?;
                decoder.skip()?;
                continue;
            };
            decoder.skip()?;
            match key {
                1 => view.name = text(decoder, MAX_NAME)?,
                2 => view.set_addresses(&List::read(decoder, MAX_ADDRESSES, address)?),
                3 => view.capabilities = List::read(decoder, MAX_CAPABILITIES, capability)?,
                4 => view.status = Status::from_code(decoder.u8()?).ok_or(NotCanonical)?,
                5 => view.summary = text(decoder, MAX_SUMMARY)?,
                7 => view.services = List::read(decoder, MAX_SERVICES, service)?,
                8 => view.agent_card = Some(text(decoder, MAX_URL)?),
                9 => view.software = text(decoder, MAX_SOFTWARE)?,
                statements::ROTATIONS_KEY => {
                    view.rotations = List::read(decoder, Claims::ROTATIONS, statements::rotation)?;
                }
                statements::REVOCATIONS_KEY => {
                    view.revocations = List::read(decoder, Claims::ANNOUNCED_REVOCATIONS, statements::revocation)?;
                }
                _ => decoder.skip()?,
            }
        }
        Ok(view)
    }

    fn set_addresses(&mut self, list: &List<'a, IpAddr>) {
        for (slot, address) in self.addresses.iter_mut().zip(list.items()) {
            *slot = address;
            self.address_count += 1;
        }
    }
}

impl Says for BodyView<'_> {
    fn is(&self, profile: &Profile) -> bool {
        let Profile { name, capabilities, status, summary, services, agent_card, software } = profile;
        self.name == name
            && self.status == *status
            && self.summary == summary
            && self.agent_card == agent_card.as_deref()
            && self.software == software
            && self.capabilities.items().eq(capabilities.iter().map(String::as_str))
            && self.services.items().eq(services.iter().map(|(kind, port)| (kind.as_str(), *port)))
    }

    fn profile(&self) -> Profile {
        Profile {
            name: self.name.into(),
            capabilities: self.capabilities.items().map(String::from).collect(),
            status: self.status,
            summary: self.summary.into(),
            services: self.services.items().map(|(kind, port)| (kind.into(), port)).collect(),
            agent_card: self.agent_card.map(String::from),
            software: self.software.into(),
        }
    }

    fn addresses(&self) -> &[IpAddr] {
        self.addresses.get(..self.address_count).unwrap_or_default()
    }

    fn put_claims(&self, claims: &mut Claims) {
        claims.rotations.clear();
        claims.rotations.extend(self.rotations.items());
        claims.revocations.clear();
        claims.revocations.extend(self.revocations.items());
    }

    fn to_body(&self) -> Body {
        let mut claims = Claims::default();
        self.put_claims(&mut claims);
        Body { profile: self.profile(), addresses: Vec::from(self.addresses()), claims }
    }

    fn words(&self) -> Option<&[u8]> {
        (self.rotations.is_empty() && self.revocations.is_empty()).then_some(self.bytes)
    }
}

fn text<'a>(decoder: &mut Decoder<'a>, max: usize) -> Result<&'a str, NotCanonical> {
    let text = decoder.str()?;
    if text_fits(text, max) { Ok(text) } else { Err(NotCanonical) }
}

fn capability<'a>(decoder: &mut Decoder<'a>) -> Result<&'a str, NotCanonical> {
    text(decoder, MAX_CAPABILITY)
}

fn address(decoder: &mut Decoder<'_>) -> Result<IpAddr, NotCanonical> {
    let bytes = decoder.bytes()?;
    if let Ok(v4) = <[u8; 4]>::try_from(bytes) {
        return Ok(IpAddr::from(v4));
    }
    <[u8; 16]>::try_from(bytes).map(IpAddr::from).map_err(|_| NotCanonical)
}

fn service<'a>(decoder: &mut Decoder<'a>) -> Result<(&'a str, u16), NotCanonical> {
    if decoder.array()? != Some(2) {
        return Err(NotCanonical);
    }
    Ok((text(decoder, MAX_SERVICE)?, decoder.u16()?))
}
