"""The examples run, and compute what an independent reading of their input says."""

from __future__ import annotations

import csv
import io
import json
import subprocess
import sys
from collections import Counter
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest
from Bio import SeqIO
from tests.conftest import require_tool

from polytene.testing import write_genbank

EXAMPLES = Path(__file__).parents[1] / "examples"


def run_example(name: str, *args: str, cwd: Path) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, str(EXAMPLES / name), *args]
    done = subprocess.run(
        command, cwd=cwd, capture_output=True, text=True, timeout=120, check=False
    )
    assert done.returncode == 0, done.stderr
    return done


def skews(text: str, width: int) -> dict[tuple[str, int, int], float]:
    """GC skew of each window that has a G or a C, read line by line."""
    sequences: dict[str, str] = {}
    for line in text.splitlines():
        if line.startswith(">"):
            name = line[1:].split()[0]
            sequences[name] = ""
        else:
            sequences[name] += line.upper()
    out = {}
    for seqid, bases in sequences.items():
        for start in range(0, len(bases), width):
            window = bases[start : start + width]
            g, c = window.count("G"), window.count("C")
            if g + c:
                out[seqid, start, start + len(window)] = (g - c) / (g + c)
    return out


def read_skews(tsv: str) -> dict[tuple[str, int, int], float]:
    rows = csv.DictReader(io.StringIO(tsv), delimiter="\t")
    return {(r["seqid"], int(r["start"]), int(r["end"])): float(r["skew"]) for r in rows}


def test_new_workload_with_its_own_data(tmp_path: Path) -> None:
    done = run_example("new_workload.py", cwd=tmp_path)
    found = read_skews(done.stdout)
    assert found == skews((tmp_path / "generated.fa").read_text(), 1000)
    assert f"{len(found)} planned: {len(found)} computed, 0 resumed, 0 quarantined" in done.stderr
    again = run_example("new_workload.py", cwd=tmp_path)
    assert again.stdout == done.stdout
    assert f"0 computed, {len(found)} resumed" in again.stderr


def test_new_workload_quarantines_what_has_no_g_and_no_c(tmp_path: Path) -> None:
    sequences = {"gap": "N" * 1500 + "GGC", "at": "ATAT", "gc": "gGcC" * 300}
    sequences |= {f"more{i}": "ACGGT" * 500 for i in range(20)}
    fasta = tmp_path / "genome.fa"
    fasta.write_text("".join(f">{name} x\n{bases}\n" for name, bases in sequences.items()))
    done = run_example("new_workload.py", str(fasta), cwd=tmp_path)
    assert read_skews(done.stdout) == skews(fasta.read_text(), 1000)
    assert "65 planned: 63 computed, 0 resumed, 2 quarantined" in done.stderr


def test_codon_usage(tmp_path: Path) -> None:
    genbank = write_genbank(tmp_path / "three.gb", 3, genes=4)
    done = run_example("codon_usage.py", str(genbank), cwd=tmp_path)
    assert "1 planned: 1 computed" in done.stdout
    expected: dict[str, Counter[str]] = {}
    for record in SeqIO.parse(genbank, "genbank"):
        (organism,) = record.features[0].qualifiers["organism"]
        counter = expected.setdefault(organism, Counter())
        for feature in record.features:
            if feature.type == "CDS":
                bases = str(feature.extract(record.seq)).upper()
                counter.update(bases[i : i + 3] for i in range(0, len(bases) - 2, 3))
    rows = pq.read_table(tmp_path / "usage.parquet").to_pylist()
    assert len(rows) == 3
    counts = [{k: v for k, v in row.items() if len(k) == 3 and k.isupper() and v} for row in rows]
    found = {row["organism"]: count for row, count in zip(rows, counts, strict=True)}
    assert found == expected
    assert all(row["rscu_ATG"] is None or 0 <= row["rscu_ATG"] <= 2 for row in rows)


def test_codon_usage_is_short() -> None:
    lines = (EXAMPLES / "codon_usage.py").read_text().rstrip().splitlines()
    assert len(lines) <= 15


def test_rnaseq_matrix(tmp_path: Path) -> None:
    require_tool("kallisto")
    done = run_example("rnaseq_matrix.py", cwd=tmp_path)
    assert "4 planned: 4 computed" in done.stdout
    text = (tmp_path / "work/merged/merged_abundance.tsv").read_text()
    rows = list(csv.reader(io.StringIO(text), delimiter="\t"))
    assert rows[0] == ["target_id", *(f"SRR9{i:07d}" for i in range(1, 5))]
    sums = [sum(float(row[i]) for row in rows[1:]) for i in range(1, 5)]
    assert all(abs(total - 1e6) < 100 for total in sums)
    assert len((EXAMPLES / "rnaseq_matrix.py").read_text().rstrip().splitlines()) <= 15


@pytest.fixture
def tour() -> dict[str, Any]:
    notebook: dict[str, Any] = json.loads((EXAMPLES / "tour.ipynb").read_text())
    return notebook


def test_tour_is_stored_without_outputs(tour: dict[str, Any]) -> None:
    for cell in tour["cells"]:
        assert not cell.get("outputs")
        assert cell.get("execution_count") is None


@pytest.mark.filterwarnings("ignore:Port 8787 is already in use")
def test_tour_runs(tour: dict[str, Any]) -> None:
    names: dict[str, Any] = {"__name__": "__main__"}
    for cell in tour["cells"]:
        if cell["cell_type"] == "code":
            code = compile("".join(cell["source"]), cell["id"], "exec", dont_inherit=True)
            exec(code, names)
    texts = ["old pond frog leaps in", "nothing is lost"]
    words = [w for text in texts for w in text.split()]
    expected = {"words": len(words), "letters": sum(map(len, words))}
    assert names["outcome"].result == names["again"].result == expected
    assert [f.reason for f in names["outcome"].quarantined] == ["no-words"]
    assert (names["again"].computed, names["again"].resumed) == (0, 2)
    assert "haiku" in names["plan"]._repr_html_()
    assert "no-words" in names["outcome"]._repr_html_()
    assert sum(v["words"] for v in names["values"]) == expected["words"]
    pair = names["usage"].result["count"].sel(codon=["TTT", "TTC"])
    assert (pair.sum("codon") > 0).all()
