"""Writes segment-v1.bin from docs/formats/journal.md alone, sharing no code with the journal.

Run: python3 segment_v1.py > segment-v1.bin
"""
import struct
import sys


def crc32c(data):
    crc = 0xFFFFFFFF
    for byte in data:
        crc ^= byte
        for _ in range(8):
            crc = (crc >> 1) ^ (0x82F63B78 if crc & 1 else 0)
    return crc ^ 0xFFFFFFFF


# The check value that RFC 3720 (B.4) and every catalogue of CRCs give.
assert crc32c(b"123456789") == 0xE3069283

SALT = bytes(range(0xA0, 0xB0))


def batch(sequence, previous, payloads):
    heads = [struct.pack("<II", len(payload), crc32c(payload)) for payload in payloads]
    body = b"".join(head + payload for head, payload in zip(heads, payloads))
    head = struct.pack("<4sIIIQI", b"PSLB", len(payloads), len(body), 0, sequence, previous)
    checksum = crc32c(SALT + head + b"".join(heads))
    return head + struct.pack("<I", checksum) + body, checksum


head = struct.pack("<8sIIQQII16sI", b"PASSJRNL", 1, 0, 7, 41, 0x01020304, 0, SALT, 0)
first, link = batch(41, 0x01020304, ["données".encode(), b"", bytes(range(256))])
second, _ = batch(42, link, [b"last"])
written = head + struct.pack("<I", crc32c(head)) + first + second
sys.stdout.buffer.write(written + bytes(512 - len(written)))
