"""Writes the vectors of this folder (but `public/`): `python3 generate.py`, then commit. A new run gives the same bytes.

A second implementation of RFC 6962 and of the C2SP formats, by their recursive definitions, that shares no code with
the Rust crate; Ed25519 from pyca/cryptography. A negative vector breaks one rule, and says which; `error` is the
variant that must name it.
"""

import base64
import hashlib
import json
import pathlib

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

HERE = pathlib.Path(__file__).parent
DASH = "\u2014 "


def sha256(*parts):
    return hashlib.sha256(b"".join(parts)).digest()


def b64(value):
    return base64.b64encode(value).decode()


# --- RFC 6962 section 2.1, as it is written there ---


def leaf(entry):
    return sha256(b"\0", entry)


def split(length):
    k = 1
    while k * 2 < length:
        k *= 2
    return k


def mth(entries):
    if not entries:
        return sha256(b"")
    if len(entries) == 1:
        return leaf(entries[0])
    k = split(len(entries))
    return sha256(b"\1", mth(entries[:k]), mth(entries[k:]))


def path(m, entries):
    if len(entries) == 1:
        return []
    k = split(len(entries))
    if m < k:
        return path(m, entries[:k]) + [mth(entries[k:])]
    return path(m - k, entries[k:]) + [mth(entries[:k])]


def subproof(m, entries, whole):
    if m == len(entries):
        return [] if whole else [mth(entries)]
    k = split(len(entries))
    if m <= k:
        return subproof(m, entries[:k], whole) + [mth(entries[k:])]
    return subproof(m - k, entries[k:], False) + [mth(entries[:k])]


# --- C2SP signed-note ---


class Key:
    def __init__(self, name, seed, kind=1):
        self.name, self.kind = name, kind
        self.private = Ed25519PrivateKey.from_private_bytes(sha256(seed.encode()))
        self.public = self.private.public_key().public_bytes(Encoding.Raw, PublicFormat.Raw)
        self.id = sha256(name.encode(), b"\n", bytes([kind]), self.public)[:4]

    def vkey(self):
        return f"{self.name}+{self.id.hex()}+{b64(bytes([self.kind]) + self.public)}"

    def line(self, text):
        return f"{DASH}{self.name} {b64(self.id + self.private.sign(text.encode()))}\n"


LOG = Key("journal.example.qc.ca/essai", "the log's key of the vectors")
OTHER = Key("journal.example.qc.ca/essai", "another key under the same name")
WITNESS = Key("temoin.example.qc.ca", "a witness's key of the vectors")


def signed(text, *keys):
    return text + "\n" + "".join(key.line(text) for key in keys or (LOG,))


def write(name, what, cases):
    seen = [case["desc"] for case in cases]
    assert len(seen) == len(set(seen)), "two cases of one name"
    document = {"what": what, "vkey": LOG.vkey(), "cases": cases}
    (HERE / name).write_text(json.dumps(document, indent=1, ensure_ascii=False) + "\n")


def good(desc, **fields):
    return {"desc": desc, **fields, "error": None}


def bad(desc, error, **fields):
    return {"desc": desc, **fields, "error": error}


def notes():
    text = "un texte\n\navec une ligne vide\n"
    line = LOG.line(text)
    raw = base64.b64decode(line.split()[-1])

    def signature(value, name=LOG.name):
        return f"{text}\n{DASH}{name} {value}\n"

    flipped = raw[:40] + bytes([raw[40] ^ 1]) + raw[41:]
    unknown = [Key(f"inconnu-{n}", f"unknown {n}") for n in range(256)]
    write("notes.json", "signed notes; read, then verified with `vkey`", [
        good("an empty line in the text", note=signed(text)),
        good("signatures of unknown keys before and after", note=signed(text, WITNESS, LOG, WITNESS)),
        good("the same name with an unknown id is ignored", note=signed(text, OTHER, LOG)),
        good("sixteen signatures", note=signed(text, *unknown[:15], LOG)),
        good("256 signatures", note=signed(text, *unknown[:255], LOG)),
        good("the same signature twice", note=signed(text, LOG, LOG)),
        good("another type of signature: 2420 bytes under an unknown key",
             note=signed(text) + f"{DASH}mldsa {b64(b'mlds' + bytes(2420))}\n"),
        bad("257 signatures", "TooManySignatures", note=signed(text, *unknown[:256], LOG)),
        bad("empty", "Form", note=""),
        bad("no empty line", "Form", note="un texte\n" + line),
        bad("no signature", "Form", note="un texte\n\n"),
        bad("no text", "Form", note="\n" + line),
        bad("no newline at the end", "Form", note=signed(text)[:-1]),
        bad("an empty line at the end", "Form", note=signed(text) + "\n"),
        bad("carriage returns", "Characters", note=signed(text).replace("\n", "\r\n")),
        bad("a tab in the text", "Characters", note=signed("un\ttexte\n")),
        bad("a NUL in the text", "Characters", note=signed("un\0texte\n")),
        bad("a hyphen for the dash", "SignatureLine", note=signed(text).replace("\u2014", "-")),
        bad("two spaces after the dash", "SignatureLine", note=signed(text).replace(DASH, DASH + " ")),
        bad("a space at the end of a line", "SignatureLine", note=signed(text)[:-1] + " \n"),
        bad("no name", "SignatureLine", note=signature(b64(raw), "")),
        bad("a plus in the name", "SignatureLine", note=signature(b64(raw), "a+b")),
        bad("a no-break space in the name", "SignatureLine", note=signature(b64(raw), "a\u00a0b")),
        bad("base64 without padding", "SignatureLine", note=signature(b64(raw[:-1]).rstrip("="))),
        bad("base64 with stray bits", "SignatureLine", note=signature(b64(raw[:67])[:-2] + "B=")),
        bad("base64 of the URL alphabet", "SignatureLine",
            note=signature(base64.urlsafe_b64encode(raw[:4] + b"\xff" * 64).decode())),
        bad("an id without a signature", "SignatureLine", note=signature(b64(raw[:4]))),
        bad("three bytes", "SignatureLine", note=signature(b64(raw[:3]))),
        bad("one bit of the signature", "BadSignature", note=signature(b64(flipped))),
        bad("a signature cut by one byte", "BadSignature", note=signature(b64(raw[:-1]))),
        bad("a signature with one byte more", "BadSignature", note=signature(b64(raw + b"\0"))),
        bad("one letter of the text", "BadSignature", note=signed(text).replace("texte", "Texte")),
        bad("a good and a bad signature of the same key", "BadSignature",
            note=signed(text) + f"{DASH}{LOG.name} {b64(flipped)}\n"),
        bad("only another key under the same name", "Unsigned", note=signed(text, OTHER)),
        bad("only a witness", "Unsigned", note=signed(text, WITNESS)),
        bad("a line moved from the text to the signatures", "SignatureLine",
            note="un texte\n\navec une ligne vide\n" + line),
    ])


def vkeys():
    vkey, name = LOG.vkey(), LOG.name
    hexid, key = LOG.id.hex(), b64(b"\1" + LOG.public)

    def made(public, kind=1, name=name):
        key_id = sha256(name.encode(), b"\n", bytes([kind]), public)[:4]
        return f"{name}+{key_id.hex()}+{b64(bytes([kind]) + public)}"

    plus = next(k for k in (Key("p", f"plus {n}") for n in range(999)) if "+" in k.vkey().split("+", 2)[2])
    write("vkeys.json", "verifier keys", [
        good("of the vectors", text=vkey),
        good("with a plus in its base64", text=plus.vkey()),
        good("a name that is not ASCII", text=Key("journal-d\u2019été", "x").vkey()),
        bad("empty", "Form", text=""),
        bad("only a name", "Form", text=name),
        bad("no key", "Form", text=f"{name}+{hexid}"),
        bad("upper-case id", "Form", text=f"{name}+{hexid.upper()}+{key}"),
        bad("short id", "Form", text=f"{name}+{hexid[1:]}+{key}"),
        bad("id of another key", "Id", text=f"{name}+{OTHER.id.hex()}+{key}"),
        bad("another name", "Id", text=f"autre+{hexid}+{key}"),
        bad("another key", "Id", text=f"{name}+{hexid}+{b64(bytes([1]) + OTHER.public)}"),
        bad("no name", "Name", text=made(LOG.public, name="")),
        bad("a space in the name", "Name", text=made(LOG.public, name="un journal")),
        bad("a line separator in the name", "Name", text=made(LOG.public, name="un\u2028journal")),
        bad("a name of 256 bytes", "Name", text=made(LOG.public, name="n" * 256)),
        bad("a cosigner's key (0x04)", "Type(4", text=made(LOG.public, kind=4)),
        bad("an ECDSA key (0x02)", "Type(2", text=made(LOG.public, kind=2)),
        bad("31 bytes", "Key", text=made(LOG.public[:31])),
        bad("33 bytes", "Key", text=made(LOG.public + b"\0")),
        bad("no base64", "Form", text=f"{name}+{hexid}+cl\u00e9"),
        bad("base64 without padding", "Form", text=made(LOG.public[:31]).rstrip("=")[:-1]),
        bad("nothing after the id", "Form", text=f"{name}+{hexid}+"),
        bad("a newline at the end", "Form", text=vkey + "\n"),
    ])


def checkpoints():
    origin, root = LOG.name, b64(sha256(b"a root"))
    empty = b64(sha256(b""))

    def body(first=origin, size="15", hash=root, rest=""):
        return f"{first}\n{size}\n{hash}\n{rest}"

    def case(desc, error, text, *keys):
        return {"desc": desc, "note": signed(text, *keys), "error": error}

    write("checkpoints.json", "signed checkpoints; opened with `vkey`", [
        case("a plain one", None, body()),
        case("an empty log", None, body(size="0", hash=empty)),
        case("an extension line", None, body(rest="une ligne\n")),
        case("a cosigned one", None, body(), LOG, WITNESS),
        case("the largest size", None, body(size=str(2**63 - 1))),
        case("a larger size", "Size", body(size=str(2**63))),
        case("a size over 64 bits", "Size", body(size=str(2**64))),
        case("a leading zero", "Size", body(size="015")),
        case("two zeros", "Size", body(size="00", hash=empty)),
        case("a plus sign", "Size", body(size="+15")),
        case("a minus sign", "Size", body(size="-15")),
        case("a space before the size", "Size", body(size=" 15")),
        case("a space after the size", "Size", body(size="15 ")),
        case("a hexadecimal size", "Size", body(size="0xf")),
        case("digits that are not ASCII", "Size", body(size="\u0661\u0665")),
        case("no size", "Size", body(size="")),
        case("a root of 31 bytes", "Root(Length(31)", body(hash=b64(sha256(b"")[:31]))),
        case("a root of 33 bytes", "Root(Length(33)", body(hash=b64(sha256(b"") + b"\0"))),
        case("no root", "Root(Length(0)", body(hash="")),
        case("a root without padding", "Root(Base64", body(hash=root.rstrip("="))),
        case("a root with stray bits", "Root(Base64", body(hash="A" * 42 + "B=")),
        case("a root in hexadecimal", "Root(Length(48)", body(hash=sha256(b"a root").hex())),
        case("an empty log with another root", "EmptyRoot", body(size="0")),
        case("two lines", "Missing(3)", f"{origin}\n15\n"),
        case("one line", "Missing(2)", f"{origin}\n"),
        case("no origin", "Origin", body(first="")),
        case("an empty extension line", "Extension(4)", body(rest="\n")),
        case("an empty line after an extension", "Extension(5)", body(rest="a\n\n")),
        case("the origin of another log", "OtherOrigin", body(first="journal.example.qc.ca/autre")),
        case("signed by another key under the same name", "Note(Unsigned", body(), OTHER),
        case("signed by a witness only", "Note(Unsigned", body(), WITNESS),
        {"desc": "another size than was signed", "error": "Note(BadSignature",
         "note": signed(body()).replace("\n15\n", "\n16\n")},
        {"desc": "not signed", "error": "Note(Form", "note": body()},
    ])


def proofs():
    entries = [f"entrée {n}".encode() for n in range(12)]
    roots = [mth(entries[:n]).hex() for n in range(13)]
    hexes = lambda hashes: [h.hex() for h in hashes]

    def inclusion(desc, index, size, error=None, proof=None, root=None, entry=None):
        proof = hexes(path(index, entries[:size])) if proof is None else proof
        return {"desc": desc, "index": index, "size": size, "proof": proof, "error": error,
                "leaf": leaf(entries[index % 12 if entry is None else entry]).hex(), "root": root or roots[size % 13]}

    def consistency(desc, old, size, error=None, proof=None, old_root=None, root=None):
        proof = hexes(subproof(old, entries[:size], True)) if proof is None else proof
        return {"desc": desc, "old_size": old, "size": size, "proof": proof, "error": error,
                "old_root": old_root or roots[old % 13], "root": root or roots[size % 13]}

    p = hexes(path(5, entries[:11]))
    c = hexes(subproof(6, entries[:11], True))
    every = [inclusion(f"{i} of {n}", i, n) for n in range(1, 13) for i in range(n)]
    every += [
        inclusion("empty tree", 0, 0, "Range", proof=[]),
        inclusion("index at the size", 11, 11, "Range", proof=p),
        inclusion("index over the size", 12, 11, "Range", proof=p),
        inclusion("size over 2^63", 5, 2**63, "Range", proof=p, root=roots[11]),
        inclusion("one hash less", 5, 11, "Length", proof=p[:-1]),
        inclusion("one hash more", 5, 11, "Length", proof=p + p[:1]),
        inclusion("no hashes", 5, 11, "Length", proof=[]),
        inclusion("two hashes swapped", 5, 11, "Root", proof=[p[1], p[0]] + p[2:]),
        inclusion("the neighbour's entry", 5, 11, "Root", proof=p, entry=4),
        inclusion("the neighbour's index", 4, 11, "Root", proof=p, entry=5),
        inclusion("another root", 5, 11, "Root", proof=p, root=roots[10]),
        inclusion("the leaf as the tree of one", 0, 1, "Root", proof=[], entry=1),
        inclusion("64 hashes", 5, 11, "TooLong", proof=[roots[1]] * 64),
    ]
    write("inclusion.json", "inclusion proofs of every entry in trees of 1 to 12, then wrong ones", every)
    every = [consistency(f"{m} to {n}", m, n) for n in range(1, 13) for m in range(1, n + 1)]
    every += [
        consistency("from the empty tree", 0, 11, "Range", proof=[]),
        consistency("to a smaller tree", 11, 6, "Range", proof=c),
        consistency("size over 2^63", 6, 2**63, "Range", proof=c, root=roots[11]),
        consistency("one hash less", 6, 11, "Length", proof=c[:-1]),
        consistency("one hash more", 6, 11, "Length", proof=c + c[:1]),
        consistency("no hashes", 6, 11, "Length", proof=[]),
        consistency("a hash between equal sizes", 6, 6, "Length", proof=c[:1]),
        consistency("equal sizes, other roots", 6, 6, 'Root("old")', proof=[], root=roots[7]),
        consistency("two hashes swapped", 6, 11, "Root", proof=[c[1], c[0]] + c[2:]),
        consistency("another old root", 6, 11, 'Root("old")', proof=c, old_root=roots[5]),
        consistency("another new root", 6, 11, 'Root("new")', proof=c, root=roots[10]),
        consistency("another old root, a power of two", 4, 11, "Root", old_root=roots[5]),
        consistency("65 hashes", 6, 11, "TooLong", proof=[roots[1]] * 65),
    ]
    write("consistency.json", "consistency proofs between trees of 1 to 12, then wrong ones", every)

    root = b64(mth(entries))
    note = signed(f"{LOG.name}\n12\n{root}\n")
    lines = [b64(h) for h in path(5, entries)]
    body = "".join(line + "\n" for line in lines)
    head = "c2sp.org/tlog-proof@v1\n"

    def file(desc, error, text, entry="entrée 5"):
        return {"desc": desc, "text": text, "entry": entry, "error": error}

    whole = f"{head}index 5\n{body}\n{note}"
    write("proof_files.json", "proof files; read, then verified with `vkey` for `entry`", [
        file("a plain one", None, whole),
        file("with extra", None, f"{head}extra {b64(b'autre chose')}\nindex 5\n{body}\n{note}"),
        file("with empty extra", None, f"{head}extra \nindex 5\n{body}\n{note}"),
        file("another entry", "Proof(Root", whole, entry="entrée 6"),
        file("another index", "Proof(Root", whole.replace("index 5", "index 4")),
        file("an index outside of the tree", "Proof(Range", whole.replace("index 5", "index 12")),
        file("a leading zero", "Index", whole.replace("index 5", "index 05")),
        file("an index over 64 bits", "Index", whole.replace("index 5", f"index {2**64}")),
        file("no number", "Index", whole.replace("index 5", "index ")),
        file("no index", "Index", whole.replace("index 5\n", "")),
        file("index before extra", "Hash", f"{head}index 5\nextra {b64(b'x')}\n{body}\n{note}"),
        file("extra twice", "Index", f"{head}extra \nextra \nindex 5\n{body}\n{note}"),
        file("extra without padding", "Extra", f"{head}extra eA\nindex 5\n{body}\n{note}"),
        file("another version", "Header", whole.replace("@v1", "@v2")),
        file("a line before", "Header", "\n" + whole),
        file("carriage returns", "Header", whole.replace("\n", "\r\n")),
        file("one hash less", "Proof(Length", whole.replace(lines[0] + "\n", "")),
        file("one hash more", "Proof(Length", whole.replace(lines[0] + "\n", (lines[0] + "\n") * 2)),
        file("64 hashes", "Proof(TooLong", f"{head}index 5\n" + (lines[0] + "\n") * 64 + f"\n{note}"),
        file("a hash of 31 bytes", "Hash { number: 1", whole.replace(lines[0], b64(bytes(31)))),
        file("a hash with a space", "Hash { number: 2", whole.replace(lines[1], lines[1] + " ")),
        file("no empty line", "Hash", f"{head}index 5\n{body}{note}"),
        file("nothing after the empty line", "Missing", f"{head}index 5\n{body}\n"),
        file("nothing after the hashes", "Missing", f"{head}index 5\n{body}"),
        file("an empty line before the checkpoint", "Checkpoint(Note(BadSignature", f"{head}index 5\n{body}\n\n{note}"),
        file("a checkpoint that is not signed", "Checkpoint(Note(Form",
             f"{head}index 5\n{body}\n" + note.split("\n\n")[0] + "\n"),
        file("a checkpoint signed by another key", "Checkpoint(Note(Unsigned",
             f"{head}index 5\n{body}\n" + signed(f"{LOG.name}\n12\n{root}\n", OTHER)),
        file("a checkpoint of another size", "Proof(", f"{head}index 5\n{body}\n" +
             signed(f"{LOG.name}\n11\n{b64(mth(entries[:11]))}\n")),
    ])


def paths_and_bundles():
    write("paths.json", "paths of tiles", [
        good("first", text="tile/0/000", level=0, index=0, width=256),
        good("of the specification", text="tile/0/x001/x234/067", level=0, index=1234067, width=256),
        good("a thousand", text="tile/1/x001/000", level=1, index=1000, width=256),
        good("partial", text="tile/2/999.p/255", level=2, index=999, width=255),
        good("width one", text="tile/0/x001/000.p/1", level=0, index=1000, width=1),
        good("entries", text="tile/entries/x012/345", level=None, index=12345, width=256),
        good("partial entries", text="tile/entries/000.p/7", level=None, index=0, width=7),
        bad("empty", "Path", text=""),
        bad("absolute", "Path", text="/tile/0/000"),
        bad("no index", "Path", text="tile/0"),
        bad("empty index", "Path", text="tile/0/"),
        bad("two digits", "Path", text="tile/0/00"),
        bad("four digits", "Path", text="tile/0/0000"),
        bad("a leading zero in the level", "Path", text="tile/00/000"),
        bad("a sign", "Path", text="tile/+0/000"),
        bad("level 64", "Path", text="tile/64/000"),
        bad("a level no tree has", "Range", text="tile/8/000"),
        bad("an index that no tree has", "Range", text="tile/7/000"),
        bad("tile height of the Go checksum database", "Path", text="tile/8/0/000"),
        bad("x on the last", "Path", text="tile/0/x000"),
        bad("no x before the last", "Path", text="tile/0/001/000"),
        bad("a group of zeros in front", "Path", text="tile/0/x000/001"),
        bad("full written as partial", "Path", text="tile/0/000.p/256"),
        bad("width zero", "Path", text="tile/0/000.p/0"),
        bad("a leading zero in the width", "Path", text="tile/0/000.p/01"),
        bad("no width", "Path", text="tile/0/000.p/"),
        bad("a slash at the end", "Path", text="tile/0/000/"),
        bad("a step up", "Path", text="tile/0/../000"),
        bad("an index over 64 bits", "Path", text="tile/0/" + "x999/" * 8 + "999"),
        bad("data in place of entries", "Path", text="tile/data/000"),
        bad("not ASCII digits", "Path", text="tile/0/\u0660\u0660\u0660"),
    ])
    pair = b"\0\3abc\0\0"
    write("bundles.json", "entry bundles in hexadecimal", [
        good("two entries, one empty", hex=pair.hex(), width=2, entries=["616263", ""]),
        bad("nothing", "Cut { entry: 0", hex="", width=1),
        bad("half a length", "Cut { entry: 0", hex="00", width=1),
        bad("an entry cut", "Cut { entry: 0", hex="00036162", width=1),
        bad("an entry missing", "Cut { entry: 2", hex=pair.hex(), width=3),
        bad("an entry more", "Stray { stray: 2", hex=pair.hex(), width=1),
        bad("one byte more", "Stray { stray: 1", hex=pair.hex() + "00", width=2),
        bad("a little-endian length", "Cut { entry: 0", hex=b"\3\0abc".hex(), width=1),
        bad("an entry and a full bundle", "Cut { entry: 2", hex=pair.hex(), width=256),
    ])


# --- C2SP tlog-cosignature and tlog-policy ---

TIME = 1_790_000_000


def cosignature(key, text, time=TIME, header="cosignature/v1", said=None):
    message = f"{header}\ntime {time if said is None else said}\n{text}"
    raw = time.to_bytes(8, "big") + key.private.sign(message.encode())
    return f"{DASH}{key.name} {b64(key.id + raw)}\n"


def cosignatures():
    text = f"{LOG.name}\n3\n{b64(sha256(b'a root'))}\n"
    witness = Key("temoin.example.qc.ca", "a witness's key of the vectors", 4)
    plain = Key("temoin.example.qc.ca", "a witness's key of the vectors", 1)
    other = Key("temoin.example.qc.ca", "another witness key", 4)
    borrowed = Key("temoin.example.qc.ca", "another witness key", 4)
    borrowed.id = witness.id
    extended = text + "une ligne de plus\n"

    def note(*lines, text=text):
        return signed(text) + "".join(lines)

    def yes(desc, note, time=TIME):
        return good(desc, witness=witness.vkey(), note=note, time=time)

    def no(desc, error, note):
        return bad(desc, error, witness=witness.vkey(), note=note)

    line = cosignature(witness, text)
    raw = base64.b64decode(line.split()[-1])

    def with_raw(value):
        return note(f"{DASH}{witness.name} {b64(value)}\n")

    write("cosignatures.json", "cosigned checkpoints; opened with `vkey`, then the cosignatures by `witness` are checked", [
        yes("one cosignature", note(line)),
        yes("over an extension line", note(cosignature(witness, extended), text=extended)),
        yes("twice: the newest counts", note(line, cosignature(witness, text, TIME + 9)), TIME + 9),
        yes("the newest first", note(cosignature(witness, text, TIME + 9), line), TIME + 9),
        yes("the second 1", note(cosignature(witness, text, 1)), 1),
        yes("the latest time that there is", note(cosignature(witness, text, 2**63 - 1)), 2**63 - 1),
        yes("none", note(), None),
        yes("by another key of that name: not looked at", note(cosignature(other, text)), None),
        yes("a plain signature by the same key: not looked at", note(plain.line(text)), None),
        no("time 0", "Time(0)", note(cosignature(witness, text, 0))),
        no("a time over 2^63 - 1", "Time(9223372036854775808)", note(cosignature(witness, text, 2**63))),
        no("another time than the one signed", "Signature", note(cosignature(witness, text, said=TIME + 1))),
        no("a leading zero in the time signed", "Signature", note(cosignature(witness, text, said=f"0{TIME}"))),
        no("without the extension line", "Signature", note(cosignature(witness, text), text=extended)),
        no("over the checkpoint before", "Signature", note(cosignature(witness, text.replace("\n3\n", "\n2\n")))),
        no("over another log's checkpoint", "Signature", note(cosignature(witness, "ailleurs" + text))),
        no("another first line", "Signature", note(cosignature(witness, text, header="cosignature/v2"))),
        no("another key under the witness's id", "Signature", note(cosignature(borrowed, text))),
        no("a plain signature under the witness's id", "Length(64)", with_raw(witness.id + witness.private.sign(text.encode()))),
        no("one bit of the signature", "Signature", with_raw(raw[:-1] + bytes([raw[-1] ^ 1]))),
        no("one byte more", "Length(73)", with_raw(raw + b"\0")),
        no("one byte less", "Length(71)", with_raw(raw[:-1])),
        no("only a time", "Length(8)", with_raw(raw[:12])),
        no("a good line and a false one", "Signature", note(line, cosignature(witness, text, said=1))),
    ])


def policies():
    w = [Key(f"temoin-{n}.example.qc.ca", f"witness {n}", 4) for n in range(6)]
    named = "".join(f"witness T{n} {key.vkey()}\n" for n, key in enumerate(w[:3]))
    log = f"log {LOG.vkey()}\n"
    renamed = Key("autre-nom", "witness 0", 4)
    many = "".join(f"witness M{n} {Key(f'm{n}', f'm{n}', 4).vkey()}\n" for n in range(257))

    def no(desc, mistake, line, text):
        return bad(desc, mistake, text=text, line=line)

    write("policies.json", "trust policies; `printed` is the one form, when `text` is another", [
        good("no quorum", text="quorum none\n"),
        good("a log and one witness", text=f"{log}witness T {w[0].vkey()}\nquorum T\n"),
        good("two of three", text=f"{log}{named}group G 2 T0 T1 T2\nquorum G\n"),
        good("addresses", text=f"log {LOG.vkey()} https://journal\nwitness T {w[0].vkey()} https://t/prefixe\nquorum T\n"),
        good("comments, tabs and empty lines", text=f"# politique é\n\n \t# deux\n\tquorum \t none \n", printed="quorum none\n"),
        good("any", text=f"{named}group G any T0 T1\nquorum G\n", printed=f"{named}group G 1 T0 T1\nquorum G\n"),
        good("all", text=f"{named}group G all T0 T1\nquorum G\n", printed=f"{named}group G 2 T0 T1\nquorum G\n"),
        good("groups of groups", text=f"{named}group A 1 T0 T1\ngroup B 2 A T2\nquorum B\n"),
        good("a log after the quorum", text=f"quorum none\n{log}", printed=f"{log}quorum none\n"),
        good("a name that is not ASCII", text=f"witness té moin {w[0].vkey()}\nquorum té moin\n"),
        no("empty", "NoQuorum", None, ""),
        no("no quorum line", "NoQuorum", None, log + named),
        no("no newline at the end", "NoNewline", 1, "quorum none"),
        no("carriage returns", "Characters", 1, "quorum none\r\n"),
        no("a NUL in a comment", "Characters", 1, "#\0\nquorum none\n"),
        no("a DEL in a comment", "Characters", 1, "#\x7f\nquorum none\n"),
        no("an unknown word", "Keyword", 1, "temoin T\nquorum none\n"),
        no("a word in capitals", "Keyword", 1, "Quorum none\n"),
        no("a comment after a line", "Words", 1, "quorum none # rien\n"),
        no("a log without a key", "Words", 1, "log\nquorum none\n"),
        no("a log with three words", "Words", 1, f"log {LOG.vkey()} https://a b\nquorum none\n"),
        no("a witness without a key", "Words", 1, "witness T\nquorum none\n"),
        no("a witness with the address before the key", "Key(Form)", 1, f"witness T https://t {w[0].vkey()}\nquorum T\n"),
        no("a quorum of two names", "Words", 4, f"{named}quorum T0 T1\n"),
        no("a quorum without a name", "Words", 1, "quorum\n"),
        no("a witness's key as a log's", "Key(Type(4))", 1, f"log {w[0].vkey()}\nquorum none\n"),
        no("a log's key as a witness's", "Key(Type(1))", 1, f"witness T {LOG.vkey()}\nquorum T\n"),
        no("a key with the id of another", "Key(Id", 1, f"witness T {w[0].vkey().replace(w[0].id.hex(), w[1].id.hex())}\nquorum T\n"),
        no("a log twice", "SameKey", 2, log + log + "quorum none\n"),
        no("a witness's key twice under two names", "SameKey", 2, f"witness A {w[0].vkey()}\nwitness B {renamed.vkey()}\nquorum A\n"),
        no("a witness's name twice", "NameTaken", 2, f"witness A {w[0].vkey()}\nwitness A {w[1].vkey()}\nquorum A\n"),
        no("a group's name twice", "NameTaken", 5, f"{named}group G any T0\ngroup G any T1\nquorum G\n"),
        no("a group of a witness's name", "NameTaken", 4, f"{named}group T0 any T1\nquorum T0\n"),
        no("a witness called none", "Reserved", 1, f"witness none {w[0].vkey()}\nquorum none\n"),
        no("a group called none", "Reserved", 4, f"{named}group none any T0\nquorum none\n"),
        no("none as a member", "Reserved", 4, f"{named}group G any none\nquorum G\n"),
        no("an unknown member", "Unknown", 4, f"{named}group G any T0 T9\nquorum G\n"),
        no("a member that comes later", "Unknown", 1, f"group G any T0\n{named}quorum G\n"),
        no("a group that is its own member", "Unknown", 4, f"{named}group G any G\nquorum G\n"),
        no("an unknown quorum", "Unknown", 1, "quorum T\n"),
        no("a quorum that comes later", "Unknown", 1, f"quorum T0\n{named}"),
        no("a member twice in a group", "MemberTwice", 4, f"{named}group G 2 T0 T0\nquorum G\n"),
        no("a member of two groups", "MemberTwice", 5, f"{named}group A any T0\ngroup B any T0 T1\nquorum B\n"),
        no("a group without members", "Words", 4, f"{named}group G any\nquorum G\n"),
        no("none of a group", "Threshold", 4, f"{named}group G 0 T0\nquorum G\n"),
        no("three of two", "Threshold", 4, f"{named}group G 3 T0 T1\nquorum G\n"),
        no("a threshold with a leading zero", "Threshold", 4, f"{named}group G 01 T0\nquorum G\n"),
        no("a negative threshold", "Threshold", 4, f"{named}group G -1 T0\nquorum G\n"),
        no("half a threshold", "Threshold", 4, f"{named}group G 1.5 T0 T1\nquorum G\n"),
        no("two quorums", "SecondQuorum", 2, "quorum none\nquorum none\n"),
        no("257 witnesses", "TooMany", 257, many + "quorum none\n"),
    ])


for make in (notes, vkeys, checkpoints, proofs, paths_and_bundles, cosignatures, policies):
    make()
