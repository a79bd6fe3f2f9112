"""Damage for documents, as transfers, editors and people do it."""

from __future__ import annotations

import random

BYTES = b"<>&\"'/=!?[]-: \t\r\n\x00\x0b\xff\xc3A;#x"
PIECES = [
    b"<!-- <X> -->",
    b"<![CDATA[ <y> & ]]>",
    b"]]>",
    b"&#233;",
    b"&#x1F9EC;",
    b"&#55296;",
    b"&#0;",
    b"&amp;",
    b"&lt;&gt;&quot;&apos;",
    b"&foo;",
    b"&#x41;&#X41;",
    b"<?pi x?>",
    b'<?xml version="1.0"?>',
    b'<Z a="1"/>',
    b'<Z a="1" a="2"/>',
    b"<z:Z/>",
    b"<Z z:a='1'/>",
    b"<Z xsi:nil='true'/>",
    b'<Z xmlns="urn:z"/>',
    b'<Z xmlns=""/>',
    b"\r\n",
    b"\r",
    b"\t",
    b"\xc3\xa9",
    b"\xed\xa0\x80",
    b"\xef\xbf\xbf",
    b"\xf0\x9f\xa7\xac",
    b"\xc0\xaf",
    b" ",
    b"<TITLE>  t &#32; </TITLE>",
    b"</TITLE>",
    b"<RUN/>",
    b"<SAMPLE accession='S1'><TITLE>in &amp; out</TITLE></SAMPLE>",
]
HEADS = [
    b"\n",
    b"\xef\xbb\xbf",
    b"junk",
    b"<?xml version='1.0'?>",
    b"<?xml version = '1.0' encoding = 'utf-8'?>",
    b'<?xml version="1.0" encoding="ISO-8859-1"?>',
    b'<?xml version="1.1"?>',
    b"<!DOCTYPE a>",
    b"<?xml-stylesheet a?>",
    b'<?xml version="1.0" standalone="yes"?>',
]


def damaged(data: bytes, chance: random.Random) -> bytes:
    """Return the document with one to three small changes."""
    for _ in range(chance.choice((1, 1, 1, 2, 3))):
        data = _once(data, chance)
    return data


def _once(data: bytes, chance: random.Random) -> bytes:
    if not data:
        return chance.choice(HEADS)
    at = chance.randrange(len(data))
    stop = min(len(data), at + chance.randrange(60))
    byte = bytes([chance.choice(BYTES)])
    kind = chance.randrange(9)
    if kind == 0:
        return data[:at]
    if kind == 1:
        return data[:at] + data[at + 1 :]
    if kind == 2:
        return data[:at] + byte + data[at:]
    if kind == 3:
        return data[:at] + byte + data[at + 1 :]
    if kind == 4:
        return data[:at] + data[stop:]
    if kind == 5:
        return data[:stop] + data[at:stop] + data[stop:]
    if kind == 6:
        return chance.choice(HEADS) + data
    after = data.find(b">", at) + 1 if kind == 7 else data.find(b"<", at)
    after = max(after, 0)
    return data[:after] + chance.choice(PIECES) + data[after:]
