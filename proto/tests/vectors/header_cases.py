"""Headers that break one rule each, for `generate.py`."""

from independent import element, encode_header, uint, varint


def encoding_cases(raw, encoded, header):
    without_suite = encoded[2:]
    raw("an unknown field", "a field that the reader does not know could say anything", "encoding",
        encoded + uint(200, 1))
    raw("a field twice", "readers disagree on which one counts", "encoding", uint(1, 1) + encoded)
    raw("fields out of order", "a second encoding of the same message", "encoding", without_suite + uint(1, 1))
    raw("a default written out", "a second encoding: the empty operation", "encoding",
        encoded.replace(element(10, header["purpose"]), element(9, b"") + element(10, header["purpose"]), 1))
    raw("a longer varint", "a second encoding: suite 1 in two bytes", "encoding", b"\x08\x81\x00" + without_suite)
    raw("cut", "the last field is not whole", "encoding", encoded[:-1])
    raw("a zero tag", "field 0 does not exist", "encoding", encoded + b"\x00\x00")
    raw("another wire type", "the suite as a string", "encoding", element(1, b"\x01") + without_suite)
    raw("not UTF-8", "texts are UTF-8", "encoding",
        encoded.replace(element(10, header["purpose"]), element(10, b"\xff\xfe"), 1))
    raw("a group", "deprecated wire types are not taken", "encoding", encoded + b"\xdb\x01\xdc\x01")
    raw("a length beyond the end", "the last field says more bytes than there are", "encoding",
        encoded + varint(27 << 3 | 2) + varint(1 << 40))
    raw("nothing", "an empty header has no suite", "suite", b"")
    raw("an order before the attributes", "fields out of order", "encoding",
        encoded[: encoded.rindex(element(26, header["sealed_attributes"]))]
        + element(27, element(1, bytes(16)) + uint(2, 1)) + element(26, header["sealed_attributes"]))
    raw("an unknown field of the order", "a field that the reader does not know could say anything", "encoding",
        encoded + element(27, element(1, bytes(16)) + uint(2, 1) + uint(3, 1)))
    raw("suite 2", "not known here", "suite", encode_header({**header, "suite": 2}))
    raw("no suite", "suite 0 does not exist", "suite", without_suite)


def form_cases(form, header, now):
    identity_cases(form, header)
    list_cases(form, header)
    text_cases(form, header)
    time_and_body_cases(form, header, now)
    key_cases(form, header)
    order_cases(form)


def identity_cases(form, header):
    own = header["exchange_id"]
    version_4 = own[:6] + b"\x40" + own[7:]
    variant = own[:8] + b"\x00" + own[9:]
    for why, value in [("missing", b""), ("15 bytes", own[:15]), ("17 bytes", own + b"\0"),
                       ("UUID of version 4", version_4), ("another variant", variant)]:
        form("exchange_id", why, exchange_id=value)
        if value:
            form("in_reply_to", why, in_reply_to=value)
    form("in_reply_to", "answers itself", in_reply_to=own)
    form("in_reply_to", "missing in a response", kind=3, operation="x")
    form("in_reply_to", "given in a request", kind=2, operation="x", in_reply_to=own[:15] + b"\0")
    form("kind", "unspecified", kind=0)
    form("kind", "unknown", kind=9)
    for why, value in [("missing", ""), ("one letter", "a"), ("capitals", "RAMQ"), ("a slash", "ra/mq"),
                       ("ends in a hyphen", "ramq-"), ("41 letters", "a" * 41)]:
        form("sender_agency", why, sender_agency=value)
        form("sender_agent", why, sender_agent=value)
        form("recipients", why, recipients=sorted([value, "saaq"]))


def list_cases(form, header):
    form("recipients", "none", recipients=[])
    form("recipients", "not sorted", recipients=["saaq", "revenu-quebec"])
    form("recipients", "one twice", recipients=["revenu-quebec", "saaq", "saaq"])
    form("recipients", "33", recipients=[f"agence-{index:02}" for index in range(33)])
    form("data_categories", "none", data_categories=[])
    form("data_categories", "not sorted", data_categories=["b", "a"])
    form("data_categories", "one twice", data_categories=["a", "a"])
    form("data_categories", "an empty one", data_categories=["", "a"])
    form("data_categories", "65 bytes", data_categories=["a" * 65])
    form("data_categories", "65", data_categories=[f"c{index:02}" for index in range(65)])
    form("subjects", "31 bytes", subjects=[bytes(31)])
    form("subjects", "an empty one", subjects=[b""])
    form("case_commitment", "31 bytes", case_commitment=b"\1" * 31)
    form("acting_user", "33 bytes", acting_user=b"\1" * 33)


def text_cases(form, header):
    for field, limit in [("service", 128), ("purpose", 64), ("legal_basis", 64), ("content_type", 128)]:
        for why, value in [("missing", ""), ("too long", "a" * (limit + 1)), ("a line feed", "a\nb"),
                           ("a control character of Latin-1", "a\u0085b")]:
            form(field, why, **{field: value})
    form("operation", "a record has none", operation="consulter")
    form("operation", "missing in a request", kind=2)
    form("operation", "too long", kind=2, operation="a" * 129)
    agreement = header["agreement"]
    form("agreement", "missing", agreement=None)
    form("agreement.number", "missing", agreement={**agreement, "number": ""})
    form("agreement.number", "65 bytes", agreement={**agreement, "number": "a" * 65})
    form("agreement.version", "missing", agreement={**agreement, "version": 0})
    form("agreement.digest", "31 bytes", agreement={**agreement, "digest": agreement["digest"][:31]})


def time_and_body_cases(form, header, now):
    month = 31 * 24 * 3600 * 1000
    form("created_ms", "missing", created_ms=0)
    form("expires_ms", "missing", expires_ms=0)
    form("expires_ms", "with the creation", expires_ms=now)
    form("expires_ms", "before the creation", expires_ms=now - 1)
    form("expires_ms", "over 31 days", expires_ms=now + month + 1)
    form("expires_ms", "the end of time", expires_ms=2**64 - 1)
    for size in [0, 1, 65_535, 65_537, 1 << 20]:
        form("chunk_size", str(size), chunk_size=size)
    for length, count in [(1, 0), (1, 2), (0, 0), (65_536, 2), (65_537, 1), (1, 2**64 - 1)]:
        form("chunk_count", f"{count} for {length} bytes", plaintext_length=length, chunk_count=count)
    form("body_root", "31 bytes", body_root=b"\1" * 31)
    form("body_root", "missing", body_root=b"")
    form("commitment", "33 bytes", commitment=b"\1" * 33)
    form("sealed_attributes", "missing", sealed_attributes=b"")
    form("sealed_attributes", "shorter than a tag", sealed_attributes=bytes(15))


def key_cases(form, header):
    keys = header["recipient_keys"]
    first = keys[0]

    def with_first(**change):
        return [{**first, **change}, *keys[1:]]

    form("recipient_keys", "none", recipient_keys=[])
    form("recipient_keys", "not sorted", recipient_keys=keys[::-1])
    form("recipient_keys", "one twice", recipient_keys=[keys[0], keys[0], keys[1]])
    form("recipient_keys", "of no recipient", recipient_keys=[*keys[:1], {**keys[1], "agency": "ramq"}])
    form("recipient_keys", "a recipient is not reached", recipient_keys=keys[:1])
    form("recipient_keys", "key id of 31 bytes", recipient_keys=with_first(key_id=first["key_id"][:31]))
    form("recipient_keys", "encapsulated in 1,119 bytes", recipient_keys=with_first(encapsulated=bytes(1_119)))
    form("recipient_keys", "encapsulated for X25519", recipient_keys=with_first(encapsulated=bytes(32)))
    form("recipient_keys", "wrapped in 47 bytes", recipient_keys=with_first(wrapped=bytes(47)))
    form("recipient_keys", "wrapped in 49 bytes", recipient_keys=with_first(wrapped=bytes(49)))


def order_cases(form):
    stream = bytes(range(16))
    form("order.stream", "missing", order={"stream": b"", "sequence": 1})
    form("order.stream", "15 bytes", order={"stream": stream[:15], "sequence": 1})
    form("order.stream", "17 bytes", order={"stream": stream + b"\0", "sequence": 1})
    form("order.sequence", "missing", order={"stream": stream, "sequence": 0})
    form("order.stream", "an empty place", order={"stream": b"", "sequence": 0})
    form("order", "in a request", kind=2, operation="x", order={"stream": stream, "sequence": 1})
    form("order", "in a response", kind=3, operation="x", in_reply_to=b"\1\x9c\xb0\0\0\0\x70\1\x80" + bytes(7),
         order={"stream": stream, "sequence": 1})
