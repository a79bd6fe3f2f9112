"""Pairs of codons: the kernels, the run and the scores, against plain Python."""

from __future__ import annotations

import itertools
import math
from collections import Counter, defaultdict

import numpy as np
import pyarrow.parquet as pq
import pytest
from hypothesis import given
from hypothesis import strategies as st

from polytene.codons import CODONS, genetic_code
from polytene.codons.pairs import kernels
from polytene.codons.pairs.run import pairs, pairs_plan
from polytene.codons.pairs.scores import cps, to_table
from polytene.codons.pairs.stage import MOST_GROUPS
from polytene.exceptions import UsageError
from polytene.testing import write_genbank, write_set

READS = st.lists(st.sampled_from(b"ACGTUacgtuNn-"), max_size=60).map(bytes)
COLUMN = {codon: i for i, codon in enumerate(CODONS)}


def naive_pairs(sequence: str, softmask: str = "count") -> Counter[int]:
    text = sequence if softmask == "skip" else sequence.upper()
    text = text.replace("U", "T")
    codons = [COLUMN.get(text[i : i + 3], 64) for i in range(0, len(text) - 2, 3)]
    ambiguous = 64 in codons
    places = (
        kernels.PAIRS if ambiguous and 64 in pair else 64 * pair[0] + pair[1]
        for pair in itertools.pairwise(codons)
    )
    return Counter(places)


def of_row(row) -> Counter[int]:
    return Counter({int(i): int(row[i]) for i in np.flatnonzero(row)})


@given(
    st.lists(st.tuples(READS, st.integers(0, 2)), min_size=1, max_size=6),
    st.sampled_from(["count", "skip"]),
)
def test_spans_are_counted_as_in_plain_python(reads, softmask):
    data = np.frombuffer(b"".join(r for r, _ in reads), np.uint8)
    ends = np.cumsum([0, *(len(r) for r, _ in reads)])
    group = np.array([g for _, g in reads])
    found = kernels.count_span_pairs(data, ends[:-1], ends[1:], group, 3, softmask=softmask)
    expected = defaultdict(Counter)
    for read, g in reads:
        expected[g] += naive_pairs(read.decode(), softmask)
    assert [of_row(row) for row in found] == [expected[g] for g in range(3)]


@given(READS.filter(len), st.data())
def test_pieces_are_spliced_as_in_plain_python(naive, read, data):
    place = st.tuples(st.integers(0, len(read)), st.integers(0, len(read))).map(sorted)
    piece = st.tuples(place, st.sampled_from([1, -1]))
    genes = data.draw(st.lists(st.lists(piece, max_size=4), min_size=1, max_size=4))
    skip = data.draw(st.lists(st.integers(0, 2), min_size=len(genes), max_size=len(genes)))
    flat = [(a, b, strand) for gene in genes for (a, b), strand in gene]
    columns = np.array(flat, np.int64).reshape(-1, 3).T
    first = np.cumsum([0, *map(len, genes)])
    found = kernels.count_piece_pairs(
        np.frombuffer(read, np.uint8), *columns, first, np.array(skip),
        np.arange(len(genes)), len(genes),
    )  # fmt: skip
    for row, gene, left_out in zip(found, genes, skip, strict=True):
        text = naive.spliced(read.decode(), [(a, b, s) for (a, b), s in gene], left_out + 1)
        assert of_row(row) == naive_pairs(text)


def test_pairs_cross_the_blocks_of_the_kernel():
    sequence = "".join(np.random.default_rng(1).choice(list("ACGT"), 3072 * 2 + 100))
    data = np.frombuffer(sequence.encode(), np.uint8)
    found = kernels.count_span_pairs(data, [0], [len(data)], [0], 1)
    assert of_row(found[0]) == naive_pairs(sequence)
    assert found.sum() == len(sequence) // 3 - 1


def test_kernels_refuse_what_would_read_or_write_elsewhere():
    data = np.frombuffer(b"ATGATG", np.uint8)
    with pytest.raises(UsageError, match="spans reach"):
        kernels.count_span_pairs(data, [0], [7], [0], 1)
    for group in ([1], [-1]):
        with pytest.raises(UsageError, match="of 1 rows"):
            kernels.count_span_pairs(data, [0], [6], group, 1)
    with pytest.raises(UsageError, match="2 entries, expected 1"):
        kernels.count_span_pairs(data, [0], [6], [0, 0], 1)
    with pytest.raises(UsageError, match="strand must be"):
        kernels.count_piece_pairs(data, [0], [6], [0], [0, 1], [0], [0], 1)
    with pytest.raises(UsageError, match="one shorter"):
        kernels.count_piece_pairs(data, [0], [6], [1], [0, 1], [0, 0], [0], 1)
    with pytest.raises(UsageError, match="of 1 rows"):
        kernels.count_piece_pairs(data, [0], [6], [1], [0, 1], [0], [1], 1)


@pytest.fixture
def run(here, tmp_path):
    numbers = iter(range(99))

    def go(inputs, **options):
        given = {"run_dir": tmp_path / f"pairs{next(numbers)}", "client": here, **options}
        return pairs(inputs, **given)

    return go


def by_group(result) -> dict[object, Counter[int]]:
    flat = result["count"].values.reshape(-1, kernels.PAIRS)
    found = {g: of_row(row) for g, row in zip(result["group"].values, flat, strict=True)}
    for g, n in zip(found, result["n_ambiguous"].values.tolist(), strict=True):
        found[g] += Counter({kernels.PAIRS: n})
    return found


@pytest.mark.parametrize("options", [{}, {"frame": 2}, {"softmask": "skip"}, {"batch_size": 1}])
def test_whole_sequences_by_source(run, options):
    folder = write_set(sequences=20, files=2, group_rows=4)
    found = run(folder, by="source", mode="frame", **options).result
    expected = defaultdict(Counter)
    for path in folder.glob("*.parquet"):
        for row in pq.read_table(path).to_pylist():
            text = row["sequence"][options.get("frame", 0) :]
            expected[row["source"]] += naive_pairs(text, options.get("softmask", "count"))
    assert by_group(found) == expected
    assert found["n_seq"].sum() == 20


def test_coding_sequences_are_spliced_and_real_plastids_have_their_pairs(
    run, ingest, shared_data, naive
):
    folder = shared_data / "codons"
    made, _ = ingest(folder / "NC_000932.gb", folder / "NC_001422.gbk")
    found = run(made, by="seq_id").result
    expected = defaultdict(Counter)
    codons = defaultdict(list)
    for path in made.glob("*.parquet"):
        rows = pq.read_table(path).to_pylist()
        for gene in pq.read_table(made / "cds" / path.name).to_pylist():
            row = rows[gene["row"]]
            places = list(zip(gene["starts"], gene["ends"], gene["strands"], strict=True))
            text = naive.spliced(row["sequence"], places, gene["codon_start"])
            expected[row["seq_id"]] += naive_pairs(text)
            codons[row["seq_id"]].append(naive.tally(text)[:64])
    assert by_group(found) == expected
    single = zip(found["group"].values, found["codon_count"].values.tolist(), strict=True)
    assert dict(single) == {g: naive.add(rows) for g, rows in codons.items()}
    assert found["transl_table"].values.tolist() == [11, 11]


def naive_cps(sequences: list[str], code: int) -> dict[tuple[str, str], float]:
    """The formula of Coleman et al. (2008), word for word."""
    meaning = dict(zip(CODONS, genetic_code(code).amino_acids, strict=True))
    split = [[s[i : i + 3] for i in range(0, len(s) - 2, 3)] for s in sequences]
    codon = Counter(c for s in split for c in s)
    acid = Counter()
    for c, n in codon.items():
        acid[meaning[c]] += n
    pair = Counter(p for s in split for p in itertools.pairwise(s))
    acids = Counter()
    for (a, b), n in pair.items():
        acids[meaning[a] + meaning[b]] += n
    return {
        (a, b): math.log(
            n / (codon[a] * codon[b] / (acid[meaning[a]] * acid[meaning[b]])
                 * acids[meaning[a] + meaning[b]])
        )
        for (a, b), n in pair.items() if "*" not in meaning[a] + meaning[b]
    }  # fmt: skip


@pytest.mark.parametrize("code", [1, 2, 31])
def test_scores_are_those_of_the_formula(run, parquet, code):
    draw = np.random.default_rng(code)
    sequences = ["".join(draw.choice(list("ACGT"), 300)) for _ in range(20)]
    found = run(parquet({"sequence": sequences}), genetic_code=code).result
    expected = naive_cps(sequences, code)
    assert found["count"].sum() == 20 * 99
    rows = {(r["first"], r["second"]): r["cps"] for r in to_table(found).to_pylist()}
    assert {k: v for k, v in rows.items() if v is not None} == pytest.approx(expected)
    assert int(found["cps"].notnull().sum()) == len(expected)


def test_scores_need_a_code_and_the_pairs_do_not(run, tmp_path):
    made = write_set(sequences=10)
    first = run(made, run_dir=tmp_path / "r")
    assert first.result["cps"].isnull().all()
    with pytest.raises(UsageError, match="--genetic-code"):
        cps(first.result)
    again = run(made, run_dir=tmp_path / "r", genetic_code=11)
    assert (again.computed, again.resumed) == (0, first.computed)
    np.testing.assert_array_equal(again.result["cps"].values, cps(first.result, 11).values)


def test_groups_of_mixed_codes_have_no_scores(run, ingest, tmp_path):
    made, _ = ingest(write_genbank(tmp_path / "x.gb", 6))
    by_code = run(made, by="transl_table").result
    assert by_code["cps"].notnull().any(["first", "second"]).values.all()
    assert run(made).result["cps"].isnull().all()


def test_a_sample_is_that_of_count(run, count):
    made = write_set(sequences=30, files=2)
    options = {"mode": "frame", "by": "seq_id", "sample": 7}
    found, usage = run(made, **options).result, count(made, **options).result
    assert found["group"].values.tolist() == usage["group"].values.tolist()
    assert found["codon_count"].values.tolist() == usage["count"].values.tolist()


def test_bad_rows_are_rejected_and_not_counted(run, parquet):
    path = parquet({"sequence": ["ATGATG", None, "", "MKLVFF" * 9, "TTTTTC"]})
    outcome = run(path, genetic_code=1)
    assert {r.reason for r in outcome.rejected} == {
        "null-sequence", "empty-sequence", "not-nucleotide"
    }  # fmt: skip
    assert int(outcome.result["n_pairs"].sum()) == 2
    assert int(outcome.result["n_seq"].sum()) == 2


def test_too_many_groups_are_refused_before_the_run_or_in_it(run, parquet):
    n = MOST_GROUPS + 1
    names = [f"s{i}" for i in range(n)]
    path = parquet({"sequence": ["ATGATG"] * n, "seq_id": names, "lab": names})
    with pytest.raises(UsageError, match="coarser column"):
        pairs_plan(path, by="seq_id")
    outcome = run(path, by="lab", max_quarantined=1.0)
    assert "coarser column" in outcome.quarantined[0].detail
    assert outcome.result.sizes["group"] == 0


def test_the_plan_does_not_depend_on_the_genetic_code():
    made = write_set(sequences=10)
    assert pairs_plan(made).fingerprint == pairs_plan(made, genetic_code=2).fingerprint
    assert pairs_plan(made).params["mode"] == "cds"
    with pytest.raises(UsageError, match="no genetic code 7"):
        pairs_plan(made, genetic_code=7)
