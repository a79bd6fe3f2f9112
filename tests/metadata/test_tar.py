"""Archives read as a stream agree with tarfile, whatever wrote them and however they come."""

from __future__ import annotations

import io
import random
import tarfile
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from polytene.exceptions import BadInput
from polytene.metadata.plan import TreeShards
from polytene.metadata.sources.cut import cut
from polytene.metadata.sources.tar import TarReader, is_tar
from polytene.metadata.sources.tree import Listing

FORMATS = [tarfile.USTAR_FORMAT, tarfile.GNU_FORMAT, tarfile.PAX_FORMAT]


def archive(members: list[tuple[str, bytes]], form: int) -> bytes:
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w", format=form) as tar:
        folder = tarfile.TarInfo("./")
        folder.type = tarfile.DIRTYPE
        tar.addfile(folder)
        for name, data in members:
            about = tarfile.TarInfo(name)
            about.size = len(data)
            tar.addfile(about, io.BytesIO(data))
    return out.getvalue()


def blocks(data: bytes, size: int):
    return (data[i : i + size] for i in range(0, len(data), size))


def read(data: bytes, size: int, large: int = 1000) -> list[tuple[str, bytes]]:
    reader = TarReader(blocks(data, size), "x.tar", large)
    return [
        (m.name, m.data if m.data is not None else b"".join(m.blocks or ()))
        for m in reader.members()
    ]


MEMBERS = st.lists(
    st.tuples(st.sampled_from(["SRA1/SRA1.run.xml", "a" * 90 + "/b", "d/" + "long" * 24]),
              st.binary(max_size=3000)), max_size=6,
)  # fmt: skip


@given(MEMBERS, st.sampled_from(FORMATS), st.integers(1, 5000))
def test_members_are_those_of_tarfile(members, form, size):
    data = archive(members, form)
    with tarfile.open(fileobj=io.BytesIO(data)) as tar:
        expected = [(m.name, tar.extractfile(m).read()) for m in tar if m.isfile()]
    assert read(data, size) == expected == members
    assert is_tar(data[:512])


@given(st.integers(0, 6000))
def test_an_archive_that_breaks_off_is_never_whole(at):
    data = archive([("a.xml", b"x" * 700), ("b.xml", b"y" * 1500)], tarfile.GNU_FORMAT)
    end = data.rindex(b"y") + 1
    found, reason = [], "truncated"
    try:
        found = read(data[:at], 300)
    except BadInput as error:
        reason = error.reason
    assert reason in ("truncated", "io_error")
    assert at >= end or len(found) < 2


def test_a_damaged_header_is_named_with_its_place():
    data = bytearray(archive([("a.xml", b"x" * 700), ("b.xml", b"y")], tarfile.GNU_FORMAT))
    data[512 * 4 + 5] ^= 1
    with pytest.raises(BadInput, match=r"io_error: x\.tar: byte 2048"):
        read(bytes(data), 300)


def test_a_large_member_that_nobody_reads_is_passed_over():
    data = archive([("a", b"x" * 5000), ("b", b"y" * 10)], tarfile.GNU_FORMAT)
    names = [m.name for m in TarReader(blocks(data, 700), "x", 1000).members()]
    assert names == ["a", "b"]


@given(st.integers(1, 400), st.integers(1, 2000))
def test_pieces_of_a_set_make_up_the_whole(records, size):
    chance = random.Random(records)
    body = [
        b"<RUN accession='R%d'>%b</RUN>\n" % (i, b"t" * chance.randrange(50))
        for i in range(records)
    ]
    data = b"<?xml version='1.0'?>\n<RUN_SET a='1'>\n" + b"".join(body) + b"</RUN_SET>\n"
    pieces = list(cut(blocks(data, size), "f", 100))
    if len(data) <= 100:
        assert pieces == [("f", data)]
        return
    assert all(p.startswith(b"<RUN_SET a='1'>") and p.endswith(b"</RUN_SET>") for _, p in pieces)
    inner = [p[len(b"<RUN_SET a='1'>") : -len(b"</RUN_SET>")].strip() for _, p in pieces]
    assert inner == [b.strip() for b in body]
    for name, piece in pieces:
        at = int(name.partition("#")[2])
        assert data[at:].startswith(piece[len(b"<RUN_SET a='1'>") : -len(b"</RUN_SET>")])


def test_a_million_submissions_take_little_memory():
    names = np.array([b"SRA%06d" % i for i in range(1_000_000)])
    shards = TreeShards(Path("/dump"), Listing(names), 64 << 20)
    assert names.nbytes < 10e6
    assert 400 < len(shards) < 2500
    assert sum(shards[i].cost for i in range(len(shards))) == 1_000_000
    assert len(shards[5].entries) < 30_000
