"""Index a FASTA file in one pass, and say what keeps it from being indexed."""

from __future__ import annotations

from typing import Any, TypeVar, cast

import numba
import numpy as np

from polytene.exceptions import BadInput
from polytene.formats.fai import FastaIndex, check_names
from polytene.formats.sniff import describe, empty_file
from polytene.formats.text import PathLike, check_line, decode, printable, read_blocks

_F = TypeVar("_F")
BLOCK = 1 << 19

# Where the scan stands between two lines.
_AT, _FIRST, _LAST, _LINE, _IN, _HEAD, _OFFSET, _LENGTH, _BASES, _WIDTH, _CLOSED = range(11)
# What the scan may stop at.
_RAGGED, _NO_HEADER, _MIXED, _BLANKS = 1, 2, 3, 4
_GT, _CR, _LF, _SPACE = 62, 13, 10, 32


@numba.njit(nogil=True, cache=True, error_model="numpy")  # type: ignore[untyped-decorator, unused-ignore]
def _full_lines(block: Any, base: int, state: Any) -> Any:
    """Go past the lines that look like those before them; return how many they are."""
    width, bases = state[_WIDTH], state[_BASES]
    start = state[_AT] - base
    if bases == 0 or state[_CLOSED] or start < 0:
        return 0
    n = 0
    while (
        start + width <= block.size
        and block[start + width - 1] == _LF
        and block[start] > _SPACE
        and block[start] != _GT
        and block[start + bases - 1] > _SPACE
        and (width - bases < 2 or block[start + bases] == _CR)
    ):
        n += 1
        start += width
    state[_LENGTH] += n * bases
    state[_LINE] += n
    state[_AT] += n * width
    return n


@numba.njit(nogil=True, cache=True, error_model="numpy")  # type: ignore[untyped-decorator, unused-ignore]
def _newline_after(block: Any, start: int) -> Any:
    place = max(start, 0)
    while place < block.size and block[place] != _LF:
        place += 1
    return place


@numba.njit(nogil=True, cache=True, error_model="numpy")  # type: ignore[untyped-decorator, unused-ignore]
def _scan(block: Any, base: int, state: Any, rows: Any, heads: Any, guess: bool) -> Any:
    """Go through the lines that end in a block; return (lines, records, headers, what stopped)."""
    n_lines = n_rows = n_heads = 0
    while True:
        if guess:
            n_lines += _full_lines(block, base, state)
        start = state[_AT] - base
        newline = _newline_after(block, start)
        if newline >= block.size:
            return n_lines, n_rows, n_heads, 0
        n_lines += 1
        first = np.int64(block[start]) if start >= 0 else state[_FIRST]
        width = newline - start + 1
        last = np.int64(block[newline - 1]) if newline > 0 else state[_LAST]
        bases = width - 1
        if bases > 0 and last == _CR:
            bases -= 1
            if bases > 0:
                last = np.int64(block[newline - 2]) if newline > 1 else np.int64(_GT)
        state[_LINE] += 1
        if first == _GT:
            if state[_IN]:
                rows[n_rows] = state[_OFFSET : _WIDTH + 1]
                n_rows += 1
            heads[n_heads, 0] = start
            heads[n_heads, 1] = newline
            n_heads += 1
            state[_IN] = 1
            state[_OFFSET] = base + newline + 1
            state[_LENGTH : _CLOSED + 1] = 0
        elif bases == 0:
            state[_CLOSED] = state[_BASES] > 0
        elif not state[_IN]:
            return n_lines, n_rows, n_heads, _NO_HEADER
        elif last <= _SPACE or first <= _SPACE:
            return n_lines, n_rows, n_heads, _BLANKS
        elif state[_BASES] == 0:
            state[_OFFSET] = state[_AT]
            state[_LENGTH] = state[_BASES] = bases
            state[_WIDTH] = width
        elif width - bases != state[_WIDTH] - state[_BASES]:
            return n_lines, n_rows, n_heads, _MIXED
        elif state[_CLOSED] or bases > state[_BASES]:
            return n_lines, n_rows, n_heads, _RAGGED
        else:
            state[_LENGTH] += bases
            state[_CLOSED] = bases < state[_BASES]
        state[_AT] = base + newline + 1


class _Indexer:
    """What is known between two blocks."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.state = np.zeros(11, np.int64)
        self.base = 0
        self.names: list[str] = []
        self.rows: list[np.ndarray[Any, Any]] = []
        self.tail: list[bytes] = []

    def feed(self, block: bytes) -> None:
        """Go on with the next block of the file."""
        if not self.base:
            self._check_start(block)
        array = np.frombuffer(block, np.uint8)
        n = int(np.count_nonzero(array == _LF))
        rows, heads = np.empty((n, 4), np.int64), np.empty((n, 2), np.int64)
        before_it = self.state.copy()
        n_lines, n_rows, n_heads, stopped = self._scan(array, rows, heads, guess=True)
        if n_lines != n:  # a guess went past a newline, or the scan stopped
            self.state = before_it
            _, n_rows, n_heads, stopped = self._scan(array, rows, heads, guess=False)
        self.rows.append(rows[:n_rows])
        for start, end in heads[:n_heads].tolist():
            before = b"".join(self.tail) if start < 0 else b""
            self._header(before + block[max(start, 0) : end])
        if stopped:
            raise self._stopped(stopped)
        self._keep_tail(block, int(self.state[_AT]) - self.base if n else 0)
        self.state[_LAST] = block[-1]
        self.base += len(block)

    def _scan(self, array: Any, rows: Any, heads: Any, *, guess: bool) -> tuple[int, int, int, int]:
        found = _scan(array, self.base, self.state, rows, heads, guess)
        return cast("tuple[int, int, int, int]", found)

    def _keep_tail(self, block: bytes, start: int) -> None:
        """Keep the beginning of a line that goes on, if it is a header."""
        if start:
            self.tail = []
        if start < len(block):
            if not self.tail and self.state[_AT] == self.base + start:
                self.state[_FIRST] = block[start]
            if self.state[_FIRST] == _GT:
                self.tail.append(block[start:])
                check_line(sum(map(len, self.tail)), self.name, int(self.state[_LINE]) + 1)

    def _check_start(self, block: bytes) -> None:
        text = block.lstrip(b"\r\n")
        if text and text[:1] != b">":
            found = describe(block[:512])
            raise BadInput("not-fasta", f"{self.name} is {found}; expected FASTA, which begins >")
        at = block.find(b"\r")
        if 0 <= at < len(block) - 1 and block[at + 1] != _LF:
            raise BadInput(
                "cr-newlines",
                f"{self.name}: its lines end in CR alone, which no index can describe; write it "
                "anew with: tr '\\r' '\\n'",
            )

    def _header(self, line: bytes) -> None:
        words = line[1:].split(None, 1)
        if not words or line[1:2].isspace():
            raise BadInput(
                "no-id", f"{self.name}: sequence {len(self.names) + 1} has no name after its >"
            )
        self.names.append(decode(words[0]))

    def _stopped(self, code: int) -> BadInput:
        place = f"{self.name}: line {int(self.state[_LINE]):,}"
        inside = f" of {printable(self.names[-1])!r}" if self.names else ""
        again = "write the file anew with lines of one length, such as by: seqkit seq -w 60"
        if code == _NO_HEADER:
            return BadInput("not-fasta", f"{place} is no header, and no header is before it")
        if code == _MIXED:
            return BadInput(
                "mixed-newlines",
                f"{place}{inside} ends in another way (LF or CRLF) than those before it; {again}",
            )
        if code == _BLANKS:
            return BadInput("blank-in-sequence", f"{place}{inside} has blanks; {again}")
        return BadInput(
            "ragged-lines",
            f"{place}{inside} is not as long as those before it, so that no index can tell where "
            f"a base lies; {again}",
        )

    def last(self) -> FastaIndex:
        """Return the index, at the end of the file."""
        if self.base and self.state[_LAST] != _LF:
            crlf = self.state[_WIDTH] - self.state[_BASES] > 1 and self.state[_LAST] != _CR
            self.feed(b"\r\n" if crlf else b"\n")
        if not self.names:
            raise empty_file(self.name)
        self.rows.append(self.state[None, _OFFSET : _WIDTH + 1])
        check_names(self.names, self.name)
        offsets, lengths, bases, width = np.concatenate(self.rows).T.copy()
        return FastaIndex(self.names, lengths, offsets, bases, width)


def build_index(path: PathLike) -> FastaIndex:
    r"""Index a FASTA file, plain or bgzipped, in one pass in bounded memory.

    Lines may end in LF or CRLF. All lines of a sequence but its last have to be of one length.

    Raises
    ------
    BadInput
        ``ragged-lines``, ``mixed-newlines``, ``cr-newlines``, ``blank-in-sequence``,
        ``duplicate-id``, ``no-id``, ``not-fasta``, ``empty-file``, ``no-bases``, and whatever
        :func:`polytene.formats.text.read_blocks` raises.

    Examples
    --------
    >>> import pathlib, tempfile
    >>> path = pathlib.Path(tempfile.mkdtemp(), "g.fa")
    >>> _ = path.write_bytes(b">a first\nACG\nT\n>b\nGG\n")
    >>> index = build_index(path)
    >>> index.names, index.lengths.tolist(), index.offsets.tolist()
    (['a', 'b'], [4, 2], [9, 18])
    """
    indexer = _Indexer(printable(path))
    for block in read_blocks(path, BLOCK):
        indexer.feed(block)
    index = indexer.last()
    if not index.lengths.any():
        raise BadInput("no-bases", f"{printable(path)}: {len(index)} headers and not one base")
    return index
