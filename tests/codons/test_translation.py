"""Whether a coding sequence translates to what its record says, against Biopython and real data."""

from __future__ import annotations

import pyarrow.parquet as pq
import pytest

from polytene.codons import genetic_code
from polytene.codons.sets.translation import agrees, splice
from polytene.formats.coding import Coding


def coding(translation, pieces=((0, 12, 1),), *, codon_start=1, partial5=False, partial3=False,
           exceptions=None) -> Coding:  # fmt: skip
    return Coding("id", None, tuple(pieces), codon_start, 1, partial5, partial3, exceptions,
                  translation, 1)  # fmt: skip


@pytest.mark.parametrize(
    ("sequence", "translation", "code", "options", "verdict"),
    [
        (b"ATGAAATTTTAA", "MKF", 1, {}, True),
        (b"atgaaatttUAA", "MKF", 1, {}, True),
        (b"ATGAAATTTTAA", "MKL", 1, {}, False),
        (b"ATGAAATTTTAA", "MKFL", 1, {}, False),
        (b"ATGAAATTTTAA", "MK", 1, {}, False),
        (b"ATGAAATTTTAA", None, 1, {}, None),
        (b"GTGAAATTTTAA", "MKF", 11, {}, True),
        (b"GTGAAATTTTAA", "VKF", 11, {"partial5": True}, True),
        (b"GTGAAATTTTAA", "MKF", 1, {}, False),
        (b"ATGTGATTTTAA", "MWF", 2, {}, True),
        (b"ATGTGATTTTAA", "MUF", 1, {"exceptions": "(pos:4..6,aa:Sec)"}, True),
        (b"ATGTGATTTTAA", "MUF", 1, {}, False),
        (b"ATGNNNTTTTAA", "MKF", 1, {}, True),
        (b"ATGAAANNNTAA", "MKF", 1, {}, True),
        (b"ATGAAATTTNNN", "MKFL", 1, {"partial3": True}, True),
        (b"CATGAAATTTTA", "MKF", 1, {"codon_start": 2}, True),
        (b"ATGAAATTTTCC", "MKFS", 1, {"partial3": True}, True),
    ],
)
def test_verdicts(sequence, translation, code, options, verdict):
    assert agrees(sequence, coding(translation, **options), genetic_code(code)) is verdict


def test_a_stop_that_polyadenylation_completes():
    cds = coding("MK", ((0, 7, 1),), exceptions="(pos:7,aa:TERM)")
    assert agrees(b"ATGAAAT", cds, genetic_code(2)) is True


def test_exceptions_on_the_other_strand_and_across_a_join():
    sequence = b"TTAAAATCACAT"  # complement of ATG TGA TTT TAA
    whole = coding("MUF", ((0, 12, -1),), exceptions="(pos:complement(7..9),aa:Sec)")
    joined = coding("MUF", ((8, 12, -1), (0, 8, -1)), exceptions="(pos:complement(7..9),aa:Sec)")
    assert agrees(sequence, whole, genetic_code(1)) is True
    assert agrees(sequence, joined, genetic_code(1)) is True


def test_splicing_follows_the_order_of_translation():
    assert splice(b"AACCGT", ((4, 6, 1), (0, 2, -1))) == b"GTTT"
    assert splice(b"acgtRYN", ((0, 7, -1),)) == b"NRYacgt"


def test_real_translations_that_disagree_are_those_that_are_known(shared_data, ingest):
    """SOURCES.md counts 25 with Biopython's strict splicing; RNA editing and re-annotation."""
    data = shared_data / "codons"
    files = [p for p in sorted(data.iterdir()) if p.suffix in (".gb", ".gbk")]
    folder, outcome = ingest(*files)
    totals = outcome.result["totals"]
    disagree = {}
    for file in sorted((folder / "cds").iterdir()):
        table = pq.read_table(file).to_pylist()
        disagree[file.name[:8]] = sum(r["translation_agrees"] is False for r in table)
    assert disagree == {
        "AJ506156": 15, "NC_00093": 1, "NC_00142": 0, "NC_00581": 0, "NC_00813": 0, "formicid": 0
    }  # fmt: skip
    assert (totals["disagree"], totals["translated"]) == (16, 392)
