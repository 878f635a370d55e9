"""Writes agreement.json and agreement_dates.json: `python3 agreement_vectors.py`, then commit.

Digests and signatures are of the exact bytes of docs/samples; dates come from Python's calendar and zoneinfo. Nothing
is taken from the crate under test.
"""

import datetime
import json
import pathlib
import zoneinfo

from independent import Signer, pae, sha256

HERE = pathlib.Path(__file__).parent
SAMPLES = HERE.parents[2] / "docs" / "samples"
TYPE = "application/vnd.passerelle.agreement.v1+json"
TORONTO = zoneinfo.ZoneInfo("America/Toronto")
WAITS = ("A-2.1 s.64", "A-2.1 s.67.2.1", "A-2.1 s.68")
RAMQ = Signer(sha256(b"signing key of ramq/agent-1"))


def write(name, comment, **content):
    (HERE / name).write_text(json.dumps({"comment": comment, **content}, indent=1, ensure_ascii=False) + "\n")


def midnight(day):
    start = datetime.datetime(day.year, day.month, day.day, tzinfo=TORONTO)
    return int(start.timestamp()) * 1000


def document(path):
    payload = path.read_bytes()
    terms = json.loads(payload)
    return {
        "file": path.name, "number": terms["number"], "version": terms["version"],
        "digest": sha256(payload).hex(), "pae_digest": sha256(pae(TYPE, payload)).hex(),
        "key_id": RAMQ.key_id.hex(), "signature": RAMQ.sign(TYPE, payload).hex(),
    }


def dates(why, basis, valid_from, valid_to, received):
    first, last = datetime.date.fromisoformat(valid_from), datetime.date.fromisoformat(valid_to)
    begins = midnight(first)
    if basis in WAITS:
        # The day of receipt is not counted: the 30th day after it is the first day in force.
        cleared = received and midnight(datetime.date.fromisoformat(received) + datetime.timedelta(days=30))
        begins = max(begins, cleared) if cleared else None
    return {"why": why, "legal_basis": basis, "valid_from": valid_from, "valid_to": valid_to,
            "received_by_cai_on": received or "", "in_force_from_ms": begins,
            "in_force_until_ms": midnight(last + datetime.timedelta(days=1))}


def main():
    write(
        "agreement.json",
        "Exact bytes of docs/samples: SHA-256, SHA-256 of the DSSE pre-authentication encoding, Ed25519 signature. Hex.",
        payload_type=TYPE, key=RAMQ.public.hex(), documents=[document(path) for path in sorted(SAMPLES.glob("*.json"))],
    )
    s68, far = "A-2.1 s.68", "2030-12-31"
    cases = [dates(*case) for case in [
        ("no receipt recorded", s68, "2026-01-01", far, None),
        ("the receipt decides", s68, "2026-01-01", far, "2026-06-10"),
        ("valid_from decides", s68, "2026-09-01", far, "2026-06-10"),
        ("both on the same day", s68, "2026-07-10", far, "2026-06-10"),
        ("valid_from is the day before", s68, "2026-07-09", far, "2026-06-10"),
        ("the 30th day is the day on which clocks go forward", s68, "2026-01-01", far, "2026-02-06"),
        ("the day after clocks went forward", s68, "2026-01-01", far, "2026-02-07"),
        ("clocks go forward in between", s68, "2026-01-01", far, "2026-02-28"),
        ("the 30th day is the day on which clocks go back", s68, "2026-01-01", far, "2026-10-02"),
        ("the day after clocks went back", s68, "2026-01-01", far, "2026-10-03"),
        ("received on the day on which clocks go back", s68, "2026-01-01", far, "2026-11-01"),
        ("last of January", s68, "2026-01-01", far, "2026-01-31"),
        ("30 January of a common year", s68, "2027-01-01", far, "2027-01-30"),
        ("30 January of a leap year", s68, "2028-01-01", far, "2028-01-30"),
        ("29 February", s68, "2028-01-01", far, "2028-02-29"),
        ("28 February", s68, "2027-01-01", far, "2027-02-28"),
        ("last of August", s68, "2026-01-01", far, "2026-08-31"),
        ("into the next year", s68, "2026-01-01", far, "2026-12-02"),
        ("last of December", s68, "2026-01-01", far, "2026-12-31"),
        ("2100 is no leap year", s68, "2100-01-01", "2100-12-31", "2100-01-30"),
        ("s. 64 waits", "A-2.1 s.64", "2026-01-01", far, "2026-06-10"),
        ("s. 64 without receipt", "A-2.1 s.64", "2026-01-01", far, None),
        ("s. 67.2.1 waits", "A-2.1 s.67.2.1", "2026-01-01", far, "2026-06-10"),
        ("s. 67 does not wait", "A-2.1 s.67", "2026-01-01", far, None),
        ("s. 66 does not wait", "A-2.1 s.66", "2026-07-01", "2026-07-01", None),
        ("a stray receipt does not delay s. 67", "A-2.1 s.67", "2026-01-01", far, "2026-06-10"),
        ("one day, on which clocks go forward: 23 hours", "A-2.1 s.67", "2026-03-08", "2026-03-08", None),
        ("one day, on which clocks go back: 25 hours", "A-2.1 s.67", "2026-11-01", "2026-11-01", None),
        ("29 February is the last day", "A-2.1 s.67", "2028-02-01", "2028-02-29", None),
        ("the first day that is known", "A-2.1 s.67", "2000-01-01", "2000-12-31", None),
        ("the last day that is known", "A-2.1 s.67", "2199-12-31", "2199-12-31", None),
    ]]
    write(
        "agreement_dates.json",
        "When an agreement is in force, America/Toronto (milliseconds since the UNIX epoch; null: not yet known).",
        cases=cases,
    )


if __name__ == "__main__":
    main()
