"""The tables of annotation: their columns, and how they are written."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa

from polytene.core.files import write_bytes
from polytene.exceptions import UsageError
from polytene.genome.merging.files import whole_file

HIDDEN = ("_start", "_end")
SUFFIXES = (".tsv", ".tsv.gz", ".txt", ".csv", ".parquet")
_TYPES = {"s": pa.string(), "i": pa.int64(), "f": pa.float64(), "b": pa.bool_()}

CONFIDENCE = {
    "gene_id": "s", "seqid": "s", "start": "i", "end": "i", "strand": "s", "mean_prob": "f",
    "min_prob": "f", "median_prob": "f", "entropy": "f", "boundary_sharpness": "f",
    "coding_consistency": "f", "worst_exon_score": "f", "overall_score": "f",
    "confidence_class": "s", "flags": "s", "n_low_conf_regions": "i", "n_exons": "i",
}  # fmt: skip
LOW_REGIONS = {
    "gene_id": "s", "seqid": "s", "start": "i", "end": "i", "score": "f", "strand": "s",
}  # fmt: skip
EVIDENCE = {
    "gene_id": "s", "transcript_id": "s", "seqid": "s", "strand": "s", "n_introns": "i",
    "n_introns_supported": "i", "n_introns_exact": "i", "junction_support_ratio": "f",
    "n_exons": "i", "n_exons_expressed": "i", "mean_exon_coverage": "f",
    "exon_coverage_ratio": "f", "start_supported": "b", "stop_supported": "b",
    "strand_consistent": "b", "evidence_level": "s", "aed": "f", "flags": "s",
}  # fmt: skip
JUNCTIONS = {
    "gene_id": "s", "transcript_id": "s", "seqid": "s", "start": "i", "end": "i", "strand": "s",
    "intron": "i", "supported": "b", "exact": "b", "junction_start": "i", "junction_end": "i",
    "reads": "i", "samples": "i", "sample_reads": "s",
}  # fmt: skip
EXONS = {
    "gene_id": "s", "transcript_id": "s", "seqid": "s", "start": "i", "end": "i", "strand": "s",
    "exon": "i", "mean_coverage": "f", "median_coverage": "f", "min_coverage": "i",
    "expressed": "b",
}  # fmt: skip
REFINED = {
    "gene_id": "s", "transcript_id": "s", "seqid": "s", "start": "i", "end": "i", "strand": "s",
    "n_exons": "i", "confidence_score": "f", "evidence_score": "f", "aed": "f",
    "junction_support": "s", "mean_coverage": "f", "splice_corrections": "i",
    "boundary_adjusted": "b", "flags": "s", "orf_before": "s", "orf_after": "s", "changes": "s",
}  # fmt: skip
SCHEMAS = {
    "confidence": CONFIDENCE,
    "low_regions": LOW_REGIONS,
    "evidence": EVIDENCE,
    "junctions": JUNCTIONS,
    "exons": EXONS,
    "refine": REFINED,
}
Rows = list[dict[str, Any]]


def table_of(name: str, rows: Rows) -> pa.Table:
    """Return rows as a table with the columns of its kind, and where their genes begin and end."""
    return of_columns(name, {c: [row[c] for row in rows] for c in (*SCHEMAS[name], *HIDDEN)})


def of_columns(name: str, columns: Mapping[str, Any]) -> pa.Table:
    """Return columns, in any order, as a table of a kind; NaN is null."""
    types = {**SCHEMAS[name], **dict.fromkeys(HIDDEN, "i")}
    arrays = [pa.array(columns[c], _TYPES[t], from_pandas=True) for c, t in types.items()]
    return pa.table(arrays, names=list(types))


def in_order(tables: Sequence[pa.Table], name: str, order: Sequence[str]) -> pa.Table:
    """Return tables as one, in the order of the genome, whatever the order of the tables."""
    whole = pa.concat_tables(tables) if tables else table_of(name, [])
    ranks = {seqid: i for i, seqid in enumerate(order)}
    seq = np.array([ranks.get(s, len(ranks)) for s in whole["seqid"].to_pylist()], np.int64)
    start, end = (whole[c].to_numpy() for c in HIDDEN)
    return whole.take(pa.array(np.lexsort((-end, start, seq)))).drop_columns(list(HIDDEN))


def check_table(path: Path) -> None:
    """Refuse, before any work, a table of a kind that is not written."""
    if not path.name.endswith(SUFFIXES):
        raise UsageError(f"{path}: its suffix says the format: one of {', '.join(SUFFIXES)}")


def write_table(
    table: pa.Table, path: Path, *, coords: str | None = None, exact: bool = False
) -> None:
    """Write a table as Parquet, CSV or TSV, whole or not at all.

    Parameters
    ----------
    table
        What to write.
    path
        Its suffix says the format; TSV if it says nothing else.
    coords
        What a first line that begins with ``#coords`` says of places.
    exact
        Write numbers with all their digits rather than six decimals.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    if path.suffix == ".parquet":
        import pyarrow.parquet as pq

        sink = pa.BufferOutputStream()
        about = {"coords": coords} if coords else None
        pq.write_table(table.replace_schema_metadata(about), sink, compression="zstd")
        write_bytes(path, sink.getvalue().to_pybytes())
        return
    mark = "," if path.suffix == ".csv" else "\t"
    with whole_file(path) as write:
        if coords:
            write(f"#coords\t{coords}\n".encode())
        write((mark.join(table.column_names) + "\n").encode())
        for batch in table.to_batches(max_chunksize=4096):
            columns = [_texts(c.to_pylist(), exact, mark) for c in batch.columns]
            write("".join(mark.join(row) + "\n" for row in zip(*columns, strict=True)).encode())


def _texts(values: Iterable[Any], exact: bool, mark: str) -> list[str]:
    return [_text(v, exact, mark) for v in values]


def _text(value: Any, exact: bool, mark: str) -> str:
    if value is None:
        return "NA"
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, float):
        return repr(value) if exact else f"{value:.6f}"
    text = str(value)
    if mark == "," and any(c in text for c in ',"\n'):
        return '"' + text.replace('"', '""') + '"'
    return text.replace("\t", " ").replace("\n", " ")


def counts(values: Iterable[Any]) -> Mapping[Any, int]:
    """Return how often each value occurs, sorted by value."""
    found: dict[Any, int] = {}
    for value in values:
        found[value] = found.get(value, 0) + 1
    return dict(sorted(found.items()))
