"""ENC, GC3s and CAI against codonw, EMBOSS and Biopython, and against plain Python."""

from __future__ import annotations

import math
import re
from collections import Counter

import numpy as np
import pytest
import xarray as xr
from Bio.SeqUtils import CodonAdaptationIndex
from hypothesis import given
from hypothesis import strategies as st

from polytene.codons import CODONS, GENETIC_CODES, genetic_code
from polytene.codons.measures.adaptation import cai
from polytene.codons.measures.enc import enc, gc3s
from polytene.exceptions import UsageError

COUNTS = st.lists(st.integers(0, 40) | st.just(0), min_size=64, max_size=64)

# Adaptiveness of codons in E. coli by Sharp and Li (1987), codonw's default: TCAG order, 0 where
# they give none (stops, Met, Trp).
ECOLI = [
    0.296, 1.0, 0.02, 0.02, 1.0, 0.744, 0.077, 0.017, 0.239, 1.0, 0, 0, 0.5, 1.0, 0, 0,
    0.042, 0.037, 0.007, 1.0, 0.07, 0.012, 0.135, 1.0, 0.291, 1.0, 0.124, 1.0, 1.0, 0.356,
    0.004, 0.004, 0.185, 1.0, 0.003, 0, 0.965, 1.0, 0.076, 0.099, 0.051, 1.0, 1.0, 0.253,
    0.085, 0.41, 0.004, 0.002, 1.0, 0.066, 0.495, 0.221, 1.0, 0.122, 0.586, 0.424, 0.434, 1.0,
    1.0, 0.259, 1.0, 0.724, 0.01, 0.019,
]  # fmt: skip


def table(*rows, codes=None) -> xr.DataArray:
    coords = {"codon": list(CODONS)}
    if codes is not None:
        coords["transl_table"] = ("group", np.array(codes))
    return xr.DataArray(
        np.array(rows, np.int64).reshape(-1, 64), dims=("group", "codon"), coords=coords
    )


def tally(sequence: str) -> list[int]:
    found = Counter(sequence[i : i + 3] for i in range(0, len(sequence) - 2, 3))
    return [found[codon] for codon in CODONS]


@pytest.fixture
def yeast(shared_data, naive):
    """The 300 genes, their usage, and what codonw and chips said of them."""
    folder = shared_data / "codons" / "expected"
    genes = naive.fasta(folder / "yeast300.fa")
    lines = (folder / "yeast300.codonw_cai_nc_gc3s.txt").read_text().splitlines()[1:]
    codonw = {name: cells for name, *cells in (line.split() for line in lines)}
    chips = dict(re.findall(r"(\S+)\s+Nc = +([\d.]+)", (folder / "yeast300.chips.txt").read_text()))
    usage = table(*(tally(s) for s in genes.values()))
    column = [np.array([number(codonw[g][i]) for g in genes]) for i in range(3)]
    said = dict(zip(("cai", "enc", "gc3s"), column, strict=True))
    return genes, usage, said | {"chips": np.array([float(chips[g]) for g in genes])}


def number(text: str) -> float:
    return float(text) if re.fullmatch(r"[\d.]+", text) else math.nan


def test_enc_is_that_of_codonw_and_of_chips(yeast):
    _, usage, said = yeast
    ours = enc(usage, genetic_code=1).values
    assert len(ours) == 300
    assert np.array_equal(np.isnan(ours), np.isnan(said["enc"]))
    known = ~np.isnan(ours)
    assert known.sum() == 297
    np.testing.assert_allclose(ours[known], said["enc"][known], atol=0.00501)
    np.testing.assert_allclose(ours[known], said["chips"][known], atol=0.000501)


def test_gc3s_is_that_of_codonw(yeast):
    _, usage, said = yeast
    np.testing.assert_allclose(gc3s(usage, 1).values, said["gc3s"], atol=0.000501)


def test_cai_is_that_of_codonw_with_the_reference_of_codonw(yeast):
    _, usage, said = yeast
    np.testing.assert_allclose(cai(usage, ECOLI_REFERENCE, 1).values, said["cai"], atol=0.000501)


ECOLI_REFERENCE = [1000 * w for w in ECOLI]


def test_cai_is_that_of_biopython_without_its_stops(shared_data, naive, yeast):
    """Biopython takes stops in; without them it agrees, as under code 1 it spares ATG and TGG."""
    highly = naive.fasta(shared_data / "codons" / "HighlyExpressedGenes.txt")
    index = CodonAdaptationIndex(highly.values())
    reference = np.sum([tally(s) for s in highly.values()], axis=0)
    genes, _, _ = yeast
    bare = [without(genes[g], ("TAA", "TAG", "TGA")) for g in list(genes)[:100]]
    ours = cai(table(*map(tally, bare)), reference, 1).values
    np.testing.assert_allclose(ours, [index.calculate(s) for s in bare], rtol=1e-12)


def without(sequence: str, dropped) -> str:
    found = [sequence[i : i + 3] for i in range(0, len(sequence) - 2, 3)]
    return "".join(codon for codon in found if codon not in dropped)


def naive_enc(counts, code) -> float:
    f, sizes = {}, Counter(m.size for m in code.families.values())
    for members in code.families.values():
        n = sum(counts[i] for i in members)
        if members.size == 1 or n <= 1:
            continue
        homozygosity = (n * sum((counts[i] / n) ** 2 for i in members) - 1) / (n - 1)
        if homozygosity > 1e-7:
            f.setdefault(members.size, []).append(homozygosity)
    total = sizes[1]
    for size in sizes:
        if size == 1:
            continue
        if size in f:
            total += sizes[size] * len(f[size]) / sum(f[size])
        elif size == 3 and 2 in f and 4 in f:
            total += sizes[3] * 2 / (np.mean(f[2]) + np.mean(f[4]))
        else:
            return math.nan
    return min(total, sum(m.size for m in code.families.values()))


def naive_cai(counts, reference, code) -> float:
    logs, n = 0.0, 0
    for members in code.families.values():
        if members.size > 1:
            seen = [reference[i] or 0.5 for i in members]
            for i, value in zip(members, seen, strict=True):
                logs += counts[i] * math.log(value / max(seen))
                n += counts[i]
    return math.exp(logs / n) if n else math.nan


@given(COUNTS, st.sampled_from(sorted(GENETIC_CODES)))
def test_enc_under_every_code_is_that_of_plain_python(counts, code):
    ours = float(enc(table(counts), genetic_code=code).values[0])
    assert ours == pytest.approx(naive_enc(counts, genetic_code(code)), rel=1e-12, nan_ok=True)


@given(COUNTS, COUNTS, st.sampled_from(sorted(GENETIC_CODES)))
def test_cai_under_every_code_is_that_of_plain_python(counts, reference, code):
    ours = float(cai(table(counts), reference, code).values[0])
    expected = naive_cai(counts, reference, genetic_code(code))
    assert ours == pytest.approx(expected, rel=1e-9, nan_ok=True)


@given(COUNTS, st.sampled_from(sorted(GENETIC_CODES)))
def test_gc3s_under_every_code_is_that_of_plain_python(counts, code):
    families = [m for m in genetic_code(code).families.values() if m.size > 1]
    used = [(counts[i], CODONS[i][2] in "GC") for m in families for i in m]
    total = sum(n for n, _ in used)
    expected = sum(n for n, gc in used if gc) / total if total else math.nan
    ours = float(gc3s(table(counts), code).values[0])
    assert ours == pytest.approx(expected, rel=1e-12, nan_ok=True)


def test_an_absent_class_of_three_is_the_mean_of_two_and_four_and_others_are_nan():
    counts = np.full(64, 10)
    counts[[CODONS.index(c) for c in ("ATT", "ATC", "ATA")]] = 0
    assert enc(table(counts), genetic_code=1).item() == pytest.approx(61, abs=1)
    counts[genetic_code(1).families["L"]] = 0
    assert not np.isnan(enc(table(counts), genetic_code=1).item())
    for acid in "RS":
        counts[genetic_code(1).families[acid]] = 0
    assert np.isnan(enc(table(counts), genetic_code=1).item())


@pytest.mark.parametrize("code", sorted(GENETIC_CODES))
def test_even_use_has_the_sense_codons_of_the_code_and_one_codon_each_the_amino_acids(code):
    families = genetic_code(code).families.values()
    single = np.zeros(64, np.int64)
    single[[m[0] for m in families]] = 100
    found = enc(table([10] * 64, single), genetic_code=code).values
    assert found.tolist() == [sum(m.size for m in families), len(families)]


def test_each_group_is_read_under_its_own_code():
    rows = np.random.default_rng(1).integers(1, 50, (3, 64))
    mixed = table(*rows, codes=[1, 2, 5])
    for measure in (enc, gc3s, lambda t, genetic_code=None: cai(t, rows[0], genetic_code)):
        own = measure(mixed).values
        assert own.tolist() == [
            measure(table(row), genetic_code=code).item()
            for row, code in zip(rows, (1, 2, 5), strict=True)
        ]


@pytest.mark.parametrize("measure", [enc, gc3s, lambda t: cai(t, [1] * 64)])
@pytest.mark.parametrize("codes", [None, [0]])
def test_an_unknown_code_is_never_taken_for_1(measure, codes):
    with pytest.raises(UsageError, match=r"give genetic_code \(--genetic-code\)"):
        measure(table([1] * 64, codes=codes))


def test_methods_and_references_that_cannot_be_used_say_why():
    usage = table([1] * 64, codes=[1])
    with pytest.raises(UsageError, match="only 'wright'"):
        enc(usage, method="sun")
    with pytest.raises(UsageError, match="2 groups"):
        cai(usage, table([1] * 64, [2] * 64))
    with pytest.raises(UsageError, match="64 counts"):
        cai(usage, [1, 2, 3])
    with pytest.raises(UsageError, match="none negative"):
        cai(usage, [-1] * 64)
    with pytest.raises(UsageError, match="shares"):
        cai(usage, [0.0] * 32 + [0.5] * 32)
    with pytest.raises(UsageError, match="genetic code 2, a group 1"):
        cai(usage, table([1] * 64, codes=[2]))
    assert cai(usage, table([1] * 64, codes=[2]), 1).item() == 1
    assert cai(usage, table([1] * 64, codes=[11])).item() == 1


def test_a_reference_may_lie_in_any_order_and_in_a_file(shared_data):
    path = shared_data / "codons" / "tables" / "Eecoli_high.cut"
    usage = table(np.arange(64), codes=[11])
    from polytene.codons.measures.cut import read_cut

    reference = read_cut(path)
    mixed = reference["count"].isel(codon=np.random.default_rng(1).permutation(64))
    values = {cai(usage, r).item() for r in (path, str(path), reference, mixed)}
    assert len(values) == 1


def test_measures_of_in_frame_trinucleotides_say_so():
    usage = table([1] * 64, codes=[1]).to_dataset(name="count").assign_attrs(mode="frame")
    for found in (enc(usage), gc3s(usage), cai(usage, [1] * 64)):
        assert "not codon usage" in found.attrs["warning"]
    assert enc(usage).name == "enc"
    assert set(enc(usage).coords) == {"transl_table"}
