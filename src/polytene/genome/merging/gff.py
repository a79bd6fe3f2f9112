"""GFF3 files, joined into one that is sorted and valid."""

from __future__ import annotations

import struct
from collections.abc import Sequence
from pathlib import Path
from typing import Literal

from polytene.exceptions import UsageError
from polytene.genome.merging.files import Merged, Part, Write, whole_file
from polytene.genome.merging.gff_graphs import Graph
from polytene.genome.merging.gff_ids import Ids, collision, names_of, renamed
from polytene.genome.merging.gff_parts import Directives, graphs_of
from polytene.genome.merging.ranks import Ranks
from polytene.genome.merging.shared import shared_lines
from polytene.genome.merging.sorter import Sorter

OnCollision = Literal["error", "rename"]

_NUMBER = struct.Struct("<QI")


def merge_gff(
    parts: Sequence[Part],
    output: Path,
    ranks: Ranks | None = None,
    on_collision: OnCollision = "error",
) -> Merged:
    """Join GFF3 files: sorted by sequence, start and end, larger first, parents before children.

    Genes of one place are sorted by their text; the lines of a gene that have one place keep their
    order. The result has one version line, each ``##sequence-region``, directive and sequence once,
    ``###`` after each gene with its parts, and before the first one if it has comments, and
    ``##FASTA`` at the end. Lines of features stay as they are, byte for byte. IDs count within a
    file: features that two files have with the same ID and the same lines are written once and
    noted; the same ID for different features is an error, or renames the later gene as a whole to
    ``ID~chunk_0007``.

    Parameters
    ----------
    parts
        The files, in plan order; gzip is recognised by content.
    output
        File to write; its name decides whether it is compressed.
    ranks
        The order of the sequences; None: that in which they come.
    on_collision
        ``"error"`` or ``"rename"``.

    Raises
    ------
    BadInput
        ``bad-gff3``, ``not-gff3``, ``gtf``, ``regions-differ``, ``fasta-differs``,
        ``missing-parent``, ``parent-cycle``, ``id-collision``, ``unknown-seqid``, or what
        :func:`polytene.formats.text.read_blocks` says.
    """
    if on_collision not in ("error", "rename"):
        raise UsageError(f"on_collision is {on_collision!r}: 'error' or 'rename'")
    ranks = ranks or Ranks()
    with whole_file(output) as write:
        directives, ids = Directives(ranks, output.parent), Ids()
        sorter = Sorter(output.parent)
        for i, part in enumerate(parts):
            for graph in graphs_of(part, ranks, directives):
                sorter.add(graph.key, _pack(ids.add(graph, i), graph))
        same, different = ids.twice()
        if different and on_collision == "error":
            hashed, one, two = different[0]
            raise collision(parts, ids.part_of(one), ids.part_of(two), hashed)
        comments, notes = shared_lines(parts, directives.comments)
        directives.write_head(comments, write)
        records = _write(sorter, ids, parts, same, {n for *_, n in different}, write)
        directives.sequences.write(write)
    return Merged(len(parts), records, notes + _notes(len(same), len(different)))


def _pack(number: int, graph: Graph) -> bytes:
    """Return a graph as bytes: its lines, its number, and how many of the lines are comments."""
    lines = b"\n".join([*(f.line for f in graph.features), *graph.comments])
    return lines + _NUMBER.pack(number, len(graph.comments))


def _write(
    sorter: Sorter, ids: Ids, parts: Sequence[Part], same: set[int], other: set[int], write: Write
) -> int:
    records = 0
    for _, payload in sorter:
        number, n_comments = _NUMBER.unpack(payload[-_NUMBER.size :])
        if number in same:
            continue
        lines = payload[: -_NUMBER.size].split(b"\n")
        place = len(lines) - n_comments
        features, comments = lines[:place], lines[place:]
        if comments and not records:
            write(b"###\n")  # else they would be read as comments of the whole file
        if number in other:
            tail = f"~{parts[ids.part_of(number)].task_id}".encode()
            features = renamed(features, ids.fresh(names_of(features), tail))
        records += len(features)
        write(b"\n".join([*comments, *features, b"###\n" if len(features) > 1 else b""]))
    return records


def _notes(same: int, renamed: int) -> list[str]:
    notes = []
    if same:
        notes.append(f"{same:,} features were in more than one file, equal in all, and are once")
    if renamed:
        notes.append(
            f"{renamed:,} features had the ID of another and were renamed with their parts"
        )
    return notes
