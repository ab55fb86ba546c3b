#!/usr/bin/env python3
"""Writes handshake.json: a second implementation of lanp1's sessions that shares no code with the first.

It was written from the protocol's text alone (core/PROTOCOL.md) and uses only the standard library and `cryptography`
(PyPI) for Ed25519, X25519 and ChaCha20-Poly1305. All secrets are fixed and all signatures deterministic, so running it
again changes nothing (and not with `python3 -O`, which would take its checks away):

    python3 reference_handshake.py            writes handshake.json beside this file
    python3 reference_handshake.py --check    exits with 1 when the file is not what would be written

Each handshake is played by both sides, each of which checks what the other says; testvectors/tests/handshake_vectors.rs
makes the first implementation say the same, byte for byte. Byte strings are hexadecimal. `body` and `frame` of long
DATA frames are given as {"repeat": byte, "length": n} and {"sha256": digest, "length": n}.
"""

import hashlib
import hmac as hmac_module
import ipaddress
import json
import pathlib
import struct
import sys

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey, X25519PublicKey
from cryptography.hazmat.primitives.ciphers.aead import ChaCha20Poly1305
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

FILE = pathlib.Path(__file__).resolve().parent / "handshake.json"
FIELD = 2**255 - 19
SUITE = b"lanp1 25519/Ed25519/ChaChaPoly/SHA256"
VERSIONS = 1

# --- primitives, and names of keys (PROTOCOL.md sections 1 and 2) ----------------------------------------------------


def sha256(*parts):
    return hashlib.sha256(b"".join(parts)).digest()


def hmac(key, message):
    return hmac_module.new(key, message, "sha256").digest()


def expand(key, label, context=b""):
    return hmac(key, b"lanp1 " + label + context + b"\x01")


def mac(key, message):
    return hmac(key, message)[:16]


def lp(data):
    return struct.pack(">H", len(data)) + data


def u32(n):
    return struct.pack(">I", n)


def u64(n):
    return struct.pack(">Q", n)


def raw(public):
    return public.public_bytes(Encoding.Raw, PublicFormat.Raw)


def nonce(counter):
    return bytes(4) + struct.pack("<Q", counter)


def seal(key, counter, associated, text):
    return ChaCha20Poly1305(key).encrypt(nonce(counter), text, associated)


def unseal(key, counter, associated, sealed):
    return ChaCha20Poly1305(key).decrypt(nonce(counter), sealed, associated)


def quarter(x, a, b, c, d):
    rotate = lambda value, by: (value << by | value >> (32 - by)) & 0xFFFFFFFF
    for first, second, third, by in ((a, b, d, 16), (c, d, b, 12), (a, b, d, 8), (c, d, b, 7)):
        x[first] = (x[first] + x[second]) & 0xFFFFFFFF
        x[third] = rotate(x[third] ^ x[first], by)


def hchacha20(key, prefix):
    """The first 16 bytes of an XChaCha nonce make a key of their own (draft-irtf-cfrg-xchacha section 2.2)."""
    x = list(struct.unpack("<16I", b"expand 32-byte k" + key + prefix))
    for _ in range(10):
        for column in ((0, 4, 8, 12), (1, 5, 9, 13), (2, 6, 10, 14), (3, 7, 11, 15)):
            quarter(x, *column)
        for diagonal in ((0, 5, 10, 15), (1, 6, 11, 12), (2, 7, 8, 13), (3, 4, 9, 14)):
            quarter(x, *diagonal)
    return struct.pack("<8I", *x[:4], *x[12:])


def xchacha_seal(key, nonce24, associated, text):
    return ChaCha20Poly1305(hchacha20(key, nonce24[:16])).encrypt(bytes(4) + nonce24[16:], text, associated)


def agree(private, public):
    number = int.from_bytes(public, "little")
    assert number < FIELD, "a key with a second encoding"
    shared = private.exchange(X25519PublicKey.from_public_bytes(public))
    assert shared != bytes(32), "a key that contributes nothing"
    return shared


def canonical(identity):
    return int.from_bytes(identity, "little") & (2**255 - 1) < FIELD


class Key:
    """A long-term key."""

    def __init__(self, seed):
        self.seed = bytes([seed]) * 32
        self.private = Ed25519PrivateKey.from_private_bytes(self.seed)
        self.id = raw(self.private.public_key())

    def sign(self, message):
        return self.private.sign(message)


def verify(identity, message, signature):
    Ed25519PublicKey.from_public_bytes(identity).verify(signature, message)


def text_of(identity):
    """bech32m (BIP 350) with the prefix lp."""
    alphabet = "qpzry9x8gf2tvdw0s3jn54khce6mua7l"
    bits = int.from_bytes(identity, "big") << 4
    data = [bits >> shift & 31 for shift in range(255, -1, -5)]
    checksum = 1
    for value in [ord(c) >> 5 for c in "lp"] + [0] + [ord(c) & 31 for c in "lp"] + data + [0] * 6:
        top = checksum >> 25
        checksum = (checksum & 0x1FFFFFF) << 5 ^ value
        for bit, generator in enumerate((0x3B6A57B2, 0x26508E6D, 0x1EA119FA, 0x3D4233DD, 0x2A1462B3)):
            checksum ^= generator if top >> bit & 1 else 0
    checksum ^= 0x2BC830A3
    return "lp1" + "".join(alphabet[v] for v in data + [checksum >> shift & 31 for shift in range(25, -1, -5)])


# --- the handshake (section 4) ---------------------------------------------------------------------------------------


class Transcript:
    def __init__(self, path, room, responder):
        self.value = sha256(lp(SUITE), bytes([path]), lp(room), responder)

    def add(self, said):
        self.value = sha256(self.value, said)
        return self.value


class Schedule:
    def __init__(self, h2, shared):
        self.prk = hmac(h2, shared)

    def finish(self, h4):
        ms = expand(self.prk, b"ms", h4)
        return {
            "h4": h4, "ms": ms, "ck_i": expand(ms, b"ck i"), "ck_r": expand(ms, b"ck r"),
            "exporter": expand(ms, b"exporter"), "session_id": expand(ms, b"sid")[:16],
        }


def proof_message(side, prk, h, identity, payload):
    u = sha256(h, identity, payload)
    return b"lanp1 sig " + side + b"\0" + u + hmac(expand(prk, side + b".mac"), u)


def prove(side, prk, h, key, payload):
    signature = key.sign(proof_message(side, prk, h, key.id, payload))
    return seal(expand(prk, side + b".hs"), 0, h, key.id + signature + payload)


def check_proof(side, prk, h, sealed, own):
    opened = unseal(expand(prk, side + b".hs"), 0, h, sealed)
    identity, signature, payload = opened[:32], opened[32:96], opened[96:]
    assert len(payload) == 64 and identity != own and canonical(identity)
    verify(identity, proof_message(side, prk, h, identity, payload), signature)
    return identity


class Initiator:
    def __init__(self, key, responder, path, room, secret, sid, payload):
        self.key, self.responder, self.sid, self.payload = key, responder, sid, payload
        self.secret = X25519PrivateKey.from_private_bytes(secret)
        self.transcript = Transcript(path, room, responder)

    def m1(self):
        covered = b"\x01\x01" + struct.pack(">H", VERSIONS) + u64(self.sid) + raw(self.secret.public_key()) + bytes(180)
        self.mac1 = mac(sha256(b"lanp1 mac1", self.responder), covered)
        self.without_mac2 = covered + self.mac1
        self.h1 = self.transcript.add(covered[:44])
        return self.without_mac2 + bytes(16)

    def m1_with(self, cookie):
        return self.without_mac2 + mac(cookie, self.without_mac2)

    def m3(self, m2):
        assert len(m2) == 228 and m2[:4] == b"\x02\x01\0\0" and m2[4:12] == u64(self.sid)
        self.peer_sid = m2[12:20]
        h2 = self.transcript.add(m2[:52])
        schedule = Schedule(h2, agree(self.secret, m2[20:52]))
        assert check_proof(b"r", schedule.prk, h2, m2[52:], self.key.id) == self.responder
        h3 = self.transcript.add(m2[52:])
        ct3 = prove(b"i", schedule.prk, h3, self.key, self.payload)
        self.keys = schedule.finish(self.transcript.add(ct3))
        return b"\x03\x01\0\0" + self.peer_sid + ct3


class Responder:
    def __init__(self, key, path, room, secret, sid, payload):
        self.key, self.sid, self.payload = key, sid, payload
        self.secret = X25519PrivateKey.from_private_bytes(secret)
        self.transcript = Transcript(path, room, key.id)

    def m2(self, m1):
        assert len(m1) == 256 and m1[:2] == b"\x01\x01" and m1[3] & 1 and m1[44:224] == bytes(180)
        assert mac(sha256(b"lanp1 mac1", self.key.id), m1[:224]) == m1[224:240]
        self.peer_sid = m1[4:12]
        self.transcript.add(m1[:44])
        head = b"\x02\x01\0\0" + self.peer_sid + u64(self.sid) + raw(self.secret.public_key())
        h2 = self.transcript.add(head)
        self.schedule = Schedule(h2, agree(self.secret, m1[12:44]))
        ct2 = prove(b"r", self.schedule.prk, h2, self.key, self.payload)
        self.h3 = self.transcript.add(ct2)
        return head + ct2

    def take(self, m3):
        assert len(m3) == 188 and m3[:4] == b"\x03\x01\0\0" and m3[4:12] == u64(self.sid)
        self.peer = check_proof(b"i", self.schedule.prk, self.h3, m3[12:], self.key.id)
        self.keys = self.schedule.finish(self.transcript.add(m3[12:]))


def cookie_frame(m1, responder, cookie, nonce24):
    sealed = xchacha_seal(sha256(b"lanp1 cookie", responder), nonce24, m1[224:240], cookie)
    return b"\x05\x01\0\0" + m1[4:12] + nonce24 + sealed


# --- DATA frames (section 5) -----------------------------------------------------------------------------------------


def chain(ck, step):
    for _ in range(step):
        ck = expand(ck, b"next")
    return expand(ck, b"key")


def padded(length):
    if length <= 64:
        return 64
    step = 256 if length <= 1024 else 1024
    return -(-length // step) * step


def record(kind, body):
    prefix = struct.pack(">HB", len(body), kind)
    size = padded(len(prefix) + len(body))
    assert size <= 64512
    return (prefix + body).ljust(size, b"\0")


def data_frame(ck, sid, counter, kind, body):
    header = b"\x04\x01" + struct.pack(">H", counter >> 16 & 0xFFFF) + u64(sid) + u64(counter)
    return header + seal(chain(ck, counter >> 16), counter, header, record(kind, body))


# --- short authentication strings (section 7.4), the end of keys (section 8), rooms (section 9) ----------------------


def sas(keys, r_i, r_r):
    bits = expand(keys["exporter"], b"sas", r_i + r_r)
    words = [int.from_bytes(bits[at:at + 4], "big") % 10000 for at in (0, 4, 8)]
    return {
        "r_i": r_i, "r_r": r_r, "commitment": sha256(b"lanp1 sas", keys["h4"], r_i),
        "string": " ".join(f"{word:04}" for word in words),
    }


def rotation(old, new, epoch, reason):
    statement = old.id + new.id + u64(epoch) + bytes([reason])
    message = b"lanp1 rotate\0" + statement
    return statement + old.sign(message) + new.sign(message)


def revocation(key):
    return key.id + key.sign(b"lanp1 revoke\0" + key.id)


# --- the file --------------------------------------------------------------------------------------------------------

ZEROS = bytes(64)
COUNT = bytes(range(64))


def play(name, path, room=b"", pay_i=ZEROS, pay_r=ZEROS, seeds=(1, 2, 3, 4), sids=(7, 9), cookie_from=None):
    i, r = Key(seeds[0]), Key(seeds[1])
    secret_i, secret_r = bytes([seeds[2]]) * 32, bytes([seeds[3]]) * 32
    initiator = Initiator(i, r.id, path, room, secret_i, sids[0], pay_i)
    responder = Responder(r, path, room, secret_r, sids[1], pay_r)
    m1 = initiator.m1()
    case = {
        "name": name, "initiator_seed": i.seed, "responder_seed": r.seed, "initiator_id": i.id, "responder_id": r.id,
        "initiator_ephemeral_secret": secret_i, "responder_ephemeral_secret": secret_r,
        "initiator_sid": sids[0], "responder_sid": sids[1], "path": path, "room": room, "initiator_payload": pay_i,
        "responder_payload": pay_r, "m1": m1,
    }
    if cookie_from is not None:
        secret, source, nonce24 = cookie_from
        cookie = mac(secret, source)
        case["cookie"] = {"secret": secret, "source": source, "nonce": nonce24, "cookie": cookie,
                          "frame": cookie_frame(m1, r.id, cookie, nonce24)}
        m1 = initiator.m1_with(cookie)
        case["cookie"]["m1"] = m1
    m2 = responder.m2(m1)
    m3 = initiator.m3(m2)
    responder.take(m3)
    assert responder.peer == i.id and responder.keys == initiator.keys
    case |= {"m2": m2, "m3": m3} | initiator.keys
    case["k_i"] = [chain(initiator.keys["ck_i"], step) for step in range(3)]
    case["k_r"] = [chain(initiator.keys["ck_r"], step) for step in range(3)]
    return case


def frames(case):
    directions = {"i": (case["ck_i"], case["responder_sid"]), "r": (case["ck_r"], case["initiator_sid"])}
    longest = 64509
    plan = [("i", 0, 1, b"hello"), ("r", 0, 0, b""), ("r", 1, 5, b"\1"), ("i", 1, 6, b"12345678"),
            ("i", 2, 200, b"of a later version"), ("i", 65535, 1, b"the last of step 0"),
            ("i", 65536, 1, b"the first of step 1"), ("i", 131072, 1, b"the first of step 2"), ("r", 2, 1, b""),
            ("r", 3, 7, b"12345678")]
    plan += [("i", 3 + at, 1, b"x" * length)
             for at, length in enumerate((61, 62, 253, 254, 1021, 1022, 2045, 2046, longest - 1, longest))]
    out = []
    for side, counter, kind, body in plan:
        ck, sid = directions[side]
        frame = data_frame(ck, sid, counter, kind, body)
        long = len(body) > 64
        out.append({
            "from": side, "counter": counter, "kind": kind,
            "body": {"repeat": body[:1], "length": len(body)} if long else body,
            "frame": {"sha256": sha256(frame), "length": len(frame)} if long else frame,
        })
    return out


def document():
    source4 = ipaddress.ip_address("192.0.2.7").packed + struct.pack(">H", 50123)
    source6 = ipaddress.ip_address("2001:db8::7").packed + struct.pack(">H", 50123)
    cookie = lambda source: (bytes([5]) * 32, source, bytes(range(24)))
    direct = play("direct", 0)
    room = play("room", 1, b"room-1")
    known = {
        "h4": "6d67209d02b6cad0a68c8e38ab257a2e3206396431a0d131befd5037fce00afd",
        "ms": "01f9f0d23373fb27b98ce8fe10263a21320028f037434ab7c07713b9c5fcce26",
    }
    assert {name: room[name].hex() for name in known} == known, "the known answer of PROTOCOL.md section 13"
    assert room["k_i"][0].hex() == "8a8913682d9ed49845e8775b8d90dab3a47b8ac27ef86d16a870cb1720151cdc"
    old, new = Key(1), Key(6)
    return {
        "handshakes": [
            direct, room,
            play("other keys", 0, seeds=(11, 12, 13, 14), sids=(2**64 - 1, 2**63)),
            play("the longest room", 1, b"r" * 255),
            play("a room of no name is no direct path", 1, b""),
            play("cookie for an IPv4 source", 0, cookie_from=cookie(source4)),
            play("cookie for an IPv6 source", 0, cookie_from=cookie(source6)),
            play("cookie in a room", 1, b"room-1", cookie_from=cookie(b"room-1")),
            play("a responder's payload of a later version", 0, pay_r=COUNT),
            play("an initiator's payload of a later version", 0, pay_i=COUNT),
        ],
        "frames": frames(direct),
        "sas": [sas(direct, b"\x0a" * 32, b"\x0b" * 32), sas(room, bytes(range(32)), bytes(32))],
        "rooms": [{"day": day, "room": expand(direct["exporter"], b"room", u32(day))[:16]} for day in (0, 20000)],
        "rotations": [
            {"old_seed": old.seed, "new_seed": new.seed, "epoch": 1767225600000, "reason": reason,
             "bytes": rotation(old, new, 1767225600000, reason)} for reason in (0, 1)
        ],
        "revocations": [{"seed": old.seed, "bytes": revocation(old)}],
        "ids": [{"key": identity, "text": text_of(identity)} for identity in (old.id, new.id, bytes(32), b"\xff" * 32)],
    }


def refusals():
    """What this implementation refuses too; a reference that accepts everything proves nothing."""
    i, r = Key(1), Key(2)
    for what, at in (("type", 0), ("version", 1), ("sid", 4), ("key", 20), ("sealed part", 60), ("tag", 227)):
        initiator = Initiator(i, r.id, 0, b"", bytes([3]) * 32, 7, ZEROS)
        m2 = bytearray(Responder(r, 0, b"", bytes([4]) * 32, 9, ZEROS).m2(initiator.m1()))
        m2[at] ^= 1
        try:
            initiator.m3(bytes(m2))
        except (AssertionError, InvalidTag):
            continue
        raise SystemExit(f"an M2 with another {what} was accepted")


def as_json(value):
    if isinstance(value, bytes):
        return value.hex()
    if isinstance(value, dict):
        return {name: as_json(item) for name, item in value.items()}
    if isinstance(value, list):
        return [as_json(item) for item in value]
    return value


def main():
    refusals()
    contents = document()
    text = json.dumps(as_json(contents), indent=1) + "\n"
    if "--check" not in sys.argv[1:]:
        FILE.write_text(text, encoding="utf-8")
    elif not FILE.exists() or FILE.read_text(encoding="utf-8") != text:
        print(f"{FILE.name} is not what reference_handshake.py writes", file=sys.stderr)
        sys.exit(1)
    print(f"{len(contents['handshakes'])} handshakes, {len(contents['frames'])} frames")


if __name__ == "__main__":
    main()
