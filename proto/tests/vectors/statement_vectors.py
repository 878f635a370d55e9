"""Vectors of statements, key bundles, acknowledgements, receipts and events, for `generate.py`."""

from independent import blob, element, merkle_path, merkle_root, repeated, sha256, uint

BUNDLE = "application/vnd.passerelle.key-bundle.v1"
ACKNOWLEDGEMENT = "application/vnd.passerelle.acknowledgement.v1"
RECEIPTS = "application/vnd.passerelle.receipts.v1"
DAY = 24 * 3600 * 1000


def write_all(write, ramq, revenu, gateway, kem, uuid7, now):
    write_statements(write, ramq, revenu)
    write_bundles(write, ramq, kem, now)
    write_acknowledgements(write, ramq, uuid7, now)
    write_receipts(write, gateway, uuid7, now)
    write_events(write, kem, uuid7, now)


def signature(signer, payload_type, payload):
    return {"key_id": signer.key_id.hex(), "signature": signer.sign(payload_type, payload).hex()}


def write_statements(write, ramq, revenu):
    kind, payload = "application/example", b"hello world"
    own, foreign = signature(ramq, kind, payload), signature(revenu, kind, payload)
    short_id = {**own, "key_id": own["key_id"][:62]}
    cases = [
        ("one signature", "", [own], "verifies"),
        ("another's signature beside it", "", [foreign, own], "verifies"),
        ("no signature", "an empty list proves nothing", [], "no-signature"),
        ("another's signature only", "the key did not sign", [foreign], "other-key"),
        ("another's signature under the key's id", "the key id is a hint", [{**foreign, "key_id": own["key_id"]}],
         "signature"),
        ("the key twice", "one signature per key", [own, own], "repeated-key"),
        ("key id of 31 bytes", "key ids are SHA-256", [short_id, own], "signature-form"),
        ("an empty signature", "no algorithm has one", [{**foreign, "signature": ""}, own], "signature-form"),
        ("63 bytes", "Ed25519 has 64", [{**own, "signature": own["signature"][:126]}], "signature"),
        ("9 signatures", "no policy asks for so many",
         [{"key_id": bytes([n] * 32).hex(), "signature": "00"} for n in range(8)] + [own], "too-many"),
        ("over the payload alone", "the type is signed too",
         [{**own, "signature": ramq.key.sign(payload).hex()}], "signature"),
        ("over another type", "the type is signed too", [signature(ramq, kind + "s", payload)], "signature"),
        ("over a type and payload that join alike", "lengths are signed",
         [{**own, "signature": ramq.key.sign(b"DSSEv1 19 application/example 11 hello worl").hex()}], "signature"),
    ]
    write(
        "statement.json",
        "DSSE pre-authentication encodings (the first is published: secure-systems-lab/dsse, protocol.md v1.0.2), and "
        "lists of signatures over one payload. Hex.",
        pae=[
            {"type": "http://example.com/HelloWorld", "payload": b"hello world".hex(),
             "pae": b"DSSEv1 29 http://example.com/HelloWorld 11 hello world".hex()},
            {"type": "", "payload": "", "pae": b"DSSEv1 0  0 ".hex()},
            {"type": "é", "payload": "00ff", "pae": (b"DSSEv1 2 " + "é".encode() + b" 2 \x00\xff").hex()},
        ],
        key=ramq.public.hex(), type=kind, payload=payload.hex(),
        statements=[dict(zip(("name", "why", "signatures", "expect"), case)) for case in cases],
    )


def encode_bundle(agency, agent, kem_id, public, created, expires):
    return (blob(1, agency) + blob(2, agent) + uint(3, kem_id) + blob(4, public) + uint(5, created) + uint(6, expires))


def write_bundles(write, ramq, kem, now):
    good = {"agency": "saaq", "agent": "agent-1", "kem_id": 0x647A, "public": kem.public, "created": now,
            "expires": now + 30 * DAY}
    # Coefficients of an ML-KEM key are below 3329 (FIPS 203 section 7.2): 4095 is none.
    not_reduced = b"\xff\xff\xff" + kem.public[3:]
    cases = [
        ("in force", "", {}, now, "verifies"),
        ("made a little ahead", "clocks differ by up to 300 s", {"created": now + 300_000}, now, "verifies"),
        ("on its last millisecond", "", {"expires": now + 1}, now, "verifies"),
        ("over", "the end is excluded", {"expires": now + 1}, now + 1, "expired"),
        ("made ahead", "by more than 300 s", {"created": now + 300_001}, now, "not-yet-valid"),
        ("of another agency", "the directory gave another's bundle", {"agency": "ramq"}, now, "agent"),
        ("of another agent", "the directory gave another's bundle", {"agent": "agent-2"}, now, "agent"),
        ("X25519 alone", "not post-quantum", {"kem_id": 0x20}, now, "kem"),
        ("key of 1,215 bytes", "not a key", {"public": kem.public[:-1]}, now, "key"),
        ("key not reduced", "not a key (FIPS 203 section 7.2)", {"public": not_reduced}, now, "key"),
        ("without key", "not a key", {"public": b""}, now, "key"),
        ("ends with its beginning", "no period", {"expires": now}, now, "period"),
        ("over 400 days", "too long a period", {"expires": now + 400 * DAY + 1}, now, "period"),
    ]
    rows = []
    for name, why, change, at, expect in cases:
        payload = encode_bundle(**{**good, **change})
        rows.append({"name": name, "why": why, "payload": payload.hex(), "at_ms": at, "expect": expect,
                     **signature(ramq, BUNDLE, payload)})
    unknown = encode_bundle(**good) + uint(7, 1)
    rows.append({"name": "an unknown field", "why": "one encoding only", "payload": unknown.hex(), "at_ms": now,
                 "expect": "encoding", **signature(ramq, BUNDLE, unknown)})
    payload = encode_bundle(**good)
    rows.append({"name": "signed as something else", "why": "the type is signed", "payload": payload.hex(),
                 "at_ms": now, "expect": "statement", **signature(ramq, ACKNOWLEDGEMENT, payload)})
    write("bundle.json", "Key bundles, to be verified as those of saaq/agent-1. Hex.", key=ramq.public.hex(),
          kem_seed=kem.seed.hex(), kem_public_key=kem.public.hex(), kem_key_id=kem.key_id.hex(), bundles=rows)


def acknowledged(exchange_id, digest, outcome, reason=0):
    return blob(1, exchange_id) + blob(2, digest) + uint(3, outcome) + uint(4, reason)


def write_acknowledgements(write, ramq, uuid7, now):
    one = acknowledged(uuid7("one"), sha256(b"one"), 1)
    two = acknowledged(uuid7("two"), sha256(b"two"), 2, 42)

    def message(*exchanges, agency="saaq", agent="agent-1"):
        return blob(1, agency) + blob(2, agent) + uint(3, now) + repeated(4, exchanges)

    many = [acknowledged(uuid7(str(index)), sha256(b"x"), 1) for index in range(257)]
    cases = [
        ("one received", "", message(one), "verifies"),
        ("one received, one refused", "", message(one, two), "verifies"),
        ("none", "it says nothing", message(), "count"),
        ("257", "at most 256", message(*many), "count"),
        ("one twice", "which outcome counts?", message(one, one), "exchange"),
        ("of another agency", "it speaks for another", message(one, agency="ramq"), "agent"),
        ("of another agent", "it speaks for another", message(one, agent="agent-2"), "agent"),
        ("no outcome", "unspecified", message(acknowledged(uuid7("one"), sha256(b"one"), 0)), "exchange"),
        ("unknown outcome", "3", message(acknowledged(uuid7("one"), sha256(b"one"), 3)), "exchange"),
        ("refused without a reason", "why?", message(acknowledged(uuid7("one"), sha256(b"one"), 2)), "exchange"),
        ("received for a reason", "there is none", message(acknowledged(uuid7("one"), sha256(b"one"), 1, 42)),
         "exchange"),
        ("unknown reason", "9999", message(acknowledged(uuid7("one"), sha256(b"one"), 2, 9999)), "exchange"),
        ("digest of 31 bytes", "SHA-256", message(acknowledged(uuid7("one"), bytes(31), 1)), "exchange"),
        ("exchange id of 15 bytes", "UUIDv7", message(acknowledged(uuid7("one")[:15], sha256(b"one"), 1)), "exchange"),
        ("an unknown field", "one encoding only", message(one) + uint(5, 1), "encoding"),
        ("an unknown field within", "one encoding only", message(one + uint(5, 1)), "encoding"),
    ]
    write("acknowledgement.json", "Acknowledgements, to be verified as by saaq/agent-1. Hex.", key=ramq.public.hex(),
          acknowledgements=[
              {"name": name, "why": why, "payload": payload.hex(), "expect": expect,
               **signature(ramq, ACKNOWLEDGEMENT, payload)}
              for name, why, payload, expect in cases
          ])


def receipt_body(uuid7, now, index, **change):
    fields = {"id": uuid7(f"receipt {index}"), "digest": sha256(b"header", bytes([index])),
              "origin": "passerelle.example/log", "leaf": 1000 + index, "hash": sha256(b"leaf", bytes([index])),
              "accepted": now, **change}
    return (blob(1, fields["id"]) + blob(2, fields["digest"]) + blob(3, fields["origin"]) + uint(4, fields["leaf"])
            + blob(5, fields["hash"]) + uint(6, fields["accepted"]))


def write_receipts(write, gateway, uuid7, now):
    rows = []

    def receipt(name, why, expect, bodies, place, /, **change):
        root = change.pop("root", merkle_root(bodies))
        row = {"name": name, "why": why, "expect": expect, "body": bodies[place].hex(), "index": place,
               "size": len(bodies), "path": [node.hex() for node in merkle_path(place, bodies)],
               **signature(gateway, change.pop("type", RECEIPTS), root)}
        rows.append({**row, **change})

    for size in [1, 2, 3, 5, 8]:
        bodies = [receipt_body(uuid7, now, index) for index in range(size)]
        for index in range(size):
            receipt(f"{index} of {size}", "", "verifies", bodies, index)
    five = [receipt_body(uuid7, now, index) for index in range(5)]
    path = [node.hex() for node in merkle_path(1, five)]
    receipt("another's body", "its leaf is not under the root", "statement", five, 1, body=five[2].hex())
    receipt("another's place", "the path leads elsewhere", "statement", five, 1, index=0)
    receipt("index beyond the batch", "not in it", "batch", five, 1, index=5)
    receipt("empty batch", "no receipt is in it", "batch", five, 1, index=0, size=0)
    receipt("over 65,536", "too large a batch", "batch", five, 1, size=65_537)
    receipt("path cut", "too short for the size", "proof", five, 1, path=path[:-1])
    receipt("path extended", "too long for the size", "proof", five, 1, path=[*path, path[0]])
    receipt("path of 17", "no batch needs so many", "path", five, 1, path=path[:1] * 17)
    receipt("hash of 31 bytes", "not a hash", "path", five, 1, path=[path[0][:62], *path[1:]])
    receipt("signature over the body", "the root is signed", "statement", five[:1], 0, root=five[0])
    receipt("signature of another type", "the type is signed", "statement", five, 1, type=BUNDLE)
    for field, change in [("exchange_id", {"id": b"\0" * 16}), ("header_digest", {"digest": b"\1" * 31}),
                          ("log_origin", {"origin": ""}), ("log_origin", {"origin": "a" * 256}),
                          ("leaf_hash", {"hash": b""})]:
        receipt(f"{field} breaks the form", "signed all the same", field, [receipt_body(uuid7, now, 0, **change)], 0)
    receipt("an unknown field", "one encoding only", "encoding", [five[0] + uint(7, 1)], 0)
    write("receipt.json", "Receipts of batches, by the gateway. Hex.", key=gateway.public.hex(), receipts=rows)


def write_events(write, kem, uuid7, now):
    nonce = sha256(b"nonce")[:16]
    agent = blob(1, "ramq/agent-1") + blob(4, sha256(b"certificate"))
    exchange = (blob(1, uuid7("event")) + blob(2, sha256(b"header")) + uint(3, 1) + blob(4, "ramq")
                + blob(5, "agent-1") + repeated(6, ["saaq"]))
    gateway = blob(1, "passerelle-1") + blob(2, "0.1.0") + blob(3, sha256(b"configuration"))

    def event(kind, detail, nonce=nonce, actor=agent):
        return (blob(1, nonce) + uint(2, now) + uint(3, kind) + (b"" if actor is None else element(4, actor)) + detail)

    accepted = element(10, exchange)
    ordered = element(10, exchange + element(24, blob(1, bytes(range(16))) + uint(2, 7)))
    cases = [
        ("an accepted exchange", "", event(1, accepted), "decodes"),
        ("an accepted exchange with its place in a stream", "", event(1, ordered), "decodes"),
        ("a gateway's start", "", event(50, element(17, gateway), actor=blob(3, "passerelle-1")), "decodes"),
        ("an operator", "", event(10, element(12, blob(1, "saaq")),
                                  actor=blob(2, "issuer|subject") + repeated(5, ["platform_admin"])), "decodes"),
        ("nothing", "not an event", b"", "nonce"),
        ("without nonce", "the leaf hash would tell", event(1, accepted, nonce=b""), "nonce"),
        ("nonce of 15 bytes", "16 are drawn", event(1, accepted, nonce=nonce[:15]), "nonce"),
        ("no kind", "unspecified", event(0, accepted), "kind"),
        ("unknown kind", "99", event(99, accepted), "kind"),
        ("nobody", "somebody caused it", event(1, accepted, actor=None), "no-actor"),
        ("an empty actor", "somebody caused it", event(1, accepted, actor=b""), "no-actor"),
        ("thumbprint of 31 bytes", "SHA-256", event(1, accepted, actor=blob(1, "a/b") + blob(4, b"\1" * 31)),
         "thumbprint"),
        ("no detail", "what happened?", event(1, b""), "detail"),
        ("detail of another kind", "what happened?", event(1, element(17, gateway)), "detail"),
        ("two details", "which one counts?", event(1, accepted + element(17, gateway)), "encoding"),
        ("two actors", "who?", event(1, accepted, actor=blob(1, "a/b") + blob(2, "c")), "encoding"),
        ("an unknown field", "one encoding only", event(1, accepted) + uint(18, 1), "encoding"),
        ("an unknown field within", "one encoding only", event(1, element(10, exchange + uint(40, 1))), "encoding"),
        ("cut", "the last field is not whole", event(1, accepted)[:-1], "encoding"),
    ]
    write("event.json", "Entries of the log. Hex.", events=[
        {"name": name, "why": why, "entry": entry.hex(), "leaf_hash": sha256(b"\0", entry).hex(), "expect": expect}
        for name, why, entry, expect in cases
    ])
