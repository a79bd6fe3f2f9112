from __future__ import annotations

import gzip
import json
import re
from collections import Counter
from pathlib import Path

import pytest
from Bio import SeqIO
from Bio.Data import CodonTable
from Bio.Seq import Seq
from Bio.SeqRecord import SeqRecord
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from polytene.exceptions import BadInput
from polytene.formats.genbank import (
    Coding,
    GenBankRecord,
    Rejected,
    read_genbank,
    record_code,
)

SAME_FOLDER = settings(
    deadline=None,
    max_examples=80,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
CODONS = [a + b + c for a in "TCAG" for b in "TCAG" for c in "TCAG"]
COMPLEMENT = bytes.maketrans(b"ACGTacgt", b"TGCAtgca")


def real_files(shared_data: Path) -> list[Path]:
    paths = sorted((shared_data / "codons").glob("*.gb*"))
    assert len(paths) == 6
    return paths


def real_records(shared_data: Path) -> list[GenBankRecord]:
    records = [record for path in real_files(shared_data) for record in read_genbank(path)]
    whole = [record for record in records if isinstance(record, GenBankRecord)]
    assert len(whole) == len(records) == 20
    return whole


def biopython_records(shared_data: Path) -> list[SeqRecord]:
    return [r for path in real_files(shared_data) for r in SeqIO.parse(path, "genbank")]


def spliced(record: GenBankRecord, cds: Coding) -> bytes:
    return b"".join(
        record.sequence[start:end]
        if strand == 1
        else record.sequence[start:end].translate(COMPLEMENT)[::-1]
        for start, end, strand in cds.pieces
    )


def codon_counts(sequence: bytes) -> list[int]:
    text = sequence.decode().upper().replace("U", "T")
    found = Counter(text[at : at + 3] for at in range(0, len(text) // 3 * 3, 3))
    counts = [found[codon] for codon in CODONS]
    return [*counts, sum(found.values()) - sum(counts)]


def coding_features(record: SeqRecord) -> list:
    marks = ("pseudo", "pseudogene")
    return [
        feature
        for feature in record.features
        if feature.type == "CDS" and not any(mark in feature.qualifiers for mark in marks)
    ]


def test_real_records_read_as_biopython_reads_them(shared_data: Path) -> None:
    for record, expected in zip(
        real_records(shared_data), biopython_records(shared_data), strict=True
    ):
        source = next(f for f in expected.features if f.type == "source").qualifiers
        assert record.id == expected.id
        assert record.description == expected.description
        assert record.sequence.decode().upper() == str(expected.seq).upper()
        assert record.circular == (expected.annotations["topology"] == "circular")
        assert [record.organism] == source["organism"]
        assert f"taxon:{record.taxid}" in source["db_xref"]
        assert record.organelle == source.get("organelle", [None])[0]
        assert not record.rejected


def test_real_coding_sequences_are_spliced_as_biopython_does(shared_data: Path) -> None:
    count = 0
    for record, expected in zip(
        real_records(shared_data), biopython_records(shared_data), strict=True
    ):
        for cds, feature in zip(record.cds, coding_features(expected), strict=True):
            qualifiers = feature.qualifiers
            text = spliced(record, cds).decode().upper()
            assert text == str(feature.extract(expected.seq)).upper()
            assert cds.translation == qualifiers.get("translation", [None])[0]
            assert cds.gene == qualifiers.get("gene", [None])[0]
            assert str(cds.codon_start) == qualifiers.get("codon_start", ["1"])[0]
            assert cds.transl_except == (",".join(qualifiers.get("transl_except", [])) or None)
            assert (cds.partial5 or cds.partial3) == bool(re.search("[<>]", str(feature.location)))
            count += 1
    assert count == 397


def test_real_codon_counts_are_the_known_ones(shared_data: Path) -> None:
    truth = json.loads((shared_data / "codons" / "ground_truth_counts.json").read_text())
    records = real_records(shared_data)
    assert {record.id for record in records} == set(truth)
    for record in records:
        counts = [codon_counts(spliced(record, cds)[cds.codon_start - 1 :]) for cds in record.cds]
        assert len(counts) == truth[record.id]["n_cds"]
        assert [sum(column) for column in zip(*counts, strict=True)] == truth[record.id]["cds"]
        assert record_code(record) == truth[record.id]["table"]


def agrees(record: GenBankRecord, cds: Coding) -> bool:
    table = cds.transl_table or 1
    sequence = spliced(record, cds)[cds.codon_start - 1 :].upper()
    protein = str(Seq(sequence + b"N" * (-len(sequence) % 3)).translate(table=table))
    starts = CodonTable.unambiguous_dna_by_id[table].start_codons
    if sequence[:3].decode() in starts:
        protein = "M" + protein[1:]
    return re.sub("[*X]$", "", protein) == cds.translation


def test_real_translations_agree_as_far_as_is_known(shared_data: Path) -> None:
    stated: Counter[str] = Counter()
    agreed: Counter[str] = Counter()
    for record in real_records(shared_data):
        stated[record.id] = sum(cds.translation is not None for cds in record.cds)
        agreed[record.id] = sum(agrees(record, cds) for cds in record.cds if cds.translation)
    assert (stated.total(), agreed.total()) == (392, 376)
    assert (stated["AJ506156.2"], stated["NC_000932.1"]) == (84, 85)
    assert stated - agreed == {"AJ506156.2": 15, "NC_000932.1": 1}


def test_ids_are_unique_in_their_record(shared_data: Path) -> None:
    for record in real_records(shared_data):
        assert len({cds.id for cds in record.cds}) == len(record.cds)


def flat(
    features: str = "     CDS             1..6\n",
    *,
    locus: str = "X1 12 bp DNA circular",
    source: str = "",
    bases: str = "        1 atgaaatttt ga\n",
    end: str = "//\n",
) -> str:
    return (
        f"LOCUS       {locus}\nDEFINITION  A plasmid,\n            whole.\nACCESSION   X1\n"
        f"VERSION     X1.2  GI:1\nSOURCE      Made up\n  ORGANISM  Made up\n            Life.\n"
        f"COMMENT     none\n// is not at this line's start\n".replace("\n//", "\n            //")
        + "FEATURES             Location/Qualifiers\n"
        + f"     source          1..12\n{source}{features}ORIGIN\n{bases}{end}"
    )


def parse(
    folder: Path, content: str | bytes, block_bytes: int | None = None
) -> list[GenBankRecord | Rejected]:
    path = folder / "x.gb"
    path.write_bytes(content.encode() if isinstance(content, str) else content)
    return list(read_genbank(path, block_bytes))


def whole(folder: Path, content: str) -> GenBankRecord:
    (record,) = parse(folder, content)
    assert isinstance(record, GenBankRecord)
    return record


def qualifiers(*lines: str) -> str:
    return "".join(f"{'':21}{line}\n" for line in lines)


def test_a_record_field_by_field(tmp_path: Path) -> None:
    source = qualifiers(
        '/organism="Made', 'up"', '/organelle="mitochondrion"', '/db_xref="taxon:9"'
    )
    features = "     gene            1..12\n" + qualifiers('/gene="odd"')
    features += "     CDS             complement(join(1..3,\n" + qualifiers("7..>12))")
    features += qualifiers(
        '/gene="a ""b"" // c"',
        "/codon_start=2",
        "/transl_table=4",
        "/transl_except=(pos:1..3,",
        "aa:Sec)",
        "/transl_except=(pos:4,aa:TERM)",
        '/translation="MK',
        'F"',
        '/note="a wrapped',
        '/codon_start=3"',
    )
    record = whole(tmp_path, flat(features, source=source))
    assert record == GenBankRecord(
        id="X1.2",
        description="A plasmid, whole",
        organism="Made up",
        taxid=9,
        organelle="mitochondrion",
        circular=True,
        sequence=b"atgaaattttga",
        line=1,
        cds=[
            Coding(
                id='a "b" // c',
                gene='a "b" // c',
                pieces=((6, 12, -1), (0, 3, -1)),
                codon_start=2,
                transl_table=4,
                partial5=True,
                partial3=False,
                transl_except="(pos:1..3,aa:Sec),(pos:4,aa:TERM)",
                translation="MKF",
                line=19,
            )
        ],
        rejected=[],
        pseudo=0,
    )


def test_names_are_taken_in_turn_and_made_unique(tmp_path: Path) -> None:
    named = [
        ('/gene="g"', '/locus_tag="t"', '/protein_id="p.1"'),
        ('/gene="g"', '/locus_tag="t"'),
        ('/gene="g"', '/protein_id=""'),
        ('/gene="g"',),
        ('/gene="g#2"',),
        ('/gene="g"',),
        (),
    ]
    features = "".join("     CDS             1..6\n" + qualifiers(*lines) for lines in named)
    record = whole(tmp_path, flat(features))
    assert [cds.id for cds in record.cds] == ["p.1", "t", "g", "g#2", "g#2#2", "g#3", "X1.2:cds7"]


@pytest.mark.parametrize(
    ("location", "lines", "reason", "says"),
    [
        ("1..13", (), "cds-out-of-range", "base 13 of a sequence of 12 bp"),
        ("J00194.1:1..20", (), "remote-location", "another record"),
        ("3^4", (), "inexact-location", "no certain bases"),
        ("here", (), "bad-location", "did not expect 'here'"),
        ("", (), "bad-location", "the end"),
        ("1..6", ("/codon_start=4",), "bad-codon-start", "'4'"),
        ("1..6", ("/codon_start",), "bad-codon-start", "''"),
        ("1..6", ("/transl_table=x",), "bad-transl-table", "'x'"),
        ("1..6", ('/note="open', "/codon_start=2"), "bad-qualifier", "no closing quote"),
        ("1..6", ('/note="a" b',), "bad-qualifier", "goes on"),
    ],
)
def test_one_bad_coding_sequence_spares_the_others(
    tmp_path: Path, location: str, lines: tuple[str, ...], reason: str, says: str
) -> None:
    features = f"     CDS             {location}\n" + qualifiers(*lines)
    features += "     CDS             7..12\n" + qualifiers('/gene="good"')
    record = whole(tmp_path, flat(features))
    assert [cds.id for cds in record.cds] == ["good"]
    ((item, why, detail),) = record.rejected
    assert (item, why) == ("X1.2:cds1", reason)
    assert says in detail
    assert "x.gb: line 13: CDS X1.2:cds1" in detail


@pytest.mark.parametrize("mark", ["/pseudo", '/pseudogene="processed"'])
def test_pseudogenes_are_counted_and_skipped(tmp_path: Path, mark: str) -> None:
    features = "     CDS             J0.1:1..6\n" + qualifiers(mark)
    record = whole(tmp_path, flat(features))
    assert (record.cds, record.rejected, record.pseudo) == ([], [], 1)


@pytest.mark.parametrize(
    ("content", "reason", "says"),
    [
        (flat(bases=""), "no-sequence", "gbwithparts"),
        (flat(bases="").replace("ORIGIN", "CONTIG      join(A.1:1..12)"), "no-sequence", "X1.2"),
        (flat(locus="X1 13 bp DNA"), "length-mismatch", "says 13 bp, ORIGIN has 12 bp"),
        (flat(locus="X1 12 aa"), "protein-record", "protein"),
        (flat(locus="NODE_1_cov_1.512 bp DNA"), "bad-locus", "apart by blanks"),
        (flat(end=""), "truncated-record", "next record begins in line 16"),
        (flat(features="\tCDS\t1..6\n"), "bad-feature-table", "line 13"),
        (flat(source=qualifiers('/organelle="mito')), "bad-qualifier", "closing quote"),
    ],
)
def test_one_bad_record_spares_the_others(
    tmp_path: Path, content: str, reason: str, says: str
) -> None:
    rejected, good = parse(tmp_path, content + flat())
    assert isinstance(rejected, Rejected)
    assert (rejected.item, rejected.reason) == ("X1.2", reason)
    assert says in rejected.detail
    assert isinstance(good, GenBankRecord)


@pytest.mark.parametrize(
    ("content", "reason", "says"),
    [
        ("", "empty-file", "x.gb"),
        (" \n\r\n", "empty-file", "x.gb"),
        (">a\nACGT\n", "not-genbank", "line 1: .* FASTA"),
        ("\n@a\nACGT\n", "not-genbank", "line 2: .* FASTQ"),
        ("ID   X; SV 1;\n", "not-genbank", "EMBL"),
        (flat() + "\nmore\n", "not-genbank", "line 18"),
    ],
)
def test_what_is_wrong_with_a_file_is_said(
    tmp_path: Path, content: str, reason: str, says: str
) -> None:
    with pytest.raises(BadInput, match=says) as caught:
        parse(tmp_path, content)
    assert caught.value.reason == reason


def test_a_file_cut_anywhere_gives_its_whole_records_and_an_error(tmp_path: Path) -> None:
    first, both = len(flat()), flat() * 2
    path = tmp_path / "cut.gb"
    for size in range(1, len(both) - 1):
        path.write_text(both[:size])
        records = read_genbank(path)
        if size >= first - 1:
            assert isinstance(next(records), GenBankRecord)
        if size in (first - 1, first):
            assert list(records) == []
            continue
        with pytest.raises(BadInput, match=r"truncated-record|not-genbank"):
            next(records)


def test_a_release_file_begins_with_a_banner(tmp_path: Path) -> None:
    banner = "GBBCT1.SEQ  Genetic Sequence Data Bank\n   October 15 2004\n\n  1 loci\n\n"
    assert whole(tmp_path, banner + flat()).line == 6


@pytest.mark.parametrize(
    ("version", "accession", "expected"),
    [("X1.2", "X1", "X1.2"), ("", "X1", "X1"), (".", ".", "name"), (".", "unknown", "name")],
)
def test_the_id_is_the_best_name_there_is(
    tmp_path: Path, version: str, accession: str, expected: str
) -> None:
    content = flat(locus="name 12 bp DNA").replace("X1.2  GI:1", version)
    content = content.replace("ACCESSION   X1", f"ACCESSION   {accession}")
    assert whole(tmp_path, content).id == expected


def test_an_organelle_is_known_by_its_source_line_too(tmp_path: Path) -> None:
    content = flat().replace("SOURCE      Made up", "SOURCE      mitochondrion Made up")
    assert whole(tmp_path, content).organelle == "mitochondrion"


@pytest.mark.parametrize(
    ("tables", "organelle", "expected"),
    [
        ([], None, 1),
        ([], "mitochondrion", None),
        ([None, 5], "mitochondrion", 5),
        ([11, 4, 4], None, 4),
        ([11, 4], None, 4),
    ],
)
def test_the_code_of_a_record(
    tmp_path: Path, tables: list[int | None], organelle: str | None, expected: int | None
) -> None:
    features = "".join(
        "     CDS             1..6\n" + qualifiers(*([f"/transl_table={table}"] if table else []))
        for table in tables
    )
    source = qualifiers(f'/organelle="{organelle}"') if organelle else ""
    assert record_code(whole(tmp_path, flat(features, source=source))) == expected


@pytest.mark.parametrize("name", ["../../x", "/", "a\tb", "\x1b[2J", "'\"\"`$(x)'", "\u202eabc"])
def test_hostile_names_are_kept_and_shown_safely(tmp_path: Path, name: str) -> None:
    features = "     CDS             1..99\n" + qualifiers(f'/gene="{name}"')
    (rejected,) = whole(tmp_path, flat(features)).rejected
    assert rejected.item == name.replace('""', '"')
    assert rejected.detail.isprintable()


@st.composite
def wrapped_locations(draw: st.DrawFn) -> tuple[list[tuple[int, int]], str]:
    """Spans of 1..1000 and their join, broken into lines after any comma."""
    pairs = draw(st.lists(st.tuples(st.integers(1, 500), st.integers(501, 1000)), min_size=2))
    text = "join("
    for first, last in pairs:
        text += f"{first}..{last}," + ("\n" + 21 * " " if draw(st.booleans()) else "")
    return pairs, text.rstrip().removesuffix(",") + ")"


@SAME_FOLDER
@given(
    wrapped=wrapped_locations(),
    newline=st.sampled_from(["\n", "\r\n", "\r"]),
    block_bytes=st.one_of(st.integers(1, 7), st.none()),
    zipped=st.booleans(),
)
def test_wrapped_locations_in_any_file_and_any_blocks(
    tmp_path: Path,
    wrapped: tuple[list[tuple[int, int]], str],
    newline: str,
    block_bytes: int | None,
    zipped: bool,
) -> None:
    pairs, location = wrapped
    bases = "".join(f"{at + 1:9} {'acgtacgtac ' * 4}\n" for at in range(0, 1000, 40))
    content = flat(f"     CDS             {location}\n", locus="X1 1000 bp DNA", bases=bases)
    raw = content.replace("\n", newline).encode()
    (record,) = parse(tmp_path, gzip.compress(raw) if zipped else raw, block_bytes)
    assert isinstance(record, GenBankRecord)
    assert record.sequence == b"acgtacgtac" * 100
    assert record.cds[0].pieces == tuple((first - 1, last, 1) for first, last in pairs)


def test_real_files_do_not_depend_on_the_blocks(shared_data: Path) -> None:
    path = shared_data / "codons" / "NC_001422.gbk"
    for block_bytes in (1, 7, 1000):
        assert list(read_genbank(path, block_bytes)) == list(read_genbank(path))


def test_gzip_cut_anywhere_never_gives_fewer_records_in_silence(tmp_path: Path) -> None:
    zipped = gzip.compress((flat() * 2).encode())
    for size in range(len(zipped)):
        with pytest.raises(BadInput):
            parse(tmp_path, zipped[:size])
