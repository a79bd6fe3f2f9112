"""Helixer's HDF5 files: which row of a prediction is which piece of which strand."""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from polytene.exceptions import BadInput
from polytene.formats.text import PathLike, decode, printable

CLASSES = ("intergenic", "UTR", "CDS", "intron")
NAME_BYTES = 50
SIBLINGS = ("input.h5", "{stem}_input.h5", "{stem}.input.h5", "genome_data.h5", "test_data.h5")


@dataclass(frozen=True)
class Strands:
    """Where the predictions of a sequence lie.

    Parameters
    ----------
    length
        Bases of the sequence.
    plus, minus
        Row of its first block on the forward strand, and of its last on the reverse strand,
        which Helixer writes from the end of the sequence to its beginning.
    """

    length: int
    plus: int
    minus: int


@dataclass(frozen=True)
class Rows:
    """What the rows of a prediction stand for.

    Parameters
    ----------
    block
        Bases of a row (Helixer's ``subsequence_length``).
    n_rows
        Rows in the file.
    strands
        By name of the sequence.
    source
        The file that said so, or ``"genome"`` if it follows from the lengths of the sequences.
    """

    block: int
    n_rows: int
    strands: Mapping[str, Strands]
    source: str


def open_h5(path: PathLike) -> Any:
    """Open an HDF5 file to read.

    Raises
    ------
    BadInput
        ``unreadable``, ``not-hdf5`` or ``truncated-hdf5``.
    """
    import h5py

    name = printable(path)
    try:
        with open(path, "rb") as source:
            head = source.read(8)
    except OSError as error:
        raise BadInput("unreadable", f"{name}: {error.strerror}") from None
    if head != b"\x89HDF\r\n\x1a\n":
        raise BadInput("not-hdf5", f"{name} is no HDF5 file; Helixer writes predictions as HDF5")
    try:
        return h5py.File(path, "r")
    except OSError as error:
        raise BadInput(
            "truncated-hdf5", f"{name} is not whole ({error}): copy it again, or predict anew"
        ) from None


def shape_of(path: PathLike) -> tuple[int, int]:
    """Return rows, and bases of a row, of a file of predictions.

    Raises
    ------
    BadInput
        ``no-predictions`` if the file holds none, and what :func:`open_h5` raises.
    """
    with open_h5(path) as file:
        if "predictions" not in file:
            kind = "Helixer's input" if "data" in file else f"a file with {', '.join(file) or '-'}"
            raise BadInput(
                "no-predictions",
                f"{printable(path)} has no dataset 'predictions': it is {kind}; give the file that "
                "Helixer's HybridModel.py wrote",
            )
        shape = file["predictions"].shape
        if len(shape) != 3 or shape[2] != len(CLASSES):
            raise BadInput(
                "no-predictions",
                f"{printable(path)}: predictions have shape {shape}; expected (rows, bases, 4)",
            )
        return int(shape[0]), int(shape[1])


def find_input(path: PathLike) -> Path | None:
    """Return the input file that belongs to a file of predictions; None if none is there.

    It is the one that the attribute ``test_data_path`` names, where that was or beside the
    predictions, or a sibling of a usual name; never the predictions themselves.
    """
    here = Path(path)
    with open_h5(here) as file:
        named = file.attrs.get("test_data_path", "")
    named = named.decode() if isinstance(named, bytes) else str(named)
    tried = [Path(named), here.parent / named, here.parent / Path(named).name] if named else []
    tried += [here.parent / s.format(stem=here.stem) for s in SIBLINGS]
    for one in tried:
        if one.is_file() and not one.samefile(here) and _is_input(one):
            return one
    return None


def _is_input(path: Path) -> bool:
    try:
        with open_h5(path) as file:
            return "data/start_ends" in file and "data/seqids" in file
    except BadInput:
        return False


def rows_of_input(predictions: PathLike, input_h5: PathLike, lengths: Mapping[str, int]) -> Rows:
    """Return what the rows of a prediction stand for, as its input file says.

    Parameters
    ----------
    predictions
        File of predictions.
    input_h5
        The file that they were made from.
    lengths
        Bases of the sequences of the genome.

    Raises
    ------
    BadInput
        ``h5-mismatch`` if the two, or the genome, do not belong together; ``ambiguous-name`` if
        a name that Helixer cut at 50 bytes may be several sequences; ``h5-blocks`` if rows of a
        sequence are missing or in another order than Helixer writes them.
    """
    n_rows, block = shape_of(predictions)
    name = printable(input_h5)
    with open_h5(input_h5) as file:
        if "data/start_ends" not in file or "data/seqids" not in file:
            raise BadInput(
                "h5-mismatch",
                f"{name} has no data/seqids and data/start_ends: give the file that "
                "fasta2h5.py wrote for these predictions",
            )
        bounds = file["data/start_ends"][:].astype(np.int64)
        seqids = file["data/seqids"][:]
        width = int(file["data/X"].shape[1]) if "data/X" in file else block
    if (len(bounds), width) != (n_rows, block):
        raise BadInput(
            "h5-mismatch",
            f"{name} has {len(bounds):,} rows of {width:,} bases, and {printable(predictions)} "
            f"{n_rows:,} rows of {block:,}: they are not of one run of Helixer",
        )
    strands: dict[str, Strands] = {}
    for raw, first, last in _sequences(seqids, bounds):
        seqid = _resolve(raw, bounds[first:last], lengths, strands, name)
        strands[seqid] = _strands(seqid, bounds, first, last, block, lengths[seqid], name)
    return Rows(block, n_rows, strands, name)


def _sequences(seqids: Any, bounds: Any) -> Iterator[tuple[bytes, int, int]]:
    """Yield name, first row and end of rows of each sequence."""
    begins = (bounds[:, 0] == 0) & (bounds[:, 1] > bounds[:, 0])
    new = np.ones(len(seqids), bool)
    new[1:] = begins[1:] | (seqids[1:] != seqids[:-1])
    edges = [*np.flatnonzero(new).tolist(), len(seqids)]
    for first, last in itertools.pairwise(edges):
        yield bytes(seqids[first]), first, last


def _resolve(
    raw: bytes, bounds: Any, lengths: Mapping[str, int], taken: Mapping[str, Any], name: str
) -> str:
    text = decode(raw)
    if len(raw) < NAME_BYTES and text in lengths:
        return text
    size = int(bounds.max())
    fits = [s for s in lengths if s.encode().startswith(raw)] if len(raw) >= NAME_BYTES else []
    fits = [s for s in fits if lengths[s] == size] if len(fits) > 1 else fits
    if len(fits) == 1 and fits[0] not in taken:
        return fits[0]
    if not fits:
        raise BadInput(
            "h5-mismatch",
            f"{name}: its sequence {printable(text)!r} is not in the genome: give the FASTA file "
            "that was predicted",
        )
    raise BadInput(
        "ambiguous-name",
        f"{name}: {printable(text)!r}, cut at {NAME_BYTES} bytes, may be {len(fits)} sequences of "
        f"{size:,} bases, such as {printable(fits[0])!r} and {printable(fits[-1])!r}: give the "
        "sequences names that differ in their first 50 bytes",
    )


def _strands(
    seqid: str, bounds: Any, first: int, last: int, block: int, length: int, name: str
) -> Strands:
    starts = np.arange(0, length, block)
    ends = np.minimum(starts + block, length)
    plus = np.stack([starts, ends], axis=1)
    expected = np.concatenate([plus, plus[::-1, ::-1]])
    found = bounds[first:last]
    if found.size and int(found.max()) != length:
        raise BadInput(
            "h5-mismatch",
            f"{name}: {printable(seqid)!r} has {int(found.max()):,} bases there and {length:,} in "
            "the genome: give the FASTA file that was predicted",
        )
    if not np.array_equal(found, expected):
        raise BadInput(
            "h5-blocks",
            f"{name}: {printable(seqid)!r} has {len(found):,} rows where a whole genome has "
            f"{len(expected):,}, forward and then backward: give the files of a whole genome",
        )
    return Strands(length, first, last - 1)


def rows_of_genome(predictions: PathLike, lengths: Mapping[str, int]) -> Rows:
    """Return what the rows stand for if they are those of a genome in the order of its file.

    Raises
    ------
    BadInput
        ``no-input-h5`` if the number of rows is another.
    """
    n_rows, block = shape_of(predictions)
    strands, at = {}, 0
    for seqid, length in lengths.items():
        n = -(-length // block)
        strands[seqid] = Strands(length, at, at + 2 * n - 1)
        at += 2 * n
    if at != n_rows:
        raise BadInput(
            "no-input-h5",
            f"{printable(predictions)} does not say which sequences its {n_rows:,} rows are, and "
            f"this genome would have {at:,}: give the input file of Helixer with --input-h5",
        )
    return Rows(block, n_rows, strands, "genome")
