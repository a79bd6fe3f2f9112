from __future__ import annotations

import itertools
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from Bio import SeqIO
from hypothesis import example, given, settings
from hypothesis import strategies as st

from polytene.codons.arrays import count_array
from polytene.codons.kernels import Softmask, count_spans
from polytene.codons.packed import counts, kernels
from polytene.codons.packed.columns import ENCODINGS, PACKED, count_packed, pack, unpack, warm
from polytene.codons.packed.counts import _PAIRS_FROM, count_rows
from polytene.codons.packed.kernels import LONGEST, Packed, Runs, pack_spans, unpack_rows
from polytene.exceptions import BadInput, UsageError
from polytene.testing import genomes

CODONS = ["".join(c) for c in itertools.product("TCAG", repeat=3)]
SOFTMASKS: list[Softmask] = ["count", "skip"]
BYTES = pa.large_binary()
LETTERS = st.lists(st.sampled_from(b"ACGTUacgtuNnRy-.*"), max_size=60).map(bytes)
LENGTHS = st.one_of(st.integers(1, 5), st.integers(6, 40), st.integers(90, 130))
STRETCHES = st.lists(
    st.tuples(st.sampled_from(b"ACGTUacgtuNnRyx-.*\x00\x15\x5b\x61\x7a\xff"), LENGTHS),
    max_size=12,
).map(lambda runs: b"".join(bytes([letter]) * n for letter, n in runs))
RNA = st.lists(st.sampled_from(b"ACGUacguNn"), max_size=60).map(bytes)
DNA = st.lists(st.sampled_from(b"ACGT"), max_size=200).map(bytes)
SEQUENCE = st.one_of(st.binary(max_size=100), LETTERS, STRETCHES, RNA, DNA)
ROWS = st.lists(st.one_of(st.none(), SEQUENCE), max_size=8)
SKIPS = st.sampled_from([0, 1, 2])


@pytest.fixture(autouse=True, scope="module")
def compiled() -> None:
    warm()


def is_lower(byte: int) -> bool:
    return ord("a") <= byte <= ord("z")


def naive_runs(kinds: list[Any]) -> list[tuple[int, int, Any]]:
    """Stretches of one kind other than None: start, length, kind."""
    at = 0
    runs = []
    for kind, group in itertools.groupby(kinds):
        n = len(list(group))
        runs += [] if kind is None else [(at, n, kind)]
        at += n
    return runs


def naive_pack(sequence: bytes) -> dict[str, Any]:
    upper = [byte - 32 if is_lower(byte) else byte for byte in sequence]
    rna = ord("U") in upper and ord("T") not in upper
    bases = b"UCAG" if rna else b"TCAG"
    codes = [bases.find(byte) for byte in upper]
    bits = sum(max(code, 0) << 2 * i for i, code in enumerate(codes))
    other = [None if code >= 0 else byte for code, byte in zip(codes, upper, strict=True)]
    lower = [True if is_lower(byte) else None for byte in sequence]
    return {
        "length": len(sequence),
        "seq2": bits.to_bytes((len(sequence) + 3) // 4, "little"),
        "rna": rna,
        "letters": [
            {"start": start, "length": n, "letter": byte} for start, n, byte in naive_runs(other)
        ],
        "lower": [{"start": start, "length": n} for start, n, _ in naive_runs(lower)],
    }


def naive_counts(sequence: bytes | None, skip: int, softmask: Softmask) -> list[int]:
    row = [0] * 65
    text = (sequence or b"").decode("latin-1")[skip:]
    for i in range(0, len(text) - 2, 3):
        codon = text[i : i + 3]
        bases = [b.upper() if softmask == "count" and is_lower(ord(b)) else b for b in codon]
        codon = "".join(bases).replace("U", "T")
        row[CODONS.index(codon) if codon in CODONS else 64] += 1
    return row


def changed(batch: pa.RecordBatch, **columns: Any) -> pa.RecordBatch:
    for name, values in columns.items():
        array = (
            values if isinstance(values, pa.Array) else pa.array(values, PACKED.field(name).type)
        )
        at = batch.schema.get_field_index(name)
        batch = batch.set_column(at, pa.field(name, array.type), array)
    return batch


class TestPack:
    @given(sequence=SEQUENCE)
    def test_the_columns_of_any_bytes(self, sequence: bytes) -> None:
        batch = pack(pa.array([sequence], BYTES))
        assert batch.schema == PACKED
        assert batch.to_pylist() == [naive_pack(sequence)]

    @given(rows=ROWS)
    @example(rows=[b"acgt" * 3, None, b"", b"NNNN", None])
    def test_each_byte_comes_back(self, rows: list[bytes | None]) -> None:
        array = pa.array(rows, BYTES)
        back = unpack(pack(array), BYTES)
        back.validate(full=True)
        assert back.equals(array)

    @given(texts=st.lists(st.one_of(st.none(), st.text(max_size=30)), max_size=6))
    def test_text_comes_back_as_text(self, texts: list[str | None]) -> None:
        back = unpack(pack(pa.array(texts, pa.string())))
        back.validate(full=True)
        assert back.type == pa.large_string()
        assert back.to_pylist() == texts

    @settings(max_examples=30)
    @given(
        length=st.one_of(st.integers(n - 6, n + 6) for n in (512, 4096, 8192)),
        alphabet=st.sampled_from([b"ACGT", b"ACGTacgt", b"ACGT" * 400 + b"Nat", b"ACGu", b"A-"]),
        seed=st.integers(0, 2**32 - 1),
    )
    def test_lengths_around_the_block_sizes(self, length: int, alphabet: bytes, seed: int) -> None:
        letters = np.random.default_rng(seed).choice(list(alphabet), length).astype(np.uint8)
        batch = pack(pa.array([letters.tobytes()], BYTES))
        assert batch.to_pylist() == [naive_pack(letters.tobytes())]
        assert unpack(batch, BYTES).to_pylist() == [letters.tobytes()]

    @pytest.mark.parametrize("edge", [512, 1024, 4096])
    @pytest.mark.parametrize("length", [1, 511, 512, 513, 1024])
    def test_runs_that_meet_the_edge_of_a_block(self, edge: int, length: int) -> None:
        for at in (edge - length, edge):
            if at >= 0:
                text = b"G" * at + b"n" * length + b"C" * 1500
                batch = pack(pa.array([text], BYTES))
                assert batch["letters"].to_pylist() == [[run(at, length, N)]]
                assert batch["lower"].to_pylist() == [[run(at, length)]]
                assert unpack(batch, BYTES).to_pylist() == [text]

    def test_each_byte_value_beside_each_other(self) -> None:
        array = pa.array([bytes([a, b]) for a in range(256) for b in range(256)], BYTES)
        assert unpack(pack(array), BYTES).equals(array)

    @pytest.mark.parametrize(
        "kind",
        [
            pa.string(),
            pa.large_string(),
            pa.string_view(),
            pa.binary(),
            pa.dictionary(pa.int8(), pa.string()),
        ],
    )
    def test_any_layout_and_slices(self, kind: pa.DataType) -> None:
        texts = ["ACGTN", None, "acg", "", "AUG-", None, "TTTTTTTTT"]
        array = pa.array(texts, pa.string()).cast(kind)
        for a, b in itertools.combinations(range(8), 2):
            batch = pack(array[a:b])
            assert unpack(batch).to_pylist() == texts[a:b]
            assert unpack(pack(array)[a:b]).to_pylist() == texts[a:b]

    def test_rna_has_no_run_unless_a_t_is_in_it(self) -> None:
        batch = pack(pa.array(["AUGGCUUAA" * 100, "AUGGCUUAA" * 100 + "T"]))
        assert batch["rna"].to_pylist() == [True, False]
        assert [len(runs) for runs in batch["letters"].to_pylist()] == [0, 200]

    def test_no_rows(self) -> None:
        batch = pack(pa.array([], pa.string()))
        assert batch.num_rows == 0
        assert unpack(batch).to_pylist() == []
        assert count_packed(batch).shape == (0, 65)

    def test_neither_strings_nor_bytes(self) -> None:
        with pytest.raises(BadInput, match="wrong-type: sequences must be strings or bytes"):
            pack(pa.array([1]))

    def test_bytes_that_are_no_text_are_not_shown_as_text(self) -> None:
        batch = pack(pa.array([b"ACGT", b"AC\xff"], pa.binary()))
        with pytest.raises(BadInput, match=r"not-text: .*unpack with kind=pa.large_binary"):
            unpack(batch)
        with pytest.raises(UsageError, match="kind must be large_string or large_binary"):
            unpack(batch, pa.string())


class TestCount:
    @given(rows=ROWS, draw=st.data())
    def test_any_rows_as_counted_by_hand(self, rows: list[bytes | None], draw: Any) -> None:
        skip = np.array([draw.draw(SKIPS) for _ in rows], np.int64)
        batch = pack(pa.array(rows, BYTES))
        for softmask in SOFTMASKS:
            counts = count_packed(batch, skip, softmask=softmask)
            assert counts.dtype == np.int64
            assert counts.shape == (len(rows), 65)
            assert counts.tolist() == [
                naive_counts(row, int(n), softmask) for row, n in zip(rows, skip, strict=True)
            ]

    @pytest.mark.parametrize("softmask", SOFTMASKS)
    @pytest.mark.parametrize("skip", [0, 1, 2])
    def test_each_byte_in_each_place_of_four_codons(self, skip: int, softmask: Softmask) -> None:
        rows = [
            bytes([*b"GATGATGATGAT"[:place], byte, *b"GATGATGATGAT"[place + 1 :]])
            for byte in range(256)
            for place in range(12)
        ]
        counts = count_packed(pack(pa.array(rows, BYTES)), skip, softmask=softmask)
        assert counts.tolist() == [naive_counts(row, skip, softmask) for row in rows]

    @settings(max_examples=40)
    @given(
        length=st.integers(0, 120),
        seed=st.integers(0, 2**32 - 1),
        alphabet=st.sampled_from([b"ACGT", b"ACGTacgt", b"ACGT" * 5 + b"NaUu", b"A"]),
    )
    def test_the_last_row_ends_with_the_data(self, length: int, seed: int, alphabet: bytes) -> None:
        rows = np.random.default_rng(seed).choice(list(alphabet), (3, length)).astype(np.uint8)
        texts = [row.tobytes() for row in rows]
        for skip, softmask in itertools.product((0, 1, 2), SOFTMASKS):
            counts = count_packed(pack(pa.array(texts, BYTES)), skip, softmask=softmask)
            assert counts.tolist() == [naive_counts(text, skip, softmask) for text in texts]

    @settings(max_examples=40)
    @given(
        codons=st.integers(_PAIRS_FROM - 20, _PAIRS_FROM + 60),
        rest=st.integers(0, 2),
        seed=st.integers(0, 2**32 - 1),
        masked=st.lists(
            st.tuples(
                st.integers(0, 3 * _PAIRS_FROM), st.integers(1, 3000), st.sampled_from(b"NaR-u")
            ),
            max_size=8,
        ),
        skip=SKIPS,
    )
    def test_long_rows_as_the_letters_count(
        self, codons: int, rest: int, seed: int, masked: list[tuple[int, int, int]], skip: int
    ) -> None:
        letters = np.random.default_rng(seed).choice(list(b"ACGT"), 3 * codons + rest + skip)
        letters = letters.astype(np.uint8)
        for start, length, byte in masked:
            letters[start : start + length] = byte
        data = np.concatenate([letters[:50], letters, letters[:7]])
        starts, stops = np.array([0, 50]), np.array([50, data.size])
        packed = pack_spans(data, starts, stops)
        for softmask in SOFTMASKS:
            counts = count_rows(packed, np.array([0, skip]), softmask=softmask)
            want = count_spans(data, starts + np.array([0, skip]), stops, softmask=softmask)
            assert counts.tolist() == want.tolist()

    @given(size=st.integers(0, 60), at=st.integers(0, 60), codons=st.integers(0, 99))
    def test_no_word_leaves_the_data(self, size: int, at: int, codons: int) -> None:
        words = counts._words(np.zeros(size, np.uint8), at, codons)
        fitting = [n for n in range(codons // 8 + 1) if n == 0 or at + 6 * (n - 1) + 8 <= size]
        assert words == max(fitting)

    def test_one_codon_over_and_over(self) -> None:
        texts = [letter * 400_000 for letter in "ACGTN"]
        counts = count_packed(pack(pa.array(texts)))
        assert counts.tolist() == count_array(pa.array(texts)).tolist()

    def test_wrong_arguments(self) -> None:
        batch = pack(pa.array(["ATG", "ATG"]))
        for skip in (3, -1, np.array([0]), np.array([0, 3])):
            with pytest.raises(UsageError, match="skip must be 0, 1 or 2 for each of 2 sequences"):
                count_packed(batch, skip)
        with pytest.raises(UsageError, match="softmask must be 'count' or 'skip', not 'no'"):
            count_packed(batch, softmask="no")  # type: ignore[arg-type]


def run(start: int, length: int, letter: int | None = None) -> dict[str, int]:
    return {"start": start, "length": length} | ({} if letter is None else {"letter": letter})


N = ord("N")
DAMAGE: dict[str, tuple[dict[str, Any], str]] = {
    "length too long": ({"length": [10, 9]}, "row 1: 9 bases do not fill the 2 bytes of seq2"),
    "length too short": ({"length": [10, 4]}, "row 1: 4 bases do not fill the 2 bytes"),
    "length negative": ({"length": [10, -7]}, "row 1: -7 bases do not fill"),
    "length near the end of int64": ({"length": [2**63 - 1, 8]}, "row 0: .* do not fill the 3"),
    "length unknown": ({"length": [10, None]}, "row 1: -1 bases"),
    "bytes missing": ({"seq2": [b"\0\0", b"\0\0"]}, "row 0: 10 bases do not fill the 2 bytes"),
    "rows under a null": ({"seq2": [None, b"\0\0"]}, "row 0: a run of letters"),
    "run past the end": ({"letters": [[run(9, 2, N)], []]}, "row 0: a run of letters .* 10 bases"),
    "run far past the end": ({"lower": [[], [run(2**62, 2**62)]]}, "row 1: a run of lower case"),
    "run before the start": ({"lower": [[run(-1, 2)], []]}, "row 0: a run of lower case"),
    "run of nothing": ({"letters": [[run(3, 0, N)], []]}, "row 0: a run of letters is empty"),
    "run backwards": ({"letters": [[run(3, -2, N)], []]}, "row 0: a run of letters is empty"),
    "runs out of order": ({"lower": [[run(5, 1), run(2, 1)], []]}, "row 0: a run of lower case"),
    "runs that overlap": ({"lower": [[], [run(1, 4), run(3, 2)]]}, "row 1: a run of lower case"),
    "run with a null": ({"lower": [[], [{"start": None, "length": 1}]]}, "a run holds a null"),
    "run that is null": ({"lower": [[], [None]]}, "a run holds a null"),
    "a base as a letter": ({"letters": [[], [run(0, 1, ord("G"))]]}, "row 1: .* contradicts"),
    "lower case as a letter": ({"letters": [[], [run(0, 1, ord("n"))]]}, "row 1: .* contradicts"),
    "U where the bits say A": ({"letters": [[], [run(0, 1, ord("U"))]]}, "row 1: .* contradicts"),
    "U beside U": (
        {"rna": [False, True], "letters": [[], [run(1, 1, ord("U"))]]},
        "row 1: .* contradicts",
    ),
}
WRONG_TYPES: dict[str, tuple[dict[str, Any], str]] = {
    "length": ({"length": pa.array(["x", "y"])}, "column length must be int64"),
    "letters": ({"letters": pa.array([1, 2])}, "column letters must be large_list"),
    "letter": (
        {"letters": pa.array([[run(0, 1, 300)], []])},
        "column letters must be large_list",
    ),
    "seq2": ({"seq2": pa.array([1, 2])}, "column seq2 must be large_binary"),
}


class TestDamage:
    @pytest.fixture
    def batch(self) -> pa.RecordBatch:
        return pack(pa.array(["ACNNACGTNN", "AUGTAACC"]))

    @pytest.mark.parametrize("name", DAMAGE)
    def test_columns_that_contradict_each_other(self, batch: pa.RecordBatch, name: str) -> None:
        columns, message = DAMAGE[name]
        for use in (unpack, count_packed):
            with pytest.raises(BadInput, match=f"damaged-packed: {message}"):
                use(changed(batch, **columns))

    @pytest.mark.parametrize("name", WRONG_TYPES)
    def test_columns_of_other_types(self, batch: pa.RecordBatch, name: str) -> None:
        columns, message = WRONG_TYPES[name]
        with pytest.raises(BadInput, match=f"wrong-type: {message}"):
            unpack(changed(batch, **columns))

    @pytest.mark.parametrize("name", PACKED.names)
    def test_a_column_is_missing(self, batch: pa.RecordBatch, name: str) -> None:
        with pytest.raises(BadInput, match=f"wrong-type: .* need a column {name}"):
            unpack(batch.drop_columns(name))

    @given(draw=st.data())
    def test_runs_of_any_numbers_raise_or_stay_inside(self, draw: Any) -> None:
        number = st.one_of(st.integers(-3, 12), st.integers(-(2**63), 2**63 - 1))
        letter = st.integers(0, 255)
        lists = st.lists(st.builds(run, number, number, letter), max_size=3)
        batch = changed(
            pack(pa.array(["ACGTACGT", "TT", "NNNNNNNNN"])),
            letters=[draw.draw(lists) for _ in range(3)],
        )
        try:
            text = unpack(batch, BYTES)
        except BadInput:
            return
        assert [len(row) for row in text.to_pylist()] == [8, 2, 9]
        for softmask in SOFTMASKS:
            counts = count_packed(batch, softmask=softmask)
            assert counts.tolist() == count_array(text, softmask=softmask).tolist()

    @pytest.mark.parametrize(
        ("field", "value", "message"),
        [
            ("starts", np.array([-1]), "leaves the 2 bytes of data"),
            ("starts", np.array([1]), "leaves the 2 bytes of data"),
            ("starts", np.array([2**63 - 1]), "leaves the 2 bytes of data"),
            ("starts", np.array([0, 0]), "must be equally long"),
            ("rna", np.zeros(0, bool), "must be equally long"),
            ("letters", np.zeros(1, np.uint8), "1 letters of 0 runs"),
            ("data", np.zeros((2, 1), np.uint8), "flat array of uint8"),
            ("other", Runs(*np.zeros((3, 1), int)), "runs of letters must be those of 1 seq"),
            ("other", Runs(np.array([0, 1]), np.zeros(1), np.zeros(0)), "as many as stops"),
            ("lower", Runs(np.array([0, 2]), *np.zeros((2, 1), int)), "runs of lower case must be"),
            ("lengths", np.array([LONGEST + 1]), f"row 0: a length of {LONGEST + 1} is not in 0"),
        ],
    )
    def test_wrong_arrays(self, field: str, value: Any, message: str) -> None:
        none = Runs(np.array([0, 0]), np.zeros(0, np.int64), np.zeros(0, np.int64))
        rows = Packed(
            data=np.zeros(2, np.uint8),
            starts=np.array([0]),
            lengths=np.array([8]),
            rna=np.zeros(1, np.bool_),
            other=none,
            letters=np.zeros(0, np.uint8),
            lower=none,
        )
        assert unpack_rows(rows)[0].tobytes() == b"TTTTTTTT"
        for use in (unpack_rows, lambda rows: count_rows(rows, np.array([0]))):
            with pytest.raises((UsageError, BadInput), match=message):
                use(rows._replace(**{field: value}))


class TestParquet:
    def written(self, batch: pa.RecordBatch, path: Path) -> pa.Table:
        encodings = {"seq2": "DELTA_LENGTH_BYTE_ARRAY", **ENCODINGS}
        options: Any = {"use_dictionary": False, "column_encoding": encodings}
        pq.write_table(pa.Table.from_batches([batch]), path, compression="zstd", **options)
        return pq.read_table(path)

    def test_a_file_keeps_the_columns(self, tmp_path: Path) -> None:
        texts = ["ACGTNNNNacgt", None, "", "AUGauggRYK", "TTnnTT-acgU"] * 20
        batch = pack(pa.array(texts))
        read = self.written(batch, tmp_path / "x.parquet")
        assert read.schema == PACKED
        assert read.to_batches()[0].equals(batch)

    def test_columns_of_writers_that_know_no_large_types(self) -> None:
        batch = pack(pa.array(["ACGTNNNNacgt", None, "AUG"]))
        small = [
            pa.field("length", pa.int32()),
            pa.field("seq2", pa.binary()),
            pa.field("letters", pa.list_(PACKED.field("letters").type.value_type)),
            pa.field("lower", pa.list_(PACKED.field("lower").type.value_type)),
        ]
        other = changed(
            batch, **{field.name: batch[field.name].cast(field.type) for field in small}
        )
        assert unpack(other).to_pylist() == ["ACGTNNNNacgt", None, "AUG"]
        assert count_packed(other).tolist() == count_packed(batch).tolist()

    def test_a_run_of_lower_case_over_other_bytes_changes_letters_only(self) -> None:
        batch = changed(pack(pa.array(["AC-G*TN@["])), lower=[[run(0, 9)]])
        assert unpack(batch).to_pylist() == ["ac-g*tn@["]

    def test_generated_genomes_take_less_than_their_letters(self, tmp_path: Path) -> None:
        array = pa.array([genome.sequence for genome in genomes(40)], BYTES)
        batch = pack(array)
        assert unpack(batch, BYTES).equals(array)
        self.written(batch, tmp_path / "packed.parquet")
        pq.write_table(
            pa.table({"length": batch["length"], "sequence": array}),
            tmp_path / "letters.parquet",
            compression="zstd",
            compression_level=1,
            use_dictionary=False,
        )
        sizes = [(tmp_path / f"{name}.parquet").stat().st_size for name in ("packed", "letters")]
        assert sizes[0] < sizes[1]


def test_warm_compiles_one_version_of_each_kernel() -> None:
    warm()
    array = pa.array([b"ACGTNNacgt", None, b"AUG", b"A" * 9000], BYTES)
    count_packed(pack(array), softmask="skip")
    unpack(pack(array[1:]), BYTES)
    for kernel in (
        kernels._pack,
        kernels._find_runs,
        kernels._unpack,
        kernels._misplaced,
        kernels._mislettered,
        counts._count,
        counts._ambiguous,
    ):
        assert len(kernel.signatures) == 1


def test_real_sequences(shared_data: Path) -> None:
    records = [
        str(record.seq)
        for pattern, kind in (("*.gb", "genbank"), ("*.gbk", "genbank"), ("*.f*a", "fasta"))
        for path in sorted((shared_data / "codons").glob(pattern))
        for record in SeqIO.parse(path, kind)
    ]
    for folder in ("helixerpost_oryza/genome.fa", "volvox/volvox.fa"):
        records += [str(r.seq) for r in SeqIO.parse(shared_data / "genome" / folder, "fasta")]
    texts = [*records, *(text.lower() for text in records)]
    texts += [text.replace("T", "U") for text in records]
    array = pa.array(texts, pa.large_string())
    batch = pack(array)
    assert unpack(batch).equals(array)
    for skip, softmask in itertools.product((0, 1, 2), SOFTMASKS):
        counts = count_packed(batch, skip, softmask=softmask)
        assert counts.tolist() == count_array(array, skip, softmask).tolist()
