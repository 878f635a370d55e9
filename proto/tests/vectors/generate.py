"""Writes the vectors of this folder but the log's and the agreements': `python3 generate.py`, then commit.

Positive vectors come from `independent.py`, never from the crate under test. A negative vector breaks one rule and says
which. Keys are derived from their names; content keys and encapsulations are random, so a new run gives new bytes.
"""

import base64
import json
import pathlib

from independent import *

HERE = pathlib.Path(__file__).parent
NOW = 1_772_452_800_000
HEADER_TYPE = "application/vnd.passerelle.header.v1"

RAMQ = Signer(sha256(b"signing key of ramq/agent-1"))
REVENU = Signer(sha256(b"signing key of revenu-quebec/agent-1"))
GATEWAY = Signer(sha256(b"signing key of the gateway"))
SAAQ_1 = Kem(sha256(b"kem key of saaq/agent-1"))
SAAQ_2 = Kem(sha256(b"kem key of saaq/agent-2"))
REVENU_1 = Kem(sha256(b"kem key of revenu-quebec/agent-1"))


def uuid7(tail):
    return NOW.to_bytes(6, "big") + b"\x70\x01\x80" + sha256(tail.encode())[:7]


def b64(value):
    return base64.b64encode(value).decode()


def write(name, comment, **content):
    path = HERE / name
    path.parent.mkdir(exist_ok=True)
    path.write_text(json.dumps({"comment": comment, **content}, indent=1, ensure_ascii=False) + "\n")


def splice(base, changed):
    """The one place where `changed` differs from `base`: at, cut, put."""
    at = 0
    while at < min(len(base), len(changed)) and base[at] == changed[at]:
        at += 1
    tail = 0
    while tail < min(len(base), len(changed)) - at and base[-1 - tail] == changed[-1 - tail]:
        tail += 1
    return {"at": at, "cut": len(base) - at - tail, "put": changed[at : len(changed) - tail].hex()}


class Record:
    """One exchange, with a knob for everything that a negative vector turns."""

    def __init__(self, name, plaintext, keys=(("saaq", SAAQ_1),), attributes=b"", **fields):
        self.exchange_id = uuid7(name)
        self.content_key = random_bytes(32)
        self.keys = schedule(self.content_key, self.exchange_id)
        self.chunks = seal_chunks(self.keys["body"], plaintext)
        self.plaintext = plaintext
        self.header = {
            "suite": 1, "exchange_id": self.exchange_id, "kind": 1, "sender_agency": "ramq",
            "sender_agent": "agent-1", "recipients": sorted({agency for agency, _ in keys}),
            "agreement": {"number": "ENT-2026-001", "version": 1, "digest": sha256(b"document")},
            "service": "admissibilite", "operation": "", "purpose": "QC-A", "legal_basis": "A-2.1 s.68",
            "data_categories": ["adresse", "identité"], "case_commitment": b"", "acting_user": b"", "subjects": [],
            "created_ms": NOW, "expires_ms": NOW + 3_600_000, "in_reply_to": b"",
            "content_type": "application/json", "chunk_size": CHUNK, "plaintext_length": len(plaintext),
            "chunk_count": len(self.chunks), "body_root": merkle_root(self.chunks),
            "commitment": self.keys["commitment"],
            "recipient_keys": [self.recipient_key(agency, kem) for agency, kem in keys],
            "sealed_attributes": seal_attributes(self.keys["attributes"], self.exchange_id, attributes),
        }
        self.header["recipient_keys"].sort(key=lambda key: key["key_id"])
        self.header.update(fields)

    def recipient_key(self, agency, kem, info=None, content_key=None, exchange_id=None, **knobs):
        info = encapsulation_info("ramq", RAMQ.key_id, kem.key_id) if info is None else info
        encapsulated, wrapped = wrap(
            content_key or self.content_key, exchange_id or self.exchange_id, kem, info, **knobs
        )
        return {"agency": agency, "key_id": kem.key_id, "encapsulated": encapsulated, "wrapped": wrapped}

    def vector(self, name, recipients, signed_with=RAMQ, **more):
        header = encode_header(self.header)
        return {
            "name": name, **more, "header": b64(header), "signature": b64(signed_with.sign(HEADER_TYPE, header)),
            "body": b64(b"".join(self.chunks)), "recipients": [kem.seed.hex() for kem in recipients],
        }


def sealed_vectors():
    salt = sha256(b"salt")[:16]
    attributes = encode_attributes("dossier été.json", "C-2026-0042", salt, "tremblay.j", ["personne 1", "personne 2"])
    full = {
        "case_commitment": case_commitment(salt, "C-2026-0042"), "acting_user": sha256(b"user"),
        "subjects": [sha256(b"person 1"), sha256(b"person 2")],
    }
    three = (("saaq", SAAQ_1), ("saaq", SAAQ_2), ("revenu-quebec", REVENU_1))
    call = {"kind": 3, "operation": "consulter", "in_reply_to": uuid7("request")}
    pattern = bytes(index % 251 for index in range(CHUNK + 1))
    order = {"order": {"stream": sha256(b"stream")[:16], "sequence": 300}}
    records = [
        ("a record", Record("a record", b'{"nom":"Tremblay"}'), [SAAQ_1]),
        ("an empty body", Record("empty", b""), [SAAQ_1]),
        ("a chunk and a byte", Record("a chunk and a byte", pattern), [SAAQ_1]),
        ("three agents of two agencies", Record("three", b"x", three), [SAAQ_1, SAAQ_2, REVENU_1]),
        ("attributes", Record("attributes", b"x", attributes=attributes, **full), [SAAQ_1]),
        ("a response", Record("a response", b"{}", **call), [SAAQ_1]),
        ("an ordered record", Record("an ordered record", b"3", **order), [SAAQ_1]),
    ]
    write(
        "envelope/sealed.json",
        "Envelopes that verify and open for each recipient. Binary fields are base64, KEM seeds and keys hex.",
        signer=RAMQ.public.hex(),
        sealed=[
            record.vector(
                name, recipients, exchange_id=record.exchange_id.hex(), content_key=record.content_key.hex(),
                header_digest=sha256(encode_header(record.header)).hex(), plaintext=b64(record.plaintext),
                case_reference="C-2026-0042" if name == "attributes" else "",
            )
            for name, record, recipients in records
        ],
    )


def opening_vectors():
    cases = []

    def case(name, why, expect, record, recipient=SAAQ_1, signer=RAMQ):
        signed_by = "ramq" if signer is RAMQ else "revenu-quebec"
        cases.append(record.vector(name, [recipient], signer, why=why, expect=expect, signer=signed_by))

    def with_key(record, **knobs):
        record.header["recipient_keys"] = [record.recipient_key("saaq", SAAQ_1, **knobs)]
        return record

    def with_body(record, chunks, **fields):
        record.chunks = chunks
        record.header.update(body_root=merkle_root(chunks), **fields)
        return record

    faces = Record("faces", b"one text", (("saaq", SAAQ_1), ("revenu-quebec", REVENU_1)))
    other_key = random_bytes(32)
    faces.header["recipient_keys"] = sorted(
        [faces.recipient_key("saaq", SAAQ_1), faces.recipient_key("revenu-quebec", REVENU_1, content_key=other_key)],
        key=lambda key: key["key_id"],
    )
    case("two-faced, the one", "the first recipient's content key is the one committed to", "opens", faces)
    case("two-faced, the other", "the second recipient is given another content key", "commitment", faces, REVENU_1)
    case("not for us", "sealed to another key", "not-for-us", Record("not for us", b"x"), SAAQ_2)

    label = b"passerelle/v1/encapsulation"
    tail = lp(RAMQ.key_id) + lp(SAAQ_1.key_id)
    infos = [
        ("info without the sender", label + lp(SAAQ_1.key_id)),
        ("info of another agency", label + lp(b"saaq") + tail),
        ("info of another signing key", label + lp(b"ramq") + lp(REVENU.key_id) + lp(SAAQ_1.key_id)),
        ("info of another recipient key", label + lp(b"ramq") + lp(RAMQ.key_id) + lp(SAAQ_2.key_id)),
        ("info without lengths", label + b"ramq" + RAMQ.key_id + SAAQ_1.key_id),
        ("info of another version", label.replace(b"v1", b"v2") + lp(b"ramq") + tail),
    ]
    for name, info in infos:
        case(name, "HPKE's info names sender, signing key and recipient key", "unwrap",
             with_key(Record(name, b"x"), info=info))
    wraps = [
        ("wrap key of another exchange", {"exchange_id": uuid7("another")}),
        ("wrap key under another label", {"export_label": b"passerelle/v1/body"}),
        ("wrap without additional data", {"aad": b""}),
        ("wrap for another key id", {"aad": lp(SAAQ_2.key_id) + uuid7("wrap for another key id")}),
    ]
    for name, knobs in wraps:
        case(name, "the wrap key and its additional data name the exchange and the key", "unwrap",
             with_key(Record(name, b"x"), **knobs))
    stolen = Record("stolen", b"secret", sender_agency="revenu-quebec")
    case("stripped and signed by another", "the same ciphertext under another's signature", "unwrap", stolen,
         signer=REVENU)

    body_cases(case, with_body)
    attribute_cases(case)
    write(
        "envelope/openings.json",
        "Envelopes whose signature and form hold. `opens` ones open; the others are refused for what `expect` says.",
        signers={"ramq": RAMQ.public.hex(), "revenu-quebec": REVENU.public.hex()},
        openings=cases,
    )


def body_cases(case, with_body):
    def sealed(name, plaintext, **knobs):
        record = Record(name, plaintext)
        return with_body(record, seal_chunks(record.keys["body"], plaintext, **knobs))

    case("body not marked as last", "the last chunk's nonce ends in 01", "chunk", sealed("unmarked", b"x", flag_last=False))
    case("body counted from 1", "chunks are counted from 0", "chunk", sealed("counted", b"x", first=1))
    record = Record("wrong key", b"x")
    case("body under the commitment", "the body has a key of its own", "chunk",
         with_body(record, seal_chunks(record.keys["commitment"], b"x")))
    record = Record("other plaintext length", b"x", plaintext_length=2)
    case("a byte too few", "the length of the body follows from the header", "body", record)
    record = Record("bare hashes", b"x")
    record.header["body_root"] = sha256(record.chunks[0])
    case("root without the leaf prefix", "leaves are hashed with 00 before them (RFC 6962)", "body", record)
    record = Record("other root", b"x")
    record.header["body_root"] = sha256(b"another body")
    case("root of another body", "the chunks are not those of the root", "body", record)


def attribute_cases(case):
    def attributes(name, encoded, expect, why, **fields):
        case(name, why, expect, Record(name, b"x", attributes=encoded, **fields))

    record = Record("attributes of another key", b"x")
    record.header["sealed_attributes"] = seal(record.keys["body"], b"", b"passerelle/v1/attributes" + record.exchange_id)
    case("attributes under the body key", "attributes have a key of their own", "attributes-sealed", record)
    record = Record("attributes without aad", b"x")
    record.header["sealed_attributes"] = seal(record.keys["attributes"], b"", b"")
    case("attributes without additional data", "the additional data name the exchange", "attributes-sealed", record)
    unknown = encode_attributes("a.json") + blob(9, b"x")
    attributes("attributes with an unknown field", unknown, "attributes-sealed", "one encoding only")
    salt = bytes(16)
    case_only = encode_attributes(case_reference="C-1", case_salt=salt)
    attributes("case without commitment", case_only, "attributes", "the header does not commit to the case")
    attributes("another case", case_only, "attributes", "the commitment is to another case",
               case_commitment=case_commitment(salt, "C-2"))
    attributes("commitment without case", b"", "attributes", "there is no case behind the commitment",
               case_commitment=case_commitment(salt, "C-1"))
    attributes("case without salt", encode_attributes(case_reference="C-1"), "attributes", "the salt has 16 bytes",
               case_commitment=case_commitment(b"", "C-1"))
    attributes("salt without case", encode_attributes(case_salt=salt), "attributes", "a salt of nothing")
    attributes("user without pseudonym", encode_attributes(acting_user="x"), "attributes",
               "the header has no pseudonym of the user")
    attributes("more persons than pseudonyms", encode_attributes(subjects=["a", "b"]), "attributes",
               "as many persons as pseudonyms, or none", subjects=[sha256(b"a")])


def header_vectors():
    base = Record("headers", b"x", (("saaq", SAAQ_1), ("revenu-quebec", REVENU_1)))
    encoded = encode_header(base.header)
    cases = []

    def raw(name, why, expect, changed):
        cases.append({"name": name, "why": why, "expect": expect, **splice(encoded, changed),
                      "signature": b64(RAMQ.sign(HEADER_TYPE, changed))})

    def form(field, why, **change):
        raw(f"{field}: {why}", "breaks the form", field, encode_header({**base.header, **change}))

    from header_cases import encoding_cases, form_cases

    encoding_cases(raw, encoded, base.header)
    form_cases(form, base.header, NOW)
    write(
        "envelope/headers.json",
        "Headers with a valid signature that must be refused: `header` with `cut` bytes at `at` replaced by `put` (hex). "
        "`expect` is `encoding`, `suite`, or the field of the form. `header` itself is accepted.",
        signer=RAMQ.public.hex(), header=b64(encoded), signature=b64(RAMQ.sign(HEADER_TYPE, encoded)), refused=cases,
    )


if __name__ == "__main__":
    sealed_vectors()
    opening_vectors()
    header_vectors()
    from statement_vectors import write_all

    write_all(write, RAMQ, REVENU, GATEWAY, SAAQ_1, uuid7, NOW)
