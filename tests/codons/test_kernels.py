from __future__ import annotations

import json
from itertools import chain
from pathlib import Path

import numpy as np
import pytest
from Bio import SeqIO
from Bio.SeqFeature import SeqFeature
from Bio.SeqRecord import SeqRecord
from hypothesis import given, settings
from hypothesis import strategies as st

from polytene.codons import kernels
from polytene.codons.code import CODONS
from polytene.codons.kernels import Softmask, count_pieces, count_spans, hash_strings
from polytene.exceptions import UsageError

BLOCK = 3072
COLUMN = {codon: i for i, codon in enumerate(CODONS)}
SOFTMASKS = st.sampled_from(["count", "skip"])
READS = st.one_of(
    st.binary(max_size=100),
    st.lists(st.sampled_from(b"ACGTUacgtuNnRy-"), max_size=100).map(bytes),
    st.lists(st.sampled_from(b"ACGT"), max_size=100).map(bytes),
)
GENBANK = [
    "AJ506156_Amborella_trichopoda_plastid.gb",
    "NC_000932.gb",
    "NC_001422.gbk",
    "NC_005816.gb",
    "NC_008137_Phalanger_vestitus_mito.gb",
    "formicidae_mito_dev.gb",
]


@pytest.fixture(autouse=True, scope="module")
def compiled() -> None:
    kernels.warm()


def naive_counts(sequence: bytes, softmask: Softmask = "count") -> list[int]:
    row = [0] * 65
    for i in range(0, len(sequence) - 2, 3):
        codon = sequence[i : i + 3].decode("latin-1")
        codon = codon.upper() if softmask == "count" else codon
        row[COLUMN.get(codon.replace("U", "T"), 64)] += 1
    return row


def naive_splice(data: bytes, pieces: list[tuple[int, int, int]], skip: int) -> bytes:
    pairs = bytes.maketrans(b"ACGTUacgtu", b"TGCAAtgcaa")
    forward = [(data[a:b], strand) for a, b, strand in pieces]
    return b"".join(s if k == 1 else s.translate(pairs)[::-1] for s, k in forward)[skip:]


def naive_hash(text: bytes) -> int:
    h = 0xCBF29CE484222325
    for byte in text:
        h = (h ^ byte) * 0x100000001B3 % 2**64
    for factor in (0xFF51AFD7ED558CCD, 0xC4CEB9FE1A85EC53):
        h = (h ^ h >> 33) * factor % 2**64
    return h ^ h >> 33


def as_array(data: bytes) -> np.ndarray:
    return np.frombuffer(data, np.uint8)


def ints(*values: int) -> np.ndarray:
    return np.array(values, np.int64)


@st.composite
def spans_of(draw: st.DrawFn, size: int) -> list[tuple[int, int]]:
    place = st.integers(0, size)
    return draw(st.lists(st.tuples(place, place), max_size=8))


class TestCountSpans:
    @given(data=READS, softmask=SOFTMASKS, draw=st.data())
    def test_any_spans_of_any_bytes(
        self, data: bytes, softmask: Softmask, draw: st.DataObject
    ) -> None:
        spans = draw.draw(spans_of(len(data)))
        starts, stops = np.array(spans, np.int64).reshape(-1, 2).T
        counts = count_spans(as_array(data), starts, stops, softmask=softmask)
        assert counts.dtype == np.int64
        assert counts.shape == (len(spans), 65)
        assert counts.tolist() == [naive_counts(data[a:b], softmask) for a, b in spans]

    @settings(max_examples=40, deadline=None)
    @given(
        length=st.one_of(
            *(st.integers(n * BLOCK - 14, n * BLOCK + 14) for n in (1, 2, 3)),
        ),
        seed=st.integers(0, 2**32 - 1),
        alphabet=st.sampled_from([b"ACGT", b"ACGTacgt", b"ACGT" * 40 + b"NacUu", b"A"]),
        softmask=SOFTMASKS,
        frame=st.integers(0, 2),
    )
    def test_lengths_around_the_block_size(
        self, length: int, seed: int, alphabet: bytes, softmask: Softmask, frame: int
    ) -> None:
        data = np.random.default_rng(seed).choice(as_array(alphabet), length)
        counts = count_spans(data, ints(frame), ints(length), softmask=softmask)
        assert counts[0].tolist() == naive_counts(data.tobytes()[frame:], softmask)

    @pytest.mark.parametrize("softmask", ["count", "skip"])
    def test_each_byte_in_each_place_of_a_codon(self, softmask: Softmask) -> None:
        codons = [
            bytes([*b"GGG"[:place], byte, *b"GGG"[place + 1 :]])
            for byte in range(256)
            for place in range(3)
        ]
        starts = 3 * np.arange(len(codons))
        counts = count_spans(as_array(b"".join(codons)), starts, starts + 3, softmask=softmask)
        assert counts.tolist() == [naive_counts(codon, softmask) for codon in codons]

    @given(data=READS, after=st.binary(min_size=1, max_size=64))
    def test_bytes_after_a_span_do_not_matter(self, data: bytes, after: bytes) -> None:
        longer = count_spans(as_array(data + after), ints(0), ints(len(data)))
        assert longer[0].tolist() == naive_counts(data)

    def test_writable_strided_and_read_only_arrays(self) -> None:
        writable = np.array(list(b"ATGATG"), np.uint8)
        strided = np.repeat(writable, 2)[::2]
        read_only = as_array(b"ATGATG")
        for data in (writable, strided, read_only):
            counts = count_spans(data, ints(0), ints(6))
            assert counts[0, COLUMN["ATG"]] == counts.sum() == 2
        assert writable.flags.writeable

    def test_no_spans_and_no_data(self) -> None:
        assert count_spans(as_array(b""), ints(), ints()).shape == (0, 65)
        assert count_spans(as_array(b""), ints(0, 5), ints(0, 2)).tolist() == [[0] * 65] * 2

    @pytest.mark.parametrize(("start", "stop"), [(0, 7), (-1, 3), (6, 9)])
    def test_spans_outside_of_the_data(self, start: int, stop: int) -> None:
        with pytest.raises(UsageError, match=f"from {start} to {stop}, but data has 6 bytes"):
            count_spans(as_array(b"ATGATG"), ints(start), ints(stop))

    def test_wrong_arguments(self) -> None:
        data = as_array(b"ATG")
        with pytest.raises(UsageError, match="softmask must be 'count' or 'skip', not 'no'"):
            count_spans(data, ints(0), ints(3), softmask="no")  # type: ignore[arg-type]
        with pytest.raises(UsageError, match="flat array of uint8, not int64"):
            count_spans(ints(65, 65, 65), ints(0), ints(3))  # type: ignore[arg-type]
        with pytest.raises(UsageError, match="1 starts but 2 stops"):
            count_spans(data, ints(0), ints(3, 3))


class TestCountPieces:
    @given(data=READS, softmask=SOFTMASKS, draw=st.data())
    def test_any_splices_of_any_bytes(
        self, data: bytes, softmask: Softmask, draw: st.DataObject
    ) -> None:
        place = st.integers(0, len(data))
        piece = st.tuples(place, place, st.sampled_from([1, -1]))
        genes = draw.draw(st.lists(st.lists(piece, max_size=4), max_size=4))
        skip = [draw.draw(st.integers(0, 4)) for _ in genes]
        starts, stops, strands = np.array([*chain(*genes)], np.int64).reshape(-1, 3).T
        first_piece = np.cumsum([0, *map(len, genes)])
        counts = count_pieces(
            as_array(data), starts, stops, strands, first_piece, ints(*skip), softmask=softmask
        )
        spliced = [naive_splice(data, gene, n) for gene, n in zip(genes, skip, strict=True)]
        assert counts.shape == (len(genes), 65)
        assert counts.tolist() == [naive_counts(sequence, softmask) for sequence in spliced]

    def test_long_pieces_on_both_strands(self) -> None:
        data = np.random.default_rng(0).choice(as_array(b"ACGTacgtN"), 20_000)
        genes = [[(100, 5_000, 1), (6_000, 9_001, 1)], [(12_000, 19_999, -1), (3, 4_004, -1)]]
        starts, stops, strands = np.array([*chain(*genes)], np.int64).T
        counts = count_pieces(data, starts, stops, strands, ints(0, 2, 4), ints(1, 0))
        spliced = [
            naive_splice(data.tobytes(), gene, n) for gene, n in zip(genes, (1, 0), strict=True)
        ]
        assert counts.tolist() == [naive_counts(sequence) for sequence in spliced]

    def test_genes_may_share_no_piece_and_leave_pieces_unused(self) -> None:
        data, three = as_array(b"ATGCCC"), ints(1, 1)
        counts = count_pieces(data, ints(0, 3), ints(3, 6), three, ints(1, 2, 2), ints(0, 0))
        assert counts[:, COLUMN["CCC"]].tolist() == [1, 0]
        assert counts.sum() == 1

    @pytest.mark.parametrize(
        ("changed", "message"),
        [
            ({"stops": ints(9)}, "but data has 6 bytes"),
            ({"strands": ints(0)}, "each strand must be 1 or -1"),
            ({"skip": ints(-1)}, "each skip 0 or more"),
            ({"skip": ints(0, 0)}, "one shorter than first_piece"),
            ({"strands": ints(1, 1)}, "as long as starts"),
            ({"first_piece": ints(0, 2)}, "first_piece must rise"),
            ({"first_piece": ints(1, 0)}, "first_piece must rise"),
            ({"first_piece": ints()}, "first_piece must rise"),
        ],
    )
    def test_wrong_arguments(self, changed: dict[str, np.ndarray], message: str) -> None:
        arguments = {
            "starts": ints(0),
            "stops": ints(6),
            "strands": ints(1),
            "first_piece": ints(0, 1),
            "skip": ints(0),
        }
        with pytest.raises(UsageError, match=message):
            count_pieces(as_array(b"ATGCCC"), **{**arguments, **changed})


class TestHashStrings:
    @given(texts=st.lists(st.binary(max_size=40), max_size=20), lead=st.binary(max_size=5))
    def test_matches_python(self, texts: list[bytes], lead: bytes) -> None:
        offsets = len(lead) + np.cumsum([0, *map(len, texts)])
        hashes = hash_strings(as_array(lead + b"".join(texts) + b"tail"), offsets)
        assert hashes.dtype == np.uint64
        assert hashes.tolist() == [naive_hash(text) for text in texts]

    def test_values_never_change(self) -> None:
        hashes = hash_strings(as_array(b"chr1foobar"), ints(0, 0, 4, 10))
        assert [f"{value:016x}" for value in hashes.tolist()] == [
            "efd01f60ba992926",
            "9bb028869c2ac2af",
            "2c22194922d1672b",
        ]

    def test_similar_names_spread(self) -> None:
        names = [f"NC_{number:06d}.1".encode() for number in range(20_000)]
        offsets = np.cumsum([0, *map(len, names)])
        hashes = hash_strings(as_array(b"".join(names)), offsets)
        assert len(set(hashes.tolist())) == len(names)
        per_bin = np.bincount((hashes >> np.uint64(60)).astype(np.int64), minlength=16)
        assert abs(per_bin / len(names) - 1 / 16).max() < 0.01

    @pytest.mark.parametrize("offsets", [ints(), ints(0, 4), ints(-1, 2), ints(2, 1)])
    def test_wrong_offsets(self, offsets: np.ndarray) -> None:
        with pytest.raises(UsageError, match="offsets must rise"):
            hash_strings(as_array(b"ATG"), offsets)


def test_warm_compiles_one_version_of_each_kernel() -> None:
    kernels.warm()
    for kernel in (kernels._count_spans, kernels._count_pieces, kernels._hash_strings):
        assert len(kernel.signatures) == 1


@pytest.mark.parametrize("file", GENBANK)
def test_counts_of_real_genomes(shared_data: Path, file: str) -> None:
    truth = json.loads((shared_data / "codons" / "ground_truth_counts.json").read_text())
    for record in SeqIO.parse(shared_data / "codons" / file, "genbank"):
        data = as_array(bytes(record.seq))
        frames = count_spans(data, ints(0, 1, 2), np.full(3, data.size))
        assert frames.tolist() == truth[record.id]["whole"]
        coding = count_coding(record, data)
        assert len(coding) == truth[record.id]["n_cds"]
        assert coding.sum(axis=0).tolist() == truth[record.id]["cds"]


def count_coding(record: SeqRecord, data: np.ndarray) -> np.ndarray:
    genes = [f for f in record.features if f.type == "CDS" and not is_pseudo(f)]
    parts = [part for gene in genes for part in gene.location.parts]
    skip = [int(gene.qualifiers.get("codon_start", ["1"])[0]) - 1 for gene in genes]
    return count_pieces(
        data,
        ints(*(part.start for part in parts)),
        ints(*(part.end for part in parts)),
        ints(*(part.strand for part in parts)),
        np.cumsum([0, *(len(gene.location.parts) for gene in genes)]),
        ints(*skip),
    )


def is_pseudo(feature: SeqFeature) -> bool:
    return not feature.qualifiers.keys().isdisjoint({"pseudo", "pseudogene"})
