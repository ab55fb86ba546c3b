//! What a peer says again and again is not read, unless anything about it is new.

use super::*;
use crate::io::TrustChange;
use crate::succession::Statements;
use crate::wire::beacon::{BodyView, encode_announce};

fn words(name: &str) -> Vec<u8> {
    let profile = Profile { name: name.into(), ..Profile::default() };
    encode_announce(&profile, &[IpAddr::from(BOB_IP)], &Statements::default())
}

/// Bob, who was heard twice since he proved himself, and all that he said.
fn known(out: &mut Outbox) -> (Registry, Announcement<Vec<u8>>) {
    let mut registry = with_bob(out);
    let said = announcement("bob", 2, 17892).with_body(words("bob"));
    let reaction = registry.heard(&said.with_body(BodyView::read(&said.body).unwrap()), false, at(2), out);
    assert!(!reaction.prove && reaction.known);
    (registry, Announcement { sequence: 3, ..said })
}

fn heard_again(registry: &mut Registry, said: &Announcement<Vec<u8>>) -> Option<Reaction> {
    registry.heard_again(&said.with_body(&said.body), at(9))
}

#[test]
fn what_is_said_again_counts_and_nothing_else_does() {
    let mut out = Outbox::default();
    let (mut registry, said) = known(&mut out);
    let differing = [
        Announcement { sequence: 2, ..said.clone() },
        Announcement { source: SocketAddr::from((BOB_IP, 1)), ..said.clone() },
        Announcement { interface: 3, ..said.clone() },
        Announcement { instance: [8; 8], ..said.clone() },
        Announcement { ttl: Duration::from_secs(146), ..said.clone() },
        Announcement { tcp_port: 1, ..said.clone() },
        Announcement { body: words("bab"), ..said.clone() },
        Announcement { id: PeerId::from_bytes([3; 32]), ..said.clone() },
    ];
    for other in differing {
        assert_eq!(heard_again(&mut registry, &other), None, "{other:?}");
    }
    assert_eq!(registry.last_seen(&BOB), Some(at(2).wall));
    assert_eq!(heard_again(&mut registry, &said), Some(Reaction { known: true, ..Reaction::default() }));
    assert_eq!(registry.last_seen(&BOB), Some(at(9).wall));
    assert!(registry.fire(at(8 + 145), &mut out).is_empty(), "its time runs anew");
    assert_eq!(heard_again(&mut registry, &said), None, "that was heard");
    let asks = Announcement { sequence: 4, epoch: 1, answer_me: true, ..said };
    assert!(heard_again(&mut registry, &asks).is_some_and(|reaction| reaction.tell));
}

#[test]
fn whatever_happens_to_a_peer_what_it_says_is_read_anew() {
    type Happens = fn(&mut Registry, &mut Outbox);
    let happenings: [Happens; 7] = [
        |registry, out| registry.proved(proof(1), &answer(1), at(8), out),
        |registry, out| registry.set_links(&[], at(8), out),
        |registry, out| assert!(registry.goodbye(&BOB, 1, 2 + 1, at(8), out)),
        |registry, _| registry.woke(at(8).at),
        |registry, out| registry.change_trust(&BOB, TrustChange::Block, at(8), out).unwrap(),
        |registry, out| registry.set_alias(&BOB, Some("robert".into()), at(8), out).unwrap(),
        |registry, out| assert!(registry.heard(&announcement("robert", 3, 17892), false, at(8), out).known),
    ];
    for (number, happens) in happenings.into_iter().enumerate() {
        let mut out = Outbox::default();
        let (mut registry, said) = known(&mut out);
        happens(&mut registry, &mut out);
        let _ = registry.fire(at(9), &mut out);
        assert_eq!(heard_again(&mut registry, &Announcement { sequence: 9, ..said }), None, "{number}");
    }
}

#[test]
fn what_is_said_of_keys_that_ended_is_read_each_time() {
    let mut out = Outbox::default();
    let (mut registry, said) = known(&mut out);
    let ended = crate::job::SoftwareKeyring::from_seed(&[5; 32]);
    let revocation = crate::succession::Revocation::sign(ended.id(), &ended).unwrap();
    let statements = Statements { revocations: vec![revocation], ..Statements::default() };
    let body = encode_announce(&Profile { name: "bob".into(), ..Profile::default() }, &[], &statements);
    let said = Announcement { body, ..said };
    for sequence in 3..6 {
        let said = Announcement { sequence, ..said.clone() };
        assert_eq!(heard_again(&mut registry, &said), None);
        registry.heard(&said.with_body(BodyView::read(&said.body).unwrap()), false, at(9), &mut out);
    }
}
