"""Where each sequence of a FASTA file lies: the index that samtools calls ``.fai``."""

from __future__ import annotations

import logging
import os
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.csv as csv

from polytene.exceptions import BadInput
from polytene.formats.text import PathLike, decode, printable

logger = logging.getLogger(__name__)

Ints = np.ndarray[Any, np.dtype[np.int64]]
COLUMNS = ("name", "length", "offset", "line_bases", "line_width")
BLANK_TAIL = 1 << 16


@dataclass(frozen=True, eq=False)
class FastaIndex:
    """Names and places of the sequences of a FASTA file, in file order.

    Parameters
    ----------
    names
        First words of the headers.
    lengths
        Bases of each sequence, int64.
    offsets
        Byte of the first base, in the decompressed text, int64.
    line_bases, line_width
        Bases and bytes of a full line, int64.
    """

    names: list[str]
    lengths: Ints
    offsets: Ints
    line_bases: Ints
    line_width: Ints

    def __len__(self) -> int:
        return len(self.names)

    @cached_property
    def places(self) -> dict[str, int]:
        """Number of each sequence by its name."""
        return {name: i for i, name in enumerate(self.names)}

    @property
    def ends(self) -> Ints:
        """Byte after the last base of each sequence."""
        last = np.maximum(self.lengths - 1, 0)
        width = np.maximum(self.line_bases, 1)
        ends = self.offsets + last // width * self.line_width + last % width + 1
        return np.where(self.lengths > 0, ends, self.offsets)

    def to_bytes(self) -> bytes:
        """Return the text of the ``.fai`` file."""
        columns = (self.lengths, self.offsets, self.line_bases, self.line_width)
        rows = zip(self.names, *(c.tolist() for c in columns), strict=True)
        return "".join(f"{n}\t{a}\t{b}\t{c}\t{d}\n" for n, a, b, c, d in rows).encode()


def read_fai(path: PathLike) -> FastaIndex:
    r"""Read a ``.fai`` file.

    Raises
    ------
    BadInput
        ``bad-fai`` if a row is not a name and four numbers, ``duplicate-id`` if a name occurs
        twice.

    Examples
    --------
    >>> import pathlib, tempfile
    >>> path = pathlib.Path(tempfile.mkdtemp(), "g.fa.fai")
    >>> _ = path.write_bytes(b"chr1\t120\t6\t60\t61\n")
    >>> index = read_fai(path)
    >>> index.names, index.lengths.tolist(), index.ends.tolist()
    (['chr1'], [120], [127])
    """
    kinds = dict(zip(COLUMNS, [pa.binary(), *[pa.int64()] * 4], strict=True))
    try:
        table = csv.read_csv(
            str(path),
            csv.ReadOptions(column_names=list(COLUMNS), use_threads=False),
            csv.ParseOptions(delimiter="\t", quote_char=False),
            csv.ConvertOptions(column_types=kinds, null_values=[]),
        )
    except (pa.ArrowInvalid, OSError) as error:
        raise BadInput("bad-fai", f"{printable(path)}: {error}") from None
    numbers = [table.column(name).to_numpy() for name in COLUMNS[1:]]
    index = FastaIndex([decode(n) for n in table.column("name").to_pylist()], *numbers)
    check_names(index.names, printable(path))
    lengths, offsets, bases, width = numbers
    empty = lengths == 0
    if np.any((lengths < 0) | (offsets < 1) | (~empty & ((bases < 1) | (width < bases)))):
        raise BadInput("bad-fai", f"{printable(path)}: a row with impossible numbers; remove it")
    return index


def check_names(names: list[str], where: str) -> None:
    """Refuse names that occur twice, and sequences without one.

    Raises
    ------
    BadInput
        ``duplicate-id`` or ``no-id``.
    """
    if len(set(names)) == len(names):
        return
    seen: set[str] = set()
    for name in names:
        if name in seen:
            raise BadInput(
                "duplicate-id",
                f"{where}: more than one sequence is called {printable(name)!r}, so that no region "
                "of it can be meant; rename one of them",
            )
        seen.add(name)


def load_index(path: PathLike, *, write: bool = True) -> FastaIndex:
    """Return the index of a FASTA file: its ``.fai`` if that is still true, else a new one.

    An index is out of date if it is older than the file, or if places or names in it are not
    those of the file. A new one is written beside the file, where that is allowed.

    Parameters
    ----------
    path
        FASTA, plain or bgzipped.
    write
        Whether to write what had to be made.

    Raises
    ------
    BadInput
        If the file cannot be indexed; see :func:`polytene.formats.fai_build.build_index`.
    """
    from polytene.formats.fai_build import build_index

    fai = Path(f"{os.fspath(path)}.fai")
    why = "there is none"
    if fai.is_file():
        try:
            index = read_fai(fai)
            if not (why := why_stale(index, Path(path), fai)):
                return index
        except BadInput as error:
            why = str(error)
        level = logging.INFO if "older" in why else logging.WARNING
        logger.log(level, "%s is made anew: %s", printable(fai), why)
    index = build_index(path)
    if write:
        _write(fai, index)
    return index


def _write(fai: Path, index: FastaIndex) -> None:
    draft = fai.with_name(f"{fai.name}.{os.getpid()}.tmp")
    try:
        draft.write_bytes(index.to_bytes())
        os.replace(draft, fai)
    except OSError as error:
        logger.info("%s is not written: %s", printable(fai), error.strerror)


def why_stale(index: FastaIndex, path: Path, fai: Path) -> str:
    """Return why an index is not that of a file any more; an empty text if it is."""
    from polytene.formats.bgzf import is_bgzf

    if not len(index):
        return "it is empty"
    if fai.stat().st_mtime_ns < path.stat().st_mtime_ns:
        return f"it is older than {printable(path)}"
    if is_bgzf(path):
        return ""
    order = np.argsort(index.offsets, kind="stable")
    starts, ends = index.offsets[order], index.ends[order]
    size = path.stat().st_size
    if ends[-1] > size or np.any(starts[1:] <= ends[:-1]):
        return f"it does not fit into the {size:,} bytes of {printable(path)}"
    with open(path, "rb") as text:
        text.seek(int(ends[-1]))
        if text.read(BLANK_TAIL + 1)[:BLANK_TAIL].strip():
            return f"{printable(path)} goes on after the last sequence in it"
        for i in {0, len(index) // 2, len(index) - 1}:
            if not _header_is(text, int(index.offsets[i]), index.names[i]):
                return f"sequence {printable(index.names[i])!r} is not where it says"
    return ""


def _header_is(text: Any, offset: int, name: str) -> bool:
    start = max(0, offset - BLANK_TAIL)
    text.seek(start)
    lines = text.read(offset - start)
    header = lines[lines.rstrip(b"\r\n").rfind(b"\n") + 1 :]
    words = header[1:].split(None, 1)
    return header[:1] == b">" and bool(words) and decode(words[0]) == name
