use super::*;
use crate::view::AddressView;

fn peer(key: u8, name: &str) -> PeerView {
    PeerView {
        name: name.to_owned(),
        online: true,
        addresses: vec![AddressView {
            address: format!("10.0.0.{key}"),
            port: 17892,
            state: "confirmed".to_owned(),
            source: "beacon".to_owned(),
            rtt_us: None,
        }],
        ..PeerView::stranger(&PeerId::from_bytes([key; 32]))
    }
}

fn called(peer: PeerView, alias: &str) -> PeerView {
    PeerView { alias: Some(alias.to_owned()), ..peer }
}

fn trusted(peer: PeerView, trust: &str) -> PeerView {
    PeerView { trust: trust.to_owned(), ..peer }
}

const ALL: [Purpose; 4] = [Purpose::Talk, Purpose::Trust, Purpose::Distrust, Purpose::Unblock];

/// The position of the peer that is meant, or the line that says why none is.
fn find(text: &str, purpose: Purpose, peers: &[PeerView]) -> Result<usize, String> {
    let found = resolve(text, purpose, peers).map_err(|failure| failure.to_string())?;
    Ok(peers.iter().position(|peer| peer == found).unwrap())
}

#[test]
fn an_alias_goes_before_every_name() {
    let peers = [peer(1, "nas"), called(peer(2, "other"), "nas"), peer(3, "nas")];
    for purpose in ALL {
        assert_eq!(find("nas", purpose, &peers), Ok(1));
    }
    assert_eq!(find("other", Purpose::Trust, &peers), Ok(1), "its own name is still its name");
}

#[test]
fn a_name_is_taken_as_it_is_written_and_else_in_any_case_if_that_is_one() {
    let peers = [peer(1, "Nas"), peer(2, "nas"), peer(3, "Büro")];
    assert_eq!(find("Nas", Purpose::Trust, &peers), Ok(0));
    assert_eq!(find("nas", Purpose::Trust, &peers), Ok(1));
    assert!(find("NAS", Purpose::Talk, &peers).unwrap_err().contains("2 peers"));
    assert_eq!(find("BÜRO", Purpose::Trust, &peers), Ok(2));
    assert_eq!(find("NAS-2", Purpose::Trust, &[called(peer(1, "x"), "nas-2")]), Ok(0));
}

#[test]
fn two_peers_of_one_name_are_listed_and_neither_is_chosen() {
    let offline = PeerView { online: false, trust: "pinned".to_owned(), ..peer(2, "nas") };
    let peers = [peer(1, "nas"), offline];
    for purpose in [Purpose::Talk, Purpose::Trust, Purpose::Distrust] {
        let line = find("nas", purpose, &peers).unwrap_err();
        for words in [
            "“nas” could be 2 peers",
            &peers[0].id[..19],
            &peers[1].id[..19],
            "10.0.0.1:17892, seen",
            "offline, pinned",
        ] {
            assert!(line.contains(words), "{line}");
        }
        assert_eq!(line.lines().count(), 1);
    }
}

#[test]
fn a_long_list_of_candidates_is_cut() {
    let peers: Vec<PeerView> = (1..=40).map(|key| peer(key, "nas")).collect();
    let line = find("nas", Purpose::Talk, &peers).unwrap_err();
    assert!(line.contains("40 peers") && line.contains("and 34 more"), "{line}");
}

#[test]
fn a_whole_id_means_that_key_whoever_is_called_so() {
    let victim = peer(1, "nas");
    let impostor = peer(2, &victim.id);
    let peers = [impostor, victim.clone()];
    for text in [victim.id.clone(), victim.id.to_uppercase()] {
        for purpose in ALL {
            assert_eq!(find(&text, purpose, &peers), Ok(1));
            assert!(find(&text, purpose, &peers[..1]).unwrap_err().contains("knows no peer"));
        }
    }
}

#[test]
fn nobody_is_taken_for_the_id_that_it_calls_itself_by() {
    let victim = peer(1, "nas");
    for end in [3 + 4, 3 + 8, 3 + 16] {
        for text in [&victim.id[..end], &victim.id[3..end]] {
            let peers = [peer(2, text), victim.clone()];
            assert!(find(text, Purpose::Talk, &peers).unwrap_err().contains("2 peers"), "{text}");
        }
    }
    let text = &victim.id[..19];
    assert!(find(text, Purpose::Trust, &[peer(2, text), victim.clone()]).unwrap_err().contains("2 peers"));
}

#[test]
fn the_beginning_of_an_id_chooses_whom_to_talk_with_from_4_characters_and_whom_to_trust_from_16() {
    let peers = [peer(1, "nas"), peer(2, "studio")];
    let id = &peers[1].id;
    let unique = (4..16).find(|length| !peers[0].id[3..].starts_with(&id[3..3 + length])).unwrap();
    for length in 1..58 {
        for text in [&id[3..3 + length], &id[..3 + length], &id[..3 + length].to_uppercase()] {
            let talk = find(text, Purpose::Talk, &peers);
            if length < 4 {
                assert!(talk.is_err(), "{text}");
            } else if length >= unique {
                assert_eq!(talk, Ok(1), "{text}");
            }
            for purpose in [Purpose::Trust, Purpose::Distrust, Purpose::Unblock] {
                let decided = find(text, purpose, &peers);
                if length < 16 {
                    let line = decided.unwrap_err();
                    assert!(length < 4 || line.contains("at least 16 characters"), "{text}: {line}");
                } else {
                    assert_eq!(decided, Ok(1), "{text}");
                }
            }
        }
    }
}

#[test]
fn the_short_form_of_the_table_chooses_whom_to_talk_with_only() {
    let peers = [peer(1, "nas"), peer(200, "studio")];
    assert_eq!(find(peers[1].short_id(), Purpose::Talk, &peers), Ok(1));
    assert!(find(peers[1].short_id(), Purpose::Trust, &peers).unwrap_err().contains("too little of an id"));
}

#[test]
fn the_beginning_of_ids_that_are_alike_is_ambiguous() {
    let mut twin = peer(1, "twin");
    twin.id.replace_range(40.., &"q".repeat(21));
    let peers = [peer(1, "nas"), twin];
    let text = &peers[0].id[..30];
    assert!(find(text, Purpose::Talk, &peers).unwrap_err().contains("2 peers"));
    assert!(find(text, Purpose::Trust, &peers).unwrap_err().contains("2 peers"));
}

#[test]
fn the_beginning_of_a_name_or_alias_is_enough_to_talk_and_never_to_trust() {
    let peers = [peer(1, "studio-left"), peer(2, "studio-right"), called(peer(3, "x"), "backup")];
    assert_eq!(find("studio-r", Purpose::Talk, &peers), Ok(1));
    assert_eq!(find("STUDIO-R", Purpose::Talk, &peers), Ok(1));
    assert_eq!(find("back", Purpose::Talk, &peers), Ok(2));
    assert!(find("bac", Purpose::Talk, &peers).unwrap_err().contains("knows no peer"));
    assert!(find("studio", Purpose::Talk, &peers).unwrap_err().contains("2 peers"));
    for purpose in [Purpose::Trust, Purpose::Distrust, Purpose::Unblock] {
        assert!(find("studio-r", purpose, &peers).unwrap_err().contains("knows no peer"));
    }
}

#[test]
fn a_whole_name_goes_before_the_beginning_of_another() {
    let peers = [peer(1, "studio"), peer(2, "studio-right")];
    assert_eq!(find("studio", Purpose::Talk, &peers), Ok(0));
}

#[test]
fn whom_nobody_can_mean_is_left_out_of_the_choice() {
    let peers = [trusted(peer(1, "nas"), "blocked"), peer(2, "nas"), trusted(peer(3, "nas"), "revoked")];
    assert_eq!(find("nas", Purpose::Talk, &peers), Ok(1));
    assert_eq!(find("nas", Purpose::Trust, &peers), Ok(1));
    assert_eq!(find("nas", Purpose::Unblock, &peers), Ok(0));
    assert!(find("nas", Purpose::Distrust, &peers).unwrap_err().contains("3 peers"));
    assert_eq!(find("nas", Purpose::Talk, &peers[..1]), Ok(0), "and the node says that it is blocked");
}

#[test]
fn what_a_peer_calls_itself_reaches_no_terminal_raw() {
    let name = "n\u{1b}[2J\u{202e}";
    let line = find(name, Purpose::Talk, &[peer(1, name), peer(2, name)]).unwrap_err();
    assert!(line.contains("n\\u{1b}[2J") && !line.contains(['\u{1b}', '\u{202e}']), "{line:?}");
    let line = find("\u{1b}]0;x", Purpose::Trust, &[]).unwrap_err();
    assert!(!line.contains('\u{1b}'), "{line:?}");
}

#[test]
fn no_peers_at_all_is_no_panic() {
    for text in ["a", "lp1", "LP1", "ü", "lp1ü", "l", "lp", "日本語", &"q".repeat(63)] {
        for purpose in ALL {
            assert!(find(text, purpose, &[]).is_err());
            assert!(find(text, purpose, &[peer(1, "日本")]).is_err() || purpose == Purpose::Talk);
        }
    }
}

#[test]
fn a_suggested_word_is_never_more_than_a_word_to_a_shell() {
    let id = PeerId::from_bytes([9; 32]).to_string();
    assert_eq!(word_for(Some("backup"), "$(reboot)", &id), "backup");
    assert_eq!(word_for(None, "studio-2.left_x", &id), "studio-2.left_x");
    for name in ["$(reboot)", "a b", "-c", "", "ü", "a;b", "..", "lp1abc", "'x'"] {
        assert_eq!(word_for(None, name, &id), &id[..19], "{name:?}");
    }
}
