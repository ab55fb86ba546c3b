#!/usr/bin/env python3
"""Writes the wire vectors of this folder: a second implementation of Landfall's frames that shares no code with the first.

It was written from the protocol's text alone and uses only the standard library and `cryptography` (PyPI) for Ed25519.
Keys are fixed, Ed25519 signatures are deterministic, so running it again changes nothing:

    python3 reference_frames.py            writes beacon/*.txt and probe/*.txt beside this file
    python3 reference_frames.py --check    exits with 1 when a file is not what would be written

A file holds comment lines (#), then `field: value` lines that say what a correct reader must read, or `reject: stage`, then
`frame:` and the bytes in hexadecimal, each line with what it is after a semicolon. Invisible characters in a value are
written \\u{hex}. The stages of a rejection are `frame`
(lengths, magic, kind, flags), `signature` (key and signature) and `body` (everything else is right, the CBOR body is not).
"""

import hashlib
import ipaddress
import pathlib
import struct
import sys
import unicodedata

from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

HERE = pathlib.Path(__file__).resolve().parent
ORDER = 2**252 + 27742317777372353535851937790883648493
FIELD = 2**255 - 19


class Key:
    def __init__(self, seed):
        self.private = Ed25519PrivateKey.from_private_bytes(bytes([seed]) * 32)
        self.public = self.private.public_key().public_bytes(
            serialization.Encoding.Raw, serialization.PublicFormat.Raw
        )

    def sign(self, message):
        return self.private.sign(message)


ALICE = Key(1)
BOB = Key(2)


def tag(network):
    return hashlib.sha256(b"lanp1 net" + network.encode()).digest()[:8]


# --- canonical CBOR (RFC 8949 section 4.2), and ways to get it wrong -------------------------------------------------


def head(major, argument):
    if argument < 24:
        return bytes([major << 5 | argument])
    for info, size in ((24, 1), (25, 2), (26, 4), (27, 8)):
        if argument < 1 << (8 * size):
            return bytes([major << 5 | info]) + argument.to_bytes(size, "big")
    raise ValueError(argument)


def cbor(value):
    if isinstance(value, bool):
        return b"\xf5" if value else b"\xf4"
    if isinstance(value, int):
        return head(0, value) if value >= 0 else head(1, -1 - value)
    if isinstance(value, bytes):
        return head(2, len(value)) + value
    if isinstance(value, str):
        return head(3, len(value.encode())) + value.encode()
    if isinstance(value, (list, tuple)):
        return head(4, len(value)) + b"".join(map(cbor, value))
    if isinstance(value, dict):
        pairs = sorted((cbor(key), cbor(item)) for key, item in value.items())
        return head(5, len(pairs)) + b"".join(key + item for key, item in pairs)
    raise TypeError(value)


BODY_NAMES = {
    1: "name", 2: "addresses", 3: "capabilities", 4: "status", 5: "summary", 6: "prekey", 7: "services",
    8: "agent card", 9: "software", 15: "padding",
}


class Frame:
    """Bytes in pieces, each with its meaning."""

    def __init__(self):
        self.pieces = []

    def add(self, data, meaning):
        self.pieces.append((bytes(data), meaning))
        return self

    def bytes(self):
        return b"".join(data for data, _ in self.pieces)


def body_pieces(fields):
    pieces = [(head(5, len(fields)), f"map of {len(fields)}")]
    for key in sorted(fields, key=cbor):
        what = BODY_NAMES.get(key, "unknown")
        pieces.append((cbor(key) + cbor(fields[key]), f"{key}: {what}"))
    return pieces


KINDS = {1: "announce", 2: "discover", 3: "goodbye"}


def beacon(kind=1, flags=0, network="", key=ALICE, epoch=1767225600000, seq=1, ms=1767225601000,
           instance=b"instance", ttl=210, port=0, body=None, raw_body=None, pad=True,
           identity=None, signature=None, length=None, magic=b"LNP1", tail=b""):
    """A signed frame. `body` is a dict, padded to a frame of at least 256 bytes when it is an announce's;
    `raw_body` is bytes taken as they are."""
    if raw_body is None:
        fields = dict(body or {})
        if kind == 1 and pad:
            missing = 256 - (80 + len(cbor(fields)) + 64)
            if missing > 0:
                zeros = max(missing - (2 if missing < 26 else 3), 0)
                fields[15] = bytes(zeros)
        pieces = body_pieces(fields)
    else:
        pieces = [(raw_body, "body")]
    size = sum(len(data) for data, _ in pieces)
    frame = Frame()
    frame.add(magic, "magic")
    frame.add([kind], f"kind: {KINDS.get(kind, 'unknown')}")
    frame.add([flags], "flags")
    frame.add(struct.pack(">H", size if length is None else length), "body length")
    frame.add(tag(network), f"network tag of {network!r}")
    frame.add(identity or key.public, "id")
    frame.add(struct.pack(">Q", epoch), "epoch")
    frame.add(struct.pack(">I", seq), "sequence")
    frame.add(struct.pack(">Q", ms), "unix ms")
    frame.add(instance, "instance")
    frame.add(struct.pack(">H", ttl), "ttl in s")
    frame.add(struct.pack(">H", port), "TCP port")
    for data, meaning in pieces:
        frame.add(data, meaning)
    if signature is None:
        signature = key.sign(b"lanp1 beacon\0" + frame.bytes())
    frame.add(signature[:32], "signature: R")
    frame.add(signature[32:], "signature: S")
    if tail:
        frame.add(tail, "trailing bytes")
    return frame


def anonymous(network="", body=b"\xa0", size=512, identity=bytes(32), kind=2, filler=b"\0"):
    frame = Frame()
    frame.add(b"LNP1", "magic").add([kind], f"kind: {KINDS[kind]}").add([2], "flags: anonymous")
    frame.add(struct.pack(">H", len(body)), "body length").add(tag(network), f"network tag of {network!r}")
    frame.add(identity, "id: none").add(bytes(8), "epoch").add(bytes(4), "sequence").add(bytes(8), "unix ms")
    frame.add(bytes(8), "instance").add(bytes(2), "ttl in s").add(bytes(2), "TCP port").add(body, "body")
    frame.add(filler * (size - len(frame.bytes())), "padding")
    return frame


NONCE = bytes(range(16))


def probe(sender=ALICE.public, nonce=NONCE, size=256, flags=0, length=None, filler=b"\0"):
    frame = Frame()
    frame.add(b"LNP1", "magic").add([4], "kind: probe").add([flags], "flags")
    frame.add(struct.pack(">H", size - 8 if length is None else length), "length of what follows")
    frame.add(sender, "sender id").add(nonce, "nonce")
    return frame.add(filler * (size - len(frame.bytes())), "padding")


def answer(network="", key=BOB, epoch=1767225600000, seq=7, ms=1767225602000, instance=b"instance", nonce=NONCE,
           observed="10.77.0.2", port=17892, flags=0, length=166, tail=b"", domain=b"lanp1 probe\0"):
    ip = ipaddress.ip_address(observed)
    mapped = ip.packed if ip.version == 6 else bytes(10) + b"\xff\xff" + ip.packed
    frame = Frame()
    frame.add(b"LNP1", "magic").add([5], "kind: answer").add([flags], "flags")
    frame.add(struct.pack(">H", length), "length of what follows").add(tag(network), f"network tag of {network!r}")
    frame.add(key.public, "id").add(struct.pack(">Q", epoch), "epoch").add(struct.pack(">I", seq), "sequence")
    frame.add(struct.pack(">Q", ms), "unix ms").add(instance, "instance").add(nonce, "nonce")
    frame.add(mapped, f"observed address {observed}").add(struct.pack(">H", port), "observed port")
    signature = key.sign(domain + frame.bytes())
    frame.add(signature[:32], "signature: R").add(signature[32:], "signature: S")
    return frame.add(tail, "trailing bytes") if tail else frame


# --- the files -------------------------------------------------------------------------------------------------------

FILES = {}


def visible(value):
    """Characters that change how others are shown are written as \\u{hex}."""
    hidden = lambda character: unicodedata.category(character).startswith("C")
    return "".join(f"\\u{{{ord(c):x}}}" if hidden(c) else c for c in str(value))


def write(path, comment, fields, frame):
    lines = [f"# {line}" for line in comment.strip().splitlines()]
    lines += [f"{name}: {visible(value)}" for name, value in fields.items()]
    lines.append("frame:")
    for data, meaning in frame.pieces:
        text = data.hex()
        rows = [text[at:at + 64] for at in range(0, len(text), 64)] or [""]
        lines.append(f"{rows[0]} ; {meaning}")
        lines += [f"{row} ;" for row in rows[1:]]
    FILES[path] = "\n".join(lines) + "\n"


def valid(name, comment, fields, frame):
    write(f"{name}.txt", comment, fields, frame)


def reject(name, stage, comment, frame):
    directory, _, rest = name.partition("/")
    write(f"{directory}/reject-{rest}.txt", comment, {"reject": stage}, frame)


def header_of(kind, **over):
    fields = {
        "kind": kind, "answer-me": "no", "network-tag": tag("").hex(), "id": ALICE.public.hex(),
        "epoch": 1767225600000, "sequence": 1, "sent-ms": 1767225601000, "instance": b"instance".hex(),
        "ttl": 210, "tcp-port": 0,
    }
    fields.update(over)
    return fields


FULL = {
    1: "Anna\u2019s K\u00fcche", 2: [bytes([10, 77, 0, 2]), ipaddress.ip_address("fe80::2").packed],
    3: ["chat", "code-review"], 4: 1, 5: "reading the fine manual", 7: [["_a2a._tcp", 8080], ["_ipp._tcp", 631]],
    8: "http://10.77.0.2:8080/.well-known/agent.json", 9: "landfall/0.1.0",
}
FULL_READING = {
    "name": FULL[1], "addresses": "10.77.0.2,fe80::2", "capabilities": "chat,code-review", "status": 1,
    "summary": FULL[5], "services": "_a2a._tcp=8080,_ipp._tcp=631", "agent-card": FULL[8], "software": FULL[9],
}

valid("beacon/announce-minimal", "The shortest announce: a name, padded to the 256 bytes of a probe.",
      header_of("announce", name="a"), beacon(body={1: "a"}))
valid("beacon/announce-full", "An announce with every field.",
      header_of("announce", **{"answer-me": "yes"}, **FULL_READING) | {"tcp-port": 4242},
      beacon(flags=1, body=FULL, port=4242))
valid("beacon/announce-nameless", "An announce that says nothing. Whoever reads it must live with an empty name.",
      header_of("announce"), beacon(body={}))
valid("beacon/announce-unpadded", "An announce below 256 bytes: valid, and not to be answered with anything larger.",
      header_of("announce", name="a"), beacon(body={1: "a"}, pad=False))
valid("beacon/announce-unknown-keys",
      "Keys that this version does not know, of every type: skipped. Also 6, the prekey, which belongs to later versions.",
      header_of("announce", name="a"),
      beacon(body={1: "a", 6: [bytes(8), bytes(32)], 10: -5, 11: [1, [2]], 12: {"deep": b"x"}, 13: True, 99: "later"}))
valid("beacon/announce-bounds", "Every list as long as it may be.",
      header_of("announce", name="n" * 63, capabilities=",".join(f"capability-{n:02}" for n in range(16)),
                addresses=",".join(f"10.77.0.{n}" for n in range(1, 9)), summary="s" * 120, status=2,
                services=",".join(f"_s{n}._tcp={n}" for n in range(8))),
      beacon(body={1: "n" * 63, 2: [bytes([10, 77, 0, n]) for n in range(1, 9)], 4: 2,
                   3: [f"capability-{n:02}" for n in range(16)], 5: "s" * 120,
                   7: [[f"_s{n}._tcp", n] for n in range(8)]}))
valid("beacon/announce-shell-name",
      "A name that a shell would run. It is text like any other; nobody may hand it to a shell or a terminal unescaped.",
      header_of("announce", name="$(rm -rf ~)`id`;|&\"' %s"), beacon(body={1: "$(rm -rf ~)`id`;|&\"' %s"}))
valid("beacon/announce-bidi-name",
      "A name with a right-to-left override (U+202E), which is no control character (category Cc) and so is valid here:\n"
      "whoever prints it must defuse it.",
      header_of("announce", name="a\u202egpj.exe"), beacon(body={1: "a\u202egpj.exe"}))
valid("beacon/announce-other-network", "An announce of the network `lab`, which nodes of the default network must ignore.",
      header_of("announce", name="a", **{"network-tag": tag("lab").hex()}), beacon(network="lab", body={1: "a"}))
valid("beacon/announce-extremes", "The largest numbers that the header can hold.",
      header_of("announce", name="a", epoch=2**64 - 1, sequence=2**32 - 1, ttl=65535, **{"tcp-port": 65535},
                **{"sent-ms": 2**64 - 1}),
      beacon(body={1: "a"}, epoch=2**64 - 1, seq=2**32 - 1, ms=2**64 - 1, ttl=65535, port=65535))
valid("beacon/discover", "A discover that says who asks.", header_of("discover", **{"answer-me": "yes"}),
      beacon(kind=2, flags=1, body={}))
valid("beacon/discover-anonymous", "A discover of somebody without a key: no signature, 512 bytes.",
      {"kind": "discover", "answer-me": "no", "network-tag": tag("").hex(), "id": "none"}, anonymous())
valid("beacon/goodbye", "A goodbye.", header_of("goodbye", sequence=9, ttl=0),
      beacon(kind=3, body={}, seq=9, ttl=0))

plain = beacon(body={1: "a"}).bytes()


def cut(data, meaning="cut off"):
    return Frame().add(data, meaning)


reject("beacon/empty", "frame", "No byte at all.", cut(b""))
reject("beacon/short-magic", "frame", "Three of the magic's four bytes.", cut(b"LNP"))
reject("beacon/short-header", "frame", "One byte less than a header.", cut(plain[:79]))
reject("beacon/short-signature", "frame", "One byte less than a frame.", cut(plain[:-1]))
reject("beacon/magic", "frame", "Version 2 of the magic, signed all the same.", beacon(body={1: "a"}, magic=b"LNP2"))
reject("beacon/kind", "frame", "A kind that nobody knows, signed all the same.", beacon(kind=9, body={1: "a"}))
reject("beacon/flags", "frame", "A flag that nobody knows.", beacon(body={1: "a"}, flags=0x80))
reject("beacon/length-long", "frame", "A body length one larger than the body.",
       beacon(body={1: "a"}, length=113))
reject("beacon/length-short", "frame", "A body length one smaller than the body.",
       beacon(body={1: "a"}, length=111))
reject("beacon/length-huge", "frame", "A body length of 65535: no allocation may be sized by it.",
       beacon(body={1: "a"}, length=65535))
reject("beacon/trailing", "frame", "One byte after the signature.", beacon(body={1: "a"}, tail=b"\0"))
reject("beacon/oversized", "frame", "A frame of 1201 bytes.",
       beacon(body={1: "a", 15: bytes(1201 - 80 - 64 - 7)}, pad=False))
reject("beacon/anonymous-announce", "frame", "An announce with the flag for `anonymous`.", anonymous(kind=1))
reject("beacon/anonymous-small", "frame", "An anonymous discover of 511 bytes: it would ask for more than it brings.",
       anonymous(size=511))
reject("beacon/anonymous-id", "frame", "An anonymous discover with an id.", anonymous(identity=ALICE.public))
reject("beacon/anonymous-filler", "frame", "An anonymous discover whose padding is not zero.", anonymous(filler=b"\1"))

IDENTITY = (1).to_bytes(32, "little")
reject("beacon/key-identity", "signature",
       "The identity point as key, with S = 0 and R = the identity: verification without a check for weak keys\n"
       "accepts this for any message.",
       beacon(body={1: "a"}, identity=IDENTITY, signature=IDENTITY + bytes(32)))
reject("beacon/key-order-two", "signature", "The point of order two (y = -1) as key, in the same way.",
       beacon(body={1: "a"}, identity=(FIELD - 1).to_bytes(32, "little"), signature=IDENTITY + bytes(32)))
reject("beacon/key-not-canonical", "signature",
       "The identity point with y = p + 1: a second spelling of a key.",
       beacon(body={1: "a"}, identity=(FIELD + 1).to_bytes(32, "little"), signature=IDENTITY + bytes(32)))
reject("beacon/key-off-curve", "signature", "A key that is no point of the curve (y = 2).",
       beacon(body={1: "a"}, identity=(2).to_bytes(32, "little")))
reject("beacon/key-zero", "signature", "The key of all zeros (a point of order four).",
       beacon(body={1: "a"}, identity=bytes(32), signature=IDENTITY + bytes(32)))


def forge_s_plus_order():
    good = beacon(body={1: "a"})
    signature = good.bytes()[-64:]
    s = int.from_bytes(signature[32:], "little") + ORDER
    return beacon(body={1: "a"}, signature=signature[:32] + s.to_bytes(32, "little"))


reject("beacon/signature-s-plus-order", "signature",
       "S + L in place of S: the same signature for a lax verifier, so a replay that looks new.", forge_s_plus_order())
reject("beacon/signature-other-key", "signature", "Bob's signature on Alice's announce.",
       beacon(body={1: "a"}, key=BOB, identity=ALICE.public))
unlabelled = beacon(body={1: "a"})
reject("beacon/signature-no-label", "signature", "A signature over the frame without the label `lanp1 beacon`.",
       beacon(body={1: "a"}, signature=ALICE.sign(unlabelled.bytes()[:-64])))
reject("beacon/signature-probe-label", "signature", "A signature made for a probe's answer.",
       beacon(body={1: "a"}, signature=ALICE.sign(b"lanp1 probe\0" + unlabelled.bytes()[:-64])))
reject("beacon/signature-zero", "signature", "A signature of zeros.", beacon(body={1: "a"}, signature=bytes(64)))

PAD = cbor(15) + cbor(bytes(120))
for name, comment, raw in [
    ("empty", "No body.", b""),
    ("not-a-map", "An array.", b"\x80"),
    ("truncated", "A map of two with one entry.", b"\xa2\x01\x61a"),
    ("trailing", "One more byte after the map.", b"\xa1\x01\x61a\x00"),
    ("indefinite-map", "A map of indefinite length.", b"\xbf\x01\x61a\xff"),
    ("indefinite-list", "A list of indefinite length.", b"\xa2\x01\x61a\x03\x9f\x61b\xff"),
    ("indefinite-text", "A text in chunks.", b"\xa1\x01\x7f\x61a\xff"),
    ("long-key", "Key 1 in two bytes.", b"\xa1\x18\x01\x61a"),
    ("long-length", "A text's length in two bytes where one is enough.", b"\xa1\x01\x78\x01a"),
    ("long-integer", "Status 1 in three bytes.", b"\xa2\x01\x61a\x04\x19\x00\x01"),
    ("long-map", "A map's length in two bytes where one is enough.", b"\xb8\x01\x01\x61a"),
    ("descending-keys", "Key 9 before key 1.", b"\xa2\x09\x61s\x01\x61a"),
    ("repeated-key", "Key 1 twice.", b"\xa2\x01\x61a\x01\x61b"),
    ("repeated-unknown-key", "An unknown key twice.", b"\xa3\x01\x61a\x0a\x00\x0a\x00"),
    ("unsorted-unknown-map", "An unknown value whose own map is not in order.", b"\xa2\x01\x61a\x0a\xa2\x02\x00\x01\x00"),
    ("name-integer", "A number for a name.", b"\xa1\x01\x05"),
    ("name-bytes", "Bytes for a name.", b"\xa1\x01\x41a"),
    ("name-null", "Null for a name.", b"\xa1\x01\xf6"),
    ("name-not-utf8", "A name that is not UTF-8.", b"\xa1\x01\x62\xc3\x28"),
    ("name-surrogate", "A name with a surrogate in UTF-8 (CESU-8).", b"\xa1\x01\x63\xed\xa0\x80"),
    ("name-long", "A name of 64 bytes.", cbor({1: "n" * 64})),
    ("name-long-utf8", "A name of 32 characters and 64 bytes.", cbor({1: "\u00fc" * 32})),
    ("name-escape", "A name that clears a terminal.", cbor({1: "\x1b[2Ja"})),
    ("name-newline", "A name of two lines.", cbor({1: "a\nb"})),
    ("name-nul", "A name with NUL.", cbor({1: "a\0b"})),
    ("name-delete", "A name with DEL (U+007F).", cbor({1: "a\x7f"})),
    ("name-c1", "A name with a C1 control character (U+009B), which some terminals read as ESC [.", cbor({1: "a\u009b2J"})),
    ("addresses-nine", "Nine addresses.", cbor({1: "a", 2: [bytes([10, 77, 0, n]) for n in range(9)]})),
    ("addresses-five-bytes", "An address of five bytes.", cbor({1: "a", 2: [bytes(5)]})),
    ("addresses-text", "An address as text.", cbor({1: "a", 2: ["10.77.0.2"]})),
    ("addresses-not-a-list", "An address that is not in a list.", cbor({1: "a", 2: bytes(4)})),
    ("capabilities-seventeen", "Seventeen capabilities.", cbor({1: "a", 3: [str(n) for n in range(17)]})),
    ("capability-long", "A capability of 65 bytes.", cbor({1: "a", 3: ["c" * 65]})),
    ("capability-control", "A capability with a line break.", cbor({1: "a", 3: ["a\rb"]})),
    ("capability-integer", "A number for a capability.", cbor({1: "a", 3: [1]})),
    ("status-three", "Status 3.", cbor({1: "a", 4: 3})),
    ("status-text", "A text for a status.", cbor({1: "a", 4: "idle"})),
    ("status-negative", "Status -1.", cbor({1: "a", 4: -1})),
    ("summary-long", "A summary of 121 bytes.", cbor({1: "a", 5: "s" * 121})),
    ("summary-control", "A summary that rings the bell.", cbor({1: "a", 5: "\a"})),
    ("services-nine", "Nine services.", cbor({1: "a", 7: [["_a._tcp", 1]] * 9})),
    ("service-triple", "A service of three elements.", cbor({1: "a", 7: [["_a._tcp", 1, 2]]})),
    ("service-port-text", "A port as text, which reached a shell in another program.",
     cbor({1: "a", 7: [["_a._tcp", "28789/$(cmd)#"]]})),
    ("service-port-large", "Port 65536.", cbor({1: "a", 7: [["_a._tcp", 65536]]})),
    ("software-list", "A list for the software.", cbor({1: "a", 9: ["x"]})),
    ("float", "A float in an unknown key.", b"\xa2\x01\x61a\x0a\xf9\x3c\x00"),
    ("tag", "A tag in an unknown key.", b"\xa2\x01\x61a\x0a\xc0\x61b"),
    ("nested-deep", "An unknown key with lists nested sixty times.", b"\xa2\x01\x61a\x0a" + b"\x81" * 60 + b"\x00"),
    ("list-huge", "A list that claims 2^64 - 1 elements: no allocation may be sized by it.",
     b"\xa2\x01\x61a\x03\x9b" + b"\xff" * 8),
    ("text-huge", "A text that claims 2^32 - 1 bytes.", b"\xa1\x01\x7a\xff\xff\xff\xff"),
]:
    reject(f"beacon/body-{name}", "body", comment, beacon(raw_body=raw))

probe_fields = {"kind": "probe", "sender": ALICE.public.hex(), "nonce": NONCE.hex()}
valid("probe/probe", "A probe.", probe_fields, probe())
valid("probe/probe-observer", "A probe of somebody without a key.", probe_fields | {"sender": "none"}, probe(sender=bytes(32)))
answer_fields = {
    "kind": "answer", "network-tag": tag("").hex(), "id": BOB.public.hex(), "epoch": 1767225600000, "sequence": 7,
    "sent-ms": 1767225602000, "instance": b"instance".hex(), "nonce": NONCE.hex(), "observed": "10.77.0.2",
    "observed-port": 17892,
}
valid("probe/answer", "The answer to a probe that came by IPv4.", answer_fields, answer())
valid("probe/answer-ipv6", "The answer to a probe that came by IPv6 from an ephemeral port.",
      answer_fields | {"observed": "fe80::2", "observed-port": 50123}, answer(observed="fe80::2", port=50123))
reject("probe/probe-short", "frame", "A probe of 255 bytes.", probe(size=255))
reject("probe/probe-long", "frame", "A probe of 257 bytes.", probe(size=257))
reject("probe/probe-length", "frame", "A probe that says it is shorter than it is.", probe(length=247))
reject("probe/probe-flags", "frame", "A probe with a flag.", probe(flags=1))
reject("probe/probe-filler", "frame", "A probe whose padding is not zero: it could carry anything.", probe(filler=b"\1"))
reject("probe/answer-short", "frame", "An answer without its last byte.", cut(answer().bytes()[:-1]))
reject("probe/answer-trailing", "frame", "An answer with one byte more.", answer(tail=b"\0"))
reject("probe/answer-length", "frame", "An answer whose length field is one too large.", answer(length=167))
reject("probe/answer-flags", "frame", "An answer with a flag.", answer(flags=1))
reject("probe/answer-beacon-label", "signature", "An answer signed as a beacon.", answer(domain=b"lanp1 beacon\0"))
tampered = answer().bytes()
reject("probe/answer-other-nonce", "signature", "An answer to another nonce under the old signature.",
       cut(tampered[:84] + bytes(16) + tampered[100:], "nonce at 84 is zero now"))


def main():
    check = "--check" in sys.argv[1:]
    stale = []
    for name, text in sorted(FILES.items()):
        path = HERE / name
        if not check:
            path.parent.mkdir(exist_ok=True)
            path.write_text(text, encoding="utf-8")
        elif not path.exists() or path.read_text(encoding="utf-8") != text:
            stale.append(name)
    for name in stale:
        print(f"{name} is not what reference_frames.py writes", file=sys.stderr)
    print(f"{len(FILES)} vectors")
    sys.exit(1 if stale else 0)


if __name__ == "__main__":
    main()
