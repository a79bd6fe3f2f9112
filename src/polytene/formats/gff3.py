"""Genes of a GFF3 file as arrays, in one fast pass: what planning needs, and no more."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any
from urllib.parse import unquote

import numba
import numpy as np

from polytene.exceptions import BadInput
from polytene.formats.gff3_bytes import (
    CR,
    GREATER,
    HASH_SIGN,
    LF,
    TAB,
    line_end,
    matches,
    number,
    same,
    tab_after,
)
from polytene.formats.text import MAX_LINE_BYTES, PathLike, decode, printable, read_blocks

Ints = np.ndarray[Any, np.dtype[np.int64]]
BLOCK = 1 << 20
GENES = ("*gene",)
TRANSCRIPTS = ("mRNA", "transcript", "*RNA", "*transcript")

_RUN, _START, _END, _LINE, _ID, _ID_END, _HASH = range(7)
_BAD_NUMBER, _FEW_COLUMNS = 1, 2
_SHORTEST = 6


@dataclass(frozen=True, eq=False)
class Features:
    """Features of a file, in file order; those of several lines with one ID are one.

    Parameters
    ----------
    seqids
        Names of the sequences, in order of their first feature.
    seq
        Number of the sequence of each feature in `seqids`, int64.
    starts, ends
        Places, 0-based and half-open, int64.
    lines
        1-based line of each feature, int64.
    ids
        Their IDs, empty where there is none; None unless they were asked for.
    """

    seqids: list[str]
    seq: Ints
    starts: Ints
    ends: Ints
    lines: Ints
    ids: list[str] | None = None

    def __len__(self) -> int:
        return len(self.starts)


@numba.njit(nogil=True, cache=True, error_model="numpy")  # type: ignore[untyped-decorator, unused-ignore]
def _find_id(b: Any, start: int, end: int) -> Any:
    """Return where the value of ID begins and ends in a column of attributes."""
    at = start
    while at < end:
        if at + 3 <= end and b[at] == 73 and b[at + 1] == 68 and b[at + 2] == 61:
            stop = at + 3
            while stop < end and b[stop] != 59 and b[stop] != CR:
                stop += 1
            return at + 3, stop
        while at < end and b[at] != 59:
            at += 1
        at += 1
        while at < end and b[at] == 32:
            at += 1
    return end, end


@numba.njit(nogil=True, cache=True, error_model="numpy")  # type: ignore[untyped-decorator, unused-ignore]
def _scan(
    b: Any, words: Any, line: int, types: Any, bounds: Any, suffix: Any, rows: Any, runs: Any
) -> Any:
    """Go through whole lines; return (features, runs of one sequence, lines, ended, problem)."""
    n = n_runs = 0
    at = np.int64(0)
    name = name_size = np.int64(0)
    while at < b.size:
        line += 1
        if b[at] == GREATER:
            return n, n_runs, line, True, 0
        end = line_end(b, words, at)
        if b[at] == HASH_SIGN or b[at] == LF or b[at] == CR:
            if end - at >= 7 and b[at + 1] == HASH_SIGN and b[at + 2] == 70 and b[at + 3] == 65:
                return n, n_runs, line, True, 0
            at = end + 1
            continue
        size = name_size
        if n_runs == 0 or at + size >= end or b[at + size] != TAB or not same(b, name, at, size):
            size = tab_after(b, at) - at
            name, name_size = at, size
            runs[n_runs, 0] = at
            runs[n_runs, 1] = at + size
            n_runs += 1
        kind = tab_after(b, min(at + size + 1, end)) + 1
        after = tab_after(b, min(kind, end))
        if after >= end:
            return n, n_runs, line, False, _FEW_COLUMNS
        if matches(b, kind, after, types, bounds, suffix):
            row = rows[n]
            one = tab_after(b, after + 1)
            two = tab_after(b, min(one + 1, end))
            if two >= end:
                return n, n_runs, line, False, _FEW_COLUMNS
            row[_RUN] = n_runs - 1
            row[_START] = number(b, after + 1, one)
            row[_END] = number(b, one + 1, two)
            row[_LINE] = line
            if row[_START] < 1 or row[_END] < row[_START]:
                return n, n_runs, line, False, _BAD_NUMBER
            row[_START] -= 1
            for _ in range(3):
                two = tab_after(b, min(two + 1, end))
            row[_ID], row[_ID_END] = _find_id(b, min(two + 1, end), end)
            mark = np.int64(-3750763034362895579)
            for i in range(row[_ID], row[_ID_END]):
                mark = (mark ^ np.int64(b[i])) * np.int64(1099511628211)
            row[_HASH] = mark
            n += 1
        at = end + 1
    return n, n_runs, line, False, 0


def _whole_lines(path: PathLike) -> Iterator[bytes]:
    """Yield blocks that end with a newline."""
    tail = b""
    for block in read_blocks(path, BLOCK):
        end = block.rfind(b"\n") + 1
        if not end:
            tail += block
        else:
            yield tail + block[:end] if tail else block[:end]
            tail = block[end:]
        if len(tail) > MAX_LINE_BYTES:
            raise BadInput("line-too-long", f"{printable(path)}: a line without end; is it GFF3?")
    if tail:
        yield tail + b"\n"


def read_features(
    path: PathLike, types: Sequence[str] | None = None, *, with_ids: bool = False
) -> Features:
    r"""Read the features of some types from a GFF3 file, plain or gzip.

    Parameters
    ----------
    path
        The file; its sequences, if it has any, are not read.
    types
        Types to read; ``*gene`` is every type that ends so. None: genes of every kind, or, in a
        file that has none, transcripts.
    with_ids
        Also return the IDs.

    Raises
    ------
    BadInput
        ``bad-gff3`` with the line, ``no-features`` if there is none of these types, and whatever
        :func:`polytene.formats.text.read_blocks` raises.

    Examples
    --------
    >>> import pathlib, tempfile
    >>> path = pathlib.Path(tempfile.mkdtemp(), "g.gff3")
    >>> _ = path.write_bytes(b"chr1\t.\tgene\t11\t20\t.\t+\t.\tID=g1\n")
    >>> found = read_features(path, with_ids=True)
    >>> found.seqids, found.starts.tolist(), found.ends.tolist(), found.ids
    (['chr1'], [10], [20], ['g1'])
    """
    for wanted in (types,) if types else (GENES, TRANSCRIPTS):
        found = _read(path, tuple(wanted), with_ids)
        if len(found):
            return found
    raise BadInput(
        "no-features",
        f"{printable(path)} has no feature of type {' or '.join(types or ('gene', 'mRNA'))}; its "
        f"types are {', '.join(_types(path)) or 'none: is it GFF3?'}",
    )


def _read(path: PathLike, types: tuple[str, ...], with_ids: bool) -> Features:
    wanted = [t.lstrip("*").encode() for t in types]
    letters = np.frombuffer(b"".join(wanted) or b" ", np.uint8)
    bounds = np.cumsum([0, *map(len, wanted)])
    suffix = np.array([t.startswith("*") for t in types])
    numbers: dict[bytes, int] = {}
    found, ids = [], []
    line = 0
    rows, runs = np.empty((0, 7), np.int64), np.empty((0, 2), np.int64)
    for block in _whole_lines(path):
        array = np.frombuffer(block, np.uint8)
        words = np.frombuffer(block, np.uint64, len(block) // 8)
        most = len(block) // _SHORTEST + 1
        if most > len(rows):
            rows, runs = np.empty((2 * most, 7), np.int64), np.empty((2 * most, 2), np.int64)
        n, n_runs, line, ended, problem = _scan(
            array, words, line, letters, bounds, suffix, rows, runs
        )
        if problem:
            raise _problem(path, line, problem)
        places = [numbers.setdefault(block[a:b], len(numbers)) for a, b in runs[:n_runs].tolist()]
        seen = rows[:n].copy()
        if n:
            seen[:, _RUN] = np.array(places, np.int64)[seen[:, _RUN]]
        if with_ids:
            spans = seen[:, (_ID, _ID_END)].tolist()
            ids += [unquote(decode(block[a:b])) for a, b in spans]
        found.append(seen)
        if ended:
            break
    table = np.concatenate(found) if found else np.empty((0, 7), np.int64)
    return _joined([_name(n) for n in numbers], table, ids if with_ids else None)


def _name(raw: bytes) -> str:
    return unquote(decode(raw)) if b"%" in raw else decode(raw)


def _joined(seqids: list[str], rows: Ints, ids: list[str] | None) -> Features:
    """Make one feature of those lines of a sequence that share an ID."""
    named = np.flatnonzero(rows[:, _ID_END] > rows[:, _ID])
    marks = rows[named, _HASH] + rows[named, _RUN] * np.int64(7046029254386353131)
    if np.any(np.diff(np.sort(marks)) == 0):
        _, first, same = np.unique(marks, return_index=True, return_inverse=True)
        owner = named[first[same.ravel()]]
        np.minimum.at(rows[:, _START], owner, rows[named, _START])
        np.maximum.at(rows[:, _END], owner, rows[named, _END])
        keep = np.ones(len(rows), bool)
        keep[np.setdiff1d(named, named[first])] = False
        rows = rows[keep]
        ids = None if ids is None else [name for name, k in zip(ids, keep, strict=True) if k]
    seq, starts, ends, lines = (rows[:, c].copy() for c in (_RUN, _START, _END, _LINE))
    return Features(seqids, seq, starts, ends, lines, ids)


def _problem(path: PathLike, line: int, code: int) -> BadInput:
    why = {
        _BAD_NUMBER: "its start and end (columns 4 and 5) are not 1 <= start <= end",
        _FEW_COLUMNS: "it does not have the nine columns of GFF3, set apart by tabs",
    }[code]
    return BadInput("bad-gff3", f"{printable(path)}: line {line:,}: {why}")


def _types(path: PathLike) -> list[str]:
    """Return some of the types of a file, the commonest first."""
    seen: dict[str, int] = {}
    for block in _whole_lines(path):
        for row in block.split(b"\n"):
            columns = row.split(b"\t", 3)
            if len(columns) == 4 and row[:1] != b"#":
                kind = printable(decode(columns[2]))
                seen[kind] = seen.get(kind, 0) + 1
        break
    return sorted(seen, key=lambda t: -seen[t])[:8]
