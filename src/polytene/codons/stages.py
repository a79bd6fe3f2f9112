"""What a worker does with a batch: read slices, count, group."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

import numpy as np
import pyarrow as pa

from polytene.codons.coding import Coding, count_coding
from polytene.codons.device import Device
from polytene.codons.groups import FRAMES, NOTHING, Counted, group_rows, merge
from polytene.codons.kernels import AMBIGUOUS, Int64s, Softmask, count_spans
from polytene.codons.plan import Batch, Mode
from polytene.codons.reading import Reader, Slice, codes_of
from polytene.core.stage import Partial
from polytene.exceptions import BrokenPromise, Rejected
from polytene.formats.fasta import nucleotide_check

_BASES = np.arange(4) ^ 2  # T, C, A, G to A, G, T, C
REVERSE = np.append((16 * _BASES + 4 * _BASES[:, None] + _BASES[:, None, None]).ravel(), AMBIGUOUS)
"""Place of each codon's reverse complement."""


def count_batch(
    batch: Batch,
    *,
    mode: Mode,
    frame: int,
    by: str,
    softmask: Softmask,
    by_kind: str | None = None,
    limit: str | None = None,
    device: Device = "cpu",
) -> Partial:
    """Count the codons of a batch; one row per group, as :mod:`polytene.codons.groups` has it.

    Raises
    ------
    BadInput
        If the file cannot be read, lacks a column, or holds other rows than its footer says.
    """
    coding = Coding.read(batch.cds, by, batch.path) if batch.cds else None
    reader = Reader(
        batch, by=by, by_kind=by_kind, limit=limit, coding=coding is not None, device=device
    )
    tables: list[pa.Table] = []
    rejected: list[Rejected] = []
    for rows in reader:
        for counted in _counted(rows, coding, mode, frame, by, softmask):
            check(batch, counted)
            tables.append(group_rows(counted))
            del counted
        rejected += rows.rejected
        del rows  # else two slices are held while the next one is decoded
    value = merge(tables or [NOTHING])
    return Partial(value, items=reader.seen, nbytes=reader.nbytes, rejected=rejected)


def _counted(
    rows: Slice, coding: Coding | None, mode: Mode, frame: int, by: str, softmask: Softmask
) -> Iterator[Counted]:
    if coding is not None:
        yield count_coding(rows, coding, by, softmask)
    elif mode == "six-frame":
        yield from _six_frames(rows, by, softmask)
    else:
        yield count_frame(rows, frame, by, softmask)


def count_frame(rows: Slice, frame: int, by: str, softmask: Softmask) -> Counted:
    """Count each sequence from ``frame`` to its end; what is mostly no nucleotide is rejected."""
    counts = _counts(rows, frame, softmask)
    rows.rejected += list(_proteins(rows, counts))
    return _of_frame(rows, frame, counts, by).only(rows.usable)


def _six_frames(rows: Slice, by: str, softmask: Softmask) -> Iterator[Counted]:
    """Count each sequence in its three frames, and from its other end on the other strand."""
    rows.rejected += list(_proteins(rows, _counts(rows, 0, softmask)))
    usable, place = rows.usable, rows.place
    for frame in range(3):
        forward = _of_frame(rows, frame, _counts(rows, frame, softmask), by)
        forward.frame = np.full(len(usable), frame)
        yield forward.only(usable)
        other = (place.total - frame) % 3  # what the codons of this frame are from the other end
        yield replace(
            forward,
            counts=forward.counts[:, REVERSE],
            partial=place.last & ((place.total - other) % 3 > 0) & (place.total > other),
            frame=len(FRAMES) // 2 + other,
        ).only(usable)


def _counts(rows: Slice, frame: int, softmask: Softmask) -> Int64s:
    """Count the codons that begin in each row, shape ``(row, 65)``."""
    counts = rows.count(rows.place.skip(frame), softmask)
    for i, bases in rows.seams(frame):
        text = np.frombuffer(bases, np.uint8)
        counts[i] += count_spans(text, np.array([0]), np.array([text.size]), softmask=softmask)[0]
    return counts


def _of_frame(rows: Slice, frame: int, counts: Int64s, by: str) -> Counted:
    place = rows.place
    group = None if by == "none" else rows.data.column(by)
    accounts = (place.held(frame), place.partial(frame), codes_of(rows.data))
    return Counted(place.first, counts, *accounts, group)


def _proteins(rows: Slice, counts: Int64s) -> Iterator[Rejected]:
    """Yield the rows that are mostly ambiguous and hold letters that no nucleotide has."""
    doubtful = rows.usable & (2 * counts[:, AMBIGUOUS] > counts.sum(axis=1))
    for i in np.flatnonzero(doubtful).tolist():
        if found := nucleotide_check(rows.tail(i, 0)):
            place, letter = found
            detail = f"base {place + 1} is {chr(letter)!r}, which no nucleotide sequence holds"
            yield Rejected(rows.name(i), "not-nucleotide", detail)


def check(batch: Batch, counted: Counted) -> None:
    """The invariant of every run: codons add up to what the lengths alone say."""
    if not np.array_equal(counted.counts.sum(axis=1), counted.expected):
        raise BrokenPromise(
            f"{batch.path}: codons and ambiguous codons do not add up to the sequences' lengths: "
            "please report this with the file"
        )
