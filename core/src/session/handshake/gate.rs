//! What a responder thinks of an M1 before it costs anything: checks in the order of their price, and cookies under load.

use alloc::vec::Vec;
use core::time::Duration;

use crate::crypto;
use crate::identity::PeerId;
use crate::random::Stream;
use crate::session::handshake::Refusal;
use crate::session::handshake::frames::{self, M1};
use crate::time::Instant;

/// How long a cookie secret makes cookies. For as long again it recognises them.
const SECRET_LIFE: Duration = Duration::from_secs(120);

/// Whether an M1 is to be answered.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Admission {
    Admit,
    /// Under load: send this, and forget the M1.
    Cookie(Vec<u8>),
    Refuse(Refusal),
}

/// Checks M1s: length, type, version, zeros; then mac1; then mac2, which is right, or all zeros if there is no load.
#[derive(Debug)]
pub(crate) struct Gate {
    mac1_key: [u8; 32],
    cookie_key: [u8; 32],
    random: Stream,
    secrets: Option<Secrets>,
}

#[derive(Debug)]
struct Secrets {
    since: Instant,
    current: crypto::Secret,
    previous: Option<crypto::Secret>,
}

impl Gate {
    /// `random` is a stream for cookie secrets and nonces.
    pub(crate) fn new(own: PeerId, random: Stream) -> Self {
        Self { mac1_key: frames::mac1_key(&own), cookie_key: frames::cookie_key(&own), random, secrets: None }
    }

    /// `source` is what a cookie is good for: address and port, or the room.
    pub(crate) fn check(&mut self, m1: &[u8], source: &[u8], under_load: bool, now: Instant) -> Admission {
        match self.read(m1, source, under_load, now) {
            Ok(None) => Admission::Admit,
            Ok(Some(cookie)) => Admission::Cookie(cookie),
            Err(refusal) => Admission::Refuse(refusal),
        }
    }

    fn read(&mut self, m1: &[u8], source: &[u8], under_load: bool, now: Instant) -> Result<Option<Vec<u8>>, Refusal> {
        let m1 = M1::parse(m1)?;
        m1.check_mac1(&self.mac1_key)?;
        match m1.mac2() {
            // A mac2 that is there is checked whatever the load, so that no byte of an M1 can be changed unnoticed.
            Some((covered, mac2)) => {
                let secrets = self.secrets(now);
                let known = [Some(&secrets.current), secrets.previous.as_ref()];
                let fits = |secret: &crypto::Secret| {
                    crypto::same(&crypto::mac(&crypto::mac(secret.expose(), source), covered), mac2)
                };
                if known.into_iter().flatten().any(fits) { Ok(None) } else { Err(Refusal::Mac) }
            }
            None if under_load => {
                let cookie = crypto::mac(self.secrets(now).current.expose(), source);
                let nonce = self.random.bytes();
                Ok(Some(frames::write_cookie(&m1, &self.cookie_key, &nonce, cookie).to_vec()))
            }
            None => Ok(None),
        }
    }

    /// The secrets as of `now`. Their times lie on a grid, so that no cookie outlives two lives however rarely we are asked.
    fn secrets(&mut self, now: Instant) -> &Secrets {
        let kept = self.secrets.take().and_then(|kept| {
            let age = now.since(kept.since);
            if age < SECRET_LIFE {
                Some(kept)
            } else if age < SECRET_LIFE * 2 {
                let current = crypto::Secret::from_bytes(self.random.bytes());
                Some(Secrets { since: kept.since + SECRET_LIFE, current, previous: Some(kept.current) })
            } else {
                None
            }
        });
        let random = &mut self.random;
        self.secrets.insert(kept.unwrap_or_else(|| Secrets {
            since: now,
            current: crypto::Secret::from_bytes(random.bytes()),
            previous: None,
        }))
    }
}
