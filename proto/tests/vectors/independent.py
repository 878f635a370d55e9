"""The formats of docs/formats/{envelope,statement,receipt,event}.md, written a second time.

Shares no code with the Rust crate: protobuf by hand, HPKE's key schedule by hand (RFC 9180 section 5.1), X-Wing from
its two halves (draft-connolly-cfrg-xwing-kem section 5), primitives from pyca/cryptography (at least 48).
"""

import hashlib
import hmac
import os

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.asymmetric.mlkem import MLKEM768PrivateKey, MLKEM768PublicKey
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey, X25519PublicKey
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

CHUNK = 65_536


# --- protobuf: fields in ascending order, defaults left out ---


def varint(number):
    out = b""
    while number > 0x7F:
        out += bytes([number & 0x7F | 0x80])
        number >>= 7
    return out + bytes([number])


def uint(field, number):
    return varint(field << 3) + varint(number) if number else b""


def element(field, value):
    value = value.encode() if isinstance(value, str) else value
    return varint(field << 3 | 2) + varint(len(value)) + value


def blob(field, value):
    return element(field, value) if value else b""


def repeated(field, values):
    return b"".join(element(field, value) for value in values)


# --- hashes, signatures ---


def sha256(*parts):
    return hashlib.sha256(b"".join(parts)).digest()


def extract(salt, secret):
    return hmac.new(salt or bytes(32), secret, hashlib.sha256).digest()


def expand(prk, info, length=32):
    out, block, index = b"", b"", 1
    while len(out) < length:
        block = hmac.new(prk, block + info + bytes([index]), hashlib.sha256).digest()
        out, index = out + block, index + 1
    return out[:length]


def pae(payload_type, payload):
    kind = payload_type.encode()
    return b"DSSEv1 %d %s %d %s" % (len(kind), kind, len(payload), payload)


class Signer:
    def __init__(self, seed):
        self.key = Ed25519PrivateKey.from_private_bytes(seed)
        self.public = self.key.public_key().public_bytes_raw()
        spki = self.key.public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
        self.key_id = sha256(spki)

    def sign(self, payload_type, payload):
        return self.key.sign(pae(payload_type, payload))


def merkle_root(leaves):
    """RFC 6962 section 2.1, over leaf data."""
    if not leaves:
        return sha256()
    if len(leaves) == 1:
        return sha256(b"\0", leaves[0])
    split = 1
    while split * 2 < len(leaves):
        split *= 2
    return sha256(b"\1", merkle_root(leaves[:split]), merkle_root(leaves[split:]))


def merkle_path(index, leaves):
    """RFC 6962 section 2.1.1."""
    if len(leaves) == 1:
        return []
    split = 1
    while split * 2 < len(leaves):
        split *= 2
    if index < split:
        return merkle_path(index, leaves[:split]) + [merkle_root(leaves[split:])]
    return merkle_path(index - split, leaves[split:]) + [merkle_root(leaves[:split])]


# --- X-Wing and HPKE ---


class Kem:
    def __init__(self, seed):
        self.seed = seed
        expanded = hashlib.shake_256(seed).digest(96)
        self.mlkem = MLKEM768PrivateKey.from_seed_bytes(expanded[:64])
        self.x25519 = X25519PrivateKey.from_private_bytes(expanded[64:])
        self.public = self.mlkem.public_key().public_bytes_raw() + self.x25519.public_key().public_bytes_raw()
        self.key_id = sha256(b"\x64\x7a", self.public)


def encapsulate(public):
    """X-Wing: shared secret and encapsulated key."""
    from_mlkem, mlkem_ciphertext = MLKEM768PublicKey.from_public_bytes(public[:1184]).encapsulate()
    ephemeral = X25519PrivateKey.generate()
    x_ciphertext = ephemeral.public_key().public_bytes_raw()
    from_x = ephemeral.exchange(X25519PublicKey.from_public_bytes(public[1184:]))
    label = bytes.fromhex("5c2e2f2f5e5c")
    shared = hashlib.sha3_256(from_mlkem + from_x + x_ciphertext + public[1184:] + label).digest()
    return shared, mlkem_ciphertext + x_ciphertext


SUITE = b"HPKE" + b"\x64\x7a" + b"\x00\x01" + b"\xff\xff"


def labeled_extract(salt, label, secret):
    return extract(salt, b"HPKE-v1" + SUITE + label + secret)


def labeled_expand(prk, label, info):
    return expand(prk, b"\x00\x20" + b"HPKE-v1" + SUITE + label + info)


def exporter_secret(shared, info):
    context = b"\x00" + labeled_extract(b"", b"psk_id_hash", b"") + labeled_extract(b"", b"info_hash", info)
    return labeled_expand(labeled_extract(shared, b"secret", b""), b"exp", context)


def export(secret, context):
    return labeled_expand(secret, b"sec", context)


# --- the envelope ---


def lp(value):
    return len(value).to_bytes(2, "big") + value


def seal(key, plaintext, aad, nonce=bytes(12)):
    return AESGCM(key).encrypt(nonce, plaintext, aad)


def wrap(content_key, exchange_id, kem, info, export_label=b"passerelle/v1/wrap", aad=None):
    """(encapsulated, wrapped) for one recipient key."""
    shared, encapsulated = encapsulate(kem.public)
    wrap_key = export(exporter_secret(shared, info), export_label + exchange_id)
    aad = lp(kem.key_id) + exchange_id if aad is None else aad
    return encapsulated, seal(wrap_key, content_key, aad)


def encapsulation_info(agency, signing_key_id, recipient_key_id):
    return (b"passerelle/v1/encapsulation" + lp(agency.encode()) + lp(signing_key_id) + lp(recipient_key_id))


def schedule(content_key, exchange_id):
    prk = extract(exchange_id, content_key)
    return {name: expand(prk, b"passerelle/v1/" + name.encode()) for name in ("body", "commitment", "attributes")}


def seal_chunks(body_key, plaintext, first=0, flag_last=True):
    pieces = [plaintext[at : at + CHUNK] for at in range(0, len(plaintext), CHUNK)] or [b""]
    sealed = []
    for index, piece in enumerate(pieces):
        last = flag_last and index == len(pieces) - 1
        sealed.append(seal(body_key, piece, b"", (first + index).to_bytes(11, "big") + bytes([last])))
    return sealed


def case_commitment(salt, reference):
    return sha256(b"passerelle/v1/case", salt, reference.encode())


def encode_attributes(file_name="", case_reference="", case_salt=b"", acting_user="", subjects=()):
    return (blob(1, file_name) + blob(2, case_reference) + blob(3, case_salt) + blob(4, acting_user)
            + repeated(5, subjects))


def seal_attributes(key, exchange_id, encoded):
    return seal(key, encoded, b"passerelle/v1/attributes" + exchange_id)


def encode_agreement(agreement):
    return blob(1, agreement["number"]) + uint(2, agreement["version"]) + blob(3, agreement["digest"])


def encode_recipient_key(key):
    return blob(1, key["agency"]) + blob(2, key["key_id"]) + blob(3, key["encapsulated"]) + blob(4, key["wrapped"])


def encode_order(order):
    return blob(1, order["stream"]) + uint(2, order["sequence"])


def encode_header(h):
    order = element(27, encode_order(h["order"])) if h.get("order") is not None else b""
    agreement = b"" if h["agreement"] is None else element(7, encode_agreement(h["agreement"]))
    return (uint(1, h["suite"]) + blob(2, h["exchange_id"]) + uint(3, h["kind"]) + blob(4, h["sender_agency"])
            + blob(5, h["sender_agent"]) + repeated(6, h["recipients"]) + agreement + blob(8, h["service"])
            + blob(9, h["operation"]) + blob(10, h["purpose"]) + blob(11, h["legal_basis"])
            + repeated(12, h["data_categories"]) + blob(13, h["case_commitment"]) + blob(14, h["acting_user"])
            + repeated(15, h["subjects"]) + uint(16, h["created_ms"]) + uint(17, h["expires_ms"])
            + blob(18, h["in_reply_to"]) + blob(19, h["content_type"]) + uint(20, h["chunk_size"])
            + uint(21, h["plaintext_length"]) + uint(22, h["chunk_count"]) + blob(23, h["body_root"])
            + blob(24, h["commitment"]) + repeated(25, map(encode_recipient_key, h["recipient_keys"]))
            + blob(26, h["sealed_attributes"]) + order)


def random_bytes(count):
    return os.urandom(count)
