"""Counts are true: real records, and generated sets against counting in plain Python."""

from __future__ import annotations

import json
from collections import defaultdict

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from polytene import codons
from polytene.exceptions import UsageError
from polytene.testing import genomes, write_genbank, write_set

RECORDS = st.lists(
    st.tuples(st.sampled_from("abc"), st.text("ACGTUacgtuNn-RY", min_size=1, max_size=40)),
    min_size=1,
    max_size=12,
)


@pytest.fixture(scope="session")
def real_set(here, tmp_path_factory):
    """The annotated records of the real data as a set; None where they are absent."""
    made = {}

    def of(data):
        if "set" not in made:
            files = [p for p in sorted(data.iterdir()) if p.suffix in (".gb", ".gbk")]
            folder = tmp_path_factory.mktemp("real") / "set"
            made["set"] = folder, codons.ingest(files, folder, client=here)
        return made["set"]

    return of


@pytest.fixture
def real(shared_data, real_set):
    return real_set(shared_data / "codons")


@pytest.fixture
def truth(shared_data):
    return json.loads((shared_data / "codons" / "ground_truth_counts.json").read_text())


@pytest.mark.parametrize("frame", [0, 1, 2])
def test_every_real_record_in_every_frame(real, truth, count, naive, frame):
    outcome = count(real[0], frame=frame, by="seq_id")
    assert naive.table(outcome.result) == {k: v["whole"][frame] for k, v in truth.items()}
    outcome.raise_if_incomplete()


def test_the_coding_sequences_of_every_real_record(real, truth, count, naive):
    result = count(real[0], mode="cds", by="seq_id").result
    assert naive.table(result) == {k: v["cds"] for k, v in truth.items()}
    by_id = {k: result.sel(group=k) for k in truth}
    assert {k: int(r["n_seq"]) for k, r in by_id.items()} == {
        k: v["n_cds"] for k, v in truth.items()
    }
    assert {k: int(r["transl_table"]) for k, r in by_id.items()} == {
        k: v["table"] for k, v in truth.items()
    }
    assert sum(v["n_cds"] for v in truth.values()) == real[1].result["totals"]["cds"]


def test_the_whole_of_the_real_records_is_the_sum_of_them(real, truth, count, naive):
    result = count(real[0]).result
    expected = naive.add(v["whole"][0] for v in truth.values())
    assert naive.table(result) == {"all": expected}
    assert int(result["transl_table"][0]) == 0  # codes 2, 5 and 11 are in it


@pytest.mark.parametrize(
    "name", ["expected/yeast300.fa", "human_mt_cds.fa", "HighlyExpressedGenes.txt"]
)
def test_real_coding_sequences_as_plain_fasta(shared_data, ingest, count, naive, name):
    path = shared_data / "codons" / name
    folder, outcome = ingest(path)
    outcome.raise_if_incomplete()
    expected = {k: naive.tally(v) for k, v in naive.fasta(path).items()}
    result = count(folder, mode="cds", by="seq_id").result
    assert naive.table(result) == expected
    lengths = {k: len(v) for k, v in naive.fasta(path).items()}
    partial = dict(zip(result.group.values, result.n_partial.values, strict=True))
    assert partial == {k: int(n % 3 > 0) for k, n in lengths.items()}


@given(
    records=RECORDS, frame=st.sampled_from([0, 1, 2]), softmask=st.sampled_from(["count", "skip"])
)
@settings(max_examples=25)
def test_any_records_in_any_frame(here, tmp_path_factory, naive, records, frame, softmask):
    folder = tmp_path_factory.mktemp("any")
    ids, sequences = zip(*records, strict=True)
    pq.write_table(pa.table({"seq_id": ids, "sequence": sequences}), folder / "a.parquet")
    outcome = codons.count(
        folder, run_dir=folder / "run", client=here, frame=frame, softmask=softmask, by="seq_id"
    )
    expected, partial = {}, defaultdict(int)
    for name in sorted(set(ids)):
        mine = [s for i, s in records if i == name]
        expected[name] = naive.add(naive.tally(s, frame, softmask) for s in mine)
        partial[name] = sum(max(0, len(s) - frame) % 3 > 0 for s in mine)
    assert naive.table(outcome.result) == expected
    assert outcome.result.n_partial.values.tolist() == [partial[k] for k in expected]
    assert outcome.items == len(records)


@pytest.mark.parametrize("by", ["none", "seq_id", "source", "organism", "gene", "cds_id",
                                "transl_table"])  # fmt: skip
def test_generated_genes_by_every_kind_of_group(tmp_path, ingest, count, naive, by):
    files = [write_genbank(tmp_path / f"{x}.gb", 2, first=1 + 2 * i) for i, x in enumerate("pq")]
    folder, _ = ingest(*files)
    expected, codes = defaultdict(list), defaultdict(set)
    for i, genome in enumerate(genomes(4)):
        for j, place in enumerate(genome.genes):
            name = {
                "none": "all",
                "seq_id": genome.id,
                "source": files[i // 2].name,
                "organism": genome.organism,
                "gene": f"gene{j + 1}",
                "cds_id": f"gene{j + 1}",
                "transl_table": genome.code,
            }[by]
            expected[name].append(naive.tally(naive.spliced(genome.sequence.decode(), [place])))
            codes[name].add(genome.code)
    result = count(folder, mode="cds", by=by).result
    assert naive.table(result) == {k: naive.add(expected[k]) for k in sorted(expected)}
    found = dict(zip(result.group.values, result.transl_table.values, strict=True))
    assert found == {k: c.copy().pop() if len(c) == 1 else 0 for k, c in codes.items()}
    assert result.n_seq.values.tolist() == [len(expected[k]) for k in sorted(expected)]


GENES = """\
LOCUS       T1                        60 bp    DNA     circular VRT 01-JAN-2000
DEFINITION  Test.
ACCESSION   T1
VERSION     T1.1
FEATURES             Location/Qualifiers
     source          1..60
                     /organism="Testus testus"
                     /organelle="mitochondrion"
     CDS             1..7
                     /gene="polya"
                     /transl_table=2
                     /transl_except=(pos:7,aa:TERM)
     CDS             1..8
                     /gene="open"
                     /transl_table=2
     CDS             complement(join(55..60,1..4))
                     /gene="shifted"
                     /codon_start=2
                     /transl_table=2
     CDS             join(55..60,1..3)
                     /gene="origin"
     CDS             10..20
                     /gene="gone"
                     /pseudo
ORIGIN
        1 atgaaataca ccatggcgta acgtacgtac gtaacgtacg tacgtaacgt acgtacgtaa
//
"""


def test_partial_codons_exceptions_and_origin_spanning(tmp_path, ingest, count, naive):
    (tmp_path / "t.gb").write_text(GENES)
    sequence = "".join(c for c in GENES.partition("ORIGIN\n")[2] if c.isalpha())
    folder, outcome = ingest(tmp_path / "t.gb")
    result = count(folder, mode="cds", by="gene").result
    pieces = {
        "open": ([(0, 8, 1)], 1),
        "origin": ([(54, 60, 1), (0, 3, 1)], 1),
        "polya": ([(0, 7, 1)], 1),
        "shifted": ([(0, 4, -1), (54, 60, -1)], 2),
    }
    assert naive.table(result) == {
        k: naive.tally(naive.spliced(sequence, *v)) for k, v in pieces.items()
    }
    assert result.n_partial.values.tolist() == [1, 0, 0, 0]
    assert result.transl_table.values.tolist() == [2, 2, 2, 2]
    assert (
        outcome.result["totals"] | {"pseudo": 1, "record_code": 1, "no_code": 0}
        == (outcome.result["totals"])
    )


def test_a_gene_without_a_name_is_a_group_of_its_own(tmp_path, ingest, count):
    (tmp_path / "t.gb").write_text(GENES.replace('/gene="open"', '/note="open"'))
    folder, _ = ingest(tmp_path / "t.gb")
    result = count(folder, mode="cds", by="gene").result
    assert result.group.values.tolist() == ["origin", "polya", "shifted", None]
    for table in (codons.to_wide(result), codons.to_long(result, top=1)):
        assert table.column("gene").to_pylist() == ["origin", "polya", "shifted", None]


def test_a_masked_base_is_skipped_on_request(tmp_path, count, parquet, naive):
    path = parquet({"sequence": ["ATGaaaTTTcCC"]})
    assert naive.table(count(path, softmask="skip").result)["all"] == naive.tally(
        "ATGaaaTTTcCC", softmask="skip"
    )
    assert int(count(path, softmask="skip").result.n_ambiguous[0]) == 2


def test_counts_are_labelled(tmp_path, count, naive):
    result = count(write_set(tmp_path / "s", sequences=4), by="seq_id").result
    assert result["count"].dims == ("group", "codon")
    assert result.codon.values.tolist() == naive.codons
    kinds = {n: result[n].dtype for n in ("count", "n_seq", "n_codons", "n_ambiguous", "n_partial")}
    assert set(kinds.values()) == {np.dtype("int64")}
    assert "not codon usage" in result.attrs["meaning"]


@pytest.mark.parametrize("stages_face", ["delayed", "bag"])
@pytest.mark.parametrize("mode", ["frame", "cds"])
def test_delayed_and_bag_equal_run(tmp_path, ingest, count, stages_face, mode):
    files = [write_genbank(tmp_path / f"{i}.gb", 2, first=1 + 2 * i) for i in range(3)]
    folder, _ = ingest(*files)
    plan = codons.plan(folder, by="organism", mode=mode)
    (stage,), reduction = codons.stages(plan), codons.reduction(plan)
    if stages_face == "delayed":
        import dask

        values = list(dask.compute(*plan.to_delayed([stage]), scheduler="threads"))
    else:
        values = plan.to_bag(2).map(stage.func).map(lambda p: p.value).compute(scheduler="threads")
    result = reduction.finalize(reduction.combine(values), plan, [])
    assert result.identical(count(folder, by="organism", mode=mode).result)


@pytest.mark.parametrize(
    ("options", "word"),
    [
        ({"mode": "codons"}, "mode"),
        ({"frame": 3}, "frame"),
        ({"mode": "cds", "frame": 1}, "own frame"),
        ({"softmask": "hide"}, "softmask"),
        ({"batch_size": 0}, "batch_size"),
        ({"batch_bytes": 0}, "batch_bytes"),
        ({"batch_bytes": "many"}, "many"),
        ({"sample": 0}, "sample"),
        ({"genetic_code": 7}, "genetic code"),
        ({"genetic_code": 17}, "genetic code"),
        ({"genetic_code": 34}, "genetic code"),
        ({"genetic_code": 0}, "genetic code"),
        ({"by": "habitat"}, "habitat"),
        ({"by": "gene"}, "gene"),
    ],
)
def test_wrong_arguments_are_named(tmp_path, options, word):
    folder = write_set(tmp_path / "s", sequences=2)
    with pytest.raises(UsageError, match=word):
        codons.plan(folder, **options)
