"""The first transcript of genes that are written plainly, out of lines of GFF3: a kernel."""

from __future__ import annotations

from typing import Any

import numba
import numpy as np

from polytene.formats.gff3_bytes import matches, same
from polytene.formats.gff3_lines import (
    END,
    FEATURE,
    FIRST,
    ID,
    KIND,
    LAST,
    NAMES,
    PARENT,
    ROLE,
    START,
    TYPE,
    TYPE_END,
)

_TYPES = ("gene", "exon", "CDS", "five_prime_UTR", "three_prime_UTR", "UTR", "5UTR", "3UTR")
_GENE, _EXON, _CDS, _UTR = range(4)
_LETTERS = np.frombuffer("".join(_TYPES).encode(), np.uint8)
_BOUNDS = np.cumsum([0, *map(len, _TYPES)])
_SUFFIX = np.array([True] + 7 * [False])
_MOST_LINES = 2000
GENE_LINE, N_EXONS, N_CDS, LOW, HIGH = range(5)
NO_TRANSCRIPT = -1


@numba.njit(nogil=True, cache=True, error_model="numpy")  # type: ignore[untyped-decorator, unused-ignore]
def classify(b: Any, lines: Any, kinds: Any) -> None:
    """Fill the kind of each feature: gene, exon, CDS, UTR, or another."""
    for i in range(lines.shape[0]):
        kinds[i] = -1
        if lines[i, KIND] == FEATURE:
            first, last = lines[i, TYPE], lines[i, TYPE_END]
            for k in range(_SUFFIX.size):
                if matches(b, first, last, _LETTERS, _BOUNDS[k : k + 2], _SUFFIX[k : k + 1]):
                    kinds[i] = min(k, _UTR)
                    break


@numba.njit(nogil=True, cache=True, error_model="numpy")  # type: ignore[untyped-decorator, unused-ignore]
def resolve(
    b: Any,
    lines: Any,
    names: Any,
    kinds: Any,
    bounds: Any,
    exons: Any,
    cds: Any,
    about: Any,
    own: Any,
) -> None:
    """Fill gene, exons and CDS of each piece; -1 for the gene of one that is not simple.

    Parameters
    ----------
    b, lines, names
        Text and tables of :class:`polytene.formats.gff3_lines.Lines`.
    kinds
        Of each line, by :func:`classify`.
    bounds
        int64 ``(piece + 1,)``: the lines of each piece.
    exons, cds
        int64 ``(line, 2)``: receive the places of all pieces, one after the other.
    about
        int64 ``(piece, 5)``: receives line of the gene, number of exons (-1: no transcript) and
        of CDS, and the extent of all lines.
    own
        int64 ``(piece, 2)``: receives first byte and end of the gene's ID.
    """
    up, is_parent = np.empty(lines.shape[0], np.int64), np.zeros(lines.shape[0], np.bool_)
    n_exons = n_cds = 0
    for g in range(about.shape[0]):
        first, last = bounds[g], bounds[g + 1]
        row = about[g]
        row[GENE_LINE], row[N_EXONS], row[N_CDS] = -1, NO_TRANSCRIPT, 0
        gene = _gene_line(kinds, first, last)
        if gene < 0:
            continue
        transcript = _first_transcript(b, lines, names, kinds, first, last, gene, up, is_parent)
        if transcript == -2:
            continue
        row[GENE_LINE] = gene
        own[g, 0], own[g, 1], _ = _own_names(lines, names, gene)
        row[LOW], row[HIGH] = lines[gene, START], lines[gene, END]
        for i in range(first, last):
            if lines[i, KIND] == FEATURE:
                row[LOW] = min(row[LOW], lines[i, START])
                row[HIGH] = max(row[HIGH], lines[i, END])
        if transcript >= 0:
            before, before_cds = n_exons, n_cds
            for i in range(first, last):
                if i == gene or lines[i, KIND] != FEATURE or up[i] != transcript:
                    continue
                if kinds[i] == _EXON:
                    n_exons = _insert(exons, before, n_exons, lines[i, START], lines[i, END])
                elif kinds[i] == _CDS:
                    n_cds = _insert(cds, before_cds, n_cds, lines[i, START], lines[i, END])
            if n_exons == before:
                for i in range(first, last):
                    mine = i != gene and lines[i, KIND] == FEATURE and up[i] == transcript
                    if mine and (kinds[i] == _CDS or kinds[i] == _UTR):
                        n_exons = _insert(exons, before, n_exons, lines[i, START], lines[i, END])
                n_exons = _merge(exons, before, n_exons)
            row[N_EXONS], row[N_CDS] = n_exons - before, n_cds - before_cds


@numba.njit(nogil=True, cache=True, error_model="numpy")  # type: ignore[untyped-decorator, unused-ignore]
def _gene_line(kinds: Any, first: Any, last: Any) -> Any:
    """Return the line of the gene; -1 unless there is exactly one, and not too many lines."""
    gene = np.int64(-1)
    if last - first > _MOST_LINES:
        return gene
    for i in range(first, last):
        if kinds[i] == _GENE:
            if gene >= 0:
                return np.int64(-1)
            gene = np.int64(i)
    return gene


@numba.njit(nogil=True, cache=True, error_model="numpy")  # type: ignore[untyped-decorator, unused-ignore]
def _own_names(lines: Any, names: Any, i: Any) -> Any:
    """Return first byte and end of the ID of a line, and the row of its only parent.

    The row is -1 if it has none, and -2 if it has more than one, or more than one ID.
    """
    first = last = np.int64(0)
    parent = np.int64(-1)
    stop = lines[i + 1, NAMES] if i + 1 < lines.shape[0] else names.shape[0]
    for j in range(lines[i, NAMES], stop):
        if names[j, ROLE] == ID:
            parent = parent if last == 0 else np.int64(-2)
            first, last = names[j, FIRST], names[j, LAST]
        elif names[j, ROLE] == PARENT:
            parent = np.int64(j) if parent == -1 else np.int64(-2)
    return first, last, parent


@numba.njit(nogil=True, cache=True, error_model="numpy")  # type: ignore[untyped-decorator, unused-ignore]
def _is_name(b: Any, first: Any, last: Any, names: Any, j: Any) -> Any:
    size = names[j, LAST] - names[j, FIRST]
    return last - first == size and same(b, first, names[j, FIRST], size)


@numba.njit(nogil=True, cache=True, error_model="numpy")  # type: ignore[untyped-decorator, unused-ignore]
def _first_transcript(
    b: Any,
    lines: Any,
    names: Any,
    kinds: Any,
    first: Any,
    last: Any,
    gene: Any,
    up: Any,
    is_parent: Any,
) -> Any:
    """Return the line of the first transcript, and fill what each line is part of.

    The line is -1 if the gene has none, and -2 if the piece is not simple: one gene, what is
    part of it, and what is part of that, by names that are used once.
    """
    gene_first, gene_last, parent = _own_names(lines, names, gene)
    if parent != -1:
        return np.int64(-2)
    for i in range(first, last):
        is_parent[i] = False
        up[i] = -1
        if i == gene or lines[i, KIND] != FEATURE:
            continue
        own_first, own_last, parent = _own_names(lines, names, i)
        if parent < 0:
            return np.int64(-2)
        if own_last - own_first == gene_last - gene_first and same(
            b, own_first, gene_first, own_last - own_first
        ):
            return np.int64(-2)
        if _is_name(b, gene_first, gene_last, names, parent):
            up[i] = gene
    above = np.int64(-1)
    for i in range(first, last):
        if i == gene or lines[i, KIND] != FEATURE:
            continue
        if up[i] < 0:
            _, _, parent = _own_names(lines, names, i)
            above = _named(b, lines, names, first, last, gene, up, above, parent)
            if above < 0:
                return np.int64(-2)
            up[i] = -2 - above  # not part of the gene itself
        if kinds[i] == _EXON or kinds[i] == _CDS:
            is_parent[gene if up[i] == gene else above] = True
    for i in range(first, last):
        up[i] = -2 - up[i] if up[i] <= -2 else up[i]
    for i in range(first, last):
        if is_parent[i]:
            return np.int64(i) if _is_first(b, lines, names, first, i) else np.int64(-2)
    return np.int64(-1)


@numba.njit(nogil=True, cache=True, error_model="numpy")  # type: ignore[untyped-decorator, unused-ignore]
def _named(
    b: Any,
    lines: Any,
    names: Any,
    first: Any,
    last: Any,
    gene: Any,
    up: Any,
    guess: Any,
    parent: Any,
) -> Any:
    """Return the line of a part of the gene that has a name as ID; -1."""
    if guess >= 0:
        own_first, own_last, _ = _own_names(lines, names, guess)
        if _is_name(b, own_first, own_last, names, parent):
            return guess
    for i in range(first, last):
        if up[i] == gene and i != gene:
            own_first, own_last, _ = _own_names(lines, names, i)
            if _is_name(b, own_first, own_last, names, parent):
                return np.int64(i)
    return np.int64(-1)


@numba.njit(nogil=True, cache=True, error_model="numpy")  # type: ignore[untyped-decorator, unused-ignore]
def _is_first(b: Any, lines: Any, names: Any, first: Any, at: Any) -> Any:
    """Whether no line before has the ID of a line."""
    own_first, own_last, _ = _own_names(lines, names, at)
    for i in range(first, at):
        if lines[i, KIND] == FEATURE:
            other, other_last, _ = _own_names(lines, names, i)
            size = own_last - own_first
            if other_last - other == size and same(b, other, own_first, size):
                return False
    return True


@numba.njit(nogil=True, cache=True, error_model="numpy")  # type: ignore[untyped-decorator, unused-ignore]
def _insert(out: Any, begin: Any, n: Any, start: Any, end: Any) -> Any:
    """Put a place among sorted ones, unless it is there; return where they end."""
    at = n
    while at > begin and (
        out[at - 1, 0] > start or (out[at - 1, 0] == start and out[at - 1, 1] > end)
    ):
        at -= 1
    if at > begin and out[at - 1, 0] == start and out[at - 1, 1] == end:
        return n
    for k in range(n, at, -1):
        out[k, 0], out[k, 1] = out[k - 1, 0], out[k - 1, 1]
    out[at, 0], out[at, 1] = start, end
    return n + 1


@numba.njit(nogil=True, cache=True, error_model="numpy")  # type: ignore[untyped-decorator, unused-ignore]
def _merge(out: Any, begin: Any, n: Any) -> Any:
    """Join sorted places that touch; return where they end."""
    last = begin - 1
    for k in range(begin, n):
        if last >= begin and out[k, 0] <= out[last, 1]:
            out[last, 1] = max(out[last, 1], out[k, 1])
        else:
            last += 1
            out[last, 0], out[last, 1] = out[k, 0], out[k, 1]
    return last + 1
