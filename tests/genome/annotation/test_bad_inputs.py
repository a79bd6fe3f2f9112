"""Bad inputs: each has its reason, and the text says which file, what was expected, what to do."""

from __future__ import annotations

import h5py
import pytest

from polytene import genome
from polytene.exceptions import BadInput, UsageError
from polytene.genome.annotation.run import annotate
from polytene.testing.annotation import make_world, write_annotation


@pytest.fixture
def own(tmp_path):
    return write_annotation(tmp_path, genes=3)


def refused(reason, *words):
    class Check:
        def __enter__(self):
            self._inner = pytest.raises(BadInput)
            self._error = self._inner.__enter__()

        def __exit__(self, *about):
            done = self._inner.__exit__(*about)
            assert self._error.value.reason == reason
            for word in words:
                assert word in str(self._error.value)
            return done

    return Check()


def cut(path, share=0.5):
    data = path.read_bytes()
    path.write_bytes(data[: int(len(data) * share)])


def test_an_h5_pair_that_does_not_match(tmp_path, own, read):
    other = write_annotation(tmp_path / "other", genes=9)
    with refused("h5-mismatch", "rows"):
        read(own, input_h5=other.input_h5)


def test_an_h5_pair_of_another_genome(tmp_path, own, read):
    with h5py.File(own.input_h5, "r+") as file:
        file["data/seqids"][:] = b"chrX"
    with refused("h5-mismatch", "chrX"):
        read(own)


def test_sequences_of_other_lengths(tmp_path, own, read):
    with h5py.File(own.input_h5, "r+") as file:
        bounds = file["data/start_ends"][:]
        bounds[bounds == bounds.max()] += 7
        file["data/start_ends"][:] = bounds
    with refused("h5-mismatch", "bases there"):
        read(own)


def test_rows_that_are_missing(tmp_path, own, read):
    with h5py.File(own.input_h5, "r+") as file:
        bounds = file["data/start_ends"][:]
        bounds[1] = bounds[0] + 1
        file["data/start_ends"][:] = bounds
    with refused("h5-blocks"):
        read(own)


def test_no_input_and_no_way_to_tell(tmp_path, own, read):
    own.input_h5.unlink()
    text = own.fasta.read_text()
    own.fasta.write_text(text + ">extra\nACGTACGT\n")
    with refused("no-input-h5", "--input-h5"):
        read(own)


def test_predictions_as_their_own_input(own, read):
    with pytest.raises(UsageError, match="--input-h5"):
        read(own, input_h5=own.predictions)


def test_the_input_file_as_predictions(own, read):
    with refused("no-predictions", "Helixer's input"):
        read(own, predictions=own.input_h5)


def test_a_truncated_h5(own, read):
    cut(own.predictions)
    with refused("truncated-hdf5"):
        read(own)


def test_a_damaged_row(own, read):
    inputs = read(own)
    with h5py.File(own.predictions) as file:
        place = file["predictions"].id.get_chunk_info(1)
    data = bytearray(own.predictions.read_bytes())
    middle = place.byte_offset + place.size // 2
    data[middle : middle + 40] = b"\xff" * 40
    own.predictions.write_bytes(data)
    inputs = read(own, padding="end")
    with refused("truncated-hdf5", "row"):
        genome.confidence(None, inputs)


@pytest.mark.parametrize("value", [float("nan"), float("inf"), -0.5])
def test_values_that_are_no_probabilities_cost_their_gene_alone(own, read, value):
    model = own.world.genes[0]
    with h5py.File(own.predictions, "r+") as file:
        row = next(i for i, x in enumerate(read_rows(own)) if x == (model.seqid, model.strand))
        at = model.exons[0][0] if model.strand == "+" else -model.exons[0][1]
        file["predictions"][row, at, 1] = value
    result, lost = annotate("confidence", None, read(own))
    assert [(r.item, r.reason) for r in lost] == [(model.id, "bad-predictions")]
    rows = {r["gene_id"]: r for r in result.table.to_pylist()}
    assert rows[model.id]["confidence_class"] == "none"
    assert [g for g, r in rows.items() if r["mean_prob"] is None] == [model.id]


def read_rows(made):
    """Sequence and strand of each row that begins at the sequence's start."""
    with h5py.File(made.input_h5) as file:
        names, bounds = file["data/seqids"][:], file["data/start_ends"][:]
    return [
        (n.decode(), "+" if a < b else "-") if min(a, b) == 0 else None
        for n, (a, b) in zip(names, bounds, strict=True)
    ]


def test_what_is_no_h5(own, read):
    with refused("not-hdf5"):
        read(own, predictions=own.gff3)


def test_names_cut_at_50_bytes(tmp_path, read):
    world = make_world(sequences=1, genes=2)
    long = "x" * 50
    named = {f"{long}_1": world.sequences["chr1"]}
    models = tuple(type(m)(m.id, f"{long}_1", m.strand, m.exons, m.cds) for m in world.genes)
    reads = tuple(tuple((f"{long}_1", s, p) for _, s, p in x) for x in world.reads)
    one = type(world)(named, models, models, {}, reads)
    made = write_annotation(tmp_path / "a", one)
    assert genome.confidence(None, read(made)).num_rows == 2
    text = made.fasta.read_text()
    made.fasta.write_text(text + text.replace("_1\n", "_2\n"))
    with refused("ambiguous-name", "50 bytes"):
        read(made)


def test_a_missing_index(own, read):
    own.bams[0].with_suffix(".bam.bai").unlink()
    with refused("no-index", "samtools index"):
        read(own)


def test_a_truncated_bam(own, read):
    cut(own.bams[0], 0.8)
    with refused("truncated-bam"):
        read(own)


def test_a_bam_of_another_genome(tmp_path, own, read):
    other = write_annotation(tmp_path / "other", genes=9)
    with refused("other-genome", "bases there"):
        read(own, bams=other.bams)


def test_what_is_no_bam(own, read):
    with refused("not-bam"):
        read(own, bams=[own.gff3])


def test_genes_of_a_sequence_that_is_not_in_the_genome(own, read):
    text = own.gff3.read_text().replace("chr2\t", "Chr2\t")
    own.gff3.write_text(text)
    with refused("other-genome", "'Chr2' may be 'chr2'"):
        read(own)


def test_a_gene_behind_the_end_costs_itself_alone(own, read):
    n = len(own.world.sequences["chr2"])
    row = f"chr2\t.\tgene\t{n - 5}\t{n + 90}\t.\t+\t.\tID=far\n"
    row += f"chr2\t.\tmRNA\t{n - 5}\t{n + 90}\t.\t+\t.\tID=far.1;Parent=far\n"
    row += f"chr2\t.\texon\t{n - 5}\t{n + 90}\t.\t+\t.\tParent=far.1\n"
    own.gff3.write_text(own.gff3.read_text() + row)
    for verb in ("confidence", "refine"):
        result, lost = annotate(verb, None, read(own))
        assert [(r.item, r.reason) for r in lost] == [("far", "gene-outside")]
        assert result.table.num_rows == 7


@pytest.mark.parametrize(
    ("line", "reason"),
    [
        ("chr1\t.\tgene\t9\t5\t.\t+\t.\tID=x", "bad-gff3"),
        ("chr1\t.\tgene\t9\t15\t.\t+\t.", "bad-gff3"),
        ("chr1\t.\texon\t9\t15\t.\t+\t.\tParent=nobody", "missing-parent"),
        ('chr1\t.\texon\t9\t15\t.\t+\t.\tgene_id "x"; transcript_id "y";', "gtf"),
    ],
)
def test_lines_that_are_no_gff3(own, read, line, reason):
    text = own.gff3.read_text()
    n = text.count("\n") + 1
    own.gff3.write_text(f"{text}{line}\n")
    with refused(reason, f"line {n}"):
        read(own)


def test_junctions_that_are_none(own, read):
    own.junctions[0].write_text("chr1\tx\ty\n")
    inputs = read(own, bams=(), junctions=own.junctions)
    with refused("bad-junctions", "line 1"):
        genome.evidence(None, inputs)


def test_cds_only_genes_are_judged(own, read):
    kept = [x for x in own.gff3.read_text().splitlines() if "\texon\t" not in x and "UTR" not in x]
    own.gff3.write_text("\n".join(kept) + "\n")
    for verb in ("confidence", "evidence", "refine"):
        result, lost = annotate(verb, None, read(own))
        assert lost == []
        assert min(r["n_exons"] for r in result.table.to_pylist()) >= 1


def test_arguments_that_are_wrong(own, read):
    inputs = read(own)
    with pytest.raises(UsageError, match="owned"):
        genome.confidence(None, inputs, owned="mine")
    with pytest.raises(UsageError, match="no parameter 'treshold'"):
        genome.confidence(None, inputs, treshold=0.5)
    with pytest.raises(UsageError, match="needs predictions"):
        genome.confidence(None, genome.annotation_inputs(own.gff3, genome=own.fasta))
    with pytest.raises(UsageError, match="needs RNA-seq"):
        genome.evidence(None, genome.annotation_inputs(own.gff3, genome=own.fasta))
    with pytest.raises(UsageError, match="did you mean chr1"):
        genome.confidence("Chr1", inputs)
    with pytest.raises(UsageError, match="min_reads"):
        genome.evidence(None, inputs, min_reads=0)
