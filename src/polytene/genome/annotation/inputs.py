"""The files that genes are judged by: found, checked and written down before any work."""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping
from functools import lru_cache
from pathlib import Path
from typing import Any

from polytene.exceptions import BadInput, UsageError
from polytene.formats.gff3_index import GffIndex, index_gff3
from polytene.formats.helixer import Rows, find_input, rows_of_genome, rows_of_input
from polytene.formats.regions import close_names
from polytene.formats.text import printable
from polytene.genome.genome import Genome

File = list[Any]
Inputs = dict[str, Any]


def annotation_inputs(
    genes: str | Path,
    *,
    genome: str | Path | None = None,
    predictions: str | Path | None = None,
    input_h5: str | Path | None = None,
    bams: Iterable[str | Path] = (),
    junctions: Iterable[str | Path] = (),
    padding: str = "auto",
) -> Inputs:
    """Return what the verbs of annotation read, checked and as plain values.

    Parameters
    ----------
    genes
        GFF3 file, plain or gzip.
    genome
        FASTA file.
    predictions, input_h5
        Helixer's HDF5 files. Without the second it is looked for: the one that the predictions
        name, a sibling, or, where their number of rows leaves no doubt, none.
    bams
        Indexed BAM or CRAM files, one per sample.
    junctions
        STAR's SJ.out.tab, or BED; one per sample.
    padding
        Where Helixer fills up the last row of the reverse strand: ``end``, ``start`` (as versions
        from 0.3.6 may), or ``auto``: whichever agrees with the genes.

    Returns
    -------
    dict
        To be given to :func:`confidence`, :func:`evidence` and :func:`refine`, also by
        ``functools.partial`` to ``plan.map``.

    Raises
    ------
    BadInput
        ``other-genome``, ``h5-mismatch``, ``no-input-h5``, ``ambiguous-name``,
        ``no-index``, ``truncated-hdf5`` and the like, with the file and what to do.
    """
    if padding not in ("auto", "end", "start"):
        raise UsageError(f"padding is {padding!r}: 'auto', 'end' or 'start'")
    found: Inputs = {"genes": file_of(genes)}
    lengths: Mapping[str, int] | None = None
    if genome is not None:
        opened = Genome(genome)
        lengths = opened.lengths
        found["genome"] = file_of(genome)
    bams, junctions = list(bams), list(junctions)
    if bams:
        from polytene.genome.annotation.alignments import check_bam

        known = [check_bam(path, lengths, genome) for path in bams]
        found["bams"] = [file_of(path) for path in bams]
        lengths = lengths or known[0]
    if junctions:
        found["junctions"] = [file_of(path) for path in junctions]
    index = index_of(found)
    if lengths is not None:
        check_genes(index, lengths, printable(str(genes)))
    if predictions is not None:
        if lengths is None or genome is None:
            raise UsageError("predictions are read along a genome: give --genome")
        found |= _helixer(predictions, input_h5, lengths)
        found["padding"] = padding
        if padding == "auto":
            from polytene.genome.annotation.padding import padding_of

            found["padding"] = padding_of(found, index)
    return found


def _helixer(
    predictions: str | Path, input_h5: str | Path | None, lengths: Mapping[str, int]
) -> Inputs:
    found: Inputs = {"predictions": file_of(predictions)}
    if input_h5 is not None and Path(file_of(input_h5)[0]).samefile(found["predictions"][0]):
        raise UsageError("--input-h5 is the file of predictions: give the one that was predicted")
    source = Path(input_h5) if input_h5 is not None else find_input(predictions)
    if source is not None:
        found["input_h5"] = file_of(source)
    rows = _rows(found, lengths)
    return found | {"block": rows.block}


def _rows(inputs: Inputs, lengths: Mapping[str, int]) -> Rows:
    path = inputs["predictions"][0]
    if "input_h5" in inputs:
        return rows_of_input(path, inputs["input_h5"][0], lengths)
    return rows_of_genome(path, lengths)


def file_of(path: str | Path) -> File:
    """Return a file as path, size and mtime_ns.

    Raises
    ------
    BadInput
        ``unreadable`` if it is not there.
    """
    try:
        about = os.stat(path)
    except OSError as error:
        raise BadInput("unreadable", f"{printable(str(path))}: {error.strerror}") from None
    return [str(Path(path).absolute()), about.st_size, about.st_mtime_ns]


def check_unchanged(inputs: Inputs) -> None:
    """Refuse inputs that are not the files any more that were planned."""
    for value in inputs.values():
        if not isinstance(value, list):
            continue
        for path, size, mtime_ns in value if isinstance(value[0], list) else [value]:
            if file_of(path)[1:] != [size, mtime_ns]:
                raise BadInput(
                    "input-changed",
                    f"{printable(path)} is not the file that was planned any more: start anew",
                )


@lru_cache(maxsize=4)
def _index(path: str, size: int, mtime_ns: int) -> GffIndex:
    return index_gff3(path)


def index_of(inputs: Inputs) -> GffIndex:
    """Return where the genes lie in their file; a process reads the file once."""
    return _index(*inputs["genes"])


@lru_cache(maxsize=4)
def _genome(path: str, size: int, mtime_ns: int) -> Genome:
    return Genome(path)


def genome_of(inputs: Inputs) -> Genome | None:
    """Return the genome, if there is one; a process opens it once."""
    return _genome(*inputs["genome"]) if "genome" in inputs else None


@lru_cache(maxsize=4)
def _rows_of(key: tuple[Any, ...], paths: tuple[str, ...]) -> Rows:
    predictions, genome, *source = paths
    lengths = Genome(genome).lengths
    return (
        rows_of_input(predictions, source[0], lengths)
        if source
        else rows_of_genome(predictions, lengths)
    )


def rows_of(inputs: Inputs) -> Rows | None:
    """Return what the rows of the predictions stand for, if there are any."""
    if "predictions" not in inputs:
        return None
    names = ("predictions", "genome", "input_h5")
    files = [inputs[name] for name in names if name in inputs]
    return _rows_of(tuple(v for f in files for v in f), tuple(f[0] for f in files))


def sequence_order(inputs: Inputs) -> list[str]:
    """Return the sequences in the order of the genome, else of the alignments or the genes."""
    genome = genome_of(inputs)
    if genome is not None:
        return genome.names
    if "bams" in inputs:
        from polytene.genome.annotation.alignments import check_bam

        return list(check_bam(inputs["bams"][0][0], None, None))
    return list(dict.fromkeys(e.seqid for e in index_of(inputs).entries))


def check_genes(index: GffIndex, lengths: Mapping[str, int], name: str) -> None:
    """Refuse genes on sequences that the genome does not have."""
    unknown = dict.fromkeys(e.seqid for e in index.entries if e.seqid not in lengths)
    if unknown:
        first = next(iter(unknown))
        near = close_names(first, lengths)
        hint = f"; {printable(first)!r} may be {near[0]!r}" if near else ""
        raise BadInput(
            "other-genome",
            f"{name}: {len(unknown):,} of its sequences are not in the genome, such as "
            f"{printable(first)!r}{hint}; give the annotation of this genome",
        )
