from __future__ import annotations

import errno
import gzip
import importlib
import struct
import tracemalloc
import zlib
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from polytene.exceptions import BadInput
from polytene.formats import gunzip, text
from polytene.formats.text import peek, printable, read_blocks, read_lines, unix_newlines

SAME_FOLDER = settings(
    deadline=None,
    max_examples=60,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
BGZF_END = bytes.fromhex("1f8b08040000000000ff0600424302001b0003000000000000000000")


def bgzf(content: bytes, block: int = 100) -> bytes:
    return b"".join(bgzf_block(content[i : i + block]) for i in range(0, len(content), block))


def bgzf_block(content: bytes) -> bytes:
    deflate = zlib.compressobj(wbits=-15)
    body = deflate.compress(content) + deflate.flush()
    head = struct.pack("<4BI2BH2BHH", 31, 139, 8, 4, 0, 0, 255, 6, 66, 67, 2, len(body) + 25)
    return head + body + struct.pack("<II", zlib.crc32(content), len(content))


def read(path: Path, block_bytes: int | None = None) -> bytes:
    return b"".join(read_blocks(path, block_bytes))


def outcome(path: Path) -> bytes | str:
    """The content, or the reason why there is none."""
    try:
        return read(path)
    except BadInput as error:
        return error.reason


@pytest.fixture(params=["zlib", "isal.isal_zlib"])
def _decompressor(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip(request.param.partition(".")[0])
    module = importlib.import_module(request.param)
    monkeypatch.setattr(gunzip, "_zlib", lambda: module)


@pytest.mark.usefixtures("_decompressor")
@SAME_FOLDER
@given(
    members=st.lists(st.binary(max_size=300), min_size=1, max_size=4),
    block_bytes=st.integers(1, 400),
    chunk=st.integers(1, 50),
    padding=st.integers(0, 40),
)
def test_every_member_is_read_whatever_the_blocks(
    tmp_path: Path, members: list[bytes], block_bytes: int, chunk: int, padding: int
) -> None:
    path = tmp_path / "x"
    path.write_bytes(b"".join(map(gzip.compress, members)) + bytes(padding))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(gunzip, "COMPRESSED_BYTES", chunk)
        blocks = list(read_blocks(path, block_bytes))
    assert b"".join(blocks) == b"".join(members)
    assert all(0 < len(block) <= block_bytes for block in blocks)


@pytest.mark.parametrize("size", [0, 1, 2, 3, 1000])
def test_plain_text_is_read_as_it_is(tmp_path: Path, size: int) -> None:
    path = tmp_path / "x.gz"
    path.write_bytes(b"a" * size)
    assert read(path, 7) == b"a" * size


@pytest.mark.usefixtures("_decompressor")
def test_gzip_cut_anywhere_is_an_error(tmp_path: Path) -> None:
    whole = gzip.compress(b">a\n" + bytes(range(65, 85)) * 20)
    path = tmp_path / "cut.gz"
    for size in range(1, len(whole)):
        path.write_bytes(whole[:size])
        assert outcome(path) == "truncated-gzip"


@pytest.mark.usefixtures("_decompressor")
def test_bgzf_cut_anywhere_is_an_error_also_between_its_blocks(tmp_path: Path) -> None:
    content = bytes(range(65, 85)) * 20
    whole = bgzf(content) + BGZF_END
    path = tmp_path / "cut.bgz"
    path.write_bytes(whole)
    assert read(path) == content
    for size in range(1, len(whole)):
        path.write_bytes(whole[:size])
        assert outcome(path) == "truncated-gzip"


@pytest.mark.usefixtures("_decompressor")
def test_a_flipped_bit_is_harmless_or_an_error(tmp_path: Path) -> None:
    content = b">a\nACGTACGTTT\n" * 5
    whole = gzip.compress(content)
    path = tmp_path / "flipped.gz"
    for position in range(len(gunzip.MAGIC), len(whole)):
        for bit in range(8):
            damaged = bytearray(whole)
            damaged[position] ^= 1 << bit
            path.write_bytes(damaged)
            assert outcome(path) in (content, "damaged-gzip", "truncated-gzip")


@pytest.mark.usefixtures("_decompressor")
@pytest.mark.parametrize("garbage", [b"x", b"\0\0x", b"\x1fx", b"trailing text" * 50])
def test_bytes_after_the_last_member_are_an_error(tmp_path: Path, garbage: bytes) -> None:
    path = tmp_path / "x.gz"
    path.write_bytes(gzip.compress(b"ACGT") + garbage)
    assert outcome(path) == "damaged-gzip"


def test_the_text_before_the_damage_comes_first(tmp_path: Path) -> None:
    path = tmp_path / "x.gz"
    path.write_bytes(gzip.compress(b"ACGT") + gzip.compress(b"TTTT")[:-3])
    blocks = read_blocks(path)
    assert next(blocks) == b"ACGT"
    with pytest.raises(BadInput, match=r"truncated-gzip.*member 2"):
        list(blocks)


@pytest.mark.usefixtures("_decompressor")
def test_a_bomb_takes_no_more_memory_than_a_block(tmp_path: Path) -> None:
    path = tmp_path / "bomb.gz"
    path.write_bytes(gzip.compress(bytes(1 << 26), 1))
    tracemalloc.start()
    try:
        assert sum(map(len, read_blocks(path))) == 1 << 26
        assert tracemalloc.get_traced_memory()[1] < 4 << 20
    finally:
        tracemalloc.stop()


@pytest.mark.parametrize("name", ["missing", "", "a\0b", "x" * 300, "missing/\x1b[2Jx"])
def test_a_path_that_cannot_be_read(tmp_path: Path, name: str) -> None:
    with pytest.raises(BadInput, match="unreadable") as caught:
        read(tmp_path / name)
    assert caught.value.detail.isprintable()


def test_a_failure_that_may_pass_is_left_to_the_caller(monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_: object) -> None:
        raise OSError(errno.ESTALE, "Stale file handle")

    monkeypatch.setattr("builtins.open", fail)
    with pytest.raises(OSError, match="Stale"):
        list(read_blocks("x"))


@given(st.lists(st.text("ab\r\n", max_size=6).map(str.encode)))
def test_newlines_do_not_depend_on_the_blocks(blocks: list[bytes]) -> None:
    expected = b"".join(blocks).replace(b"\r\n", b"\n").replace(b"\r", b"\n")
    assert b"".join(unix_newlines(blocks)) == expected


@given(st.lists(st.text("ab\n", min_size=1, max_size=6).map(str.encode)))
def test_lines_do_not_depend_on_the_blocks(blocks: list[bytes]) -> None:
    assert list(read_lines(blocks, "x")) == b"".join(blocks).splitlines()


def test_a_line_without_end_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(text, "MAX_LINE_BYTES", 1000)
    lines = read_lines([b"short\n", *[b"x" * 100] * 20], "x.gb")
    assert next(lines) == b"short"
    with pytest.raises(BadInput, match=r"line-too-long: x\.gb: line 2"):
        next(lines)


@given(st.lists(st.binary(min_size=1, max_size=9)), st.integers(1, 20))
def test_peeking_takes_nothing_away(blocks: list[bytes], size: int) -> None:
    head, again = peek(iter(blocks), size)
    assert head == b"".join(blocks)[:size]
    assert list(again) == blocks


@given(st.text())
def test_what_is_shown_is_printable(name: str) -> None:
    assert printable(name).isprintable()
