"""Codon usage tables of EMBOSS: read, written, and read by EMBOSS."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest
import xarray as xr

from polytene.codons import CODONS, genetic_code
from polytene.codons.measures.adaptation import cai
from polytene.codons.measures.cut import read_cut, to_cut
from polytene.codons.result import to_dataset
from polytene.exceptions import UsageError

EMBOSS_TABLES = Path("/usr/share/EMBOSS/data/CODONS")


def tool(name: str) -> str:
    path = shutil.which(name)
    if path is None:
        if os.environ.get("POLYTENE_REQUIRE_TOOLS") == "1":
            pytest.fail(f"{name} is not installed, and POLYTENE_REQUIRE_TOOLS=1")
        pytest.skip(f"{name} is not installed")
    return path


def usage_of(*rows, code=11) -> xr.Dataset:
    wide = np.array([[*row, 0] for row in rows], np.int64)
    n = len(rows)
    value = pa.table(
        {
            "group": [f"g{i}" for i in range(n)],
            **{name: np.full(n, code) for name in ("code_min", "code_max")},
            **{name: np.zeros(n, np.int64) for name in ("n_seq", "n_partial")},
            "expected": wide.sum(axis=1),
            "counts": pa.FixedSizeListArray.from_arrays(pa.array(wide.ravel()), 65),
        }
    )
    params = {"mode": "cds", "by": "none", "genetic_code": "auto", "sample": None}
    return to_dataset(value, params)


@pytest.fixture
def tables(shared_data):
    return sorted((shared_data / "codons" / "tables").glob("*.cut"))


def test_every_given_table_is_read_with_its_counts(tables):
    assert len(tables) == 10
    for path in tables:
        usage = read_cut(path)
        cells = [x.split() for x in path.read_text().splitlines() if x and x[0] != "#"]
        assert dict(zip(CODONS, usage["count"].values[0].tolist(), strict=True)) == {
            c[0]: int(c[4]) for c in cells
        }
        assert usage["transl_table"].values.tolist() == [0]
        assert usage["amino_acid"].sel(codon="ATG").values.tolist() == ["M"]
        assert read_cut(path, 3)["amino_acid"].sel(codon="CTA").values.tolist() == ["T"]
    names = {p.stem: read_cut(p) for p in tables}
    assert names["Eecoli"]["group"].values.tolist() == ["Escherichia coli K12"]
    assert names["Eecoli"]["n_seq"].values.tolist() == [5045]
    assert names["Eanidmit"]["group"].values.tolist() == ["Eanidmit"]


def test_a_table_written_again_has_the_same_rows(tables, tmp_path):
    """Counts are equal; shares differ by EMBOSS's rounding, or where its table says otherwise."""
    for path in (p for p in tables if "CUTG" in p.read_text()):
        text = to_cut(read_cut(path), tmp_path / "x.cut", genetic_code=1)
        assert (tmp_path / "x.cut").read_text() == text
        xr.testing.assert_equal(read_cut(tmp_path / "x.cut")["count"], read_cut(path)["count"])
        ours, theirs = ({x[:3]: x.split() for x in t.splitlines() if x and x[0] != "#"}
                        for t in (text, path.read_text()))  # fmt: skip
        assert list(ours) == list(theirs)
        for codon, row in theirs.items():
            assert ours[codon][1] == row[1]
            assert [float(x) for x in ours[codon][2:]] == pytest.approx(
                [float(x) for x in row[2:]], abs=0.00101
            )
        heads = [[x for x in t.splitlines() if "GC" in x and x[0] == "#"]
                 for t in (text, path.read_text())]  # fmt: skip
        assert heads[0] == heads[1]


def test_every_table_that_emboss_ships_is_read_or_refused_with_a_reason():
    tool("cai")
    refused = []
    for path in sorted(EMBOSS_TABLES.glob("*.cut")):
        try:
            assert read_cut(path)["n_codons"].values[0] > 0
        except UsageError as error:
            refused.append(f"{path.name}: {error}")
    assert not refused


def run(*command: object, cwd: Path) -> str:
    done = subprocess.run([str(c) for c in command], cwd=cwd, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert "error" not in done.stderr.lower(), done.stderr
    assert "warning" not in done.stderr.lower(), done.stderr
    return done.stdout


def emboss_cai(fasta: Path, table: str, folder: Path) -> dict[str, float]:
    run(tool("cai"), "-seqall", fasta, "-cfile", table, "-outfile", "x.cai", cwd=folder)
    found = re.findall(r"Sequence: (\S+) CAI: ([\d.]+)", (folder / "x.cai").read_text())
    return {name: float(value) for name, value in found}


def test_emboss_reads_our_table_and_its_cai_is_ours(shared_data, naive, tmp_path):
    """EMBOSS takes in Met, Trp and stops, which have the adaptiveness 1 or no say for us."""
    given = shared_data / "codons" / "tables" / "Eecoli_high.cut"
    reference = read_cut(given)
    to_cut(reference, tmp_path / "Emine.cut", genetic_code=11)
    genes = naive.fasta(shared_data / "codons" / "expected" / "yeast300.fa")
    judged = {k: sense(s) for k, s in genes.items()}
    judged = {k: s for k, s in judged.items() if s}
    (tmp_path / "genes.fa").write_text("".join(f">{k}\n{s}\n" for k, s in judged.items()))
    shutil.copy(given, tmp_path / "Egiven.cut")
    theirs = emboss_cai(tmp_path / "genes.fa", "Emine.cut", tmp_path)
    again = emboss_cai(tmp_path / "genes.fa", "Egiven.cut", tmp_path)
    rows = usage_of(*(naive.tally(s)[:64] for s in judged.values()))
    ours = cai(rows, reference).values
    assert list(theirs) == list(judged)
    np.testing.assert_allclose(ours, list(theirs.values()), atol=0.00151)
    np.testing.assert_allclose(list(theirs.values()), list(again.values()), atol=0.00101)


def sense(sequence: str) -> str:
    """Return the codons that have synonyms under the standard code."""
    size = dict(zip(CODONS, genetic_code(1).family_size.tolist(), strict=True))
    found = [sequence[i : i + 3] for i in range(0, len(sequence) - 2, 3)]
    return "".join(codon for codon in found if size[codon] > 1)


def test_the_table_of_a_set_is_that_of_cusp(shared_data, naive, tmp_path):
    fasta = shared_data / "codons" / "expected" / "yeast300.fa"
    run(tool("cusp"), "-sequence", fasta, "-outfile", "x.cusp", cwd=tmp_path)
    total = naive.add(naive.tally(s) for s in naive.fasta(fasta).values())
    ours = to_cut(usage_of(total[:64], code=1)).splitlines()
    cusp = (tmp_path / "x.cusp").read_text().splitlines()
    first = cusp.index("#Codon AA Fraction Frequency Number")
    assert sorted(ours[ours.index(cusp[first]) :]) == sorted(cusp[first:])
    assert [x for x in ours if "GC" in x[:16]] == [x for x in cusp if "GC" in x[:16]]


def test_one_group_is_chosen_by_its_name():
    usage = usage_of(range(64), range(64, 0, -1))
    assert "#Species: g1" in to_cut(usage, group="g1")
    with pytest.raises(UsageError, match="2 groups: name one"):
        to_cut(usage)
    with pytest.raises(UsageError, match="no group 'x'"):
        to_cut(usage, group="x")


def test_tables_that_cannot_be_written_say_why():
    with pytest.raises(UsageError, match="give genetic_code"):
        to_cut(usage_of(range(64), code=0))
    with pytest.raises(UsageError, match="no codons"):
        to_cut(usage_of([0] * 64))


def test_amino_acids_are_those_of_the_code():
    rows = {x[:3]: x.split()[1] for x in to_cut(usage_of(range(64), code=2)).splitlines()[11:]}
    assert rows["TGA"] == "W"
    assert rows["AGA"] == "*"
    assert rows["ATA"] == "M"


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (lambda lines: lines[:-1], "1 of 64 codons are missing"),
        (lambda lines: [*lines, lines[-1]], "stands there twice"),
        (lambda lines: [*lines[:-1], lines[-1].replace("TGA", "TGN")], "line 75: expected codon"),
        (lambda lines: [*lines[:-1], lines[-1] + ".5"], "expected a whole number"),
        (lambda lines: ["hello"], "line 1: expected codon"),
    ],
)
def test_damaged_tables_are_refused_with_the_line(tmp_path, change, words):
    lines = to_cut(usage_of(range(64))).splitlines()
    (tmp_path / "x.cut").write_text("\n".join(change(lines)))
    with pytest.raises(UsageError, match=words):
        read_cut(tmp_path / "x.cut")
    with pytest.raises(UsageError, match="No such file"):
        read_cut(tmp_path / "absent.cut")


def test_rna_and_lower_case_are_read(tmp_path):
    usage = usage_of(range(64))
    text = to_cut(usage)
    head, rows = text[: text.index("GCA")], text[text.index("GCA") :]
    (tmp_path / "x.cut").write_text(head + rows.replace("T", "U").lower())
    xr.testing.assert_equal(
        read_cut(tmp_path / "x.cut", 11)["count"].drop_vars("group"),
        usage["count"].drop_vars("group"),
    )
