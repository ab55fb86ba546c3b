//! Others' handshakes in which both sides prove a long-term key, in memory.

use std::hint::black_box;
use std::sync::Arc;

use landfall_core::{PeerId, SoftwareKeyring};
use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::client::{AlwaysResolvesClientRawPublicKeys, Resumption};
use rustls::crypto::{CryptoProvider, ring, verify_tls13_signature_with_raw_key};
use rustls::pki_types::{CertificateDer, PrivatePkcs8KeyDer, ServerName, SubjectPublicKeyInfoDer, UnixTime};
use rustls::server::AlwaysResolvesServerRawPublicKeys;
use rustls::server::danger::{ClientCertVerified, ClientCertVerifier};
use rustls::sign::CertifiedKey;
use rustls::{
    CertificateError, ClientConfig, ClientConnection, DigitallySignedStruct, DistinguishedName, Error, ServerConfig,
    ServerConnection, SignatureScheme,
};

use crate::measure::Entry;

pub(crate) fn entries() -> Vec<Entry> {
    let noise = |who: &str, pattern: &'static str| {
        let keys = [1, 2].map(|_| {
            let builder = snow::Builder::new(pattern.parse().expect("a pattern"));
            builder.generate_keypair().expect("a key").private
        });
        Entry::new(who, move || drop(black_box(noise(pattern, &keys))))
            .with(|figure| figure.note("Noise XX: static X25519 keys in place of signatures"))
    };
    let (client, server) = tls_configs();
    vec![
        noise("snow, SHA256", "Noise_XX_25519_ChaChaPoly_SHA256"),
        noise("snow, BLAKE2s", "Noise_XX_25519_ChaChaPoly_BLAKE2s"),
        Entry::new("rustls on ring", move || drop(black_box(shake_hands(&client, &server))))
            .with(|figure| figure.note("TLS 1.3, raw Ed25519 keys of both, assembly")),
    ]
}

fn noise(pattern: &str, [a, b]: &[Vec<u8>; 2]) -> [snow::TransportState; 2] {
    let builder = || snow::Builder::new(pattern.parse().expect("a pattern"));
    let mut initiator = builder().local_private_key(a).and_then(snow::Builder::build_initiator).expect("a key");
    let mut responder = builder().local_private_key(b).and_then(snow::Builder::build_responder).expect("a key");
    let (mut frame, mut payload) = ([0; 256], [0; 256]);
    for turn in 0..3 {
        let (from, to) =
            if turn % 2 == 0 { (&mut initiator, &mut responder) } else { (&mut responder, &mut initiator) };
        let length = from.write_message(&[], &mut frame).expect("a message");
        to.read_message(&frame[..length], &mut payload).expect("a message that is right");
    }
    [initiator, responder].map(|state| state.into_transport_mode().expect("three messages are all"))
}

fn shake_hands(client: &Arc<ClientConfig>, server: &Arc<ServerConfig>) -> (ClientConnection, ServerConnection) {
    let name = ServerName::try_from("peer.local").expect("a name");
    let mut client = ClientConnection::new(client.clone(), name).expect("a configuration that works");
    let mut server = ServerConnection::new(server.clone()).expect("a configuration that works");
    let mut bytes = Vec::new();
    while client.is_handshaking() || server.is_handshaking() {
        bytes.clear();
        while client.wants_write() {
            client.write_tls(&mut bytes).expect("memory");
        }
        let mut rest = bytes.as_slice();
        while !rest.is_empty() {
            server.read_tls(&mut rest).expect("memory");
            server.process_new_packets().expect("a handshake");
        }
        bytes.clear();
        while server.wants_write() {
            server.write_tls(&mut bytes).expect("memory");
        }
        let mut rest = bytes.as_slice();
        while !rest.is_empty() {
            client.read_tls(&mut rest).expect("memory");
            client.process_new_packets().expect("a handshake");
        }
    }
    (client, server)
}

fn tls_configs() -> (Arc<ClientConfig>, Arc<ServerConfig>) {
    let provider = Arc::new(CryptoProvider {
        cipher_suites: vec![ring::cipher_suite::TLS13_CHACHA20_POLY1305_SHA256],
        kx_groups: vec![ring::kx_group::X25519],
        ..ring::default_provider()
    });
    let seeds = [[1; 32], [2; 32]];
    let [expects_b, expects_a] = [1, 0].map(|other| {
        let key = public_key(&SoftwareKeyring::from_seed(&seeds[other]).id());
        Arc::new(Expects { key, provider: provider.clone() })
    });
    let [key_a, key_b] = seeds.map(|seed| {
        let pkcs8 = [&[0x30, 0x2e, 2, 1, 0, 0x30, 5, 6, 3, 0x2b, 0x65, 0x70, 4, 0x22, 4, 0x20][..], &seed].concat();
        let signing = ring::sign::any_eddsa_type(&PrivatePkcs8KeyDer::from(pkcs8)).expect("an Ed25519 key");
        let public = public_key(&SoftwareKeyring::from_seed(&seed).id());
        Arc::new(CertifiedKey::new(vec![CertificateDer::from(public)], signing))
    });
    let mut client = ClientConfig::builder_with_provider(provider.clone())
        .with_protocol_versions(&[&rustls::version::TLS13])
        .expect("TLS 1.3")
        .dangerous()
        .with_custom_certificate_verifier(expects_b)
        .with_client_cert_resolver(Arc::new(AlwaysResolvesClientRawPublicKeys::new(key_a)));
    client.resumption = Resumption::disabled();
    let mut server = ServerConfig::builder_with_provider(provider)
        .with_protocol_versions(&[&rustls::version::TLS13])
        .expect("TLS 1.3")
        .with_client_cert_verifier(expects_a)
        .with_cert_resolver(Arc::new(AlwaysResolvesServerRawPublicKeys::new(key_b)));
    server.send_tls13_tickets = 0;
    (Arc::new(client), Arc::new(server))
}

/// The SubjectPublicKeyInfo of an Ed25519 key (RFC 8410).
fn public_key(id: &PeerId) -> Vec<u8> {
    [&[0x30, 0x2a, 0x30, 5, 6, 3, 0x2b, 0x65, 0x70, 3, 0x21, 0][..], id.as_bytes()].concat()
}

/// Accepts one raw key and no other.
#[derive(Debug)]
struct Expects {
    key: Vec<u8>,
    provider: Arc<CryptoProvider>,
}

impl Expects {
    fn check(&self, certificate: &CertificateDer<'_>) -> Result<(), Error> {
        let same = certificate.as_ref() == self.key;
        same.then_some(()).ok_or(Error::InvalidCertificate(CertificateError::ApplicationVerificationFailure))
    }

    fn verify(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        let key = SubjectPublicKeyInfoDer::from(certificate.as_ref());
        verify_tls13_signature_with_raw_key(message, &key, signature, &self.provider.signature_verification_algorithms)
    }
}

impl ServerCertVerifier for Expects {
    fn verify_server_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        _: &[CertificateDer<'_>],
        _: &ServerName<'_>,
        _: &[u8],
        _: UnixTime,
    ) -> Result<ServerCertVerified, Error> {
        self.check(end_entity).map(|()| ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        _: &[u8],
        _: &CertificateDer<'_>,
        _: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        Err(Error::General("TLS 1.3 only".into()))
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        self.verify(message, certificate, signature)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        vec![SignatureScheme::ED25519]
    }

    fn requires_raw_public_keys(&self) -> bool {
        true
    }
}

impl ClientCertVerifier for Expects {
    fn root_hint_subjects(&self) -> &[DistinguishedName] {
        &[]
    }

    fn verify_client_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        _: &[CertificateDer<'_>],
        _: UnixTime,
    ) -> Result<ClientCertVerified, Error> {
        self.check(end_entity).map(|()| ClientCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        _: &[u8],
        _: &CertificateDer<'_>,
        _: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        Err(Error::General("TLS 1.3 only".into()))
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        self.verify(message, certificate, signature)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        vec![SignatureScheme::ED25519]
    }

    fn requires_raw_public_keys(&self) -> bool {
        true
    }
}
