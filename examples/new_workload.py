"""GC skew, (G - C) / (G + C), in windows along a genome: python new_workload.py [genome.fa]."""

import sys
from dataclasses import dataclass
from pathlib import Path

import pyarrow as pa
import pyfaidx

from polytene import BadInput, Plan, Reduction, Unit, run, safe_key, testing


@dataclass(frozen=True)
class Window(Unit):
    """A stretch of one sequence, 0-based and half-open."""

    fasta: str
    seqid: str
    start: int
    end: int


def plan(fasta: Path, width: int = 1000) -> Plan[Window]:
    units = [
        Window(safe_key(f"{s.name}_{i:09d}"), str(fasta), s.name, i, min(i + width, len(s)))
        for s in pyfaidx.Fasta(str(fasta))
        for i in range(0, len(s), width)
    ]
    params = {"width": width, "mtime_ns": fasta.stat().st_mtime_ns}
    return Plan("gc-skew", units, params, block=50, noun="window")


def skew(w: Window) -> pa.Table:
    bases = pyfaidx.Fasta(w.fasta)[w.seqid][w.start : w.end].seq.upper()
    g, c = bases.count("G"), bases.count("C")
    if g + c == 0:
        raise BadInput("no-gc", f"{w.fasta}: {w.seqid}:{w.start + 1}-{w.end} has no G and no C")
    row = {"seqid": w.seqid, "start": w.start, "end": w.end, "skew": (g - c) / (g + c)}
    return pa.Table.from_pylist([row])


if __name__ == "__main__":
    if sys.argv[1:]:
        fasta = Path(sys.argv[1])
    elif not (fasta := Path("generated.fa")).exists():
        testing.write_fasta(fasta)
    outcome = run(plan(fasta), [skew], Reduction(pa.concat_tables), run_dir=f"{fasta}.run")
    outcome.result.to_pandas().to_csv(sys.stdout, sep="\t", index=False)
    print(outcome, file=sys.stderr)
