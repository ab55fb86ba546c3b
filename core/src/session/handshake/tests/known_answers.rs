//! The known answers: bytes that reference_handshake.py computes by other code in another language.

use landfall_testvectors::vectors::hex;

use super::*;

struct Answer {
    path: Path,
    m2: &'static str,
    m3: &'static str,
    h1: &'static str,
    h2: &'static str,
    h4: &'static str,
    master: &'static str,
    exporter: &'static str,
    session: &'static str,
    first_key_of_initiator: &'static str,
    first_key_of_responder: &'static str,
}

fn answers() -> [Answer; 2] {
    [
        Answer {
            path: room("room-1"),
            m2: "0201000000000000000000070000000000000009ac01b2209e86354fb853237b5de0f4fab13c7fcbf433a61c019369617fecf10b018e0b0ca45cc1f6952ef9ad759b93b476eefa9aa55ae0ed18c6ba2b9844946744ca96784e73f15a2456d345662cfa839a3ad879e32fddbb5583b37984726215d4d5d8abe9650051ef375e63e3e0e1aaeec548660ccf9ec21ffd255a2651613d957f9faea5928983ed12a03b456ee94cbe8bbe954846e093938f8a582e5df31097473d31d71e37035dbb49de7b6577551a244596ddbc36bffc3ac6b336156d1d586b6c1c722b9a14bcc2ec0f6e5c6558",
            m3: "030100000000000000000009798ea3a885044493c529fde2b87fa343ce71f6ba22a848b0a9096509d762a7f4f69f6aa178789473591700bd34838c52e8147a507995aaca5fba7c6d5abfc4b04bb536a5f589f0a143a8030394fc260cfb918a2e2ddee23fc35073daee8c760f7b29ab7ae3887880f23a104addd7db4f46a618dc62380c02d54fc1fec37593d0765fa16e2d0a21177a6b2507974caaf2112a855bb2d89d62e9bcde21c8333d6f37b97c20877a63c60291fcc72d2c24c7",
            h1: "a134e2f1f34e35d3b437d97b068a46d40c79918331f5b476588e769f69da053a",
            h2: "d67677e2070c7e7cf93893cead7cc8ec059d49c67b21c9ff10e2575b89f4d31b",
            h4: "6d67209d02b6cad0a68c8e38ab257a2e3206396431a0d131befd5037fce00afd",
            master: "01f9f0d23373fb27b98ce8fe10263a21320028f037434ab7c07713b9c5fcce26",
            exporter: "9b6ccb6959052b1d6ce26406b5695d964fb02f96da4572f1c46f4af81f139457",
            session: "eedd237366d8fe7c77913593e7c93ab8",
            first_key_of_initiator: "8a8913682d9ed49845e8775b8d90dab3a47b8ac27ef86d16a870cb1720151cdc",
            first_key_of_responder: "ed661889158585894dadb4529e1b32e27a39a20fedbb35f4fb6e2a4e8895ce32",
        },
        Answer {
            path: Path::Direct,
            m2: "0201000000000000000000070000000000000009ac01b2209e86354fb853237b5de0f4fab13c7fcbf433a61c019369617fecf10bbcf8779bf89aaca7c6835c74d2fae68f4e5b5636211d0030a0bfca751bd78f3155eec842ef54500197d6064b2c0a278d30582719ad1a0be115b49a45e009b685cc41486fee801d3a94f39e1fadb38eb20d1ffd6163e29157f0fb98db23b438b7ce6aac75868125f64cf3dea35cce5ed66279251d3a744f1e6445cd593b445e9a598fdc1f08e95f5ebc809f645b3a8047747ad15a6b417ebe369d43f6177ba5d7beeec3813fa4487509743befa5557a8e",
            m3: "0301000000000000000000092adeb4a96f6d67ddf7122fb43ef0c1ca47e76950daaddde51e43e9ce21d58907412b767ac662d4b8c145f15713d7be0646d1b46468ba27f84138829fc786cbfd624307899cfb027b6921184361a872502ae08918c5373cd7f500f3879f1b2026ccba1894e0d3705080c320b1f46056f3478c2787c1c03a4ee24b836aade4166fee138a4e67c2cefb91af81432897883bd99b5c479489a4af9361cc0b3c479464612ba662ee9b0db6afe09cbdb90b3d64",
            h1: "9a60efacad471c359e16257d4b3e764a9cfff3ca7f76962bf9b940b433ffb354",
            h2: "16171dc7b439796f0108a2a06dbed510b0b13f15bcfc0cd9c124c964e749391b",
            h4: "2659d4297955bc496bb8c6685d4fbaf1a55d8114b83db9050ddc8631d532029f",
            master: "540900f1ced8440615f88ae51675f2911cc06602773ada48eac18a05f9bc5d04",
            exporter: "5dd3dbe3f78a4470bde34c813d75832b0d1c6be06b98cba51390168cb61eb630",
            session: "0a37178cdb86f53a5319c051bf5d339f",
            first_key_of_initiator: "5572fc618e5cea8e644bb9261cfa7850d2431f5df75fdf5e543e541c2e2449d0",
            first_key_of_responder: "a542b645a9056a5341b0d2f6d0260099fd7f2b117cb70f891e6878a3a7621c10",
        },
    ]
}

#[test]
fn both_sides_compute_the_known_answer_with_and_without_a_room() {
    for answer in answers() {
        let bytes = |digits: &str| hex(digits).unwrap();
        let Honest { initiator, responder, m1, m2, m3 } = honest(answer.path.clone());
        let h1 = Transcript::new(&answer.path, &r().id()).and(&m1[..M1_HEAD]);
        assert_eq!(h1.as_bytes()[..], bytes(answer.h1));
        let rogue = Rogue::initiator(&answer.path, &m1, &m2, &secret(3));
        assert_eq!(rogue.h2.as_bytes()[..], bytes(answer.h2));
        assert_eq!(m2, bytes(answer.m2));
        assert_eq!(m3, bytes(answer.m3));

        let master = rogue.schedule.master(&rogue.h3(&m2).and(&m3[12..]));
        assert_eq!(master.expose()[..], bytes(answer.master));
        for (keys, own, other) in [
            (initiator.keys(), answer.first_key_of_initiator, answer.first_key_of_responder),
            (responder.keys(), answer.first_key_of_responder, answer.first_key_of_initiator),
        ] {
            assert_eq!(keys.transcript()[..], bytes(answer.h4));
            assert_eq!(keys.exporter().expose()[..], bytes(answer.exporter));
            assert_eq!(keys.session_id()[..], bytes(answer.session));
            assert_eq!(crypto::expand(keys.sending(), "key", &[]).expose()[..], bytes(own));
            assert_eq!(crypto::expand(keys.receiving(), "key", &[]).expose()[..], bytes(other));
        }
        assert_eq!((initiator.side(), initiator.peer()), (Side::Ours, r().id()));
        assert_eq!((responder.side(), responder.peer()), (Side::Theirs, i().id()));
        assert_eq!((initiator.own_sid, initiator.peer_sid), (SID_I, SID_R));
        assert_eq!((responder.own_sid, responder.peer_sid), (SID_R, SID_I));
        assert!(responder.m3().is_none());
    }
}

#[test]
fn m1_is_the_known_bytes_and_shorter_answers_follow() {
    let (_, m1) = initiator(Path::Direct);
    let ephemeral = "5dfedd3b6bd47f6fa28ee15d969d5bb0ea53774d488bdaf9df1c6e0124b3ef22";
    let known = ["01010001", "0000000000000007", ephemeral, &"00".repeat(180), "965fe170dc0ded5567a6f82574537c8c"];
    assert_eq!(m1[..240], hex(&known.concat()).unwrap());
    assert_eq!(m1[240..], [0; 16]);
    let Honest { m1, m2, m3, .. } = honest(Path::Direct);
    assert_eq!((m1.len(), m2.len(), m3.len()), (256, 228, 188));
    assert_eq!((M1_LENGTH, M2_LENGTH, M3_LENGTH, COOKIE_LENGTH), (256, 228, 188, 68));
}

#[test]
fn the_steps_of_the_public_states_make_the_same_frames_as_the_machine() {
    let known = honest(Path::Direct);
    let (calling, work) = Initiator::new(i().id(), r().id(), &Path::Direct, secret(3), SID_I).unwrap();
    let (calling, m1) = calling.keyed(work.run(&i())).unwrap();
    let read = M1::read(&m1, &r().id()).unwrap();
    let (answering, work) = Responder::new(r().id(), &Path::Direct, secret(4), SID_R, &read).unwrap();
    let (answering, work) = answering.keyed(work.run(&r())).unwrap();
    let (answering, work) = answering.agreed(work.run(&r())).unwrap();
    let (answering, m2) = answering.signed(work.run(&r())).unwrap();
    let (calling, work) = calling.receive(&m2).unwrap();
    let (calling, work) = calling.agreed(work.run(&i())).unwrap();
    let (calling, work) = calling.verified(work.run(&i())).unwrap();
    let at_initiator = calling.signed(work.run(&i())).unwrap();
    let (answering, work) = answering.receive(at_initiator.m3().unwrap()).unwrap();
    let at_responder = answering.verified(work.run(&r())).unwrap();

    assert_eq!((&m1[..], &m2[..], at_initiator.m3().unwrap()), (&known.m1[..], &known.m2[..], &known.m3[..]));
    assert_eq!(at_initiator.keys(), known.initiator.keys());
    assert_eq!(at_responder.keys(), known.responder.keys());
    assert_mirrored(at_initiator.keys(), at_responder.keys());
}
