"""What a verb made of the genes of a genome: tables, features, and files of both."""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from polytene.exceptions import UsageError
from polytene.formats.text import read_blocks, read_lines
from polytene.genome.annotation.tables import counts, in_order, write_table
from polytene.genome.annotation.work import GFF3
from polytene.genome.merging.files import Part, whole_file
from polytene.genome.merging.gff import merge_gff
from polytene.genome.merging.ranks import Ranks

COLORS = {"high": "0,150,0", "medium": "255,200,0", "low": "200,0,0", "none": "128,128,128"}
ONE_BASED, ZERO_BASED = "1-based, inclusive", "0-based, half-open"


class Annotation:
    """The genes of a genome, judged.

    Parameters
    ----------
    verb
        ``confidence``, ``evidence`` or ``refine``.
    folders
        What was made of each chunk, in plan order.
    order
        The sequences of the genome.
    compat
        Whether places and numbers are written as HelixForge does.
    keep
        Something that has to live as long as the folders.
    """

    def __init__(
        self,
        verb: str,
        folders: Sequence[Path],
        order: Sequence[str],
        *,
        compat: bool = False,
        keep: Any = None,
    ) -> None:
        self.verb, self.order, self.compat = verb, list(order), compat
        self._folders, self._keep = list(folders), keep

    @property
    def table(self) -> pa.Table:
        """The table of the verb, in the order of the genome."""
        return self.read(self.verb)

    def read(self, name: str) -> pa.Table:
        """Return a table: that of the verb, ``low_regions``, ``junctions`` or ``exons``."""
        tables = [pq.read_table(folder / f"{name}.parquet") for folder in self._folders]
        return in_order(tables, name, self.order)

    def features(self) -> Iterator[bytes]:
        """Yield the lines of the GFF3 file: sorted, each gene whole."""
        with tempfile.TemporaryDirectory(prefix="polytene-") as folder:
            self.write_gff3(Path(folder, GFF3))
            yield from read_lines(read_blocks(Path(folder, GFF3)), GFF3)

    def write_gff3(self, path: Path) -> None:
        """Write the features: one file, sorted, with all that stood in the one that was read."""
        parts = [Part(f / GFF3, f"part_{i}") for i, f in enumerate(self._folders)]
        merge_gff(parts, path, Ranks(self.order))

    def write(self, name: str, path: str | Path) -> None:
        """Write one of the outputs, whole or not at all.

        Parameters
        ----------
        name
            ``gff3``, ``bed``, ``low_conf_bed``, ``summary``, or the name of a table.
        path
            File to write; of a table, its suffix says the format.
        """
        path = Path(path)
        special: dict[str, Callable[[Path], None]] = {
            "gff3": self.write_gff3,
            "bed": self._write_bed,
            "low_conf_bed": self._write_low_bed,
            "summary": self._write_summary,
        }
        if name in special:
            special[name](path)
            return
        table = self.read(name)
        has_places = "start" in table.column_names
        coords = None if self.compat or not has_places else ONE_BASED
        write_table(table, path, coords=coords, exact=self.compat)

    def _write_bed(self, path: Path) -> None:
        base = 0 if self.compat else 1
        with whole_file(path) as write:
            write(b'track name="Confidence" itemRgb="On"\n')
            for row in self.table.to_pylist():
                score = min(1000, int(1000 * (row["overall_score"] or 0)))
                start, color = row["start"] - base, COLORS[row["confidence_class"]]
                columns = [row["seqid"], start, row["end"], row["gene_id"], score, row["strand"]]
                write(_line([*columns, start, row["end"], color]))

    def _write_low_bed(self, path: Path) -> None:
        with whole_file(path) as write:
            write(b'track name="Low confidence regions" color="200,0,0"\n')
            for row in self.read("low_regions").to_pylist():
                name, score = f"{row['gene_id']}_lcr", int(1000 * row["score"])
                columns = [row["seqid"], row["start"], row["end"], name, score, row["strand"]]
                write(_line(columns))

    def _write_summary(self, path: Path) -> None:
        if self.verb == "confidence":
            raise UsageError("confidence has no summary")
        table = self.table
        column = "evidence_level" if self.verb == "evidence" else "orf_after"
        rows = [("transcripts", table.num_rows)]
        rows += [(f"{column}_{k}", n) for k, n in counts(table[column].to_pylist()).items()]
        known = [v for v in table["aed"].to_pylist() if v is not None]
        mean = f"{sum(known) / len(known):.6f}" if known else "NA"
        with whole_file(path) as write:
            write(b"metric\tvalue\n")
            for name, value in [*rows, ("mean_aed", mean)]:
                write(_line([name, value]))


def _line(columns: Sequence[object]) -> bytes:
    return ("\t".join(map(str, columns)) + "\n").encode()
