"""Lists of samples of every kind that people have; hostile ones are refused with their line."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from polytene import rnaseq
from polytene.exceptions import UsageError

AMALGKIT = (
    "scientific_name\tis_sampled\texclusion\trun\tlib_layout\ttotal_spots\tsize\tnominal_length\n"
    "Apis mellifera\tyes\tno\tSRR000001\tpaired\t10\t999\t250\n"
    "Apis mellifera\tyes\tlow_nspots\tSRR000002\tpaired\t1\t9\t\n"
    "Apis mellifera\tno\tno\tSRR000003\tpaired\t1\t9\t\n"
)
ENA = (
    "run_accession\tfastq_ftp\tfastq_md5\tfastq_bytes\tread_count\tlibrary_layout\n"
    "ERR000001\tftp.x.uk/a_1.fastq.gz;ftp.x.uk/a_2.fastq.gz\t{0};{0}\t5;6\t7\tPAIRED\n"
).format("0" * 32)
FETCHNGS = (
    '"sample","fastq_1","fastq_2","run_accession","library_layout","read_count"\n'
    '"SRX1","./fastq/a_1.fastq.gz","./fastq/a_2.fastq.gz","SRR000001","PAIRED","12"\n'
)
RUNINFO = (
    "Run,spots,size_MB,LibraryLayout,InsertSize,InsertDev,ScientificName\n"
    "SRR000001,12,3,PAIRED,250,20,Apis mellifera\n\n"
    "Run,spots,size_MB,LibraryLayout,InsertSize,InsertDev,ScientificName\n"
    "SRR000002,13,3,SINGLE,0,0,Apis mellifera\n"
)
OURS = "run\torganism\tlibrary_layout\ttotal_spots\tsize\nDRR000001\tApis\tSINGLE\t5\t77\n"


def read(tmp_path, text):
    path = tmp_path / "list.txt"
    path.write_text(text)
    return rnaseq.read_samples(path).to_pylist()


def test_accessions(tmp_path):
    rows = read(tmp_path, "# mine\nSRR000001\n\n  ERR000002  \n")
    assert [r["run"] for r in rows] == ["SRR000001", "ERR000002"]
    assert rows[0]["spots"] is None


def test_amalgkit_rows_that_are_excluded_or_not_sampled_are_left_out(tmp_path):
    (row,) = read(tmp_path, AMALGKIT)
    assert (row["run"], row["layout"], row["spots"]) == ("SRR000001", "PAIRED", 10)
    assert (row["sra_bytes"], row["fragment_length"]) == (999, 250.0)
    assert row["scientific_name"] == "Apis mellifera"


def test_ena(tmp_path):
    (row,) = read(tmp_path, ENA)
    assert row["urls"][0] == "https://ftp.x.uk/a_1.fastq.gz"
    assert (row["bytes"], row["spots"], row["md5"]) == ([5, 6], 7, ["0" * 32] * 2)


def test_fetchngs(tmp_path):
    (row,) = read(tmp_path, FETCHNGS)
    assert (row["run"], row["layout"], row["spots"]) == ("SRR000001", "PAIRED", 12)


def test_runinfo_of_two_searches(tmp_path):
    rows = read(tmp_path, RUNINFO)
    assert [r["run"] for r in rows] == ["SRR000001", "SRR000002"]
    assert (rows[0]["fragment_length"], rows[1]["fragment_length"]) == (250.0, None)
    assert rows[0]["sra_bytes"] == 3_000_000


def test_our_own_list(tmp_path):
    (row,) = read(tmp_path, OURS)
    assert (row["run"], row["layout"], row["spots"]) == ("DRR000001", "SINGLE", 5)


@pytest.mark.parametrize(
    ("text", "line"),
    [
        ("SRR000001\n../../etc/passwd\n", 2),
        ("SRR000001; rm -rf /\n", 1),
        ("SRR000001\n\nSRR000001\n", 3),
        ("SRX000001\n", 1),
        ("run\tlibrary_layout\nSRR000001\tTRIPLE\n", 2),
        ("run\ttotal_spots\nSRR000001\t-3\n", 2),
        ("run\ttotal_spots\nSRR000001\n", 2),
        (ENA.replace("ftp.x.uk/a_1", "x.uk/$(id)"), 2),
        (ENA.replace("0" * 32, "zz", 1), 2),
    ],
)
def test_what_is_malformed_is_refused_with_its_line(tmp_path, text, line):
    with pytest.raises(UsageError, match=f"line {line}\\b"):
        read(tmp_path, text)


def test_a_list_without_a_run(tmp_path):
    with pytest.raises(UsageError, match="no run"):
        read(tmp_path, "\n")


@given(st.text(max_size=200))
def test_any_text_gives_runs_or_a_usage_error(text):
    from polytene.rnaseq.samples import is_run, parse_samples

    try:
        found = parse_samples(text, "list")
    except UsageError:
        return
    assert all(is_run(run) for run in found.column("run").to_pylist())
